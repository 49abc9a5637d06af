/* Sum and mean over some axes, which stay with size 1, so that the result can be combined
 * with x again:  sum of [N, H, W, C] over AXIS(1) and AXIS(2) is [N, 1, 1, C].
 *
 *     y = scale * sum of x over those axes            dx += scale dy, repeated
 *
 * with scale 1 for the sum, 1/(how many) for the mean.  It is broadcasting the other way
 * round: what is repeated there is summed here (broadcast.h). */
#include <string.h>

#include "autograd/broadcast.h"
#include "tensor/error.h"

typedef struct { Broadcast b; Real scale; } Args;

static void sum_forward(Var *y);
static void sum_backward(Var *y);
static const Op sum_op = {.name = "sum", .forward = sum_forward,
                          .backward = sum_backward};
static const Op mean_op = {.name = "mean", .forward = sum_forward,
                           .backward = sum_backward};

static Var *push(Tape *t, const Op *op, Var *x, unsigned axes)
{
    Shape small = shape_reduce(x->shape, axes), same;
    Args args = {broadcast_make(op->name, small, x->shape, &same), 1};
    if (op == &mean_op)
        args.scale = (Real)((double)shape_size(small) / (double)x->size);
    return tape_push(t, op, small, 1, (Var *[]){x}, &args, sizeof args);
}

Var *sum(Tape *t, Var *x, unsigned axes) { return push(t, &sum_op, x, axes); }
Var *mean(Tape *t, Var *x, unsigned axes) { return push(t, &mean_op, x, axes); }

static void sum_forward(Var *y)
{
    const Args *s = y->args;
    memset(y->value, 0, y->size * sizeof *y->value);
    broadcast_sum(y->value, s->b.step_a, s->b.size, y->in[0]->value);
    for (size_t i = 0; i < y->size; i++) y->value[i] *= s->scale;
}

static void sum_backward(Var *y)
{
    const Args *s = y->args;
    broadcast_add(var_grad(y->in[0]), s->b.step_a, s->b.size, y->grad, s->scale);
}
