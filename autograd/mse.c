/* Mean squared error of each sample, D numbers each.
 *
 *     y[n] = 1/D sum (x - target)^2
 *     dx += 2/D (x - target) dy[n]          dtarget -= the same
 *
 * One number a sample, not one a batch: training wants to know how the loss depends on
 * the noise level, and may weight the samples before it averages them. */
#include "autograd/ops.h"
#include "tensor/error.h"

static void mse_forward(Var *y);
static void mse_backward(Var *y);
static const Op mse_op = {.name = "mse", .forward = mse_forward, .backward = mse_backward,
                          .reads_inputs = ALL_INPUTS};

Var *mse(Tape *t, Var *x, Var *target)
{
    require_shape(target, x->shape);
    return tape_push(t, &mse_op, SHAPE(x->shape.dim[0]), 2, (Var *[]){x, target}, NULL,
                     0);
}

static void mse_forward(Var *y)
{
    size_t D = y->in[0]->size / y->size;
#pragma omp parallel for schedule(static)
    for (size_t n = 0; n < y->size; n++) {
        const Real *x = y->in[0]->value + n * D, *target = y->in[1]->value + n * D;
        double sum = 0;
        for (size_t i = 0; i < D; i++) {
            double e = (double)x[i] - (double)target[i];
            sum += e * e;
        }
        y->value[n] = (Real)(sum / (double)D);
    }
}

static void mse_backward(Var *y)
{
    size_t D = y->in[0]->size / y->size;
    Real *dx = var_grad(y->in[0]), *dtarget = var_grad(y->in[1]);
#pragma omp parallel for schedule(static)
    for (size_t n = 0; n < y->size; n++) {
        const Real *x = y->in[0]->value + n * D, *target = y->in[1]->value + n * D;
        Real scale = 2 * y->grad[n] / (Real)D;
        for (size_t i = 0; dx && i < D; i++) dx[n * D + i] += scale * (x[i] - target[i]);
        for (size_t i = 0; dtarget && i < D; i++)
            dtarget[n * D + i] -= scale * (x[i] - target[i]);
    }
}
