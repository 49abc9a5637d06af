/* Posterior sampling: see posterior.h. */
#include "diffusion/posterior.h"

#include <math.h>

enum { PURPOSE_POSTERIOR = 11 };

static bool is_known(const Observation *o, size_t i) { return !o->known || o->known[i]; }

void posterior_multiply(void *context, const Level *next, size_t i, double *mean,
                        double *sigma)
{
    const Observation *o = context;
    if (!is_known(o, i)) return;
    if (o->as_noisy) {
        *mean = next->a * o->y[i], *sigma = next->s;
        return;
    }
    double p = *sigma * *sigma, r = o->noise * o->noise;
    if (r == 0) *mean = o->y[i], *sigma = 0;
    else *mean += p / (p + r) * (o->y[i] - *mean), *sigma = sqrt(p * r / (p + r));
}

/* Row k of the noise of each sample. */
static void draw_noise(uint64_t seed, Crowd c, size_t size, int k, double *z)
{
    for (int n = 0; n < c.N; n++)
        random_normals(random_stream(seed, PURPOSE_POSTERIOR, c.first + (uint64_t)n),
                       (uint64_t)k * size, size, z + (size_t)n * size);
}

void sample_posterior(Denoiser *d, const Schedule *s, const SamplingOptions *options,
                      Crowd c, Observation *y, double *x)
{
    size_t n = (size_t)c.N * d->size, mark = arena_mark(scratch());
    double *x0 = arena_new(scratch(), double, n), *z = arena_new(scratch(), double, n);
    SamplingOptions o = *options;
    o.multiply = posterior_multiply, o.guide = NULL, o.watch = NULL, o.context = y;
    int row = 0;
    draw_noise(o.seed, c, d->size, row++, x);
    for (size_t i = 0; i < n; i++)
        if (is_known(y, i) && !y->as_noisy) x[i] = y->y[i];
    for (int t = s->T - 1; t >= 0; t--)
        for (int k = 1; k <= y->repeats; k++) {
            draw_noise(o.seed, c, d->size, row++, z);
            sample_step(d, s, &o, t, c, z, x, x0);
            if (k == y->repeats || t == 0) break;
            draw_noise(o.seed, c, d->size, row++, z);           /* one step forward again */
            for (size_t i = 0; i < n; i++)
                x[i] = sqrt(1 - s->beta[t]) * x[i] + sqrt(s->beta[t]) * z[i];
        }
    arena_rewind(scratch(), mark);
}
