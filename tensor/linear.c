/* Linear algebra on small matrices: see linear.h. */
#include "tensor/linear.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tensor/memory.h"

enum { ROUNDS = 60 };           /* far more than any matrix needs */

void matrix_multiply(double *c, const double *a, const double *b, int n)
{
    memset(c, 0, (size_t)n * (size_t)n * sizeof *c);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            for (int j = 0; j < n; j++) c[i * n + j] += a[i * n + k] * b[k * n + j];
}

/* (x, y) <- (c x - s y, s x + c y) for n pairs at a distance of `stride`. */
static void rotate(double *x, double *y, int n, int stride, double c, double s)
{
    for (int i = 0; i < n * stride; i += stride) {
        double a = x[i], b = y[i];
        x[i] = c * a - s * b;
        y[i] = s * a + c * b;
    }
}

/* Makes a_pq = 0.  The rotation by theta does so if cot 2 theta = (a_qq - a_pp) / 2 a_pq;
 * t = tan theta is the smaller root of t^2 + 2 cot(2 theta) t - 1 = 0. */
static void annihilate(double *a, double *v, int n, int p, int q)
{
    double cot = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
    double t = (cot < 0 ? -1 : 1) / (fabs(cot) + sqrt(cot * cot + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    rotate(a + p * n, a + q * n, n, 1, c, s);           /* rows, then columns */
    rotate(a + p, a + q, n, n, c, s);
    a[p * n + q] = a[q * n + p] = 0;
    if (v) rotate(v + p, v + q, n, n, c, s);
}

/* Too small beside its two diagonal entries to change them, or, where those are 0, beside
 * the largest entry of all. */
static bool negligible(const double *a, int n, int p, int q, double most)
{
    double x = fabs(a[p * n + q]);
    return x <= DBL_EPSILON / 8 * sqrt(fabs(a[p * n + p] * a[q * n + q])) ||
           x <= 1e-30 * most;
}

void symmetric_eigen(double *a, double *value, double *v, int n)
{
    double most = 0;
    for (int i = 0; v && i < n * n; i++) v[i] = i % (n + 1) == 0;
    for (int i = 0; i < n * n; i++) most = fmax(most, fabs(a[i]));
    bool busy = true;
    for (int round = 0; busy && round < ROUNDS; round++) {
        busy = false;
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                if (negligible(a, n, p, q, most)) continue;
                annihilate(a, v, n, p, q);
                busy = true;
            }
    }
    for (int i = 0; i < n; i++) value[i] = a[i * n + i];
}

void symmetric_root(double *root, double *a, int n)
{
    Arena *s = scratch();
    size_t mark = arena_mark(s), size = (size_t)n * (size_t)n;
    double *value = arena_new(s, double, (size_t)n);
    double *v = arena_new(s, double, size), *scaled = arena_new(s, double, size);
    double *turned = arena_new(s, double, size);
    symmetric_eigen(a, value, v, n);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            scaled[i * n + k] = v[i * n + k] * sqrt(fmax(value[k], 0));
            turned[k * n + i] = v[i * n + k];
        }
    matrix_multiply(root, scaled, turned, n);           /* (v diag) v' */
    arena_rewind(s, mark);
}
