/* Sums over many numbers, in an order that does not depend on the number of threads: the
 * numbers are cut into pieces of fixed size, each piece is summed by one thread, and the
 * pieces are added in order, in double. */
#ifndef TENSOR_REDUCE_H
#define TENSOR_REDUCE_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/real.h"

/* sum of x[i] * y[i] */
double reduce_dot(const Real *x, const Real *y, size_t n);

/* out[n][c] += sum over rows of x[n][row][c]; x is [count, rows, columns] */
void reduce_rows(Real *out, const Real *x, size_t count, size_t rows, size_t columns);

bool all_finite(const Real *x, size_t n);

#endif
