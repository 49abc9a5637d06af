/* A table of learned rows, one for each class.
 *
 *     y[n] = table[index[n]]            dtable[index[n]] += dy[n]
 *
 * Two samples of one class add to the same row, so backward is one thread's work. */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"

typedef struct { int *index; } Args;

static void embedding_forward(Var *y);
static void embedding_backward(Var *y);
static const Op embedding_op = {.name = "embedding", .forward = embedding_forward,
                                .backward = embedding_backward};

Var *embedding(Tape *t, Var *table, const int *index, int N)
{
    require(table->shape.rank == 2, "embedding: the table is %s, want [K, C]",
            SHOW(table->shape));
    int K = table->shape.dim[0], C = table->shape.dim[1];
    Args args = {tape_save(t, int, (size_t)N)};
    for (int n = 0; n < N; n++) {
        require(index[n] >= 0 && index[n] < K,
                "embedding: index %d of a table of %d rows", index[n], K);
        args.index[n] = index[n];
    }
    return tape_push(t, &embedding_op, SHAPE(N, 1, 1, C), 1, (Var *[]){table}, &args,
                     sizeof args);
}

static void embedding_forward(Var *y)
{
    const Args *s = y->args;
    size_t C = (size_t)shape_last(y->shape);
    for (size_t n = 0; n < y->size / C; n++)
        memcpy(y->value + n * C, y->in[0]->value + (size_t)s->index[n] * C,
               C * sizeof(Real));
}

static void embedding_backward(Var *y)
{
    const Args *s = y->args;
    Real *dtable = var_grad(y->in[0]);
    size_t C = (size_t)shape_last(y->shape);
    for (size_t n = 0; n < y->size / C; n++)
        for (size_t c = 0; c < C; c++)
            dtable[(size_t)s->index[n] * C + c] += y->grad[n * C + c];
}
