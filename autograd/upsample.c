/* Nearest-neighbour upsampling by two.
 *
 *     y[h][w] = x[h/2][w/2]             dx[h][w] += sum of the four dy it became */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"

static void upsample_forward(Var *y);
static void upsample_backward(Var *y);
static const Op upsample_op = {.name = "upsample", .forward = upsample_forward,
                               .backward = upsample_backward, .cheap = true};

Var *upsample(Tape *t, Var *x)
{
    const int *d = x->shape.dim;
    require(x->shape.rank == 4, "upsample: x is %s, want [N, H, W, C]", SHOW(x->shape));
    return tape_push(t, &upsample_op, SHAPE(d[0], 2 * d[1], 2 * d[2], d[3]), 1,
                     (Var *[]){x}, NULL, 0);
}

static void upsample_forward(Var *y)
{
    const int *d = y->in[0]->shape.dim;
    size_t W = (size_t)d[2], C = (size_t)d[3];
#pragma omp parallel for schedule(static)
    for (int row = 0; row < d[0] * d[1]; row++) {
        const Real *x = y->in[0]->value + (size_t)row * W * C;
        Real *out = y->value + (size_t)row * 4 * W * C;
        for (size_t w = 0; w < 2 * W; w++)
            memcpy(out + w * C, x + w / 2 * C, C * sizeof *x);
        memcpy(out + 2 * W * C, out, 2 * W * C * sizeof *x);
    }
}

static void upsample_backward(Var *y)
{
    const int *d = y->in[0]->shape.dim;
    size_t W = (size_t)d[2], C = (size_t)d[3];
    bool add;
    Real *dx_all = var_grad_whole(y->in[0], &add);
#pragma omp parallel for schedule(static)
    for (int row = 0; row < d[0] * d[1]; row++) {
        Real *dx = dx_all + (size_t)row * W * C;
        const Real *top = y->grad + (size_t)row * 4 * W * C, *low = top + 2 * W * C;
        for (size_t w = 0; w < W; w++)
            for (size_t c = 0; c < C; c++) {
                size_t left = 2 * w * C + c, right = left + C;
                Real sum = top[left] + top[right] + low[left] + low[right];
                dx[w * C + c] = add ? dx[w * C + c] + sum : sum;
            }
    }
}
