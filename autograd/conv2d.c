/* Convolution.  The formula and its two derivatives are in tensor/convolution.h; the bias
 * adds to every pixel, so its gradient is the sum over all pixels of all images. */
#include "autograd/ops.h"
#include "tensor/convolution.h"
#include "tensor/error.h"
#include "tensor/reduce.h"

static void conv2d_forward(Var *y);
static void conv2d_backward(Var *y);
static double conv2d_flops(const Var *y);
static const Op conv2d_op = {.name = "conv2d", .forward = conv2d_forward,
                             .backward = conv2d_backward, .flops = conv2d_flops,
                             .reads_inputs = true};

Var *conv2d(Tape *t, Var *x, Var *w, Var *b, int stride, int pad, int pad_end)
{
    const int *d = x->shape.dim;
    require(x->shape.rank == 4 && w->shape.rank == 4 &&
            w->shape.dim[1] == w->shape.dim[2] && w->shape.dim[3] == d[3],
            "conv2d: x %s and w %s; want [N, H, W, C] and [O, K, K, C]", SHOW(x->shape),
            SHOW(w->shape));
    int O = w->shape.dim[0], K = w->shape.dim[1];
    int H = d[1] + pad + pad_end, W = d[2] + pad + pad_end;
    require(stride > 0 && pad >= 0 && pad_end >= 0 && H >= K && W >= K,
            "conv2d: stride %d, padding %d and %d, filter %dx%d on an image %s", stride,
            pad, pad_end, K, K, SHOW(x->shape));
    if (b) require_shape(b, SHAPE(O));
    Convolution g = {.N = d[0], .H = d[1], .W = d[2], .C = d[3],
                     .OH = (H - K) / stride + 1, .OW = (W - K) / stride + 1, .O = O,
                     .K = K, .stride = stride, .pad = pad};
    return tape_push(t, &conv2d_op, SHAPE(g.N, g.OH, g.OW, O), b ? 3 : 2,
                     (Var *[]){x, w, b}, &g, sizeof g);
}

static void conv2d_forward(Var *y)
{
    convolution(y->value, y->in[0]->value, y->in[1]->value,
                y->inputs == 3 ? y->in[2]->value : NULL, y->args);
}

static void conv2d_backward(Var *y)
{
    const Convolution *g = y->args;
    Var *x = y->in[0], *w = y->in[1];
    Real *dx = var_grad(x), *dw = var_grad(w);
    Real *db = y->inputs == 3 ? var_grad(y->in[2]) : NULL;
    if (dx) convolution_backward_input(dx, y->grad, w->value, g);
    if (dw) convolution_backward_weight(dw, y->grad, x->value, g);
    if (db) reduce_rows(db, y->grad, y->size / (size_t)g->O, (size_t)g->O);
}

static double conv2d_flops(const Var *y)
{
    const Convolution *g = y->args;
    return 2.0 * (double)y->size * g->K * g->K * g->C;
}
