/* SiLU, also called swish (Elfwing 2017; Ramachandran 2017): the activation of every
 * U-Net here.
 *
 *     s = 1 / (1 + e^-x)         y = x s
 *     dy/dx = s + x s (1 - s) = s (1 + x (1 - s)) */
#include "autograd/ops.h"
#include "tensor/elementary.h"

static void silu_forward(Var *y);
static void silu_backward(Var *y);
static const Op silu_op = {.name = "silu", .forward = silu_forward,
                           .backward = silu_backward,
                           .cheap = true, .reads_inputs = ALL_INPUTS};

Var *silu(Tape *t, Var *x)
{
    return tape_push(t, &silu_op, x->shape, 1, (Var *[]){x}, NULL, 0);
}

static void silu_forward(Var *y)
{
    const Real *x = y->in[0]->value;
    Real *out = y->value;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < y->size; i++) out[i] = x[i] * real_sigmoid(x[i]);
}

static void silu_backward(Var *y)
{
    const Real *x = y->in[0]->value, *dy = y->grad;
    Real *dx = var_grad(y->in[0]);
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < y->size; i++) {
        Real s = real_sigmoid(x[i]);
        dx[i] += dy[i] * s * (1 + x[i] * (1 - s));
    }
}
