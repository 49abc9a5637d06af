/* Every number of the Gaussian process on stored inputs: gaussian.safetensors, from
 * OpenAI's code.  The network is a stored output, so each sample n of the file, at its
 * own time t[n], is one call.  See golden_process.c for the layout. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diffusion/likelihood.h"
#include "diffusion/sampler.h"
#include "tests/golden.h"

typedef struct {
    Golden *golden;
    Schedule schedule;
    int N, *t;
    size_t D;
    const double *x0, *xt, *noise, *step_noise, *cond_grad;
} Inputs;

/* Their names and ours. */
typedef struct { const char *theirs, *ours; } Name;
static const Name predictions[] = {{"EPSILON", "eps"}, {"START_X", "x0"},
                                   {"PREVIOUS_X", "previous"}, {NULL, NULL}};
static const Name variances[] = {{"LEARNED", "learned"}, {"FIXED_SMALL", "fixed_small"},
                                 {"FIXED_LARGE", "fixed_large"},
                                 {"LEARNED_RANGE", "learned_range"}, {NULL, NULL}};
static const Name losses[] = {{"MSE", "mse"}, {"RESCALED_MSE", "rescaled_mse"},
                              {"KL", "kl"}, {"RESCALED_KL", "rescaled_kl"}, {NULL, NULL}};

static double *new_numbers(const Inputs *in)
{
    return arena_new(&in->golden->arena, double, (size_t)in->N * in->D);
}

__attribute__((format(printf, 3, 4)))
static void compare(const Inputs *in, const double *x, const char *format, ...)
{
    char name[160];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    golden_compare_numbers(in->golden, name, x, (size_t)in->N * in->D);
}

static Level level_of(const Inputs *in, int n)
{
    return schedule_level(&in->schedule, in->t[n]);
}

/* out[i] = f(level of the sample, i) for all numbers. */
#define EACH(in, out, expression)                                                   \
    for (int n = 0; n < (in)->N; n++) {                                             \
        Level l = level_of(in, n);                                                  \
        (void)l;                                                                    \
        for (size_t i = (size_t)n * (in)->D; i < (size_t)(n + 1) * (in)->D; i++)    \
            (out)[i] = (expression);                                                \
    }

/* ---- single formulas --------------------------------------------------------------- */

static void run_forward(const Inputs *in)
{
    double *out = new_numbers(in);
    const double *x0 = in->x0, *xt = in->xt;
    EACH(in, out, l.a * x0[i] + l.s * in->noise[i]);
    compare(in, out, "q_sample");
    EACH(in, out, l.a * x0[i]);
    compare(in, out, "q_mean_variance/mean");
    EACH(in, out, l.s * l.s);
    compare(in, out, "q_mean_variance/variance");
    EACH(in, out, 2 * log(l.s));
    compare(in, out, "q_mean_variance/log_variance");
    EACH(in, out, l.c0 * x0[i] + l.ct * xt[i]);
    compare(in, out, "q_posterior_mean_variance/mean");
    EACH(in, out, l.variance);
    compare(in, out, "q_posterior_mean_variance/variance");
    EACH(in, out, l.log_variance);
    compare(in, out, "q_posterior_mean_variance/log_variance");
}

/* The first D numbers of each sample's output of 2D; with v the last. */
static const double *half(const Inputs *in, const double *output, bool v)
{
    double *out = new_numbers(in);
    for (int n = 0; n < in->N; n++)
        memcpy(out + (size_t)n * in->D, output + (size_t)(2 * n + v) * in->D,
               in->D * sizeof *out);
    return out;
}

static void run_conversions(const Inputs *in)
{
    double *out = new_numbers(in);
    const double *model =
        half(in, golden_numbers(in->golden, "in/model_output/EPSILON"), false);
    EACH(in, out, prediction_find("eps")->to_x0(model[i], in->xt[i], &l));
    compare(in, out, "predict_xstart_from_eps");
    EACH(in, out, prediction_find("previous")->to_x0(model[i], in->xt[i], &l));
    compare(in, out, "predict_xstart_from_xprev");
    EACH(in, out, (in->xt[i] - l.a * in->x0[i]) / l.s);
    compare(in, out, "predict_eps_from_xstart");
}

