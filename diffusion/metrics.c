/* Measures of samples: see metrics.h. */
#include "diffusion/metrics.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/linear.h"

/* ---- Frechet distance ---------------------------------------------------------- */

Moments feature_moments(Arena *a, Features f)
{
    int N = f.N, D = f.D;
    require(N >= 2 && D >= 1, "moments of %d vectors of %d features", N, D);
    Moments m = {D, arena_new(a, double, (size_t)D),
                 arena_new(a, double, (size_t)(D * D))};
    memset(m.mean, 0, (size_t)D * sizeof *m.mean);
    memset(m.covariance, 0, (size_t)(D * D) * sizeof *m.covariance);
    for (int n = 0; n < N; n++)
        for (int i = 0; i < D; i++) m.mean[i] += f.x[n * D + i] / N;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < D; i++) {
        double *row = m.covariance + i * D;
        for (int n = 0; n < N; n++) {
            double off = (f.x[n * D + i] - m.mean[i]) / (N - 1);
            for (int j = 0; j < D; j++) row[j] += off * (f.x[n * D + j] - m.mean[j]);
        }
    }
    return m;
}

static double trace(const double *a, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += a[i * n + i];
    return sum;
}

/* tr (S1 S2)^(1/2).  S1 S2 is not symmetric, but with S1 = L L' it has the eigenvalues of
 * L' S2 L, which is, and zeros: A B and B A have the same. */
static double trace_root(const double *S1, const double *S2, int n)
{
    Arena *s = scratch();
    size_t mark = arena_mark(s), size = (size_t)n * (size_t)n;
    double *L = arena_new(s, double, size), *turned = arena_new(s, double, size);
    double *half = arena_new(s, double, size), *value = arena_new(s, double, (size_t)n);
    cholesky(L, S1, n);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) turned[k * n + i] = L[i * n + k];
    matrix_multiply(half, turned, S2, n);
    matrix_multiply(turned, half, L, n);
    symmetric_values(value, turned, n);
    double sum = 0;
    for (int i = 0; i < n; i++) sum += sqrt(fmax(value[i], 0));
    arena_rewind(s, mark);
    return sum;
}

double frechet_distance(const Moments *p, const Moments *q)
{
    int D = p->D;
    require(D == q->D, "moments of %d and %d features", D, q->D);
    double apart = 0;
    for (int i = 0; i < D; i++)
        apart += (p->mean[i] - q->mean[i]) * (p->mean[i] - q->mean[i]);
    return fmax(0, apart + trace(p->covariance, D) + trace(q->covariance, D) -
                       2 * trace_root(p->covariance, q->covariance, D));
}

/* ---- inception score ----------------------------------------------------------- */

/* exp of the mean of sum_k p_k (ln p_k - ln mean p_k); 0 ln 0 = 0. */
static double score_split(const double *p, int N, int K)
{
    double sum = 0;
    for (int k = 0; k < K; k++) {
        double mean = 0;
        for (int n = 0; n < N; n++) mean += p[n * K + k] / N;
        for (int n = 0; n < N; n++) {
            double x = p[n * K + k];
            if (x > 0) sum += x * (log(x) - log(mean));
        }
    }
    return exp(sum / N);
}

double inception_score(Features p, int split)
{
    require(split >= 1 && p.N >= 1, "splits of %d among %d", split, p.N);
    double sum = 0;
    int splits = 0;
    for (int n = 0; n < p.N; n += split, splits++)
        sum += score_split(p.x + n * p.D, p.N - n < split ? p.N - n : split, p.D);
    return sum / splits;
}

/* ---- precision and recall ------------------------------------------------------ */

static double squared_distance(const double *x, const double *y, int D)
{
    double sum = 0;
    for (int i = 0; i < D; i++) sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sum;
}

void neighbour_radii(double *radius, Features f, int k)
{
    require(k >= 1 && k < f.N, "neighbour %d among %d", k, f.N - 1);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < f.N; n++) {
        size_t mark = arena_mark(scratch());
        double *nearest = arena_new(scratch(), double, (size_t)k);  /* smallest, rising */
        int found = 0;
        for (int m = 0; m < f.N; m++) {
            if (m == n) continue;
            double d = squared_distance(f.x + n * f.D, f.x + m * f.D, f.D);
            if (found == k && d >= nearest[k - 1]) continue;
            int at = found < k ? found++ : k - 1;
            for (; at > 0 && nearest[at - 1] > d; at--) nearest[at] = nearest[at - 1];
            nearest[at] = d;
        }
        radius[n] = nearest[k - 1];
        arena_rewind(scratch(), mark);
    }
}

double share_inside(Features points, Features set, const double *radius)
{
    require(points.D == set.D, "points of %d features, a set of %d", points.D, set.D);
    int inside = 0;
#pragma omp parallel for schedule(static) reduction(+ : inside)
    for (int n = 0; n < points.N; n++) {
        int m = 0;
        while (m < set.N && squared_distance(points.x + n * points.D, set.x + m * set.D,
                                             set.D) > radius[m]) m++;
        inside += m < set.N;
    }
    return (double)inside / points.N;
}

double parzen_log_density(const double *square, int M, int D, double width)
{
    double nearest = square[0], sum = 0, variance = width * width;
    for (int m = 1; m < M; m++) nearest = fmin(nearest, square[m]);
    for (int m = 0; m < M; m++) sum += exp((nearest - square[m]) / (2 * variance));
    return log(sum / M) - nearest / (2 * variance) -
           0.5 * D * log(2 * 3.14159265358979323846 * variance);
}
