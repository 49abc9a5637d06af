/* Whole chains of OpenAI's code with a network in closed form (loops.safetensors), and
 * the single steps of diffusers' schedulers (diffusers_schedulers.safetensors). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diffusion/likelihood.h"
#include "diffusion/sampler.h"
#include "tests/golden.h"

/* out[o][p] = tanh(sum over c of W[o][c] x[c][p] + b[o] + v[o] t/1000), o < 2C: as in the
 * file, channels first.  The classifier's gradient is G x + k t/1000. */
typedef struct {
    Denoiser base;
    const Process *process;
    int C;
    const double *W, *b, *v, *G, *k;
} Toy;

static void toy_predict(Denoiser *self, const double *x, const Level *level,
                        const int *label, int N, Answer *answer)
{
    const Toy *d = (const Toy *)self;
    size_t D = self->size, pixels = D / (size_t)d->C, mark = arena_mark(scratch());
    double *out = arena_new(scratch(), double, 2 * D);
    (void)label;
    for (int n = 0; n < N; n++, x += D) {
        for (size_t o = 0; o < 2 * (size_t)d->C; o++)
            for (size_t p = 0; p < pixels; p++) {
                double sum = d->b[o] + d->v[o] * level->t / 1000;
                for (size_t c = 0; c < (size_t)d->C; c++)
                    sum += d->W[o * (size_t)d->C + c] * x[c * pixels + p];
                out[o * pixels + p] = tanh(sum);
            }
        size_t first = (size_t)n * D;
        Answer one = {answer->x0 + first, answer->v ? answer->v + first : NULL, NULL};
        answer_from_output(&one, d->process, level, x, out, out + D, D);
    }
    arena_rewind(scratch(), mark);
}

static Toy read_toy(Golden *g, const Process *p, size_t D)
{
    Shape w = golden_shape(g, "in/W");
    return (Toy){{D, p->variance->learned, false, toy_predict}, p, w.dim[1],
                 golden_numbers(g, "in/W"), golden_numbers(g, "in/b"),
                 golden_numbers(g, "in/v"), golden_numbers(g, "in/G"),
                 golden_numbers(g, "in/k")};
}

static void toy_guide(void *context, const double *x, const Level *level, Crowd c,
                      double *g)
{
    const Toy *d = context;
    for (size_t i = 0; i < (size_t)c.N * d->base.size; i++)
        g[i] = *d->G * x[i] + *d->k * level->t / 1000;
}

static const char *variance_name(int type)
{
    static const char *const names[] = {"", "learned", "fixed_small", "fixed_large",
                                        "learned_range"};
    require(type >= 1 && type <= 4, "variance type %d", type);
    return names[type];
}

static Schedule make_schedule(Golden *g, const char *group, bool rescale)
{
    char name[64];
    snprintf(name, sizeof name, "%s/T", group);
    int T = golden_integer(g, name, 0);
    snprintf(name, sizeof name, "%s/is_cosine", group);
    bool cosine = golden_has(g, name) && golden_integer(g, name, 0);
    Schedule s = schedule_make(&g->arena, cosine ? "cosine" : "linear_scaled", T, 1e-4,
                               0.02);
    if (rescale) schedule_rescale_told(&s);
    return s;
}

static const char *spec_of(Golden *g, const char *name)
{
    size_t n = golden_size(g, name);
    char *text = arena_new(&g->arena, char, n + 1);
    for (size_t i = 0; i < n; i++) text[i] = (char)golden_integer(g, name, i);
    text[n] = 0;
    return text;
}

#define IN(part) (snprintf(name, sizeof name, "%s/" part, group), name)