static void run_likelihoods(const Inputs *in)
{
    Golden *g = in->golden;
    double *out = new_numbers(in), *prior = new_numbers(in);
    const double *mean = golden_numbers(g, "in/dgll_means");
    const double *scale = golden_numbers(g, "in/dgll_log_scales");
    const double *v = half(in, golden_numbers(g, "in/model_output/EPSILON"), true);
    EACH(in, out, discretized_gaussian_value(in->x0[i], mean[i], scale[i]));
    compare(in, out, "discretized_gaussian_log_likelihood");
    EACH(in, out, gaussian_kl_value(mean[i], 2 * scale[i], in->x0[i], v[i]));
    compare(in, out, "normal_kl");
    Process p = {.schedule = in->schedule};
    for (int n = 0; n < in->N; n++)
        prior[n] = bound_prior(&p, in->x0 + (size_t)n * in->D, in->D);
    golden_compare_numbers(g, "prior_bpd", prior, (size_t)in->N);
}

/* ---- the way back ------------------------------------------------------------------ */

/* One choice of prediction, variance and clipping, and what the network said. */
typedef struct {
    const Inputs *in;
    Name prediction, variance;
    bool clip;
    Process process;
    const double *out, *v;
} Choice;

static const char *clip_name(const Choice *c) { return c->clip ? "clip" : "noclip"; }

/* A denoiser for sample n alone. */
typedef struct { Denoiser base; const Choice *choice; size_t first; } Stored;

static void stored_predict(Denoiser *self, const double *x, const Level *level,
                           const int *label, int N, Answer *answer)
{
    const Stored *d = (const Stored *)self;
    (void)label, (void)N;
    answer_from_output(answer, &d->choice->process, level, x, d->choice->out + d->first,
                       d->choice->v + d->first, self->size);
}

static Stored stored(const Choice *c, int n)
{
    return (Stored){{c->in->D, c->process.variance->learned,
                     c->process.prediction->is_mean, stored_predict}, c,
                    (size_t)n * c->in->D};
}

static void stored_gradient(void *context, const double *x, const Level *level, Crowd c,
                            double *g)
{
    const Stored *d = context;
    (void)x, (void)level, (void)c;
    memcpy(g, d->choice->in->cond_grad + d->first, d->base.size * sizeof *g);
}

/* The moments of p(x_{t-1} | x_t), and L_t. */
static void run_moments(const Choice *c)
{
    const Inputs *in = c->in;
    double *x0 = new_numbers(in), *mean = new_numbers(in), *var = new_numbers(in);
    double *log_var = new_numbers(in), *guided = new_numbers(in), *bits = new_numbers(in);
    const Variance *kind = c->process.variance;
    for (int n = 0; n < in->N; n++) {
        Stored d = stored(c, n);
        Level l = level_of(in, n);
        const double *x = in->xt + d.first, *v = c->v + d.first;
        const double *g = in->cond_grad + d.first;
        Answer a = {x0 + d.first, new_numbers(in),
                    d.base.gives_mean ? new_numbers(in) : NULL};
        d.base.predict(&d.base, x, &l, NULL, 1, &a);
        for (size_t i = 0; c->clip && i < in->D; i++)
            a.x0[i] = fmin(fmax(a.x0[i], -1), 1);
        for (size_t i = 0; i < in->D; i++) {
            mean[d.first + i] = answer_mean(&a, &l, x[i], i);
            var[d.first + i] = kind->variance(v[i], &l);
            log_var[d.first + i] = kind->log_variance(v[i], &l);
            guided[d.first + i] = mean[d.first + i] + var[d.first + i] * g[i];
        }
        bits[n] = bound_term(&c->process, &l, in->x0 + d.first, x, &a, in->D).bits;
    }
    const char *p = c->prediction.theirs, *v = c->variance.theirs, *k = clip_name(c);
    compare(in, mean, "p_mean_variance/%s/%s/%s/mean", p, v, k);
    compare(in, var, "p_mean_variance/%s/%s/%s/variance", p, v, k);
    compare(in, log_var, "p_mean_variance/%s/%s/%s/log_variance", p, v, k);
    compare(in, x0, "p_mean_variance/%s/%s/%s/pred_xstart", p, v, k);
    if (!c->clip) return;
    compare(in, guided, "condition_mean/%s/%s", p, v);
    Golden *g = in->golden;
    golden_compare_numbers(g, arena_printf(&g->arena, "vb_terms_bpd/%s/%s/output", p, v),
                           bits, (size_t)in->N);
}

