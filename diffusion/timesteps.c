/* Choosing noise levels: see timesteps.h. */
#include "diffusion/timesteps.h"

#include <math.h>
#include <string.h>

#include "diffusion/path.h"
#include "tensor/error.h"

static void draw_uniform(const Timesteps *s, Random r, int N, int *t, double *weight)
{
    (void)weight;
    for (int n = 0; n < N; n++) t[n] = (int)random_below(r, (uint64_t)n, (uint32_t)s->T);
}

/* Part n of N gives one t; which sample gets it does not matter. */
static void draw_stratified(const Timesteps *s, Random r, int N, int *t, double *weight)
{
    (void)weight;
    for (int n = 0; n < N; n++) {
        t[n] = (int)((n + random_uniform(r, (uint64_t)n)) / N * s->T);
        if (t[n] >= s->T) t[n] = s->T - 1;
    }
}

static void draw_loss_aware(const Timesteps *s, Random r, int N, int *t, double *weight)
{
    size_t mark = arena_mark(scratch());
    double *p = arena_new(scratch(), double, (size_t)s->T), sum = 0;
    timesteps_weights(s, p);
    for (int i = 0; i < s->T; i++) sum += p[i];
    for (int n = 0; n < N; n++) {
        double u = random_uniform(r, (uint64_t)n) * sum;
        for (t[n] = 0; t[n] < s->T - 1 && u >= p[t[n]]; t[n]++) u -= p[t[n]];
        weight[n] = sum / (s->T * p[t[n]]);
    }
    arena_rewind(scratch(), mark);
}

/* ---- continuous levels --------------------------------------------------------------------- */

static double vp_sigma(double u)
{
    Path p = path_vp();
    return p.sigma(&p, 1 + u * (1e-5 - 1));
}

static double ve_sigma(double u) { return 0.02 * pow(100 / 0.02, u); }
static double edm_sigma(double z) { return exp(1.2 * z - 1.2); }
static double edm_coarse_sigma(double z) { return exp(1.2 * z); }

static const NoiseDraw noise_draws[] = {
    {"vp", false, vp_sigma}, {"ve", false, ve_sigma}, {"edm", true, edm_sigma},
    {"edm_coarse", true, edm_coarse_sigma},
};

const NoiseDraw *noise_draw_find(const char *kind)
{
    for (size_t i = 0; i < sizeof noise_draws / sizeof *noise_draws; i++)
        if (strcmp(noise_draws[i].name, kind) == 0) return &noise_draws[i];
    return NULL;
}

/* The part of a normal z is its probability from below. */
static void draw_noise(const NoiseDraw *draw, Random r, int N, int T, int *t,
                       double *sigma)
{
    for (int n = 0; n < N; n++) {
        double u =
            draw->normal ? random_normal(r, (uint64_t)n) : random_uniform(r, (uint64_t)n);
        double share = draw->normal ? 0.5 * erfc(-u * sqrt(0.5)) : u;
        sigma[n] = draw->sigma(u);
        t[n] = (int)fmin(share * T, T - 1);
    }
}

/* ---- by name ------------------------------------------------------------------------------- */

static const struct Kind {
    const char *name;
    void (*draw)(const Timesteps *s, Random r, int N, int *t, double *weight);
} kinds[] = {
    {"uniform", draw_uniform}, {"stratified", draw_stratified},
    {"loss_aware", draw_loss_aware},
};

static const struct Kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    fail("timesteps cannot be drawn %s; they can be uniform, stratified, loss_aware, vp, "
         "ve or edm",
         name);
}

Timesteps timesteps_create(Arena *a, const char *kind, int T, int history, double u)
{
    size_t n = (size_t)T * (size_t)history;
    const NoiseDraw *draw = noise_draw_find(kind);
    Timesteps s = {draw ? draw->name : find_kind(kind)->name,
                   T, history, u, arena_new(a, double, n), arena_new(a, int, (size_t)T)};
    memset(s.loss, 0, n * sizeof *s.loss);
    memset(s.count, 0, (size_t)T * sizeof *s.count);
    return s;
}

void timesteps_draw(const Timesteps *s, Random r, int N, int *t, double *weight,
                    double *sigma)
{
    const NoiseDraw *draw = noise_draw_find(s->kind);
    for (int n = 0; n < N; n++) weight[n] = 1, sigma[n] = 0;
    if (draw) draw_noise(draw, r, N, s->T, t, sigma);
    else find_kind(s->kind)->draw(s, r, N, t, weight);
}

void timesteps_add(Timesteps *s, int t, double loss)
{
    double *row = s->loss + (size_t)t * (size_t)s->history;
    require(t >= 0 && t < s->T, "step %d of %d", t, s->T);
    if (s->count[t] < s->history) {
        row[s->count[t]++] = loss;
        return;
    }
    memmove(row, row + 1, (size_t)(s->history - 1) * sizeof *row);
    row[s->history - 1] = loss;
}

bool timesteps_warm(const Timesteps *s)
{
    for (int t = 0; t < s->T; t++)
        if (s->count[t] < s->history) return false;
    return true;
}

void timesteps_weights(const Timesteps *s, double weight[])
{
    bool warm = timesteps_warm(s);
    double sum = 0;
    for (int t = 0; t < s->T; t++) {
        const double *row = s->loss + (size_t)t * (size_t)s->history;
        double square = 0;
        for (int i = 0; i < s->history; i++) square += row[i] * row[i];
        weight[t] = warm ? sqrt(square / s->history) : 1;
        sum += weight[t];
    }
    for (int t = 0; warm && t < s->T; t++)
        weight[t] = weight[t] / sum * (1 - s->uniform_share) + s->uniform_share / s->T;
}