static void run_chain(Golden *g, const char *group)
{
    char name[64];
    Schedule all = make_schedule(g, group, golden_integer(g, IN("rescale_timesteps"), 0));
    const char *variance = variance_name(golden_integer(g, IN("var_type"), 0));
    const char *spec = spec_of(g, IN("spec_ascii"));
    Process p = {.schedule = schedule_respace(&g->arena, &all, spec),
                 .prediction = prediction_find("eps"),
                 .variance = variance_find(variance)};
    Shape shape = golden_shape(g, "in/x_T");
    int N = shape.dim[0], T = p.schedule.T;
    size_t n = shape_size(shape), all_n = (size_t)T * n;
    Toy toy = read_toy(g, &p, n / (size_t)N);
    bool ddim = strncmp(group, "ddim", 4) == 0;
    SamplingOptions o = {.sampler = sampler_find(ddim ? "ddim" : "ddpm"),
                         .variance = p.variance, .eta = golden_number(g, IN("eta"), 0),
                         .context = &toy};
    if (golden_integer(g, IN("guided"), 0)) o.guide = toy_guide;
    const double *noise = golden_numbers(g, IN("noise"));
    double *x = golden_numbers(g, "in/x_T");
    double *samples = arena_new(&g->arena, double, all_n);
    double *x0 = arena_new(&g->arena, double, all_n);
    double *told = arena_new(&g->arena, double, (size_t)T);
    for (int k = 0; k < T; k++) {
        size_t row = (size_t)k * n;
        told[k] = schedule_level(&p.schedule, T - 1 - k).t;
        sample_step(&toy.base, &p.schedule, &o, T - 1 - k, (Crowd){0, N, NULL},
                    noise + row, x, x0 + row);
        memcpy(samples + row, x, n * sizeof *x);
    }
    golden_compare_numbers(g, IN("samples"), samples, all_n);
    golden_compare_numbers(g, IN("pred_xstart"), x0, all_n);
    golden_compare_numbers(g, IN("model_t"), told, (size_t)T);
}

/* Row T-1-t of the stored noise makes x_t. */
typedef struct { const double *noise; int T; size_t n; } StoredNoise;

static void stored_noise(void *context, int t, double *eps)
{
    const StoredNoise *s = context;
    memcpy(eps, s->noise + (size_t)(s->T - 1 - t) * s->n, s->n * sizeof *eps);
}

static void run_bound(Golden *g)
{
    Process p = {.schedule = make_schedule(g, "bpd", false),
                 .prediction = prediction_find("eps"),
                 .variance = variance_find("learned_range")};
    Shape shape = golden_shape(g, "in/x_start");
    int N = shape.dim[0], T = p.schedule.T;
    StoredNoise noise = {golden_numbers(g, "bpd/noise"), T, shape_size(shape)};
    Toy toy = read_toy(g, &p, noise.n / (size_t)N);
    Bound b = bound_of(&g->arena, &toy.base, &p, golden_numbers(g, "in/x_start"), N, NULL,
                       (NoiseSource){stored_noise, &noise});
    double *rows[3];
    for (int i = 0; i < 3; i++) rows[i] = arena_new(&g->arena, double, (size_t)(N * T));
    for (int n = 0; n < N; n++)
        for (int t = 0; t < T; t++) {
            const BoundTerm *term = &b.term[n * T + t];
            int at = n * T + T - 1 - t;
            rows[0][at] = term->bits;
            rows[1][at] = term->x0_mse;
            rows[2][at] = term->eps_mse;
        }
    golden_compare_numbers(g, "bpd/total_bpd", b.total, (size_t)N);
    golden_compare_numbers(g, "bpd/prior_bpd", b.prior, (size_t)N);
    golden_compare_numbers(g, "bpd/vb", rows[0], (size_t)(N * T));
    golden_compare_numbers(g, "bpd/xstart_mse", rows[1], (size_t)(N * T));
    golden_compare_numbers(g, "bpd/mse", rows[2], (size_t)(N * T));
}

void golden_loops(Golden *g)
{
    for (int i = 0; i < g->file.count; i++) {
        const char *name = g->file.entries[i].name, *end = strstr(name, "/spec_ascii");
        if (end) run_chain(g, arena_printf(&g->arena, "%.*s", (int)(end - name), name));
    }
    run_bound(g);
}

/* ---- diffusers --------------------------------------------------------------------- */

enum { DIFFUSERS_T = 1000 };

static Schedule diffusers_schedule(Golden *g, const char *name)
{
    return schedule_make(&g->arena, name, DIFFUSERS_T, 1e-4, 0.02);
}

static void run_tables(Golden *g)
{
    static const struct { const char *theirs, *ours; } rows[] = {
        {"linear", "linear"}, {"squaredcos_cap_v2", "cosine"},
        {"scaled_linear", "quadratic"}, {"sigmoid", "sigmoid_beta"}};
    const int *t = golden_integers(g, "in/t_table");
    size_t n = golden_size(g, "in/t_table");
    double *got = arena_new(&g->arena, double, n);
    for (int r = 0; r < 4; r++) {
        Schedule s = diffusers_schedule(g, rows[r].ours);
        for (size_t i = 0; i < n; i++) got[i] = s.alpha_bar[t[i]];
        const char *name = arena_printf(&g->arena, "alphas_cumprod/%s", rows[r].theirs);
        golden_compare_numbers(g, name, got, n);
    }
}

