/* The average of all numbers: y = 1/n sum x, dx += dy/n. */
#include "autograd/ops.h"

static void mean_forward(Var *y);
static void mean_backward(Var *y);
static const Op mean_op = {.name = "mean", .forward = mean_forward, .backward = mean_backward};

Var *mean(Tape *t, Var *x)
{
    return tape_push(t, &mean_op, SHAPE(1), 1, (Var *[]){x}, NULL, 0);
}

static void mean_forward(Var *y)
{
    double sum = 0;
    for (size_t i = 0; i < y->in[0]->size; i++) sum += (double)y->in[0]->value[i];
    y->value[0] = (Real)(sum / (double)y->in[0]->size);
}

static void mean_backward(Var *y)
{
    Real *dx = var_grad(y->in[0]), share = y->grad[0] / (Real)y->in[0]->size;
    for (size_t i = 0; i < y->in[0]->size; i++) dx[i] += share;
}
