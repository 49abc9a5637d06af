/* The same numbers in the same order under another shape.
 *
 *     y[i] = x[i]            dx[i] += dy[i]
 *
 * It copies: a view would share its memory with x, and then either could be released only
 * with the other.  In a U-Net nothing large is reshaped. */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"

static void reshape_forward(Var *y);
static void reshape_backward(Var *y);
static const Op reshape_op = {.name = "reshape", .forward = reshape_forward,
                              .backward = reshape_backward, .cheap = true};

Var *reshape(Tape *t, Var *x, Shape shape)
{
    require(shape_size(shape) == x->size, "reshape: %s has %zu numbers, %s has %zu",
            SHOW(x->shape), x->size, SHOW(shape), shape_size(shape));
    return tape_push(t, &reshape_op, shape, 1, (Var *[]){x}, NULL, 0);
}

static void reshape_forward(Var *y)
{
    memcpy(y->value, y->in[0]->value, y->size * sizeof *y->value);
}

static void reshape_backward(Var *y)
{
    Real *dx = var_grad(y->in[0]);
    for (size_t i = 0; i < y->size; i++) dx[i] += y->grad[i];
}
