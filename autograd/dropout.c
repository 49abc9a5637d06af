/* Dropout (Srivastava 2014).
 *
 *     y[i] = x[i] m[i] / (1 - p),    m[i] = 1 with probability 1 - p, else 0
 *     dx[i] += dy[i] m[i] / (1 - p)
 *
 * The mask is a function of its address (tensor/random.h), so nothing is stored: backward
 * asks for the same numbers again. */
#include "autograd/ops.h"
#include "tensor/error.h"

typedef struct { double p; Random random; uint64_t first; } Args;

static void dropout_forward(Var *y);
static void dropout_backward(Var *y);
static const Op dropout_op = {.name = "dropout", .forward = dropout_forward,
                              .backward = dropout_backward, .cheap = true};

Var *dropout(Tape *t, Var *x, double p, Random r, uint64_t first)
{
    require(p >= 0 && p < 1, "dropout with probability %g; want 0 <= p < 1", p);
    Args args = {p, r, first};
    return tape_push(t, &dropout_op, x->shape, 1, (Var *[]){x}, &args, sizeof args);
}

/* to[i] = from[i] m[i] / (1 - p), or += */
static void apply_mask(Real *to, const Real *from, size_t n, const Args *s,
                       bool accumulate)
{
    enum { PIECE = 1024 };
    Real keep = (Real)(1 / (1 - s->p));
    uint64_t dropped = (uint64_t)ceil(s->p * 4294967296.0);     /* of the 2^32 values */
#pragma omp parallel for schedule(static)
    for (size_t first = 0; first < n; first += PIECE) {
        uint32_t bits[PIECE];
        size_t count = n - first < PIECE ? n - first : PIECE;
        random_bits_run(s->random, s->first + first, count, bits);
        for (size_t i = 0; i < count; i++) {
            Real masked = bits[i] >= dropped ? from[first + i] * keep : 0;
            to[first + i] = accumulate ? to[first + i] + masked : masked;
        }
    }
}

static void dropout_forward(Var *y)
{
    apply_mask(y->value, y->in[0]->value, y->size, y->args, false);
}

static void dropout_backward(Var *y)
{
    apply_mask(var_grad(y->in[0]), y->grad, y->size, y->args, true);
}
