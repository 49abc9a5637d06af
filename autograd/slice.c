/* A part of x: entries first ... first+count-1 along an axis.
 *
 *     y = x[..., first : first+count, ...]            dx[the same part] += dy
 *
 * With the axes from `axis` on flattened, x has rows of X numbers, y a run of each. */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"

typedef struct { size_t row, offset, width; } Args;

static void slice_forward(Var *y);
static void slice_backward(Var *y);
static const Op slice_op = {.name = "slice", .forward = slice_forward,
                            .backward = slice_backward, .cheap = true};

Var *slice(Tape *t, Var *x, int axis, int first, int count)
{
    Shape shape = x->shape;
    require(axis >= 0 && axis < shape.rank && first >= 0 && count > 0 &&
            first <= shape.dim[axis] - count,
            "slice: %d entries from %d along axis %d of %s", count, first, axis,
            SHOW(x->shape));
    size_t inner = 1;
    for (int i = axis + 1; i < shape.rank; i++) inner *= (size_t)shape.dim[i];
    Args args = {(size_t)shape.dim[axis] * inner, (size_t)first * inner,
                 (size_t)count * inner};
    shape.dim[axis] = count;
    return tape_push(t, &slice_op, shape, 1, (Var *[]){x}, &args, sizeof args);
}

static void slice_forward(Var *y)
{
    const Args *s = y->args;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < y->size / s->width; r++)
        memcpy(y->value + r * s->width, y->in[0]->value + r * s->row + s->offset,
               s->width * sizeof *y->value);
}

static void slice_backward(Var *y)
{
    const Args *s = y->args;
    Real *dx = var_grad(y->in[0]);
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < y->size / s->width; r++)
        for (size_t i = 0; i < s->width; i++)
            dx[r * s->row + s->offset + i] += y->grad[r * s->width + i];
}
