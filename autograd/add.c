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
    Real *da = var_grad(y->in[0]), *db = var_grad(y->in[1]);
    if (da) broadcast_sum(da, s->step_a, s->size, y->grad);
    if (db) broadcast_sum(db, s->step_b, s->size, y->grad);
}
