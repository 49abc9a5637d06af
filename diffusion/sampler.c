/* Samplers: see sampler.h. */
#include "diffusion/sampler.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"

enum { PURPOSE_SAMPLE = 10 };

/* ---- the two rules ---------------------------------------------------------------- */

/* Number i of the next x. */
static double draw(const Move *m, size_t i, double mean, double sigma)
{
    const SamplingOptions *o = m->options;
    if (m->last) sigma = 0;
    if (o->multiply) o->multiply(o->context, &m->next, i, &mean, &sigma);
    return mean + (sigma > 0 ? sigma * m->z[i] : 0);
}

static void ddpm_step(const Move *m, double *x)
{
    const Level *l = &m->now;
    const Variance *kind = m->options->variance;
    if (!kind) kind = variance_find("fixed_large");
    for (size_t i = 0; i < m->n; i++) {
        double v = m->answer.v ? m->answer.v[i] : 0;
        double mean = answer_mean(&m->answer, l, x[i], i);
        if (m->g) mean += kind->variance(v, l) * m->g[i];
        x[i] = draw(m, i, mean, exp(0.5 * kind->log_variance(v, l)));
    }
}

static void ddim_step(const Move *m, double *x)
{
    Level now = m->now, next = m->next;
    double sigma = 0;
    if (m->options->eta > 0)
        sigma = m->options->eta * next.s / now.s *
                sqrt(1 - now.a * now.a / (next.a * next.a));
    double keep = sqrt(fmax(next.s * next.s - sigma * sigma, 0));
    for (size_t i = 0; i < m->n; i++) {
        double *x0 = &m->answer.x0[i];
        double eps = m->eps ? m->eps[i] : (x[i] - now.a * *x0) / now.s;
        if (m->g) {
            eps -= now.s * m->g[i];
            *x0 = (x[i] - now.s * eps) / now.a;
        }
        x[i] = draw(m, i, next.a * *x0 + keep * eps, sigma);
    }
}

const Sampler sampler_ddpm = {ddpm_step}, sampler_ddim = {ddim_step};

/* ---- steps ------------------------------------------------------------------------ */

/* Asks the denoiser and the guide at m->now and moves x by the rule; x0 receives
 * x0_hat. */
static void move(Denoiser *d, Move *m, Crowd c, double *x, double *x0)
{
    const SamplingOptions *o = m->options;
    size_t mark = arena_mark(scratch());
    m->n = (size_t)c.N * d->size;
    m->answer = (Answer){x0, d->gives_v ? arena_new(scratch(), double, m->n) : NULL,
                         d->gives_mean ? arena_new(scratch(), double, m->n) : NULL};
    d->predict(d, x, &m->now, c.label, c.N, &m->answer);
    if (o->keep_eps) {
        double *eps = arena_new(scratch(), double, m->n);
        for (size_t i = 0; i < m->n; i++) eps[i] = (x[i] - m->now.a * x0[i]) / m->now.s;
        m->eps = eps;
    }
    if (!o->no_clip)
        for (size_t i = 0; i < m->n; i++) x0[i] = fmin(fmax(x0[i], -1), 1);
    if (o->guide) {
        double *g = arena_new(scratch(), double, m->n);
        o->guide(o->context, x, &m->now, c, g);
        m->g = g;
    }
    o->sampler->step(m, x);
    arena_rewind(scratch(), mark);
}

void sample_step(Denoiser *d, const Schedule *s, const SamplingOptions *o, int t, Crowd c,
                 const double *z, double *x, double *x0)
{
    Move m = {.options = o, .now = schedule_level(s, t), .next = schedule_level(s, t - 1),
              .last = t == 0, .z = z};
    move(d, &m, c, x, x0);
}

void sample_noise(uint64_t seed, Crowd c, size_t size, int k, double *z)
{
#pragma omp parallel for schedule(static)
    for (int n = 0; n < c.N; n++)
        random_normals(random_stream(seed, PURPOSE_SAMPLE,
                                     c.first + (c.alike ? 0 : (uint64_t)n)),
                       (uint64_t)k * size, size, z + (size_t)n * size);
}

static void draw_noise(const SamplingOptions *o, Crowd c, size_t size, int k, double *z)
{
    sample_noise(o->seed, c, size, k, z);
    if (o->temperature > 0)
        for (size_t i = 0; i < (size_t)c.N * size; i++) z[i] *= o->temperature;
}

void sample_between(Denoiser *d, const Schedule *s, const SamplingOptions *o, int t,
                    int end, Crowd c, double *x)
{
    size_t n = (size_t)c.N * d->size, mark = arena_mark(scratch());
    double *x0 = arena_new(scratch(), double, n), *z = arena_new(scratch(), double, n);
    for (; t > end; t--) {
        draw_noise(o, c, d->size, s->T - t, z);
        sample_step(d, s, o, t, c, z, x, x0);
        if (o->watch) o->watch(o->context, x, x0, t);
    }
    arena_rewind(scratch(), mark);
}

void sample_from(Denoiser *d, const Schedule *s, const SamplingOptions *o, int t, Crowd c,
                 double *x)
{
    sample_between(d, s, o, t, -1, c, x);
}

void sample(Denoiser *d, const Schedule *s, const SamplingOptions *o, Crowd c, double *x)
{
    draw_noise(o, c, d->size, 0, x);
    sample_from(d, s, o, s->T - 1, c, x);
}

void sample_move(Denoiser *d, const SamplingOptions *o, Level now, Level next, Crowd c,
                 double *x, double *x0)
{
    Move m = {.options = o, .now = now, .next = next, .last = true};
    move(d, &m, c, x, x0);
}

void encode_step(Denoiser *d, const Schedule *s, const SamplingOptions *o, int t, Crowd c,
                 double *x, double *x0)
{
    SamplingOptions up = *o;
    up.sampler = &sampler_ddim, up.eta = 0;
    sample_move(d, &up, schedule_level(s, t), schedule_level(s, t + 1), c, x, x0);
}

void encode(Denoiser *d, const Schedule *s, const SamplingOptions *o, Crowd c, double *x)
{
    size_t mark = arena_mark(scratch());
    double *x0 = arena_new(scratch(), double, (size_t)c.N * d->size);
    for (int t = 0; t < s->T - 1; t++) encode_step(d, s, o, t, c, x, x0);
    arena_rewind(scratch(), mark);
}
