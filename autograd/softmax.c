/* Softmax over the last axis, and its logarithm.
 *
 *     y_i = e^(x_i) / sum_j e^(x_j)                   dx_i += y_i (dy_i - sum_j dy_j y_j)
 *     l_i = x_i - ln sum_j e^(x_j)                    dx_i += dl_i - e^(l_i) sum_j dl_j
 *
 * from dy_i/dx_j = y_i (delta_ij - y_j) and dl_i/dx_j = delta_ij - y_j.  The largest x is
 * taken off first: that changes nothing in the quotient, and no exponential overflows.
 * log_softmax is an operation of its own: the logarithm of a y that became 0 is lost. */
#include "autograd/ops.h"
#include "tensor/elementary.h"

static void softmax_forward(Var *y);
static void softmax_backward(Var *y);
static void log_softmax_forward(Var *y);
static void log_softmax_backward(Var *y);
static const Op softmax_op = {.name = "softmax", .forward = softmax_forward,
                              .backward = softmax_backward, .reads_output = true};
static const Op log_softmax_op = {.name = "log_softmax", .forward = log_softmax_forward,
                                  .backward = log_softmax_backward, .reads_output = true};

Var *softmax(Tape *t, Var *x)
{
    return tape_push(t, &softmax_op, x->shape, 1, (Var *[]){x}, NULL, 0);
}

Var *log_softmax(Tape *t, Var *x)
{
    return tape_push(t, &log_softmax_op, x->shape, 1, (Var *[]){x}, NULL, 0);
}

static Real largest(const Real *x, size_t C)
{
    Real most = x[0];
    for (size_t c = 1; c < C; c++) most = x[c] > most ? x[c] : most;
    return most;
}

static void softmax_forward(Var *y)
{
    size_t C = (size_t)shape_last(y->shape);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < y->size / C; r++) {
        const Real *x = y->in[0]->value + r * C;
        Real *out = y->value + r * C, most = largest(x, C);
        double sum = 0;
        for (size_t c = 0; c < C; c++) sum += (double)(out[c] = real_exp(x[c] - most));
        for (size_t c = 0; c < C; c++) out[c] = (Real)((double)out[c] / sum);
    }
}

static void softmax_backward(Var *y)
{
    size_t C = (size_t)shape_last(y->shape);
    Real *dxs = var_grad(y->in[0]);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < y->size / C; r++) {
        const Real *out = y->value + r * C, *dy = y->grad + r * C;
        Real *dx = dxs + r * C;
        double dot = 0;
        for (size_t c = 0; c < C; c++) dot += (double)dy[c] * (double)out[c];
        for (size_t c = 0; c < C; c++) dx[c] += out[c] * (dy[c] - (Real)dot);
    }
}

static void log_softmax_forward(Var *y)
{
    size_t C = (size_t)shape_last(y->shape);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < y->size / C; r++) {
        const Real *x = y->in[0]->value + r * C;
        double most = (double)largest(x, C), sum = 0;
        for (size_t c = 0; c < C; c++) sum += exp((double)x[c] - most);
        for (size_t c = 0; c < C; c++)
            y->value[r * C + c] = (Real)((double)x[c] - most - log(sum));
    }
}

static void log_softmax_backward(Var *y)
{
    size_t C = (size_t)shape_last(y->shape);
    Real *dxs = var_grad(y->in[0]);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < y->size / C; r++) {
        const Real *l = y->value + r * C, *dl = y->grad + r * C;
        Real *dx = dxs + r * C;
        double sum = 0;
        for (size_t c = 0; c < C; c++) sum += (double)dl[c];
        for (size_t c = 0; c < C; c++) dx[c] += dl[c] - real_exp(l[c]) * (Real)sum;
    }
}
