/* Concatenation along the last axis: how a U-Net joins what came up with what was kept.
 *
 *     y[..., :A] = a,  y[..., A:] = b          da += dy[..., :A],  db += dy[..., A:] */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"

static void concat_forward(Var *y);
static void concat_backward(Var *y);
static const Op concat_op = {.name = "concat", .forward = concat_forward,
                             .backward = concat_backward, .cheap = true};

Var *concat(Tape *t, Var *a, Var *b)
{
    Shape shape = a->shape, rest = b->shape;
    int last = shape.rank - 1;
    rest.dim[rest.rank - 1] = shape.dim[last];
    require(shape_equal(shape, rest), "concat: %s and %s; all axes but the last must be equal",
            SHOW(a->shape), SHOW(b->shape));
    shape.dim[last] += shape_last(b->shape);
    return tape_push(t, &concat_op, shape, 2, (Var *[]){a, b}, NULL, 0);
}

static void concat_forward(Var *y)
{
    size_t A = (size_t)shape_last(y->in[0]->shape), B = (size_t)shape_last(y->in[1]->shape);
    const Real *a = y->in[0]->value, *b = y->in[1]->value;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < y->size / (A + B); r++) {
        memcpy(y->value + r * (A + B), a + r * A, A * sizeof *a);
        memcpy(y->value + r * (A + B) + A, b + r * B, B * sizeof *b);
    }
}

/* dx += the columns first ... first+width of dy. */
static void take_columns(Real *dx, const Var *y, size_t first, size_t width)
{
    if (!dx) return;
    size_t all = (size_t)shape_last(y->shape);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < y->size / all; r++)
        for (size_t c = 0; c < width; c++) dx[r * width + c] += y->grad[r * all + first + c];
}

static void concat_backward(Var *y)
{
    size_t A = (size_t)shape_last(y->in[0]->shape), B = (size_t)shape_last(y->in[1]->shape);
    take_columns(var_grad(y->in[0]), y, 0, A);
    take_columns(var_grad(y->in[1]), y, A, B);
}
