/* Sums in a fixed order: see reduce.h. */
#include "tensor/reduce.h"

#include <string.h>

#include "tensor/memory.h"

enum { PIECE = 1 << 14 };

double reduce_dot(const Real *x, const Real *y, size_t n)
{
    size_t pieces = (n + PIECE - 1) / PIECE, mark = arena_mark(scratch());
    double *sum = arena_new(scratch(), double, pieces), total = 0;
#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < pieces; p++) {
        size_t end = (p + 1) * PIECE < n ? (p + 1) * PIECE : n;
        double s = 0;
#pragma omp simd reduction(+ : s)
        for (size_t i = p * PIECE; i < end; i++) s += (double)x[i] * (double)y[i];
        sum[p] = s;
    }
    for (size_t p = 0; p < pieces; p++) total += sum[p];
    arena_rewind(scratch(), mark);
    return total;
}

void reduce_rows(Real *out, const Real *x, size_t count, size_t rows, size_t columns)
{
    size_t height = columns < PIECE ? PIECE / columns : 1;
    size_t pieces = (rows + height - 1) / height, mark = arena_mark(scratch());
    double *sums = arena_new(scratch(), double, count * pieces * columns);
#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < count * pieces; p++) {
        double *sum = sums + p * columns;
        memset(sum, 0, columns * sizeof *sum);
        size_t first = p % pieces * height, n = p / pieces;
        for (size_t r = first; r < first + height && r < rows; r++)
            for (size_t c = 0; c < columns; c++)
                sum[c] += (double)x[(n * rows + r) * columns + c];
    }
    for (size_t i = 0; i < count * columns; i++) {
        double total = 0, *sum = sums + i / columns * pieces * columns + i % columns;
        for (size_t p = 0; p < pieces; p++) total += sum[p * columns];
        out[i] += (Real)total;
    }
    arena_rewind(scratch(), mark);
}

/* 0 * x is 0 for every finite x and NaN for every other, so one sum tells. */
bool all_finite(const Real *x, size_t n)
{
    Real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += 0 * x[i];
    return sum == 0;
}
