/* Concatenation along an axis: how a U-Net joins what came up with what was kept
 * (axis 3).
 *
 *     y = (a, b)            da += the first part of dy,  db += the second
 *
 * With the axes from `axis` on flattened, a has rows of A numbers, b of B, y of A + B. */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"

static void concat_forward(Var *y);
static void concat_backward(Var *y);
static const Op concat_op = {.name = "concat", .forward = concat_forward,
                             .backward = concat_backward, .cheap = true};

Var *concat(Tape *t, Var *a, Var *b, int axis)
{
    Shape shape = a->shape, rest = b->shape;
    require(axis >= 0 && axis < shape.rank, "concat along axis %d of %s", axis,
            SHOW(a->shape));
    rest.dim[axis] = shape.dim[axis];
    require(shape_equal(shape, rest),
            "concat: %s and %s; all axes but axis %d must be equal", SHOW(a->shape),
            SHOW(b->shape), axis);
    shape.dim[axis] += b->shape.dim[axis];
    return tape_push(t, &concat_op, shape, 2, (Var *[]){a, b}, &axis, sizeof axis);
}

/* How many numbers the axes from `axis` on have. */
static size_t row_of(Shape s, int axis)
{
    size_t n = 1;
    for (int i = axis; i < s.rank; i++) n *= (size_t)s.dim[i];
    return n;
}

static void concat_forward(Var *y)
{
    int axis = *(const int *)y->args;
    size_t A = row_of(y->in[0]->shape, axis), B = row_of(y->in[1]->shape, axis);
    const Real *a = y->in[0]->value, *b = y->in[1]->value;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < y->size / (A + B); r++) {
        memcpy(y->value + r * (A + B), a + r * A, A * sizeof *a);
        memcpy(y->value + r * (A + B) + A, b + r * B, B * sizeof *b);
    }
}

/* dx += the numbers first ... first+width of each row of dy. */
static void take_part(Var *x, const Var *y, size_t row, size_t first, size_t width)
{
    bool add;
    Real *dx = var_grad_whole(x, &add);
    if (!dx) return;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < y->size / row; r++) {
        Real *to = dx + r * width;
        const Real *from = y->grad + r * row + first;
        if (add) for (size_t c = 0; c < width; c++) to[c] += from[c];
        else memcpy(to, from, width * sizeof *to);
    }
}

static void concat_backward(Var *y)
{
    int axis = *(const int *)y->args;
    size_t A = row_of(y->in[0]->shape, axis), B = row_of(y->in[1]->shape, axis);
    take_part(y->in[0], y, A + B, 0, A);
    take_part(y->in[1], y, A + B, A, B);
}
