/* The average over forward paths against densities known in closed form. */
#include <math.h>

#include "diffusion/jarzynski.h"
#include "tests/check.h"

enum { T = 12, D = 2, M = 20000 };
static const double pi = 3.14159265358979323846, x0[D] = {0.7, -1.2};

/* Of numbers x_{t-1}: N(keep x_t, variance).  The exact reverse for data N(0, 1) has
 * keep = sqrt(1 - beta) and variance = beta. */
typedef struct { int paths; const Schedule *s; double keep, variance; } Linear;

static void step(void *context, int t, const double *x, double *mean,
                 double *log_variance)
{
    const Linear *p = context;
    for (int i = 0; i < p->paths * D; i++) {
        mean[i] = x[i] * p->keep * sqrt(1 - p->s->beta[t]);
        log_variance[i] = log(p->variance * p->s->beta[t]);
    }
}

static double log_normal(double variance)
{
    double sum = 0;
    for (int i = 0; i < D; i++)
        sum -= 0.5 * (log(2 * pi * variance) + x0[i] * x0[i] / variance);
    return sum;
}

/* Quasi-static: every path weighs the same, and that is p(x_0). */
static void an_exact_reverse_has_no_variance(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", T, 0.05, 0.5);
    Linear p = {5, &s, 1, 1};
    PathAverage w = path_average(&s, x0, D, p.paths, random_stream(1, 1, 1),
                                 (Backward){step, &p});
    check_close(w.log_mean, log_normal(1), 1e-13);
    check_close(w.mean_log, log_normal(1), 1e-13);
    check(w.deviation < 1e-12);
    arena_destroy(&a);
}

/* Any other linear chain has x_0 ~ N(0, V), V from step to step; the bound is below. */
static void another_reverse_is_averaged(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", T, 0.05, 0.5);
    Linear p = {M, &s, 0.95, 1.1};
    double variance = 1;
    for (int t = T - 1; t >= 0; t--)
        variance = variance * p.keep * p.keep * (1 - s.beta[t]) + p.variance * s.beta[t];
    PathAverage w = path_average(&s, x0, D, M, random_stream(1, 1, 2),
                                 (Backward){step, &p});
    check_close(w.log_mean, log_normal(variance), 0.01);
    check(w.mean_log < w.log_mean - 0.02 && w.deviation > 0.2);
    arena_destroy(&a);
}

static const Test tests[] = {
    T(an_exact_reverse_has_no_variance), T(another_reverse_is_averaged),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
