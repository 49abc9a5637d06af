/* The largest number along some axes, which stay with size 1.
 *
 *     y = max of x over those axes            dx += dy at the largest, 0 elsewhere
 *
 * The place of the largest is kept; of several equal ones it is the first. */
#include <stdint.h>

#include "autograd/broadcast.h"

typedef struct { Broadcast b; size_t *place; } Args;

static void max_forward(Var *y);
static void max_backward(Var *y);
static const Op max_op = {.name = "max", .forward = max_forward,
                          .backward = max_backward};

Var *max(Tape *t, Var *x, unsigned axes)
{
    Shape small = shape_reduce(x->shape, axes), same;
    Args args = {broadcast_make("max", small, x->shape, &same),
                 tape_save(t, size_t, shape_size(small))};
    return tape_push(t, &max_op, small, 1, (Var *[]){x}, &args, sizeof args);
}

static void max_forward(Var *y)
{
    const Args *s = y->args;
    const Real *x = y->in[0]->value;
    const int *size = s->b.size, *step = s->b.step_a;
    for (size_t i = 0; i < y->size; i++) s->place[i] = SIZE_MAX;
    for (int r = 0; r < size[0] * size[1] * size[2]; r++)
        for (int c = 0; c < size[3]; c++) {
            size_t from = (size_t)r * (size_t)size[3] + (size_t)c;
            size_t to = broadcast_row(size, step, r) + (size_t)c * (size_t)step[3];
            if (s->place[to] == SIZE_MAX || x[from] > x[s->place[to]])
                s->place[to] = from;
        }
    for (size_t i = 0; i < y->size; i++) y->value[i] = x[s->place[i]];
}

static void max_backward(Var *y)
{
    const Args *s = y->args;
    Real *dx = var_grad(y->in[0]);
    for (size_t i = 0; i < y->size; i++) dx[s->place[i]] += y->grad[i];
}
