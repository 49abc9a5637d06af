/* Matrix product, the one kernel that everything heavy is made of.
 *
 *     C[i][j] = sum_k A[i][k] B[k][j]   (+ bias[j]) (+ C[i][j])
 *
 * A factor is an Operand: something that can copy a small panel of itself.  A stored
 * matrix, transposed or not, is one kind; the patches of an image under a convolution are
 * another (convolution.h), so a convolution is this product with another way of reading a
 * factor, and the patches, nine times the image, are never stored.
 *
 * The result does not depend on the number of threads: sizes alone cut the work. */
#ifndef TENSOR_GEMM_H
#define TENSOR_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/real.h"

/* A factor X[outer][k]: outer is the row i of A, the column j of B; k is summed over. */
typedef struct Operand Operand;
struct Operand {
    /* Copies X[o][k] for o0 <= o < o0+no, k0 <= k < k0+nk to
     * out[(o-o0) * outer_step + (k-k0) * k_step]; one of the two steps is 1. */
    void (*pack)(const Operand *x, int o0, int no, int k0, int nk,
                 Real *out, int outer_step, int k_step);
    const Real *data;
    size_t outer_stride, k_stride;  /* of a stored matrix: X[o][k] = data[o*os + k*ks] */
    const void *geometry;           /* of patches: see convolution.h */
};

/* A row-major matrix whose rows are `stride` apart, as the factor A or B of a product. */
Operand gemm_a(const Real *data, size_t stride);            /* A[i][k] at i*stride + k */
Operand gemm_a_transposed(const Real *data, size_t stride); /* A[i][k] at k*stride + i */
Operand gemm_b(const Real *data, size_t stride);            /* B[k][j] at k*stride + j */
Operand gemm_b_transposed(const Real *data, size_t stride); /* B[k][j] at j*stride + k */

/* c is [M, N] with rows ldc apart.  bias [N] or NULL.  accumulate: add to c, else
 * overwrite. */
void gemm(Real *c, size_t ldc, Operand a, Operand b, int M, int N, int K,
          const Real *bias, bool accumulate);

/* From now on products round their factors to half the bits, bfloat16 in the float build,
 * and sum in Reals (bfloat16.h).  Twice as fast where the processor has an instruction
 * for it, slower elsewhere.  False at first; one switch for all threads. */
void gemm_set_bfloat16(bool on);
bool gemm_bfloat16(void);

/* "float", or "float, products of bfloat16", or what else of this is so. */
const char *gemm_describe(void);

/* Where a factor lies for the innermost loop.  Of A [i][k], either the k of a row are
 * neighbours and the rows `step` apart, or the rows are and the k; of B [k][j], always
 * the j.  With `pairs`, each Real is a pair of halves, numbers 2 k and 2 k + 1. */
typedef struct {
    const Real *at;
    size_t step;
    bool rows_adjoin, pairs;
} Panel;

/* The innermost part of the product, by one thread, for at most NR columns (vector.h):
 * c [ni, nj] = A B + bias, or c += A B; rows of c are ldc apart.  Rows are read four at a
 * time and columns by whole vectors: there must be something to read.  Both panels are of
 * pairs, nk of them, or neither. */
void gemm_panel(Real *c, size_t ldc, Panel A, Panel B, int ni, int nj, int nk,
                const Real *bias, bool accumulate);

/* gemm from the formula; stored matrices only. */
void gemm_reference(Real *c, size_t ldc, Operand a, Operand b, int M, int N, int K,
                    const Real *bias, bool accumulate);

#endif
