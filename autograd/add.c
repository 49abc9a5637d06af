/* Addition with broadcasting.
 *
 *     y[i] = a[i] + b[i]          da[i] += dy[i]          db[i] += dy[i]
 *
 * Along an axis where an input has size 1 its index stays 0: its step there is 0.  So a number
 * that was used many times gets the sum of the gradients of all its uses by the same lines. */
#include "autograd/ops.h"
#include "tensor/error.h"

/* Four axes, the first of size 1 where the rank is lower. */
typedef struct { int size[MAX_RANK], step_a[MAX_RANK], step_b[MAX_RANK]; } Args;

static void add_forward(Var *y);
static void add_backward(Var *y);
static const Op add_op = {.name = "add", .forward = add_forward, .backward = add_backward};

/* Distances between neighbours along each axis of x, 0 where x is repeated in y. */
static void find_steps(Shape x, const int size[MAX_RANK], int step[MAX_RANK])
{
    int distance = 1;
    for (int i = MAX_RANK - 1, k = x.rank - 1; i >= 0; i--, k--) {
        int dim = k >= 0 ? x.dim[k] : 1;
        step[i] = dim == 1 && size[i] > 1 ? 0 : distance;
        distance *= dim;
    }
}

Var *add(Tape *t, Var *a, Var *b)
{
    Shape y = a->shape;
    bool fits = a->shape.rank == b->shape.rank;
    for (int i = 0; fits && i < y.rank; i++) {
        if (y.dim[i] == 1) y.dim[i] = b->shape.dim[i];
        fits = b->shape.dim[i] == 1 || b->shape.dim[i] == y.dim[i];
    }
    require(fits, "add: %s and %s; each axis must be equal, or 1 in one of them",
            SHOW(a->shape), SHOW(b->shape));
    Args args;
    for (int i = 0; i < MAX_RANK; i++) {
        int k = i - (MAX_RANK - y.rank);
        args.size[i] = k >= 0 ? y.dim[k] : 1;
    }
    find_steps(a->shape, args.size, args.step_a);
    find_steps(b->shape, args.size, args.step_b);
    return tape_push(t, &add_op, y, 2, (Var *[]){a, b}, &args, sizeof args);
}

/* Where index (i, j, k, 0) of the result lies in an input with these steps. */
static size_t offset(const int step[MAX_RANK], int i, int j, int k)
{
    return (size_t)i * (size_t)step[0] + (size_t)j * (size_t)step[1] +
           (size_t)k * (size_t)step[2];
}

static void add_forward(Var *y)
{
    const Args *s = y->args;
    int rows = s->size[0] * s->size[1] * s->size[2], C = s->size[3];
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++) {
        int k = r % s->size[2], j = r / s->size[2] % s->size[1], i = r / s->size[2] / s->size[1];
        const Real *a = y->in[0]->value + offset(s->step_a, i, j, k);
        const Real *b = y->in[1]->value + offset(s->step_b, i, j, k);
        Real *out = y->value + (size_t)r * (size_t)C;
        int step_a = s->step_a[3], step_b = s->step_b[3];
        if (step_a && step_b) for (int c = 0; c < C; c++) out[c] = a[c] + b[c];
        else for (int c = 0; c < C; c++) out[c] = a[c * step_a] + b[c * step_b];
    }
}

/* dx += dy, each number to where it came from.  A thread owns whole entries of the first axis
 * of dx, so if all entries of dy fall on the same one, one thread does it all. */
static void accumulate(Real *dx, const int step[MAX_RANK], const Real *dy, const int size[MAX_RANK])
{
    if (!dx) return;
    int C = size[3];
#pragma omp parallel for schedule(static) if (step[0] > 0)
    for (int i = 0; i < size[0]; i++)
        for (int j = 0; j < size[1]; j++)
            for (int k = 0; k < size[2]; k++) {
                Real *to = dx + offset(step, i, j, k);
                const Real *from = dy + (((size_t)i * (size_t)size[1] + (size_t)j) *
                                         (size_t)size[2] + (size_t)k) * (size_t)C;
                if (step[3]) for (int c = 0; c < C; c++) to[c] += from[c];
                else for (int c = 0; c < C; c++) to[0] += from[c];
            }
}

static void add_backward(Var *y)
{
    const Args *s = y->args;
    accumulate(var_grad(y->in[0]), s->step_a, y->grad, s->size);
    accumulate(var_grad(y->in[1]), s->step_b, y->grad, s->size);
}