typedef enum { DOWN, UP } Way;

/* One step of each sample, alone at its own time. */
static double *step(const Choice *c, SamplingOptions o, Way way)
{
    const Inputs *in = c->in;
    double *x = new_numbers(in), *x0 = new_numbers(in);
    memcpy(x, in->xt, (size_t)in->N * in->D * sizeof *x);
    o.variance = c->process.variance, o.no_clip = !c->clip;
    for (int n = 0; n < in->N; n++) {
        Stored d = stored(c, n);
        o.context = &d;
        if (way == DOWN)
            sample_step(&d.base, &in->schedule, &o, in->t[n], (Crowd){0, 1, NULL},
                        in->step_noise + d.first, x + d.first, x0 + d.first);
        else encode_step(&d.base, &in->schedule, &o, in->t[n], (Crowd){0, 1, NULL},
                         x + d.first, x0 + d.first);
    }
    return x;
}

static void run_steps(const Choice *c)
{
    const Inputs *in = c->in;
    const char *p = c->prediction.theirs, *v = c->variance.theirs, *k = clip_name(c);
    SamplingOptions ddpm = {.sampler = sampler_find("ddpm")}, guided = ddpm;
    guided.guide = stored_gradient;
    compare(in, step(c, ddpm, DOWN), "p_sample/%s/%s/%s/sample", p, v, k);
    compare(in, step(c, guided, DOWN), "p_sample_cond/%s/%s/%s/sample", p, v, k);
}

/* What has nothing to do with the variance. */
static void run_ddim(const Choice *c)
{
    const Inputs *in = c->in;
    const char *p = c->prediction.theirs, *k = clip_name(c);
    for (int half_eta = 0; half_eta <= 2; half_eta++) {
        SamplingOptions o = {.sampler = sampler_find("ddim"), .eta = half_eta / 2.0};
        compare(in, step(c, o, DOWN), "ddim_sample/%s/%s/eta%g/sample", p, k, o.eta);
        if (half_eta == 0)
            compare(in, step(c, o, UP), "ddim_reverse_sample/%s/%s/sample", p, k);
        o.guide = stored_gradient;
        compare(in, step(c, o, DOWN), "ddim_sample_cond/%s/%s/eta%g/sample", p, k, o.eta);
    }
}

/* Algorithm 2 of Dhariwal & Nichol: x0 from the noise less s g,
 * and the posterior's mean there. */
static void run_condition_score(const Choice *c)
{
    const Inputs *in = c->in;
    double *x0 = new_numbers(in), *mean = new_numbers(in);
    for (int n = 0; n < in->N; n++) {
        Stored d = stored(c, n);
        Level l = level_of(in, n);
        Answer a = {x0 + d.first, NULL, NULL};
        const double *x = in->xt + d.first;
        d.base.predict(&d.base, x, &l, NULL, 1, &a);
        for (size_t i = 0; i < in->D; i++) {
            a.x0[i] = fmin(fmax(a.x0[i], -1), 1) +
                      l.s * l.s / l.a * in->cond_grad[d.first + i];
            mean[d.first + i] = answer_mean(&a, &l, x[i], i);
        }
    }
    compare(in, x0, "condition_score/%s/pred_xstart", c->prediction.theirs);
    compare(in, mean, "condition_score/%s/mean", c->prediction.theirs);
}

/* ---- losses ------------------------------------------------------------------------ */

