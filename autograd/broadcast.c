/* Broadcasting: see broadcast.h. */
#include "autograd/broadcast.h"

#include <string.h>

#include "tensor/error.h"

/* Distances between neighbours along each axis of x, 0 where x is repeated. */
static void find_steps(Shape x, const int size[MAX_RANK], int step[MAX_RANK])
{
    int distance = 1;
    for (int i = MAX_RANK - 1, k = x.rank - 1; i >= 0; i--, k--) {
        int dim = k >= 0 ? x.dim[k] : 1;
        step[i] = dim == 1 && size[i] > 1 ? 0 : distance;
        distance *= dim;
    }
}

Broadcast broadcast_make(const char *op, Shape a, Shape b, Shape *y)
{
    Broadcast s;
    bool fits = a.rank == b.rank;
    *y = a;
    for (int i = 0; fits && i < a.rank; i++) {
        if (a.dim[i] == 1) y->dim[i] = b.dim[i];
        fits = b.dim[i] == 1 || b.dim[i] == y->dim[i];
    }
    require(fits, "%s: %s and %s; each axis must be equal, or 1 in one of them", op,
            SHOW(a), SHOW(b));
    for (int i = 0; i < MAX_RANK; i++) {
        int k = i - (MAX_RANK - y->rank);
        s.size[i] = k >= 0 ? y->dim[k] : 1;
    }
    find_steps(a, s.size, s.step_a);
    find_steps(b, s.size, s.step_b);
    return s;
}

/* How many numbers one entry of the first axis has in the operand, and in the result. */
static size_t entry_size(const int step[MAX_RANK], const int size[MAX_RANK])
{
    size_t n = 1;
    for (int i = 1; i < MAX_RANK; i++) n *= step[i] ? (size_t)size[i] : 1;
    return n;
}

/* sum += the rows of y, each number to where it belongs. */
static void sum_entry(double *sum, const int step[MAX_RANK], const int size[MAX_RANK],
                      const Real *y)
{
    int C = size[3];
    for (int j = 0; j < size[1]; j++)
        for (int k = 0; k < size[2]; k++, y += C) {
            double *to = sum + (size_t)j * (size_t)step[1] + (size_t)k * (size_t)step[2];
            if (step[3]) for (int c = 0; c < C; c++) to[c] += (double)y[c];
            else for (int c = 0; c < C; c++) to[0] += (double)y[c];
        }
}

/* A thread owns whole entries of a's first axis; one does it all if that is repeated. */
void broadcast_sum(Real *a, const int step[MAX_RANK], const int size[MAX_RANK],
                   const Real *y)
{
    size_t n = entry_size(step, size);
    size_t m = (size_t)size[1] * (size_t)size[2] * (size_t)size[3];
    if (step[0] && n == m) {                            /* nothing is repeated */
#pragma omp parallel for simd schedule(static)
        for (size_t i = 0; i < (size_t)size[0] * n; i++) a[i] += y[i];
        return;
    }
#pragma omp parallel for schedule(static) if (step[0] > 0)
    for (int e = 0; e < (step[0] ? size[0] : 1); e++) {
        size_t mark = arena_mark(scratch());
        double *sum = arena_new(scratch(), double, n);
        memset(sum, 0, n * sizeof *sum);
        if (step[0]) sum_entry(sum, step, size, y + (size_t)e * m);
        else for (int i = 0; i < size[0]; i++)
            sum_entry(sum, step, size, y + (size_t)i * m);
        for (size_t i = 0; i < n; i++) a[(size_t)e * (size_t)step[0] + i] += (Real)sum[i];
        arena_rewind(scratch(), mark);
    }
}

void broadcast_add(Real *y, const int step[MAX_RANK], const int size[MAX_RANK],
                   const Real *a, Real c)
{
    int rows = size[0] * size[1] * size[2], C = size[3];
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++) {
        const Real *from = a + broadcast_row(size, step, r);
        Real *to = y + (size_t)r * (size_t)C;
        if (step[3]) for (int k = 0; k < C; k++) to[k] += c * from[k];
        else for (int k = 0; k < C; k++) to[k] += c * from[0];
    }
}
