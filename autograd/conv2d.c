/* Convolution.  The formula and its two derivatives are in tensor/convolution.h.
 *
 *     y = x * w + b (+ rest)      db += sum of dy over the pixels it was added to
 *                                 drest += dy */
#include "autograd/ops.h"
#include "tensor/convolution.h"
#include "tensor/error.h"
#include "tensor/reduce.h"

typedef struct {
    Convolution g;
    Var *b, *rest;      /* those of the inputs, or NULL */
} Args;

static void conv2d_forward(Var *y);
static void conv2d_backward(Var *y);
static double conv2d_flops(const Var *y);
static const Op conv2d_op = {.name = "conv2d", .forward = conv2d_forward,
                             .backward = conv2d_backward, .flops = conv2d_flops,
                             .reads_inputs = 1 << 0 | 1 << 1 /* x and w */};

Var *conv2d_onto(Tape *t, Var *rest, Var *x, Var *w, Var *b, int stride, Padding pad)
{
    const int *d = x->shape.dim;
    require(x->shape.rank == 4 && w->shape.rank == 4 && w->shape.dim[3] == d[3],
            "conv2d: x %s and w %s; want [N, H, W, C] and [O, KH, KW, C]", SHOW(x->shape),
            SHOW(w->shape));
    int O = w->shape.dim[0], KH = w->shape.dim[1], KW = w->shape.dim[2];
    int H = d[1] + pad.top + pad.bottom, W = d[2] + pad.left + pad.right;
    require(stride > 0 && pad.top >= 0 && pad.bottom >= 0 && pad.left >= 0 &&
            pad.right >= 0 && H >= KH && W >= KW,
            "conv2d: stride %d, padding %d %d %d %d, filter %dx%d on an image %s", stride,
            pad.top, pad.bottom, pad.left, pad.right, KH, KW, SHOW(x->shape));
    if (b && b->shape.rank > 1) require_shape(b, SHAPE(d[0], 1, 1, O));
    else if (b) require_shape(b, SHAPE(O));
    Args s = {{.N = d[0], .H = d[1], .W = d[2], .C = d[3],
               .OH = (H - KH) / stride + 1, .OW = (W - KW) / stride + 1, .O = O,
               .KH = KH, .KW = KW, .stride = stride, .top = pad.top, .left = pad.left},
              b, rest};
    Shape shape = SHAPE(d[0], s.g.OH, s.g.OW, O);
    if (rest) require_shape(rest, shape);
    Var *in[MAX_INPUTS] = {x, w};
    int inputs = 2;
    if (b) in[inputs++] = b;
    if (rest) in[inputs++] = rest;
    return tape_push(t, &conv2d_op, shape, inputs, in, &s, sizeof s);
}

Var *conv2d(Tape *t, Var *x, Var *w, Var *b, int stride, Padding pad)
{
    return conv2d_onto(t, NULL, x, w, b, stride, pad);
}

static void conv2d_forward(Var *y)
{
    const Args *s = y->args;
    Addends plus = {.bias = s->b ? s->b->value : NULL,
                    .own_bias = s->b && s->b->shape.rank > 1,
                    .rest = s->rest ? s->rest->value : NULL};
    convolution(y->value, y->in[0]->value, y->in[1]->value, &plus, &s->g);
}

static void conv2d_backward(Var *y)
{
    const Args *s = y->args;
    const Convolution *g = &s->g;
    Var *x = y->in[0], *w = y->in[1];
    bool add;
    Real *dx = var_grad_whole(x, &add), *dw = var_grad(w);
    if (dx) convolution_backward_input(dx, y->grad, w->value, g, add);
    if (dw) convolution_backward_weight(dw, y->grad, x->value, g);
    if (s->b && s->b->needs_grad) {
        size_t O = (size_t)g->O, biases = s->b->size / O;
        reduce_rows(var_grad(s->b), y->grad, biases, y->size / O / biases, O);
    }
    if (s->rest) grad_pass(s->rest, y, true);
}

static double conv2d_flops(const Var *y)
{
    const Convolution *g = &((const Args *)y->args)->g;
    return 2.0 * (double)y->size * g->KH * g->KW * g->C;
}
