/* EDM's design space against its code (edm.safetensors), in double in either build.  The
 * network is F(x, c_noise) = tanh(a x + b c_noise), the data of the samplers a mixture of
 * Gaussians. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "diffusion/solver.h"
#include "diffusion/timesteps.h"
#include "tests/golden.h"

/* ---- preconditioning --------------------------------------------------------------- */

static const struct Row { const char *name, *prediction, *conditioning; } rows[] = {
    {"vp", "eps", "vp"}, {"ve", "score", "ve"}, {"iddpm", "eps", "schedule"},
    {"edm", "edm", "edm"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static Conditioning conditioning_of(Golden *g, const struct Row *r)
{
    if (strcmp(r->name, "iddpm") == 0) return conditioning_iddpm(&g->arena);
    Schedule unused = schedule_make(&g->arena, "linear", 1, 1e-4, 0.02);
    return conditioning_make(&g->arena, r->conditioning, &unused);
}

/* F(c_in x, c_noise) for D numbers. */
static void stand_in(Golden *g, const struct Row *r, const Level *l, const double *x,
                     double *F, size_t D)
{
    const double *ab = golden_numbers(g, arena_printf(&g->arena, "%s/ab", r->name));
    double input = prediction_find(r->prediction)->input(l);
    for (size_t i = 0; i < D; i++) F[i] = tanh(ab[0] * input * x[i] + ab[1] * l->t);
}

static void run_row(Golden *g, const struct Row *r)
{
    const double *sigma = golden_numbers(g, "precond/sigma"),
                 *x = golden_numbers(g, "precond/x");
    size_t n = golden_size(g, "precond/sigma"), D = golden_size(g, "precond/x") / n;
    double *D_x = arena_new(&g->arena, double, n * D),
           *c = arena_new(&g->arena, double, 4 * n);
    const Prediction *p = prediction_find(r->prediction);
    Conditioning conditioning = conditioning_of(g, r);
    for (size_t k = 0; k < n; k++) {
        Level l = conditioning_level(&conditioning, 1, sigma[k]);
        double *y = D_x + k * D;
        c[k] = p->to_x0(0, 1, &l), c[n + k] = p->to_x0(1, 0, &l);
        c[2 * n + k] = p->input(&l), c[3 * n + k] = l.t;
        stand_in(g, r, &l, x + k * D, y, D);
        for (size_t i = 0; i < D; i++) y[i] = p->to_x0(y[i], x[k * D + i], &l);
    }
    static const char *const parts[] = {"c_skip", "c_out", "c_in", "c_noise"};
    for (size_t i = 0; i < 4; i++)
        golden_compare_numbers(g, arena_printf(&g->arena, "%s/%s", r->name, parts[i]),
                               c + i * n, n);
    golden_compare_numbers(g, arena_printf(&g->arena, "%s/D", r->name), D_x, n * D);
    golden_compare_numbers(g, arena_printf(&g->arena, "%s/sigma_min_max", r->name),
                           (double[]){conditioning.sigma_min, conditioning.sigma_max}, 2);
}

static void run_vp_times(Golden *g)
{
    const double *t = golden_numbers(g, "vp/t");
    size_t n = golden_size(g, "vp/t");
    double *sigma = arena_new(&g->arena, double, n),
           *back = arena_new(&g->arena, double, n);
    Path p = path_vp();
    for (size_t i = 0; i < n; i++) back[i] = p.inverse(&p, sigma[i] = p.sigma(&p, t[i]));
    golden_compare_numbers(g, "vp/sigma_of_t", sigma, n);
    golden_compare_numbers(g, "vp/t_of_sigma", back, n);
}

/* Their ladder goes down: u_j is rung M - j. */
static void run_ladder(Golden *g)
{
    Conditioning c = conditioning_iddpm(&g->arena);
    size_t n = golden_size(g, "iddpm/round_query");
    double *u = arena_new(&g->arena, double, (size_t)c.rungs);
    double *value = arena_new(&g->arena, double, n);
    int64_t *index = arena_new(&g->arena, int64_t, n);
    for (int k = 0; k < c.rungs; k++) u[c.rungs - 1 - k] = c.rung[k];
    for (size_t i = 0; i < n; i++) {
        double query = golden_number(g, "iddpm/round_query", i);
        value[i] = conditioning_round(&c, query);
        index[i] = c.rungs - 1 - conditioning_nearest(&c, query);
    }
    golden_compare_numbers(g, "iddpm/u", u, (size_t)c.rungs);
    golden_compare_integers(g, "iddpm/round_index", index, n);
    golden_compare_numbers(g, "iddpm/round_value", value, n);
}

/* ---- losses ------------------------------------------------------------------------ */

/* lambda (D - x0)^2 is the squared error of F: what objective.h says of mse. */
static void run_loss(Golden *g, const struct Row *r)
{
    const double *x0 = golden_numbers(g, "loss/images"),
                 *eps = golden_numbers(g, "loss/noise");
    const NoiseDraw *draw = noise_draw_find(r->name);
    const double *z =
        golden_numbers(g, draw->normal ? "loss/rnd_normal" : "loss/rnd_uniform");
    size_t B = golden_size(g, "loss/rnd_normal"), n = golden_size(g, "loss/images"),
           D = n / B;
    double *sigma = arena_new(&g->arena, double, B), *x = arena_new(&g->arena, double, n);
    double *loss = arena_new(&g->arena, double, n),
           *D_x = arena_new(&g->arena, double, n);
    const Prediction *p = prediction_find(r->prediction);
    Conditioning conditioning = conditioning_of(g, r);
    double sum = 0;
    for (size_t k = 0; k < B; k++) {
        sigma[k] = draw->sigma(z[k]);
        Level l = conditioning_level(&conditioning, 1, sigma[k]);
        for (size_t i = k * D; i < (k + 1) * D; i++) x[i] = x0[i] + sigma[k] * eps[i];
        stand_in(g, r, &l, x + k * D, D_x + k * D, D);
        for (size_t i = k * D; i < (k + 1) * D; i++) {
            double error = D_x[i] - p->target(x0[i], eps[i], &l);
            sum += loss[i] = error * error;
            D_x[i] = p->to_x0(D_x[i], x[i], &l);
        }
    }
    sum /= (double)B;
    golden_compare_numbers(g, arena_printf(&g->arena, "loss/%s/sigma", r->name), sigma,
                           B);
    golden_compare_numbers(g, arena_printf(&g->arena, "loss/%s/D", r->name), D_x, n);
    golden_compare_numbers(g, arena_printf(&g->arena, "loss/%s/loss", r->name), loss, n);
    golden_compare_numbers(g, arena_printf(&g->arena, "loss/%s/sum_over_batch", r->name),
                           &sum, 1);
}

/* ---- samplers ---------------------------------------------------------------------- */

static MixtureDenoiser read_mixture(Golden *g)
{
    Shape shape = golden_shape(g, "gmm/means");
    return mixture_denoiser((size_t)shape.dim[1], shape.dim[0],
                            golden_numbers(g, "gmm/weights"),
                            golden_numbers(g, "gmm/std"), golden_numbers(g, "gmm/means"));
}

static void run_mixture(Golden *g)
{
    MixtureDenoiser d = read_mixture(g);
    const double *x = golden_numbers(g, "gmm/x"), *sigma = golden_numbers(g, "gmm/sigma");
    size_t n = golden_size(g, "gmm/x"), levels = golden_size(g, "gmm/sigma");
    double *y = arena_new(&g->arena, double, levels * n);
    for (size_t k = 0; k < levels; k++)
        d.base.predict(&d.base, x, &(Level){.a = 1, .s = sigma[k]}, NULL,
                       (int)(n / d.base.size), &(Answer){.x0 = y + k * n});
    golden_compare_numbers(g, "gmm/D", y, levels * n);
}

/* A chain with stored noise, of which all is written down: x before each step and at the
 * end; the x, sigma and answer of each call to the denoiser. */
typedef struct {
    Denoiser base;
    Denoiser *inner;
    const double *latents, *noise;
    size_t n;
    int N, steps, calls;
    double *x, *asked, *sigma, *answer;
} Chain;

static void chain_predict(Denoiser *self, const double *x, const Level *l,
                          const int *label, int N, Answer *answer)
{
    Chain *c = (Chain *)self;
    size_t row = (size_t)c->calls++ * c->n;
    c->inner->predict(c->inner, x, l, label, N, answer);
    memcpy(c->asked + row, x, c->n * sizeof *x);
    memcpy(c->answer + row, answer->x0, c->n * sizeof *x);
    c->sigma[c->calls - 1] = l->s / l->a;
}

static void chain_noise(void *context, int k, double *z)
{
    const Chain *c = context;
    memcpy(z, k ? c->noise + (size_t)(k - 1) * c->n : c->latents, c->n * sizeof *z);
}

static void chain_watch(void *context, const double *x, const double *x0, int left)
{
    Chain *c = context;
    (void)left, (void)x0;
    memcpy(c->x + (size_t)++c->steps * c->n, x, c->n * sizeof *x);
}

static Chain run_chain(Golden *g, MixtureDenoiser *d, SolverOptions o,
                       const double *noise, const Conditioning *conditioning)
{
    size_t n = golden_size(g, "sampler/latents"), N = (size_t)o.N;
    Chain c = {{d->base.size, .predict = chain_predict, .conditioning = conditioning},
               &d->base, golden_numbers(g, "sampler/latents"), noise, n,
               (int)(n / d->base.size), 0, 0, arena_new(&g->arena, double, (N + 1) * n),
               arena_new(&g->arena, double, 2 * N * n),
               arena_new(&g->arena, double, 2 * N),
               arena_new(&g->arena, double, 2 * N * n)};
    double *t = arena_new(&g->arena, double, N + 1), *x = arena_new(&g->arena, double, n);
    Path path = solver_times(&o, conditioning, t);
    Point first = path_point(&path, t[0]);
    for (size_t i = 0; i < n; i++) c.x[i] = c.latents[i] * first.s * first.sigma;
    o.noise = chain_noise, o.watch = chain_watch, o.context = &c;
    int calls = (int)solve(&c.base, &o, (Crowd){0, c.N, NULL}, x);
    require(calls == c.calls, "%d calls counted of %d", calls, c.calls);
    return c;
}

/* Every second call, the first of each step of heun. */
static double *firsts(Golden *g, const double *rows_, size_t N, size_t n)
{
    double *y = arena_new(&g->arena, double, N * n);
    for (size_t k = 0; k < N; k++) memcpy(y + k * n, rows_ + 2 * k * n, n * sizeof *y);
    return y;
}

static void set_churn(Golden *g, SolverOptions *o)
{
    const double *p = golden_numbers(g, "edm_sampler/churn/params");
    o->churn = p[0], o->s_min = p[1], o->s_max = p[2], o->s_noise = p[3];
}

/* Knows all levels but wants them on the ladder. */
static void run_edm_sampler(Golden *g)
{
    MixtureDenoiser d = read_mixture(g);
    const double *range = golden_numbers(g, "edm_sampler/sigma_min_max_rho");
    size_t N = (size_t)golden_integer(g, "edm_sampler/num_steps", 0);
    SolverOptions o = {.solver = solver_find("heun"), .N = (int)N, .sigma_min = range[0],
                       .sigma_max = range[1], .rho = range[2]};
    double *t = arena_new(&g->arena, double, N + 1);
    solver_times(&o, NULL, t);
    golden_compare_numbers(g, "edm_sampler/t_steps", t, N + 1);

    Chain c = run_chain(g, &d, o, NULL, NULL);
    golden_compare_numbers(g, "edm_sampler/det/x", c.x, (N + 1) * c.n);
    golden_compare_numbers(g, "edm_sampler/det/denoised", firsts(g, c.answer, N, c.n),
                           N * c.n);

    set_churn(g, &o);
    c = run_chain(g, &d, o, golden_numbers(g, "edm_sampler/churn/noise"), NULL);
    golden_compare_numbers(g, "edm_sampler/churn/x", c.x, (N + 1) * c.n);
    golden_compare_numbers(g, "edm_sampler/churn/t_hat", firsts(g, c.sigma, N, 1), N);
    golden_compare_numbers(g, "edm_sampler/churn/x_hat", firsts(g, c.asked, N, c.n),
                           N * c.n);

    Conditioning ladder = conditioning_iddpm(&g->arena);
    N = (size_t)golden_integer(g, "ablation/num_steps", 0);
    SolverOptions rounded = {.solver = o.solver, .N = (int)N};
    set_churn(g, &rounded);
    c = run_chain(g, &d, rounded, golden_numbers(g, "ablation/noise"), &ladder);
    golden_compare_numbers(g, "edm_sampler/rounded/x", c.x, (N + 1) * c.n);
    golden_compare_numbers(g, "edm_sampler/rounded/t_hat", firsts(g, c.sigma, N, 1), N);
}

static void run_ablation(Golden *g)
{
    static const char *const solvers[] = {"euler", "heun"};
    static const char *const scalings[] = {"vp", "none"};
    static const char *const stops[] = {"vp", "ve", "iddpm", "edm"};
    static const char *const schedules[] = {"vp", "ve", "linear"};
    MixtureDenoiser d = read_mixture(g);
    int N = golden_integer(g, "ablation/num_steps", 0);
    size_t n = golden_size(g, "sampler/latents"), all = ((size_t)N + 1) * n;
    double *t = arena_new(&g->arena, double, (size_t)N + 1);
    for (int k = 0; k < 4; k++) {
        SolverOptions o = {.N = N, .stops = stops[k]};
        solver_times(&o, NULL, t);
        golden_compare_numbers(
            g, arena_printf(&g->arena, "ablation/sigma_steps/%s", stops[k]), t,
            (size_t)N);
        for (int i = 0; i < 2 * 3 * 2; i++) {
            o.solver = solver_find(solvers[i / 6]);
            o.schedule = schedules[i / 2 % 3], o.scaling = scalings[i % 2];
            Chain c = run_chain(g, &d, o, NULL, NULL);
            golden_compare_numbers(g,
                                   arena_printf(&g->arena, "ablation/%s/%s/%s/%s/x",
                                                solvers[i / 6], o.stops, o.schedule,
                                                o.scaling),
                                   c.x, all);
        }
    }

    const double *noise = golden_numbers(g, "ablation/noise");
    SolverOptions linear = {.solver = solver_find("heun"), .N = N}, vp = linear;
    vp.stops = vp.schedule = vp.scaling = "vp";
    SolverOptions extra[] = {linear, vp, linear, vp};
    static const char *const names[] = {"alpha", "alpha_vp", "churn_linear", "churn_vp"};
    for (int i = 0; i < 4; i++) {
        if (i < 2) extra[i].alpha = golden_number(g, "ablation/extra/alpha", 0);
        else set_churn(g, &extra[i]);
        Chain c = run_chain(g, &d, extra[i], noise, NULL);
        golden_compare_numbers(
            g, arena_printf(&g->arena, "ablation/extra/%s/x", names[i]), c.x, all);
    }
}

void golden_edm(Golden *g)
{
    for (int i = 0; i < ROWS; i++) {
        run_row(g, &rows[i]);
        if (strcmp(rows[i].name, "iddpm") != 0) run_loss(g, &rows[i]);
    }
    run_vp_times(g);
    run_ladder(g);
    run_mixture(g);
    run_edm_sampler(g);
    run_ablation(g);
}
