/* The likelihood by a flow: see flow.h. */
#include "diffusion/flow.h"

#include <math.h>

#include "diffusion/solver.h"
#include "tensor/error.h"

enum { PURPOSE_FLOW = 14 };

/* ln N(x; 0, variance) of D numbers. */
static double log_normal(const double *x, double variance, size_t D)
{
    double square = 0;
    for (size_t i = 0; i < D; i++) square += x[i] * x[i];
    return -0.5 * (square / variance + (double)D * log(2 * acos(-1) * variance));
}

/* Probe number k, the same at every sigma: random signs, or one axis after the other. */
static void fill_probe(const FlowOptions *o, Crowd c, size_t D, int k, double *e)
{
    for (int n = 0; n < c.N; n++, e += D) {
        Random r = random_stream(o->seed, PURPOSE_FLOW, c.first + (uint64_t)n);
        for (size_t i = 0; i < D; i++)
            e[i] = o->probes ? (random_bits(r, (uint64_t)k * D + i) & 1 ? 1 : -1)
                             : i == (size_t)k;
    }
}

/* dy/du [N, size] and div [N] at y. */
static void find_slope(Denoiser *d, const FlowOptions *o, Crowd c, double sigma,
                       const double *y, double *slope, double *div)
{
    size_t D = d->size, n = (size_t)c.N * D, mark = arena_mark(scratch());
    double *x0 = arena_new(scratch(), double, n), *e = arena_new(scratch(), double, n);
    double *g = arena_new(scratch(), double, n), *x = arena_new(scratch(), double, n);
    double r = sqrt(1 + sigma * sigma);
    Level l = conditioning_level(d->conditioning, 1, sigma);
    int probes = o->probes ? o->probes : (int)D;
    for (size_t i = 0; i < n; i++) x[i] = r * y[i];
    for (int k = 0; k < c.N; k++) div[k] = (double)D / (r * r);
    for (int p = 0; p < probes; p++) {
        fill_probe(o, c, D, p, e);
        d->pull(d, x, &l, c.label, c.N, e, x0, g);
        for (size_t i = 0; i < n; i++)
            div[i / D] -= e[i] * g[i] / (o->probes ? probes : 1);
    }
    for (size_t i = 0; i < n; i++) slope[i] = y[i] / (r * r) - x0[i] / r;
    arena_rewind(scratch(), mark);
}

void flow_log_density(Denoiser *d, const FlowOptions *o, Crowd c, const double *x,
                      double *log_p)
{
    require(d->pull, "this denoiser does not tell its derivative");
    size_t D = d->size, N = (size_t)c.N, n = N * D, mark = arena_mark(scratch());
    double *t = arena_new(scratch(), double, (size_t)o->N + 1);
    double *y = arena_new(scratch(), double, n), *ahead = arena_new(scratch(), double, n);
    double *slope[2] = {arena_new(scratch(), double, n), arena_new(scratch(), double, n)};
    double *div[2] = {arena_new(scratch(), double, N), arena_new(scratch(), double, N)};
    SolverOptions levels = {.N = o->N, .stops = "ve", .sigma_min = o->sigma_min,
                            .sigma_max = o->sigma_max};
    solver_times(&levels, d->conditioning, t);      /* falling; t is sigma */
    double first = 1 + t[o->N - 1] * t[o->N - 1];
    for (size_t i = 0; i < n; i++) y[i] = x[i] / sqrt(first);
    for (size_t i = 0; i < N; i++) log_p[i] = -0.5 * (double)D * log(first);
    for (int k = o->N - 1; k > 0; k--) {
        double h = log(t[k - 1] / t[k]);
        find_slope(d, o, c, t[k], y, slope[0], div[0]);
        for (size_t i = 0; i < n; i++) ahead[i] = y[i] + h * slope[0][i];
        find_slope(d, o, c, t[k - 1], ahead, slope[1], div[1]);
        for (size_t i = 0; i < n; i++) y[i] += h / 2 * (slope[0][i] + slope[1][i]);
        for (size_t i = 0; i < N; i++) log_p[i] += h / 2 * (div[0][i] + div[1][i]);
    }
    for (size_t i = 0; i < N; i++) log_p[i] += log_normal(y + i * D, 1, D);
    arena_rewind(scratch(), mark);
}

void flow_bits(Denoiser *d, const FlowOptions *o, Crowd c, const double *x0,
               const double *eps, double *bits)
{
    size_t D = d->size, n = (size_t)c.N * D, mark = arena_mark(scratch());
    double *x1 = arena_new(scratch(), double, n), s = o->sigma_min;
    for (size_t i = 0; i < n; i++) x1[i] = x0[i] + s * eps[i];
    flow_log_density(d, o, c, x1, bits);
    for (int k = 0; k < c.N; k++) {
        double sent = log_normal(eps + (size_t)k * D, 1, D) - (double)D * log(s);
        bits[k] = (sent - bits[k]) / (double)D / log(2);
    }
    arena_rewind(scratch(), mark);
}
