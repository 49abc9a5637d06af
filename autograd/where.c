/* Choosing number by number.
 *
 *     y = a where mask is not 0, else b      da += dy there      db += dy elsewhere */
#include "autograd/ops.h"

static void where_forward(Var *y);
static void where_backward(Var *y);
static const Op where_op = {.name = "where", .forward = where_forward,
                            .backward = where_backward, .cheap = true,
                            .reads_inputs = ALL_INPUTS};

Var *where(Tape *t, Var *mask, Var *a, Var *b)
{
    require_shape(a, mask->shape);
    require_shape(b, mask->shape);
    return tape_push(t, &where_op, a->shape, 3, (Var *[]){mask, a, b}, NULL, 0);
}

static void where_forward(Var *y)
{
    const Real *mask = y->in[0]->value, *a = y->in[1]->value, *b = y->in[2]->value;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < y->size; i++) y->value[i] = mask[i] != 0 ? a[i] : b[i];
}

static void where_backward(Var *y)
{
    const Real *mask = y->in[0]->value, *dy = y->grad;
    Real *da = var_grad(y->in[1]), *db = var_grad(y->in[2]);
    for (size_t i = 0; da && i < y->size; i++) da[i] += mask[i] != 0 ? dy[i] : 0;
    for (size_t i = 0; db && i < y->size; i++) db[i] += mask[i] != 0 ? 0 : dy[i];
}
