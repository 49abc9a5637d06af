/* The axes in another order: axis i of y is axis order[i] of x.
 *
 *     y[i0, i1, ...] = x[...]  with  x's index along axis order[k] equal to ik
 *
 * A rearrangement is its own transpose backwards: dx gets from dy what y got from x. */
#include "autograd/ops.h"
#include "tensor/error.h"

/* y's size along four axes, the first 1 where the rank is lower,
 * and x's steps along them. */
typedef struct { int size[MAX_RANK]; size_t step[MAX_RANK]; } Args;

static void permute_forward(Var *y);
static void permute_backward(Var *y);
static const Op permute_op = {.name = "permute", .forward = permute_forward,
                              .backward = permute_backward, .cheap = true};

Var *permute(Tape *t, Var *x, const int order[])
{
    int rank = x->shape.rank, first = MAX_RANK - rank;
    Shape y = x->shape;
    Args args;
    unsigned seen = 0;
    for (int i = 0; i < first; i++) args.size[i] = 1, args.step[i] = 0;
    for (int i = 0; i < rank; i++) {
        require(order[i] >= 0 && order[i] < rank && !(seen >> order[i] & 1),
                "permute: axis %d of %s twice or not there", order[i], SHOW(x->shape));
        seen |= 1u << order[i];
        y.dim[i] = args.size[first + i] = x->shape.dim[order[i]];
        args.step[first + i] = 1;
        for (int k = order[i] + 1; k < rank; k++)
            args.step[first + i] *= (size_t)x->shape.dim[k];
    }
    return tape_push(t, &permute_op, y, 1, (Var *[]){x}, &args, sizeof args);
}

/* Calls the two numbers that belong together `x` and `y`.  The arrays are asked for once,
 * before the threads start: var_grad makes its array at the first call. */
#define PERMUTE_LOOP(v, xs, ys, statement)                                          \
    do {                                                                            \
        const Args *s = (v)->args;                                                  \
        Real *const xs_ = (xs), *const ys_ = (ys);                                  \
        _Pragma("omp parallel for schedule(static)")                                \
        for (int r = 0; r < s->size[0] * s->size[1] * s->size[2]; r++) {            \
            int k = r % s->size[2], j = r / s->size[2] % s->size[1];                \
            size_t i = (size_t)(r / s->size[2] / s->size[1]);                       \
            size_t from = i * s->step[0] + (size_t)j * s->step[1] +                 \
                          (size_t)k * s->step[2];                                   \
            for (size_t c = 0; c < (size_t)s->size[3]; c++) {                       \
                Real *x = xs_ + from + c * s->step[3];                              \
                Real *y = ys_ + (size_t)r * (size_t)s->size[3] + c;                 \
                statement;                                                          \
            }                                                                       \
        }                                                                           \
    } while (0)

static void permute_forward(Var *v)
{
    PERMUTE_LOOP(v, v->in[0]->value, v->value, *y = *x);
}
static void permute_backward(Var *v)
{
    PERMUTE_LOOP(v, var_grad(v->in[0]), v->grad, *x += *y);
}