static void compare_reals(const Inputs *in, const Choice *c, Name loss, const char *what,
                          const Real *x, size_t n)
{
    Golden *g = in->golden;
    golden_compare_reals(g, arena_printf(&g->arena, "training_losses/%s/%s/%s/%s",
                                         loss.theirs, c->prediction.theirs,
                                         c->variance.theirs, what), x, n);
}

static void run_loss(Choice *c, Name loss, const Real *output)
{
    const Inputs *in = c->in;
    bool learned = c->process.variance->learned;
    size_t N = (size_t)in->N, row = learned ? 2 * in->D : in->D, size = N * row;
    Tape t = tape_create();
    Real *out = tape_save(&t, Real, size), *grad = tape_save(&t, Real, size);
    Real *parts = tape_save(&t, Real, 3 * N);
    for (size_t n = 0; n < N; n++)
        memcpy(out + n * row, output + n * 2 * in->D, row * sizeof *out);
    memset(grad, 0, size * sizeof *grad);
    c->process.loss = loss.ours;
    Level *level = tape_save(&t, Level, N);
    for (int n = 0; n < in->N; n++) level[n] = level_of(in, n);
    Batch b = {in->N, in->x0, in->noise, level, NULL, NULL, NULL};
    Losses l =
        objective_losses(&t, &c->process,
                         tape_leaf(&t, "out", SHAPE(in->N, 1, 1, (int)row), out, grad),
                         &b);
    Var *var[] = {l.total, l.mse, l.bound};
    static const char *const name[] = {"loss", "mse", "vb"};
    for (int i = 0; i < 3; i++)
        if (var[i]) memcpy(parts + (size_t)i * N, var[i]->value, N * sizeof *parts);
    backward(mean(&t, l.total, ALL_AXES));
    for (int i = 0; i < 3; i++)
        if (var[i]) compare_reals(in, c, loss, name[i], parts + (size_t)i * N, N);
    compare_reals(in, c, loss, "grad", grad, size);
    tape_destroy(&t);
}

/* ---- all of it --------------------------------------------------------------------- */

static Inputs read_inputs(Golden *g)
{
    Inputs in = {.golden = g};
    in.N = (int)golden_size(g, "in/t");
    in.D = golden_size(g, "in/x_t") / (size_t)in.N;
    in.t = golden_integers(g, "in/t");
    in.schedule =
        schedule_make(&g->arena,
                      golden_integer(g, "in/is_cosine", 0) ? "cosine" : "linear_scaled",
                      golden_integer(g, "in/T", 0), 1e-4, 0.02);
    in.x0 = golden_numbers(g, "in/x_start"), in.xt = golden_numbers(g, "in/x_t");
    in.noise = golden_numbers(g, "in/noise"),
    in.step_noise = golden_numbers(g, "in/step_noise");
    in.cond_grad = golden_numbers(g, "in/cond_grad");
    return in;
}

static void run_choice(Choice *c, const Real *output)
{
    for (int clip = 0; clip <= 1; clip++) {
        c->clip = clip;
        run_moments(c);
        run_steps(c);
        if (strcmp(c->variance.ours, "fixed_small") == 0) run_ddim(c);
    }
    if (strcmp(c->variance.ours, "fixed_small") == 0) run_condition_score(c);
    for (const Name *l = losses; l->theirs; l++) run_loss(c, *l, output);
}

void golden_gaussian(Golden *g)
{
    Inputs in = read_inputs(g);
    run_forward(&in);
    run_conversions(&in);
    run_likelihoods(&in);
    for (const Name *p = predictions; p->theirs; p++) {
        char name[64];
        snprintf(name, sizeof name, "in/model_output/%s", p->theirs);
        const double *output = golden_numbers(g, name);
        for (const Name *v = variances; v->theirs; v++) {
            Choice c = {.in = &in, .prediction = *p, .variance = *v,
                        .process = {.schedule = in.schedule,
                                    .variance = variance_find(v->ours),
                                    .prediction = prediction_find(p->ours)},
                        .out = half(&in, output, false), .v = half(&in, output, true)};
            run_choice(&c, golden_reals(g, name));
        }
    }
}
