/* The average of each K x K block of pixels.
 *
 *     y[h][w] = 1/K^2 sum over i, j < K of x[K h + i][K w + j]        dx += dy / K^2 */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"

static void average_pool_forward(Var *y);
static void average_pool_backward(Var *y);
static const Op average_pool_op = {.name = "average_pool",
                                   .forward = average_pool_forward,
                                   .backward = average_pool_backward, .cheap = true};

Var *average_pool(Tape *t, Var *x, int K)
{
    const int *d = x->shape.dim;
    require(x->shape.rank == 4 && K > 0 && d[1] % K == 0 && d[2] % K == 0,
            "average_pool: blocks of %dx%d do not divide %s", K, K, SHOW(x->shape));
    return tape_push(t, &average_pool_op, SHAPE(d[0], d[1] / K, d[2] / K, d[3]), 1,
                     (Var *[]){x}, &K, sizeof K);
}

/* Row H of x belongs to row H / K of y. */
static void average_pool_forward(Var *y)
{
    int K = *(const int *)y->args, W = y->in[0]->shape.dim[2], C = y->shape.dim[3];
    Real share = 1 / (Real)(K * K);
    memset(y->value, 0, y->size * sizeof *y->value);
#pragma omp parallel for schedule(static)
    for (int row = 0; row < y->shape.dim[0] * y->shape.dim[1]; row++)
        for (int i = 0; i < K; i++)
            for (int w = 0; w < W; w++) {
                const Real *x = y->in[0]->value + ((size_t)(row * K + i) * (size_t)W +
                                                   (size_t)w) * (size_t)C;
                Real *out = y->value + ((size_t)row * (size_t)(W / K) + (size_t)(w / K)) *
                                       (size_t)C;
                for (int c = 0; c < C; c++) out[c] += share * x[c];
            }
}

static void average_pool_backward(Var *y)
{
    int K = *(const int *)y->args, W = y->in[0]->shape.dim[2], C = y->shape.dim[3];
    Real share = 1 / (Real)(K * K), *dxs = var_grad(y->in[0]);
#pragma omp parallel for schedule(static)
    for (int row = 0; row < y->shape.dim[0] * y->shape.dim[1] * K; row++)
        for (int w = 0; w < W; w++) {
            Real *dx = dxs + ((size_t)row * (size_t)W + (size_t)w) * (size_t)C;
            size_t pixel = (size_t)(row / K) * (size_t)(W / K) + (size_t)(w / K);
            const Real *dy = y->grad + pixel * (size_t)C;
            for (int c = 0; c < C; c++) dx[c] += share * dy[c];
        }
}
