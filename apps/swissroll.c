/* drift swissroll: a whole diffusion model in one file, on points of the plane.  Read this first.
 *
 * Sohl-Dickstein 2015, where diffusion models began: destroy the structure of the data slowly,
 * by T small steps of noise, and learn to undo each step.  What undoes them all turns noise
 * into data.  The parts, in the order of the paper:
 *
 *     data        points on a spiral (a "swiss roll")                             draw_data
 *     forward     q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I)        make_schedule
 *     reverse     p(x_{t-1} | x_t) = N(f_mu(x_t, t), f_Sigma(x_t, t)), learned    step_back
 *     training    raises K, a lower bound on the mean of log2 p(x_0)              bound
 *     sampling    x_T ~ N(0, I), then T steps back                                draw_samples
 *
 * The bound (eq. 13, 14).  For any path x_0 ... x_T, Jensen's inequality gives
 *
 *     E log p(x_0) >= E_q [ log p(x_T) + sum_t log p(x_{t-1} | x_t) / q(x_t | x_{t-1}) ].
 *
 * By Bayes q(x_t | x_{t-1}) = q(x_{t-1} | x_t, x_0) q(x_t | x_0) / q(x_{t-1} | x_0); the
 * quotients telescope, and what is left is
 *
 *     K = - sum_{t=2..T} E KL( q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t) )
 *         + H_q(X_T | X_0) - H_q(X_1 | X_0) - H_p(X_T),
 *
 * where the first step back is not learned but is the forward kernel (Appendix B.2).  All
 * are Gaussians, so each term has a formula.  L_null is K of a model that is N(0, I): what is
 * gained over knowing nothing is K - L_null. */
#include <math.h>
#include <stdio.h>

#include "apps/commands.h"
#include "apps/support/image.h"
#include "apps/support/options.h"
#include "apps/support/progress.h"
#include "apps/support/svg.h"
#include "diffusion/schedule.h"
#include "nn/optimizer.h"
#include "nn/rbf.h"
#include "tensor/error.h"
#include "tensor/random.h"

enum { D = 2, T = 40, BATCH = 512, TEST = (T - 1) * 500, SHOWN = 800, GRID = 15 };
enum { TRAIN = 1, MEASURE, DRAW };           /* whose random numbers */

static const double pi = 3.14159265358979323846;

typedef struct {
    Schedule schedule;
    Params params;
    Rbf net;
    Tape tape;
    Arena arena;
} Roll;

/* ---- data and forward process ------------------------------------------------------- */

/* The angle is uniform on one and a half turns, the radius grows with it.  Shifted and scaled to
 * mean 0 and E|x|^2 = D (by integrating), for then H_p(X_T) in K is exact. */
static void draw_data(Random r, int N, double *x)
{
    for (int n = 0; n < N; n++) {
        double angle = 1.5 * pi * (1 + 2 * random_uniform(r, (uint64_t)n));
        x[D * n] = (angle * cos(angle) - 2) / 6.7893;
        x[D * n + 1] = (angle * sin(angle) - 2 / (3 * pi)) / 6.7893;
    }
}

/* The ratio of noise to signal grows by the same factor each step, from 0.02 to 5, so each step
 * spoils another scale of the picture.  a^2 = alpha_bar = 1 / (1 + ratio^2). */
static Schedule make_schedule(Arena *a)
{
    const double first = 0.02, last = 5;
    Schedule s = {T, arena_new(a, double, T), arena_new(a, double, T), arena_new(a, double, T)};
    for (int t = 0; t < T; t++) {
        double ratio = first * pow(last / first, t / (T - 1.0));
        s.alpha_bar[t] = 1 / (1 + ratio * ratio);
        s.beta[t] = 1 - s.alpha_bar[t] / (t ? s.alpha_bar[t - 1] : 1);
        s.told[t] = t;
    }
    return s;
}

/* ---- reverse process ---------------------------------------------------------------- */

typedef struct { Var *mean, *log_variance; } Back;      /* [N, D] each, of p(x_{t-1} | x_t) */

/* The network says z_mu and z_Sigma, and zeros mean "about as the forward step":
 *
 *     f_mu = sqrt(1 - beta_t) x + sqrt(beta_t) z_mu,   f_Sigma = sigmoid(z_Sigma + logit beta_t)
 *
 * f_mu is that of the paper's code.  The paper's own, x + f_Sigma (z_mu - x), asks for numbers
 * as large as 1/sqrt(beta_t).  ln sigmoid(u) = -softplus(-u). */
