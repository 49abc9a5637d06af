/* Enlarges an image by its mirror image at each edge; the edge pixel itself is not
 * repeated: a b c d becomes c b | a b c d | c b.
 *
 *     y[h][w] = x[m(h - top)][m(w - left)],   m(i) = |i| reflected at H - 1
 *
 * Backward adds each dy to the pixel it came from. */
#include "autograd/ops.h"
#include "tensor/error.h"

typedef struct { int top, left; } Args;

static void reflect_pad_forward(Var *y);
static void reflect_pad_backward(Var *y);
static const Op reflect_pad_op = {.name = "reflect_pad", .forward = reflect_pad_forward,
                                  .backward = reflect_pad_backward, .cheap = true};

Var *reflect_pad(Tape *t, Var *x, const int margin[4])
{
    const int *d = x->shape.dim;
    bool fits = x->shape.rank == 4;
    for (int i = 0; fits && i < 4; i++) fits = margin[i] >= 0 && margin[i] < d[1 + i / 2];
    require(fits, "reflect_pad of %s by %d, %d, %d, %d; each must be less than the "
            "image's side", SHOW(x->shape), margin[0], margin[1], margin[2], margin[3]);
    Shape y = SHAPE(d[0], d[1] + margin[0] + margin[1], d[2] + margin[2] + margin[3],
                    d[3]);
    return tape_push(t, &reflect_pad_op, y, 1, (Var *[]){x},
                     &(Args){margin[0], margin[2]}, sizeof(Args));
}

static int mirror(int i, int size)
{
    if (i < 0) return -i;
    return i < size ? i : 2 * (size - 1) - i;
}

/* Where pixel (n, h, w) of y comes from, as an offset in x. */
static size_t source_of(const Var *y, int n, int h, int w)
{
    const Args *s = y->args;
    const int *d = y->in[0]->shape.dim;
    int i = mirror(h - s->top, d[1]), j = mirror(w - s->left, d[2]);
    return (((size_t)n * (size_t)d[1] + (size_t)i) * (size_t)d[2] + (size_t)j) *
           (size_t)d[3];
}

/* y = x there, or dx += dy. */
static void move(const Var *y, Real *x, Real *out, bool forward)
{
    const int *o = y->shape.dim;
#pragma omp parallel for schedule(static)
    for (int n = 0; n < o[0]; n++) {
        Real *to = out + (size_t)n * (size_t)(o[1] * o[2]) * (size_t)o[3];
        for (int h = 0; h < o[1]; h++)
            for (int w = 0; w < o[2]; w++, to += o[3]) {
                Real *from = x + source_of(y, n, h, w);
                for (int c = 0; c < o[3]; c++)
                    if (forward) to[c] = from[c];
                    else from[c] += to[c];
            }
    }
}

static void reflect_pad_forward(Var *y) { move(y, y->in[0]->value, y->value, true); }
static void reflect_pad_backward(Var *y) { move(y, var_grad(y->in[0]), y->grad, false); }
