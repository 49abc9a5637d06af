/* Addition, with broadcasting (broadcast.h).
 *
 *     y = a + b            da += dy            db += dy
 *
 * where a is repeated, da gets the sum over all places where it was used. */
#include "autograd/broadcast.h"

static void add_forward(Var *y);
static void add_backward(Var *y);
static const Op add_op = {.name = "add", .forward = add_forward,
                          .backward = add_backward};

Var *add(Tape *t, Var *a, Var *b)
{
    Shape shape;
    Broadcast s = broadcast_make("add", a->shape, b->shape, &shape);
    return tape_push(t, &add_op, shape, 2, (Var *[]){a, b}, &s, sizeof s);
}

static void add_forward(Var *y)
{
    const Broadcast *s = y->args;
    BROADCAST_LOOP(s, y->in[0]->value, y->in[1]->value, y->value, a + b);
}

static void add_backward(Var *y)
{
    const Broadcast *s = y->args;
    Var *a = y->in[0], *b = y->in[1];
    if (b->size == y->size) grad_pass(b, y, false);
    else if (b->needs_grad) broadcast_sum(var_grad(b), s->step_b, s->size, y->grad);
    if (a->size == y->size) grad_pass(a, y, true);
    else if (a->needs_grad) broadcast_sum(var_grad(a), s->step_a, s->size, y->grad);
}
