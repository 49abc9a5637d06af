/* The variational bound: see likelihood.h. */
#include "diffusion/likelihood.h"

#include <math.h>

#include "autograd/ops.h"

BoundTerm bound_term(const Process *p, const Level *l, const double *x0, const double *xt,
                     const Answer *answer, size_t D)
{
    BoundTerm sum = {0, 0, 0};
    for (size_t i = 0; i < D; i++) {
        double v = answer->v ? answer->v[i] : 0, guess = answer->x0[i];
        double mean = answer_mean(answer, l, xt[i], i);
        double log_variance = p->variance->log_variance(v, l);
        double true_mean = l->c0 * x0[i] + l->ct * xt[i];
        double eps_error = l->a / l->s * (x0[i] - guess);
        sum.bits += l->variance == 0
                        ? -discretized_gaussian_value(x0[i], mean, 0.5 * log_variance)
                        : gaussian_kl_value(true_mean, l->log_variance, mean,
                                            log_variance);
        sum.x0_mse += (x0[i] - guess) * (x0[i] - guess);
        sum.eps_mse += eps_error * eps_error;
    }
    double n = (double)D;
    return (BoundTerm){sum.bits / n / log(2.0), sum.x0_mse / n, sum.eps_mse / n};
}

double bound_prior(const Process *p, const double *x0, size_t D)
{
    Level last = schedule_level(&p->schedule, p->schedule.T - 1);
    double sum = 0;
    for (size_t i = 0; i < D; i++)
        sum += gaussian_kl_value(last.a * x0[i], 2 * log(last.s), 0, 0);
    return sum / (double)D / log(2.0);
}

Bound bound_of(Arena *a, Denoiser *d, const Process *p, const double *x0, int N,
               const int *label, NoiseSource noise)
{
    int T = p->schedule.T;
    size_t D = d->size, n = (size_t)N * D;
    Bound b = {arena_new(a, BoundTerm, (size_t)N * (size_t)T),
               arena_new(a, double, (size_t)N), arena_new(a, double, (size_t)N)};
    size_t mark = arena_mark(scratch());
    double *eps = arena_new(scratch(), double, n), *xt = arena_new(scratch(), double, n);
    Answer all = {arena_new(scratch(), double, n),
                  d->gives_v ? arena_new(scratch(), double, n) : NULL,
                  d->gives_mean ? arena_new(scratch(), double, n) : NULL};
    for (int k = 0; k < N; k++)
        b.total[k] = b.prior[k] = bound_prior(p, x0 + (size_t)k * D, D);
    for (int t = T - 1; t >= 0; t--) {
        Level l = schedule_level(&p->schedule, t);
        noise.fill(noise.context, t, eps);
        for (size_t i = 0; i < n; i++) xt[i] = l.a * x0[i] + l.s * eps[i];
        d->predict(d, xt, &l, label, N, &all);
        for (size_t i = 0; i < n; i++) all.x0[i] = fmin(fmax(all.x0[i], -1), 1);
        for (int k = 0; k < N; k++) {
            size_t o = (size_t)k * D;
            Answer one = {all.x0 + o, all.v ? all.v + o : NULL,
                          all.mean ? all.mean + o : NULL};
            BoundTerm *term = &b.term[(size_t)k * (size_t)T + (size_t)t];
            *term = bound_term(p, &l, x0 + o, xt + o, &one, D);
            b.total[k] += term->bits;
        }
    }
    arena_rewind(scratch(), mark);
    return b;
}