static Back step_back(Roll *m, Pass *pass, Var *x, const int t[])
{
    Tape *tape = pass->tape;
    int N = x->shape.dim[0];
    Real *c = tape_save(tape, Real, (size_t)(3 * N)), *keep = c, *noise = c + N, *logit = c + 2 * N;
    for (int n = 0; n < N; n++) {
        double beta = m->schedule.beta[t[n]];
        keep[n] = (Real)sqrt(1 - beta), noise[n] = (Real)sqrt(beta);
        logit[n] = (Real)log(beta / (1 - beta));
    }
    Shape column = SHAPE(N, 1);
    Var *z = rbf_forward(pass, &m->net, x, t);
    Var *shift = multiply(tape, slice(tape, z, 1, 0, D),
                          tape_leaf(tape, "sqrt(beta)", column, noise, NULL));
    Var *kept = multiply(tape, x, tape_leaf(tape, "sqrt(1 - beta)", column, keep, NULL));
    Var *u = add(tape, slice(tape, z, 1, D, D),
                 tape_leaf(tape, "logit(beta)", column, logit, NULL));
    return (Back){add(tape, kept, shift), neg(tape, softplus(tape, neg(tape, u)))};
}

/* ---- the bound ---------------------------------------------------------------------- */

/* Points x_t of the forward process and the Gaussian q(x_{t-1} | x_t, x_0) for each. */
typedef struct { int *t; Real *x, *mean, *log_variance; } Steps;

static Steps draw_steps(Roll *m, Random r, int N)
{
    size_t n = (size_t)N;
    Arena *a = &m->tape.records;                        /* until the tape is reset */
    Steps s = {arena_new(a, int, n), arena_new(a, Real, D * n), arena_new(a, Real, D * n),
               arena_new(a, Real, D * n)};
    double *x0 = arena_new(a, double, D * n), *eps = arena_new(a, double, D * n);
    draw_data(r, N, x0);
    random_normals(r, n, D * n, eps);
    for (int i = 0; i < D * N; i++) {
        int t = s.t[i / D] = 1 + i / D % (T - 1);       /* each t equally often */
        Level l = schedule_level(&m->schedule, t);
        double x = l.a * x0[i] + l.s * eps[i];
        s.x[i] = (Real)x;
        s.mean[i] = (Real)(l.c0 * x0[i] + l.ct * x);
        s.log_variance[i] = (Real)l.log_variance;
    }
    return s;
}

/* The sum over t of E KL, from N points; a number on the tape. */
static Var *divergence(Roll *m, Pass *pass, Random r, int N)
{
    Tape *tape = pass->tape;
    Steps s = draw_steps(m, r, N);
    Shape shape = SHAPE(N, D);
    Back p = step_back(m, pass, tape_leaf(tape, "x_t", shape, s.x, NULL), s.t);
    Var *kl = gaussian_kl(tape, tape_leaf(tape, "mean of q", shape, s.mean, NULL),
                          tape_leaf(tape, "ln variance of q", shape, s.log_variance, NULL),
                          p.mean, p.log_variance);
    return scale(tape, mean(tape, kl, ALL_AXES), D * (T - 1), 0);
}

/* The entropy of D Gaussian numbers, in nats. */
static double entropy(double variance) { return D * 0.5 * log(2 * pi * exp(1.0) * variance); }

/* K in bits. */
static double bound(Roll *m)
{
    tape_reset(&m->tape);
    Pass pass = pass_inference(&m->tape, &m->params, m->params.value);
    double kl = (double)divergence(m, &pass, random_stream(1, MEASURE, 0), TEST)->value[0];
    const double *alpha_bar = m->schedule.alpha_bar;
    return (-kl + entropy(1 - alpha_bar[T - 1]) - entropy(1 - alpha_bar[0]) - entropy(1)) / log(2);
}

