/* Linear algebra on small dense matrices in double: what the metrics of diffusion need.
 * Matrices are row-major [n, n]. */
#ifndef TENSOR_LINEAR_H
#define TENSOR_LINEAR_H

/* c[n, n] = a b. */
void matrix_multiply(double *c, const double *a, const double *b, int n);

/* A symmetric a as v diag(value) v': value [n], and the eigenvectors as the columns of v
 * [n, n], which may be NULL.  a is overwritten.
 *
 * Jacobi 1846: rotate the plane of axes p and q so that a_pq becomes 0, for all pairs,
 * again and again.  Each rotation moves 2 a_pq^2 from the rest onto the diagonal; after
 * some ten rounds nothing is left beside it.  Small eigenvalues, and zeros, come out as
 * exact as the large ones. */
void symmetric_eigen(double *a, double *value, double *v, int n);

/* root = the symmetric square root of a symmetric a without negative eigenvalues (those
 * that rounding made are taken as 0).  a is overwritten. */
void symmetric_root(double *root, double *a, int n);

#endif
