/* The linear layer, applied to the last axis.  With the other axes flattened to M rows:
 *
 *     y[M, O] = x[M, I] w'[I, O] + b[O]
 *
 *     dx[M, I] += dy[M, O] w[O, I]
 *     dw[O, I] += dy'[O, M] x[M, I]          db[o] += sum over rows of dy
 *
 * Each is one matrix product: what multiplies on the right forwards multiplies transposed
 * backwards. */
#include "autograd/ops.h"
#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/reduce.h"

static void linear_forward(Var *y);
static void linear_backward(Var *y);
static double linear_flops(const Var *y);
static const Op linear_op = {.name = "linear", .forward = linear_forward,
                             .backward = linear_backward, .flops = linear_flops,
                             .reads_inputs = 1 << 0 | 1 << 1 /* x and w */};

Var *linear(Tape *t, Var *x, Var *w, Var *b)
{
    require(w->shape.rank == 2 && w->shape.dim[1] == shape_last(x->shape),
            "linear: x %s and w %s; the last axes must be equal", SHOW(x->shape),
            SHOW(w->shape));
    if (b) require_shape(b, SHAPE(w->shape.dim[0]));
    Shape shape = x->shape;
    shape.dim[shape.rank - 1] = w->shape.dim[0];
    return tape_push(t, &linear_op, shape, b ? 3 : 2, (Var *[]){x, w, b}, NULL, 0);
}

typedef struct { int M, O, I; } Sizes;

static Sizes sizes_of(const Var *y)
{
    int O = shape_last(y->shape);
    return (Sizes){(int)y->size / O, O, shape_last(y->in[0]->shape)};
}

static void linear_forward(Var *y)
{
    Sizes s = sizes_of(y);
    size_t I = (size_t)s.I, O = (size_t)s.O;
    gemm(y->value, O, gemm_a(y->in[0]->value, I), gemm_b_transposed(y->in[1]->value, I),
         s.M, s.O, s.I, y->inputs == 3 ? y->in[2]->value : NULL, false);
}

static void linear_backward(Var *y)
{
    Sizes s = sizes_of(y);
    size_t I = (size_t)s.I, O = (size_t)s.O;
    Var *x = y->in[0], *w = y->in[1];
    bool add;
    Real *dx = var_grad_whole(x, &add), *dw = var_grad(w);
    Real *db = y->inputs == 3 ? var_grad(y->in[2]) : NULL;
    if (dx)
        gemm(dx, I, gemm_a(y->grad, O), gemm_b(w->value, I), s.M, s.I, s.O, NULL, add);
    if (dw)
        gemm(dw, I, gemm_a_transposed(y->grad, O), gemm_b(x->value, I), s.O, s.I, s.M,
             NULL, true);
    if (db) reduce_rows(db, y->grad, 1, (size_t)s.M, O);
}

static double linear_flops(const Var *y)
{
    return 2.0 * (double)y->size * shape_last(y->in[0]->shape);
}