static void train(Roll *m, long steps)
{
    Optimizer o = optimizer_init(&m->params, &(OptimizerConfig){
        .rule = "adam", .rate = {.lr = 0.03, .decay = "cosine", .decay_steps = steps},
        .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8});
    Progress progress = progress_start("step");
    for (long k = 0; k < steps; k++) {
        tape_reset(&m->tape);
        params_zero_grad(&m->params);
        Pass pass = pass_training(&m->tape, &m->params, random_stream(1, TRAIN, (uint64_t)k));
        Var *loss = divergence(m, &pass, pass.random, BATCH);
        double nats = (double)loss->value[0];
        backward(loss);
        optimizer_step(&o, &m->params);
        char details[48];
        snprintf(details, sizeof details, "sum of KL %.2f bits", nats / log(2));
        progress_show(&progress, k + 1, steps, (k + 1.0) / (double)steps, details);
    }
    progress_break(&progress);
}

/* ---- sampling ----------------------------------------------------------------------- */

/* f_mu(x, t), and f_Sigma's square root, of N points. */
static void ask(Roll *m, const double *x, int t, int N, double *mean, double *deviation)
{
    tape_reset(&m->tape);
    Pass pass = pass_inference(&m->tape, &m->params, m->params.value);
    Real *in = tape_save(&m->tape, Real, (size_t)(D * N));
    int *times = tape_save(&m->tape, int, (size_t)N);
    for (int i = 0; i < D * N; i++) in[i] = (Real)x[i], times[i / D] = t;
    Back p = step_back(m, &pass, tape_leaf(&m->tape, "x_t", SHAPE(N, D), in, NULL), times);
    for (int i = 0; i < D * N; i++) {
        mean[i] = (double)p.mean->value[i];
        deviation[i] = exp(0.5 * (double)p.log_variance->value[i]);
    }
}

/* From noise to t: x receives SHOWN points.  The step from x_1 to x_0 would only add noise. */
static void draw_samples(Roll *m, int until, double *x)
{
    static double mean[D * SHOWN], deviation[D * SHOWN], z[D * SHOWN];
    random_normals(random_stream(1, DRAW, T), 0, D * SHOWN, x);
    for (int t = T - 1; t > until; t--) {
        ask(m, x, t, SHOWN, mean, deviation);
        random_normals(random_stream(1, DRAW, (uint64_t)t), 0, D * SHOWN, z);
        for (int i = 0; i < D * SHOWN; i++) x[i] = mean[i] + deviation[i] * z[i];
    }
}

/* Points of the data, noised to t. */
static void draw_forward(const Roll *m, int t, double *x)
{
    static double eps[D * SHOWN];
    Level l = schedule_level(&m->schedule, t);
    draw_data(random_stream(1, MEASURE, 1), SHOWN, x);
    random_normals(random_stream(1, MEASURE, 2), 0, D * SHOWN, eps);
    for (int i = 0; i < D * SHOWN; i++) x[i] = l.a * x[i] + l.s * eps[i];
}

/* ---- figure 1 of the paper ------------------------------------------------------------ */

enum { COLUMNS = 3, ROWS = 2, PANEL = 190, GAP = 12, SIDE = 36 };   /* pixels, on paper, on screen */
static const int moments[COLUMNS] = {0, T / 2, T - 1};
static const double edge = 3;                               /* of the plane that is shown */

/* Points x[N] as dots of a panel, and as bright pixels of a small picture. */
static void draw_points(Svg *s, Box b, const double *x, int N, uint8_t *picture)
{
    Text dots = {.arena = &s->arena};
    for (int n = 0; n < N; n++) {
        double u = (x[D * n] / edge + 1) / 2, v = (1 - x[D * n + 1] / edge) / 2;
        if (!(u > 0 && u < 1 && v > 0 && v < 1)) continue;
        text_printf(&dots, "M%.1f %.1fh.1", b.x + u * b.width, b.y + v * b.height);
        picture[(int)(v * SIDE) * SIDE + (int)(u * SIDE)] = 255;
    }
    svg_path(s, "stroke='#1f6fb4' stroke-width='2' stroke-linecap='round'", dots.bytes);
}

