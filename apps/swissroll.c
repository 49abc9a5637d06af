/* drift swissroll: a whole diffusion model on one page, on points of the plane.  Read
 * this first.
 *
 * Sohl-Dickstein 2015, where diffusion models began: destroy the structure of the data
 * slowly, by T small steps of noise, and learn to undo each step.  A small step is undone
 * by a Gaussian, so a network need only say which one: its mean and its variance.  What
 * undoes all steps turns noise into data.
 *
 *     data        x_0: points on a spiral, a "swiss roll"            apps/support/plane.c
 *     forward     q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I)      find_beta
 *     reverse     p(x_{t-1} | x_t) = N(f_mu(x_t, t), f_Sigma(x_t, t))           step_back
 *     training    raises K, a lower bound on the mean of log p(x_0)          shortfall
 *     sampling    x_T ~ N(0, I), then T steps back                           draw_samples
 *
 * K is derived in diffusion/README.md and computed in gaussian_bound.h.  L_null is the K
 * of a model that is N(0, I), and K - L_null what has been learned about the data.
 *
 * It has a ceiling.  The first step back is not learned (gaussian_bound.h), so the best
 * that p can do is to be the distribution of x_1, and then K = -H(X_1): the entropy of
 * data seen through the first step's noise, sqrt(beta_1) wide.  A curve has no width of
 * its own, so each tenth of that noise is worth log2(10) = 3.3 bits more.  The paper's
 * 6.45 bits are as much about its beta_1, which it does not tell, as about its model;
 * what can be compared is the distance to the ceiling. */
#include <math.h>
#include <stdio.h>

#include "apps/commands.h"
#include "apps/support/learning.h"
#include "apps/support/options.h"
#include "apps/support/plane.h"
#include "apps/support/scatter.h"
#include "diffusion/readout.h"
#include "nn/rbf.h"
#include "tensor/error.h"

enum { D = 2, T = 40, BATCH = 32, TEST = 20000, SHOWN = 1200 };
enum { TRAIN = 1, MEASURE, DRAW };              /* whose random numbers */

typedef struct {
    Plane data;
    Real logit_beta[T];         /* the schedule at first; training may change it */
    bool learn_schedule;
    int change;                 /* of logit_beta, from the second on: a parameter */
    Params params;
    Rbf net;
    const Readout *readout;
    Tape tape;
    Arena arena;
} Roll;

/* ---- forward process --------------------------------------------------------------- */

/* The ratio of noise to signal grows by the same factor each step, up to 5; or, as in the
 * paper's code, each step erases as much of the signal. */
static void start_schedule(Roll *m, double first_noise, bool erasure)
{
    double first = first_noise * first_noise, last = 25.0 / 26;
    Schedule s = schedule_make(&m->arena, "geometric", T, first, last);
    Real erased[T];
    constant_erasure(T, erased);
    for (int t = 0; t < T; t++) {
        double beta = erasure && t > 0 ? (double)erased[t] : s.beta[t];
        m->logit_beta[t] = (Real)log(beta / (1 - beta));
    }
}

/* beta [T, 1].  beta_1 is given: learned, it would run to 0 (section 2.4.1). */
static Var *find_beta(Roll *m, Pass *pass)
{
    Tape *t = pass->tape;
    Var *first = tape_leaf(t, "logit(beta_1)", SHAPE(1, 1), m->logit_beta, NULL);
    Var *rest = tape_leaf(t, "logit(beta)", SHAPE(T - 1, 1), m->logit_beta + 1, NULL);
    if (m->learn_schedule) rest = add(t, rest, pass_param(pass, m->change));
    return sigmoid(t, concat(t, first, rest, 0));
}

/* The schedule as numbers, once it is learned. */
static Schedule find_schedule(Roll *m)
{
    tape_reset(&m->tape);
    Pass pass = pass_inference(&m->tape, &m->params, m->params.value);
    Var *beta = find_beta(m, &pass);
    Arena *a = &m->arena;
    Schedule s = {T, arena_new(a, double, T), arena_new(a, double, T),
                  arena_new(a, double, T)};
    for (int t = 0; t < T; t++) {
        s.beta[t] = (double)beta->value[t], s.told[t] = t;
        s.alpha_bar[t] = (t ? s.alpha_bar[t - 1] : 1) * (1 - s.beta[t]);
    }
    return s;
}

/* ---- reverse process --------------------------------------------------------------- */

/* A network of radial basis functions, shared by all t; its last layer is another one for
 * each t.  The bumps start at points of the data, each with the advice "x_0 is here": the
 * average over the bumps near x is a rough denoiser before any training.  Readouts of
 * another kind start silent. */
