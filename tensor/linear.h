/* Linear algebra on dense matrices in double: what the metrics of diffusion need, up to
 * the 2048 features of an Inception network.  Matrices are row-major [n, n]. */
#ifndef TENSOR_LINEAR_H
#define TENSOR_LINEAR_H

/* c[n, n] = a b. */
void matrix_multiply(double *c, const double *a, const double *b, int n);

/* a = l l' for a symmetric a without negative eigenvalues, of rank r: fills the first r
 * columns of l [n, n], in which all rows may be full, and the rest with 0; returns r.
 *
 * Cholesky 1910, the largest diagonal entry first: the column of that entry over its root
 * is subtracted with its transpose, which leaves 0 in its row and column.  What is left
 * after r steps is rounding. */
int cholesky(double *l, const double *a, int n);

/* value [n] = the eigenvalues of a symmetric a, rising, each to a few roundings of the
 * largest.  a is overwritten.
 *
 * Householder 1958: reflections v make the columns zero, one by one, beside the diagonal
 * and its neighbours.  What is left, tridiagonal with d on the diagonal and e beside it,
 * tells how many eigenvalues are below x: as many as there are negative numbers in
 *
 *     q_0 = d_0 - x,      q_i = d_i - x - e_i^2 / q_(i-1)        (Givens 1954),
 *
 * the pivots of Gaussian elimination.  So each is found by halving an interval. */
void symmetric_values(double *value, double *a, int n);

#endif
