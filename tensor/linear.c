/* Linear algebra: see linear.h. */
#include "tensor/linear.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tensor/memory.h"

enum { FEW = 64 };              /* rows that are not worth several threads */

static double dot(const double *x, const double *y, int n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

void matrix_multiply(double *c, const double *a, const double *b, int n)
{
    memset(c, 0, (size_t)n * (size_t)n * sizeof *c);
#pragma omp parallel for schedule(static) if (n > FEW)
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            double x = a[i * n + k];
            for (int j = 0; j < n; j++) c[i * n + j] += x * b[k * n + j];
        }
}

/* ---- Cholesky ------------------------------------------------------------------------ */

static int largest(const double *x, int n)
{
    int at = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[at]) at = i;
    return at;
}

int cholesky(double *l, const double *a, int n)
{
    size_t mark = arena_mark(scratch());
    double *left = arena_new(scratch(), double, (size_t)n);     /* of the diagonal */
    for (int i = 0; i < n; i++) left[i] = a[i * n + i];
    double rounding = n * DBL_EPSILON * left[largest(left, n)];
    memset(l, 0, (size_t)n * (size_t)n * sizeof *l);
    int r = 0;
    for (; r < n; r++) {
        int p = largest(left, n);
        if (!(left[p] > rounding)) break;
        double root = sqrt(left[p]);
#pragma omp parallel for schedule(static) if (n > FEW)
        for (int i = 0; i < n; i++) {
            if (i == p) continue;
            double x = (a[i * n + p] - dot(l + i * n, l + p * n, r)) / root;
            l[i * n + r] = x;
            left[i] -= x * x;
        }
        l[p * n + r] = root;
        left[p] = 0;
    }
    arena_rewind(scratch(), mark);
    return r;
}

/* ---- eigenvalues --------------------------------------------------------------------- */

/* a <- H a H on the rows and columns after k, with H = 1 - v v' and |v|^2 = 2 such that
 * column k ends after one number, which is returned.  v, w [n]: room. */
static double reflect(double *a, int n, int k, double *v, double *w)
{
    const double *row = a + (size_t)k * (size_t)n;
    int first = k + 1, m = n - first;
    double norm = sqrt(dot(row + first, row + first, m));
    if (norm == 0) return 0;
    double to = row[first] > 0 ? -norm : norm;
    double length = sqrt(norm * (norm + fabs(row[first])));     /* of v, over root 2 */
    for (int i = first; i < n; i++) v[i] = (row[i] - (i == first ? to : 0)) / length;
#pragma omp parallel for schedule(static) if (m > FEW)
    for (int i = first; i < n; i++) w[i] = dot(a + i * n + first, v + first, m);
    double half = dot(v + first, w + first, m) / 2;
    for (int i = first; i < n; i++) w[i] -= half * v[i];
#pragma omp parallel for schedule(static) if (m > FEW)
    for (int i = first; i < n; i++)
        for (int j = first; j < n; j++) a[i * n + j] -= v[i] * w[j] + w[i] * v[j];
    return to;
}

/* Eigenvalues below x.  A pivot of 0 becomes a tiny one. */
static int count_below(const double *d, const double *e, int n, double x, double tiny)
{
    int count = 0;
    double q = 1;
    for (int i = 0; i < n; i++) {
        q = d[i] - x - (i ? e[i] * e[i] / q : 0);
        if (fabs(q) < tiny) q = -tiny;
        count += q < 0;
    }
    return count;
}

void symmetric_values(double *value, double *a, int n)
{
    size_t mark = arena_mark(scratch());
    double *d = arena_new(scratch(), double, (size_t)n);
    double *e = arena_new(scratch(), double, (size_t)n);        /* e[i] beside d[i-1] */
    double *v = arena_new(scratch(), double, (size_t)n);
    double *w = arena_new(scratch(), double, (size_t)n), most = 0;
    for (int k = 0; k < n - 1; k++) e[k + 1] = reflect(a, n, k, v, w);
    e[0] = 0;
    for (int i = 0; i < n; i++) {
        d[i] = a[i * n + i];
        most = fmax(most, fabs(d[i]) + fabs(e[i]) + (i + 1 < n ? fabs(e[i + 1]) : 0));
    }
#pragma omp parallel for schedule(static) if (n > FEW)
    for (int i = 0; i < n; i++) {
        double low = -most, high = most;        /* Gershgorin: no eigenvalue is outside */
        while (high - low > DBL_EPSILON * most) {
            double x = (low + high) / 2;
            if (count_below(d, e, n, x, DBL_MIN / DBL_EPSILON * fmax(most, 1)) > i)
                high = x;
            else low = x;
        }
        value[i] = (low + high) / 2;
    }
    arena_rewind(scratch(), mark);
}