static void make_network(Roll *m, int units)
{
    m->net = rbf_init(&m->params, "net", D, units, 2 * D, T);
    m->change = params_add(&m->params, SHAPE(T - 1, 1), (Init){INIT_CONSTANT, 0},
                           "change of logit(beta)");
    params_allocate(&m->params, 1);
    double *c = arena_new(&m->arena, double, (size_t)(D * units));
    Real *centre = arena_new(&m->arena, Real, (size_t)(D * units));
    Real *advice = arena_new(&m->arena, Real, (size_t)(2 * D * units));
    double says = m->readout->is_place;
    plane_draw(&m->data, random_stream(1, TRAIN, 0), units, c);
    for (int j = 0; j < units; j++)
        for (int d = 0; d < D; d++) {
            centre[j * D + d] = (Real)c[j * D + d];
            advice[j * 2 * D + d] = (Real)(says * c[j * D + d]);
            advice[(j * 2 + 1) * D + d] = (Real)(says * -4);    /* ln variance of x_0 */
        }
    rbf_place(&m->params, &m->net, centre, 1 / sqrt(units), advice);
}

/* One run of the model; `first` is the lowest of the steps that are asked about. */
typedef struct { Roll *m; Pass *pass; int first; } Run;

static void step_back(void *context, Tape *t, Var *x, const Levels *l, Var **mean,
                      Var **log_variance)
{
    Run *run = context;
    Var *z = rbf_forward(run->pass, &run->m->net, x, run->first);
    run->m->readout->read(t, x, slice(t, z, 2, 0, D), slice(t, z, 2, D, D), l, mean,
                          log_variance);
}

/* ---- training ---------------------------------------------------------------------- */

/* L_null - K in nats, from N points and their noise at each t: eq. 14. */
static Var *shortfall(Roll *m, Pass *pass, Random r, int N)
{
    Arena *a = &m->tape.records;                        /* until the tape is reset */
    size_t n = (size_t)(N * D), all = (T - 1) * n;
    double *numbers = arena_new(a, double, n + all);
    Real *x0 = arena_new(a, Real, n + all), *eps = x0 + n;
    plane_draw(&m->data, r, N, numbers);
    random_normals(r, 3 * (uint64_t)N, all, numbers + n);
    for (size_t i = 0; i < n + all; i++) x0[i] = (Real)numbers[i];
    Run run = {m, pass, 1};
    Reverse back = {step_back, &run};
    FrozenBatch batch = {N, D, x0, eps};
    Tape *t = pass->tape;
    return neg(t, gaussian_bound(t, find_beta(m, pass), &batch, back));
}

static Var *loss(void *m, Pass *pass, Random r) { return shortfall(m, pass, r, BATCH); }

/* K - L_null in bits, from TEST points. */
static double measure(Roll *m)
{
    enum { N = 1000 };
    double nats = 0;
    for (int k = 0; k < TEST / N; k++) {
        tape_reset(&m->tape);
        Pass pass = pass_inference(&m->tape, &m->params, m->params.value);
        Random r = random_stream(1, MEASURE, (uint64_t)k);
        nats -= (double)shortfall(m, &pass, r, N)->value[0];
    }
    return nats / (TEST / N) / log(2);
}

/* ---- sampling ---------------------------------------------------------------------- */

/* f_mu(x, t) and the root of f_Sigma(x, t) of N points. */
static void ask(Roll *m, const Schedule *s, const double *x, int t, int N, double *mean,
                double *deviation)
{
    tape_reset(&m->tape);
    Pass pass = pass_inference(&m->tape, &m->params, m->params.value);
    Real *in = tape_save(&m->tape, Real, (size_t)(D * N));
    for (int i = 0; i < D * N; i++) in[i] = (Real)x[i];
    Levels l = levels_at(&m->tape, s, (double[]){t}, 1);
    Run run = {m, &pass, t};
    Var *xt = tape_leaf(&m->tape, "x_t", SHAPE(1, N, D), in, NULL), *mu, *log_variance;
    step_back(&run, &m->tape, xt, &l, &mu, &log_variance);
    for (int i = 0; i < D * N; i++) {
        mean[i] = (double)mu->value[i];
        deviation[i] = exp(0.5 * (double)log_variance->value[i]);
    }
}

/* SHOWN points from noise down to t.  The step from x_1 to x_0 would only add noise. */
static void draw_samples(Roll *m, const Schedule *s, int until, double *x)
{
    static double mean[D * SHOWN], deviation[D * SHOWN], z[D * SHOWN];
    random_normals(random_stream(1, DRAW, T), 0, D * SHOWN, x);
    for (int t = T - 1; t > until; t--) {
        ask(m, s, x, t, SHOWN, mean, deviation);
        random_normals(random_stream(1, DRAW, (uint64_t)t), 0, D * SHOWN, z);
        for (int i = 0; i < D * SHOWN; i++) x[i] = mean[i] + deviation[i] * z[i];
    }
}

