/* y = x, and nothing goes back.  Improved DDPM (Nichol & Dhariwal 2021, section 3.1) uses
 * it so that the bound trains the variance without touching the mean. */
#include <string.h>

#include "autograd/ops.h"

static void stop_gradient_forward(Var *y);
static const Op stop_gradient_op = {.name = "stop_gradient",
                                    .forward = stop_gradient_forward, .cheap = true};

Var *stop_gradient(Tape *t, Var *x)
{
    Var *y = tape_push(t, &stop_gradient_op, x->shape, 1, (Var *[]){x}, NULL, 0);
    y->needs_grad = false;
    return y;
}

static void stop_gradient_forward(Var *y)
{
    memcpy(y->value, y->in[0]->value, y->size * sizeof *y->value);
}
