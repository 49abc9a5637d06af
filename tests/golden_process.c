/* The diffusion process beside OpenAI's: schedules, spaced, timestep_sampler, gaussian.
 *
 * Their arrays are [N, C, H, W] and everything here works number by number, so the order
 * does not matter: a sample is D = C H W numbers.  Where a network's output has 2C
 * channels, a sample's first D numbers are the prediction, its last D those of the
 * variance. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diffusion/likelihood.h"
#include "diffusion/sampler.h"
#include "diffusion/timesteps.h"
#include "tests/golden.h"


static const char *text_of(Golden *g, const char *name)
{
    size_t n = golden_size(g, name);
    char *text = arena_new(&g->arena, char, n + 1);
    for (size_t i = 0; i < n; i++) text[i] = (char)golden_integer(g, name, i);
    text[n] = 0;
    return text;
}

/* ---- schedules, spaced ------------------------------------------------------------- */

/* Hands in f of the levels listed in `index` (all, if the group has no such tensor). */
static void compare_levels(Golden *g, const Schedule *s, const char *name,
                           double (*f)(const Schedule *s, int t))
{
    bool thinned = golden_has(g, "index");
    size_t n = thinned ? golden_size(g, "index") : (size_t)s->T;
    double *got = arena_new(&g->arena, double, n);
    for (size_t i = 0; i < n; i++)
        got[i] = f(s, thinned ? golden_integer(g, "index", i) : (int)i);
    golden_compare_numbers(g, name, got, n);
}

static double beta_at(const Schedule *s, int t) { return s->beta[t]; }
static double bar_at(const Schedule *s, int t)
{
    return t < 0 ? 1 : t < s->T ? s->alpha_bar[t] : 0;
}
static double previous_at(const Schedule *s, int t) { return bar_at(s, t - 1); }
static double next_at(const Schedule *s, int t) { return bar_at(s, t + 1); }
static double a_at(const Schedule *s, int t) { return schedule_level(s, t).a; }
static double s_at(const Schedule *s, int t) { return schedule_level(s, t).s; }
static double log_rest_at(const Schedule *s, int t) { return log(1 - s->alpha_bar[t]); }
static double recip_at(const Schedule *s, int t) { return 1 / a_at(s, t); }
static double ratio_at(const Schedule *s, int t) { return s_at(s, t) / a_at(s, t); }
static double variance_at(const Schedule *s, int t)
{
    return schedule_level(s, t).variance;
}
static double log_variance_at(const Schedule *s, int t)
{
    return schedule_level(s, t).log_variance;
}
static double c0_at(const Schedule *s, int t) { return schedule_level(s, t).c0; }
static double ct_at(const Schedule *s, int t) { return schedule_level(s, t).ct; }

static const struct {
    const char *name;
    double (*f)(const Schedule *s, int t);
} tables[] = {
    {"betas", beta_at}, {"alphas_cumprod", bar_at}, {"alphas_cumprod_prev", previous_at},
    {"alphas_cumprod_next", next_at}, {"sqrt_alphas_cumprod", a_at},
    {"sqrt_one_minus_alphas_cumprod", s_at},
    {"log_one_minus_alphas_cumprod", log_rest_at},
    {"sqrt_recip_alphas_cumprod", recip_at}, {"sqrt_recipm1_alphas_cumprod", ratio_at},
    {"posterior_variance", variance_at},
    {"posterior_log_variance_clipped", log_variance_at},
    {"posterior_mean_coef1", c0_at}, {"posterior_mean_coef2", ct_at},
    {"new_betas", beta_at},
};

static void compare_tables(Golden *g, const Schedule *s)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (golden_has(g, tables[i].name))
            compare_levels(g, s, tables[i].name, tables[i].f);
}

/* Their linear schedule keeps its shape for any T. */
static Schedule make_schedule(Golden *g, int T, bool cosine)
{
    return schedule_make(&g->arena, cosine ? "cosine" : "linear_scaled", T, 1e-4, 0.02);
}

/* Runs f once for each first part of a name that has the tensor `part`/T. */
static void for_groups(Golden *g, void (*f)(Golden *g))
{
    for (int i = 0; i < g->file.count; i++) {
        const char *name = g->file.entries[i].name, *end = strrchr(name, '/');
        if (!end || strcmp(end, "/T") != 0) continue;
        g->group = arena_printf(&g->arena, "%.*s/", (int)(end - name), name);
        f(g);
        g->group = "";
    }
}

static void run_schedule(Golden *g)
{
    Schedule s = make_schedule(g, golden_integer(g, "T", 0),
                               strncmp(g->group, "cosine", 6) == 0);
    compare_tables(g, &s);
}

void golden_schedules(Golden *g) { for_groups(g, run_schedule); }

static void run_spaced(Golden *g)
{
    bool cosine = golden_has(g, "is_cosine") && golden_integer(g, "is_cosine", 0);
    Schedule all = make_schedule(g, golden_integer(g, "T", 0), cosine);
    Schedule s = schedule_respace(&g->arena, &all, text_of(g, "spec_ascii"));
    int64_t *used = arena_new(&g->arena, int64_t, (size_t)s.T);
    for (int i = 0; i < s.T; i++) used[i] = (int64_t)s.told[i];
    golden_compare_integers(g, "use", used, (size_t)s.T);
    if (golden_has(g, "timestep_map"))
        golden_compare_integers(g, "timestep_map", used, (size_t)s.T);
    compare_tables(g, &s);
}

void golden_spaced(Golden *g) { for_groups(g, run_spaced); }

/* ---- timestep_sampler -------------------------------------------------------------- */

void golden_timesteps(Golden *g)
{
    int T = golden_integer(g, "in/T", 0), history = golden_integer(g, "in/history", 0);
    Shape shape = golden_shape(g, "in/ts");
    int rows = shape.dim[0], batch = shape.dim[1];
    Timesteps s = timesteps_create(&g->arena, "loss_aware", T, history,
                                   golden_number(g, "in/uniform_prob", 0));
    double *weights = arena_new(&g->arena, double, (size_t)(rows * T)), sum = 0;
    int64_t *warm = arena_new(&g->arena, int64_t, (size_t)rows);
    for (int r = 0; r < rows; r++) {
        for (int i = r * batch; i < (r + 1) * batch; i++)
            timesteps_add(&s, golden_integer(g, "in/ts", (size_t)i),
                          golden_number(g, "in/losses", (size_t)i));
        timesteps_weights(&s, weights + r * T);
        warm[r] = timesteps_warm(&s);
    }
    double *p = weights + (rows - 1) * T;
    double *loss_weight = arena_new(&g->arena, double, (size_t)T);
    golden_compare_numbers(g, "weights", weights, (size_t)(rows * T));
    golden_compare_integers(g, "warmed_up", warm, (size_t)rows);
    golden_compare_numbers(g, "loss_history", s.loss, (size_t)(T * history));
    int64_t *count = arena_new(&g->arena, int64_t, (size_t)T);
    for (int t = 0; t < T; t++) count[t] = s.count[t], sum += p[t];
    golden_compare_integers(g, "loss_counts", count, (size_t)T);
    for (int t = 0; t < T; t++) p[t] /= sum, loss_weight[t] = 1 / (T * p[t]);
    golden_compare_numbers(g, "p", p, (size_t)T);
    golden_compare_numbers(g, "importance_weights", loss_weight, (size_t)T);
}