/* SHOWN points of the data, noised to t. */
static void draw_forward(Roll *m, const Schedule *s, int t, double *x)
{
    static double eps[D * SHOWN];
    Level l = schedule_level(s, t);
    Random r = random_stream(1, DRAW, T + 1);
    plane_draw(&m->data, r, SHOWN, x);
    random_normals(r, 3 * SHOWN, D * SHOWN, eps);
    for (int i = 0; i < D * SHOWN; i++) x[i] = l.a * x[i] + l.s * eps[i];
}

/* Figure 1 of the paper: the data on their way to noise, noise on its way to data, and
 * the drift f_mu(x, t) - x.  At t = 0 the drift is that of the first step that is
 * learned. */
static void draw_figure(Roll *m, const Schedule *s, const char *path)
{
    enum { COLUMNS = 3, GRID = SCATTER_ARROWS * SCATTER_ARROWS };
    static const struct { const char *title; int t; } column[COLUMNS] = {
        {"t = 0", 0}, {"t = T/2", T / 2}, {"t = T", T - 1},
    };
    static double x[D * SHOWN], grid[D * GRID], mean[D * GRID], deviation[D * GRID];
    Scatter page;
    scatter_begin(&page, 3, COLUMNS);
    scatter_row(&page, 0, "data to noise");
    scatter_row(&page, 1, "noise to data");
    scatter_row(&page, 2, "drift");
    scatter_grid(grid);
    for (int c = 0; c < COLUMNS; c++) {
        int t = column[c].t;
        scatter_column(&page, c, column[c].title);
        draw_forward(m, s, t, x);
        scatter_points(&page, 0, c, x, SHOWN, SCATTER_BLUE);
        scatter_points(&page, 2, c, x, SHOWN, SCATTER_GREY);
        draw_samples(m, s, t, x);
        scatter_points(&page, 1, c, x, SHOWN, SCATTER_GREEN);
        ask(m, s, grid, t ? t : 1, GRID, mean, deviation);
        scatter_arrows(&page, 2, c, mean);
    }
    scatter_end(&page, path, stdout);
}

/* ---- the command ------------------------------------------------------------------- */

int swissroll_main(int argc, char **argv)
{
    const char *data = "roll", *readout = "posterior", *out = "runs/swissroll";
    long steps = 1000;
    int units = 64;
    double noise = 0.004;
    bool learn_beta = false, erasure = false;
    Option options[] = {
        {"data", OPTION_TEXT, &data, "NAME", "roll, moons or mixture", 0},
        {"steps", OPTION_LONG, &steps, "N", "of training", 0},
        {"units", OPTION_INT, &units, "N", "bumps of the network; the paper has 16", 0},
        {"noise", OPTION_REAL, &noise, "S", "of the first step, sqrt(beta_1)", 0},
        {"constant-erasure", OPTION_FLAG, &erasure, NULL, "1/(T+1) a step", 0},
        {"learn-schedule", OPTION_FLAG, &learn_beta, NULL, "beta_2 ... beta_T too", 0},
        {"readout", OPTION_TEXT, &readout, "NAME",
         "paper, code, posterior or velocity", 0},
        {"out", OPTION_TEXT, &out, "FOLDER", "where the figure goes", 0},
        {0},
    };
    Usage usage = {"drift swissroll [options]",
                   "Learns a spiral of points, draws figure 1 of Sohl-Dickstein 2015,\n"
                   "and measures K, the bound on the likelihood.", 0};
    options_parse(argc, argv, &usage, options, NULL);
    if (units < 1) fail_usage("--units must be at least 1");
    if (!(noise >= 0.003 && noise <= 0.5))
        fail_usage("--noise must be from 0.003 to 0.5");
    Roll m = {.data = plane_find(data), .params = params_create(), .tape = tape_create(),
              .arena = arena_create(), .learn_schedule = learn_beta,
              .readout = readout_find(readout)};
    start_schedule(&m, noise, erasure);
    make_network(&m, units);
    learn(&m.params, &m.tape, &(Learning){0.03, 0.99, 0, TRAIN}, steps, (Loss){loss, &m});

    Schedule s = find_schedule(&m);
    const char *path = arena_printf(&m.arena, "%s/%s.svg", out, data);
    folder_make(out);
    draw_figure(&m, &s, path);
    Level l = schedule_level(&s, 0);
    double K = measure(&m), null = -log2(2 * 3.14159265358979323846 * exp(1));
    Random r = random_stream(1, MEASURE, TEST);
    double entropy = plane_entropy(&m.data, l.a, l.s, r, 4000);
    printf("K         %7.3f bits   the mean of log2 p(x_0) is at least this\n"
           "L_null    %7.3f bits   that of N(0, I): -log2(2 pi e)\n"
           "K - L_null%7.3f bits   what has been learned    [paper, of its roll: 6.45]\n"
           "ceiling   %7.3f bits   -H(X_1) - L_null: a perfect model with this beta_1\n"
           "  %s\n", null + K, null, K, -entropy - null, path);
    return 0;
}