/* The drift f_mu(x, t) - x, a line from each point of a grid; the longest is a mesh long. */
static void draw_drift(Svg *s, Box b, Roll *m, int t)
{
    enum { N = GRID * GRID };
    double x[D * N], mean[D * N], deviation[D * N], longest = 0;
    for (int i = 0; i < N; i++) {
        x[D * i] = edge * ((i % GRID + 0.5) / GRID * 2 - 1);
        x[D * i + 1] = edge * (1 - (i / GRID + 0.5) / GRID * 2);
    }
    ask(m, x, t, N, mean, deviation);
    for (int i = 0; i < D * N; i++) longest = fmax(longest, fabs(mean[i] - x[i]));
    Text lines = {.arena = &s->arena};
    double scale_of = b.width / GRID / longest, pixels = b.width / (2 * edge);
    for (int i = 0; i < N; i++)
        text_printf(&lines, "M%.1f %.1fl%.1f %.1f", b.x + (x[D * i] + edge) * pixels,
                    b.y + (edge - x[D * i + 1]) * pixels, (mean[D * i] - x[D * i]) * scale_of,
                    (x[D * i + 1] - mean[D * i + 1]) * scale_of);
    svg_path(s, "stroke='#d1632a' stroke-width='1' marker-end='url(#arrow)'", lines.bytes);
}

/* Rows: the data on their way to noise, noise on its way to data, the drift. */
static void draw_figure(Roll *m, const char *path)
{
    static const char *const names[] = {"t = 0", "t = T/2", "t = T"};
    static uint8_t pixels[ROWS * COLUMNS * SIDE * SIDE];
    static double x[D * SHOWN];
    Svg s = {.arena = arena_create()};
    svg_begin(&s, COLUMNS * (PANEL + GAP) + GAP, (ROWS + 1) * (PANEL + GAP) + 2 * GAP);
    for (int c = 0; c < COLUMNS; c++) {
        Box b = {GAP + c * (PANEL + GAP), 2 * GAP, PANEL, PANEL};
        svg_text(&s, b.x, 1.5 * GAP, "font-size='13' fill='#223'", names[c]);
        for (int r = 0; r <= ROWS; r++, b.y += PANEL + GAP) {
            svg_rect(&s, b, "fill='none' stroke='#ccd'");
            if (r == 0) draw_forward(m, moments[c], x);
            if (r == 1) draw_samples(m, moments[c], x);
            if (r < ROWS) draw_points(&s, b, x, SHOWN, pixels + (r * COLUMNS + c) * SIDE * SIDE);
            else draw_drift(&s, b, m, moments[c] ? moments[c] : 1);
        }
    }
    svg_end(&s, path);
    Image grid = image_grid(&m->arena, &(Pictures){ROWS * COLUMNS, SIDE, SIDE, 1, pixels},
                            COLUMNS, 1);
    image_show(&grid, stdout);
}

/* ---- the command ---------------------------------------------------------------------- */

int swissroll_main(int argc, char **argv)
{
    const char *out = "runs/swissroll";
    long steps = 4000;
    int units = 64;
    Option options[] = {
        {"steps", OPTION_LONG, &steps, "N", "of training", 0},
        {"units", OPTION_INT, &units, "N", "bumps of the network; the paper has 16", 0},
        {"out", OPTION_TEXT, &out, "FOLDER", "where the figure goes", 0},
        {0},
    };
    Usage usage = {"drift swissroll [options]",
                   "Learns a spiral of points, draws figure 1 of Sohl-Dickstein 2015 and measures\n"
                   "the bound K.  All of it is in apps/swissroll.c.", 0};
    options_parse(argc, argv, &usage, options, NULL);
    if (units < 1) fail_usage("--units must be at least 1");
    Roll m = {.params = params_create(), .tape = tape_create(), .arena = arena_create()};
    m.schedule = make_schedule(&m.arena);
    m.net = rbf_init(&m.params, "net", D, units, 2 * D, T);
    params_allocate(&m.params, 1);
    train(&m, steps);

    const char *path = arena_printf(&m.arena, "%s/swissroll.svg", out);
    folder_make(out);
    draw_figure(&m, path);
    double K = bound(&m), null = -entropy(1) / log(2);
    printf("above: data to noise; below: noise to data, for t = 0, T/2, T\n"
           "K         %7.3f bits   mean of log2 p(x_0) is at least this       [paper  2.35]\n"
           "L_null    %7.3f bits   the same of N(0, I): -(D/2) log2(2 pi e)\n"
           "K - L_null%7.3f bits   what has been learned                      [paper  6.45]\n"
           "  %s\n", K, null, K - null, path);
    return 0;
}
