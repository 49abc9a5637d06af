/* Averages over paths: see jarzynski.h. */
#include "diffusion/jarzynski.h"

#include <math.h>
#include <string.h>

/* log N(x; mean, e^log_variance), but for log 2 pi / 2: there are as many densities in
 * p's product as in q's, and one more. */
static double log_density(double x, double mean, double log_variance)
{
    return -0.5 * (log_variance + (x - mean) * (x - mean) * exp(-log_variance));
}

static PathAverage average(const double *log_w, int M)
{
    double most = log_w[0], sum = 0, mean = 0, square = 0;
    for (int m = 0; m < M; m++) most = fmax(most, log_w[m]), mean += log_w[m] / M;
    for (int m = 0; m < M; m++) {
        sum += exp(log_w[m] - most);
        square += (log_w[m] - mean) * (log_w[m] - mean);
    }
    return (PathAverage){most + log(sum / M), mean, sqrt(square / M)};
}

PathAverage path_average(const Schedule *s, const double *x0, size_t D, int M, Random r,
                         Backward p)
{
    size_t n = (size_t)M * D, mark = arena_mark(scratch());
    double *old = arena_new(scratch(), double, 5 * n), *x = old + n, *eps = x + n;
    double *mean = eps + n, *log_variance = mean + n;
    double *log_w = arena_new(scratch(), double, (size_t)M);
    for (int m = 0; m < M; m++) {
        memcpy(old + (size_t)m * D, x0, D * sizeof *x0);
        log_w[m] = -0.5 * (double)D * log(2 * 3.14159265358979323846);
    }
    for (int t = 0; t < s->T; t++) {
        double kept = sqrt(1 - s->beta[t]), log_beta = log(s->beta[t]);
        random_normals(r, (uint64_t)t * n, n, eps);
        for (size_t i = 0; i < n; i++) x[i] = kept * old[i] + sqrt(s->beta[t]) * eps[i];
        p.predict(p.context, t, x, mean, log_variance);
        for (size_t i = 0; i < n; i++)
            log_w[i / D] += log_density(old[i], mean[i], log_variance[i]) -
                            log_density(x[i], kept * old[i], log_beta);
        memcpy(old, x, n * sizeof *x);
    }
    for (size_t i = 0; i < n; i++) log_w[i / D] += log_density(x[i], 0, 0);
    PathAverage result = average(log_w, M);
    arena_rewind(scratch(), mark);
    return result;
}