static void run_timesteps(Golden *g)
{
    static const struct { const char *theirs, *ours; } rows[] = {
        {"leading", "leading"}, {"linspace", ""}, {"trailing", "trailing"}};
    int n = golden_integer(g, "in/num_inference_steps", 0);
    Schedule s = diffusers_schedule(g, "linear");
    int64_t *got = arena_new(&g->arena, int64_t, (size_t)n);
    for (int r = 0; r < 3; r++) {
        char which[32];
        snprintf(which, sizeof which, "%s%d", rows[r].ours, n);
        Schedule some = schedule_respace(&g->arena, &s, which);
        for (int i = 0; i < n; i++) got[i] = (int64_t)some.told[n - 1 - i];
        for (int k = 0; k < 2; k++)
            golden_compare_integers(g, arena_printf(&g->arena, "timesteps/%s/%s",
                                                    k ? "ddpm" : "ddim", rows[r].theirs),
                                    got, (size_t)n);
    }
}

/* A network that said `out`. */
typedef struct { Denoiser base; const Process *process; const double *out; } Said;

static void said_predict(Denoiser *self, const double *x, const Level *level,
                         const int *label, int N, Answer *answer)
{
    const Said *d = (const Said *)self;
    (void)label;
    answer_from_output(answer, d->process, level, x, d->out, NULL,
                       (size_t)N * self->size);
}

/* One step of DDIM over `stride` steps of the schedule,
 * and the moments of one of DDPM. */
static void run_scheduler(Golden *g, Said *d, const char *kind, bool clip)
{
    size_t n = d->base.size;
    const Schedule *s = &d->process->schedule;
    const double *in = golden_numbers(g, "in/sample");
    double *x = arena_new(&g->arena, double, n), *x0 = arena_new(&g->arena, double, n);
    const char *clipped = clip ? "clip" : "noclip";
    int stride = DIFFUSERS_T / golden_integer(g, "in/num_inference_steps", 0);
    const int *times = golden_integers(g, "in/t_ddim");
    for (size_t i = 0; i < golden_size(g, "in/t_ddim"); i++) {
        SamplingOptions o = {.sampler = sampler_find("ddim"), .no_clip = !clip,
                             .keep_eps = true};
        int t = times[i], next = t - stride < 0 ? -1 : t - stride;
        memcpy(x, in, n * sizeof *x);
        sample_move(&d->base, &o, schedule_level(s, t), schedule_level(s, next),
                    (Crowd){0, 1, NULL}, x, x0);
        const char *group = arena_printf(&g->arena, "ddim/%s/%s/t%d", kind, clipped, t);
        golden_compare_numbers(g, arena_printf(&g->arena, "%s/prev_sample", group), x, n);
        golden_compare_numbers(g, arena_printf(&g->arena, "%s/pred_x0", group), x0, n);
    }
    times = golden_integers(g, "in/t_ddpm");
    for (size_t i = 0; i < golden_size(g, "in/t_ddpm"); i++)
        for (int large = 0; large <= 1; large++) {
            const Variance *v = variance_find(large ? "fixed_large" : "fixed_small");
            SamplingOptions o = {.sampler = sampler_find("ddpm"), .variance = v,
                                 .no_clip = !clip};
            Level now = schedule_level(s, times[i]);
            double variance = v->variance(0, &now);
            memcpy(x, in, n * sizeof *x);
            sample_move(&d->base, &o, now, schedule_level(s, times[i] - 1),
                        (Crowd){0, 1, NULL}, x, x0);
            const char *group = arena_printf(&g->arena, "ddpm/%s/%s/%s/t%d", kind,
                                             clipped, v->name, times[i]);
            golden_compare_numbers(g, arena_printf(&g->arena, "%s/mean", group), x, n);
            golden_compare_numbers(g, arena_printf(&g->arena, "%s/variance", group),
                                   &variance, 1);
        }
}

void golden_schedulers(Golden *g)
{
    static const struct { const char *theirs, *ours; } rows[] = {
        {"epsilon", "eps"}, {"sample", "x0"}, {"v_prediction", "v"}};
    run_tables(g);
    run_timesteps(g);
    for (int r = 0; r < 3; r++) {
        Process p = {.schedule = diffusers_schedule(g, "linear"),
                     .prediction = prediction_find(rows[r].ours),
                     .variance = variance_find("fixed_small")};
        Said d = {{.size = golden_size(g, "in/sample"), .predict = said_predict}, &p,
                  golden_numbers(g, "in/model_output")};
        for (int clip = 0; clip <= 1; clip++) run_scheduler(g, &d, rows[r].theirs, clip);
    }
}
