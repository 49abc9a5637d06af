/* Samplers: see sampler.h. */
#include "diffusion/sampler.h"

#include <string.h>

#include "tensor/error.h"

enum { PURPOSE_SAMPLE = 10 };

static void ddpm_step(const Schedule *s, int t, double eta, const double *x0, const double *z,
                      double *x, size_t n)
{
    (void)eta;
    double now = s->alpha_bar[t], next = t ? s->alpha_bar[t - 1] : 1, beta = s->beta[t];
    double c0 = beta * sqrt(next) / (1 - now);
    double c1 = (1 - next) * sqrt(1 - beta) / (1 - now);
    double sigma = t ? sqrt(beta) : 0;
    for (size_t i = 0; i < n; i++) x[i] = c0 * x0[i] + c1 * x[i] + sigma * z[i];
}

static void ddim_step(const Schedule *s, int t, double eta, const double *x0, const double *z,
                      double *x, size_t n)
{
    Level now = schedule_level(s, t), next = schedule_level(s, t - 1);
    double sigma = eta * next.s / now.s * sqrt(1 - now.a * now.a / (next.a * next.a));
    double keep = sqrt(fmax(next.s * next.s - sigma * sigma, 0));
    for (size_t i = 0; i < n; i++) {
        double eps = (x[i] - now.a * x0[i]) / now.s;
        x[i] = next.a * x0[i] + keep * eps + sigma * z[i];
    }
}

const Sampler samplers[] = {{"ddpm", ddpm_step}, {"ddim", ddim_step}, {NULL, NULL}};

const Sampler *sampler_find(const char *name)
{
    for (const Sampler *s = samplers; s->name; s++)
        if (strcmp(s->name, name) == 0) return s;
    return NULL;
}

/* Row k of the noise of each image: its starting point for k = 0, then one row a step. */
static void draw_noise(double *z, uint64_t seed, uint64_t first, int N, size_t size, int k)
{
#pragma omp parallel for schedule(static)
    for (int n = 0; n < N; n++)
        random_normals(random_stream(seed, PURPOSE_SAMPLE, first + (uint64_t)n),
                       (uint64_t)k * size, size, z + (size_t)n * size);
}

void sample(Denoiser *d, const Schedule *s, const SamplingOptions *o, uint64_t first, int N,
            const int *label, double *x)
{
    size_t n = (size_t)N * d->size, mark = arena_mark(scratch());
    double *x0 = arena_new(scratch(), double, n), *z = arena_new(scratch(), double, n);
    draw_noise(x, o->seed, first, N, d->size, 0);
    for (int t = s->T - 1; t >= 0; t--) {
        d->predict(d, x, schedule_level(s, t), label, N, x0);
        for (size_t i = 0; i < n; i++) x0[i] = fmin(fmax(x0[i], -1), 1);
        draw_noise(z, o->seed, first, N, d->size, s->T - t);
        o->sampler->step(s, t, o->eta, x0, z, x, n);
        if (o->watch) o->watch(o->context, x, x0, t);
    }
    arena_rewind(scratch(), mark);
}
