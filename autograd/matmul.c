/* Products of matrices, one for each entry of the leading axes.
 *
 *     y = a b,  a [M, K], b [K, N]            da += dy b'            db += a' dy
 *
 * With a transposed, a is stored as [K, M] and its gradient is transposed too:
 * da += b dy'; likewise for b. */
#include "autograd/ops.h"
#include "tensor/error.h"
#include "tensor/gemm.h"

typedef struct { int batch, M, N, K; bool ta, tb; } Args;

static void matmul_forward(Var *y);
static void matmul_backward(Var *y);
static double matmul_flops(const Var *y);
static const Op matmul_op = {.name = "matmul", .forward = matmul_forward,
                             .backward = matmul_backward, .flops = matmul_flops,
                             .reads_inputs = ALL_INPUTS};

Var *matmul(Tape *t, Var *a, bool transpose_a, Var *b, bool transpose_b)
{
    Shape shape = a->shape;
    int rank = shape.rank;
    bool fits = rank >= 2 && b->shape.rank == rank;
    Args s = {.batch = 1, .ta = transpose_a, .tb = transpose_b};
    for (int i = 0; fits && i < rank - 2; i++) {
        fits = b->shape.dim[i] == shape.dim[i];
        s.batch *= shape.dim[i];
    }
    if (fits) {
        const int *da = &a->shape.dim[rank - 2], *db = &b->shape.dim[rank - 2];
        s.M = da[s.ta], s.K = da[!s.ta], s.N = db[!s.tb];
        fits = db[s.tb] == s.K;
        shape.dim[rank - 2] = s.M, shape.dim[rank - 1] = s.N;
    }
    require(fits, "matmul: %s%s and %s%s", SHOW(a->shape), s.ta ? " transposed" : "",
            SHOW(b->shape), s.tb ? " transposed" : "");
    return tape_push(t, &matmul_op, shape, 2, (Var *[]){a, b}, &s, sizeof s);
}

/* A matrix of rows x columns, stored so or transposed,
 * as the left or the right factor. */
static Operand left(const Real *x, int rows, int columns, bool transposed)
{
    return transposed ? gemm_a_transposed(x, (size_t)rows) : gemm_a(x, (size_t)columns);
}

static Operand right(const Real *x, int rows, int columns, bool transposed)
{
    return transposed ? gemm_b_transposed(x, (size_t)rows) : gemm_b(x, (size_t)columns);
}

static void forward_one(const Var *y, size_t i)
{
    const Args *s = y->args;
    size_t MK = (size_t)s->M * (size_t)s->K, KN = (size_t)s->K * (size_t)s->N;
    gemm(y->value + i * (size_t)s->M * (size_t)s->N, (size_t)s->N,
         left(y->in[0]->value + i * MK, s->M, s->K, s->ta),
         right(y->in[1]->value + i * KN, s->K, s->N, s->tb), s->M, s->N, s->K, NULL,
         false);
}

static void backward_one(const Var *y, size_t i, Real *das, Real *dbs)
{
    const Args *s = y->args;
    size_t MK = (size_t)s->M * (size_t)s->K, KN = (size_t)s->K * (size_t)s->N;
    const Real *a = y->in[0]->value + i * MK, *b = y->in[1]->value + i * KN;
    const Real *dy = y->grad + i * (size_t)s->M * (size_t)s->N;
    Real *da = das ? das + i * MK : NULL, *db = dbs ? dbs + i * KN : NULL;
    if (da && !s->ta)                               /* [M, K] = dy b' */
        gemm(da, (size_t)s->K, left(dy, s->M, s->N, false),
             right(b, s->N, s->K, !s->tb), s->M, s->K, s->N, NULL, true);
    if (da && s->ta)                                /* [K, M] = b dy' */
        gemm(da, (size_t)s->M, left(b, s->K, s->N, s->tb),
             right(dy, s->N, s->M, true), s->K, s->M, s->N, NULL, true);
    if (db && !s->tb)                               /* [K, N] = a' dy */
        gemm(db, (size_t)s->N, left(a, s->K, s->M, !s->ta),
             right(dy, s->M, s->N, false), s->K, s->N, s->M, NULL, true);
    if (db && s->tb)                                /* [N, K] = dy' a */
        gemm(db, (size_t)s->K, left(dy, s->N, s->M, true),
             right(a, s->M, s->K, s->ta), s->N, s->K, s->M, NULL, true);
}

/* A product by itself is shared by all threads; of several, each thread takes some.  Not
 * one loop with `if`: a loop of one thread around gemm's would let that start threads of
 * its own, for each call new ones. */
static void matmul_forward(Var *y)
{
    int batch = ((const Args *)y->args)->batch;
    if (batch == 1) {
        forward_one(y, 0);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int i = 0; i < batch; i++) forward_one(y, (size_t)i);
}

static void matmul_backward(Var *y)
{
    int batch = ((const Args *)y->args)->batch;
    Real *das = var_grad(y->in[0]), *dbs = var_grad(y->in[1]);
    if (batch == 1) {
        backward_one(y, 0, das, dbs);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int i = 0; i < batch; i++) backward_one(y, (size_t)i, das, dbs);
}

static double matmul_flops(const Var *y)
{
    return 2.0 * (double)y->size * ((const Args *)y->args)->K;
}
