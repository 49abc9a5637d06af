/* drift heartbeat: diffusion of bits.  Sequences of 20 bits with a 1 in every fifth
 * place; or, with --data mnist, digits of which each pixel is black or white.
 *
 * There are five such sequences, equally likely, so no model can have more than log2(1/5)
 * = -2.322 bits a sequence; Sohl-Dickstein 2015 report K = -2.414 (Table 1).
 *
 * As in Appendix D.1.2: p0 = 0.2, T = 2000 steps, beta_t = 1/(T - t + 1), a perceptron
 * with three hidden layers of 50 sigmoids.  Two things differ.  The paper's network says
 * f_b = p(x_{t-1} = 1 | x_t) itself, through a readout for each t; here it says c = p(x_0
 * = 1 | x_t), from which
 *
 *     f_b = c q(x_{t-1} = 1 | x_t, x_0 = 1) + (1 - c) q(x_{t-1} = 1 | x_t, x_0 = 0),
 *
 * because f_b is within 1/2000 of x_t almost always, and c is the little that there is to
 * learn.  And c changes slowly with t, so bumps in time do for 2000 readouts. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/dataset.h"
#include "apps/support/image.h"
#include "apps/support/options.h"
#include "apps/support/png.h"
#include "apps/support/progress.h"
#include "diffusion/binomial.h"
#include "nn/mlp.h"
#include "nn/optimizer.h"
#include "nn/time_basis.h"
#include "tensor/error.h"

enum { T = 2000, BUMPS = 20, PERIOD = 5, SEQUENCE = 20, SIDE = 28, MAX_D = SIDE * SIDE };
enum { TRAIN = 1, MEASURE, DRAW };                  /* whose random numbers */

typedef struct Heart Heart;

/* What is learned: bits at a time, a network for it, how much to draw. */
typedef struct {
    const char *name;
    int D, hidden, batch, tests, samples;
    long steps;
    bool corrects;              /* the network's word is added to a bit's own odds */
    double (*prepare)(Heart *m);                    /* returns the activity, p0 */
    void (*draw)(const Heart *m, Random row, double *x0);
    void (*report)(Heart *m, const Real *x);        /* of samples x [samples, D] */
} Data;

struct Heart {
    const Data *data;
    Binomial process;
    Dataset pictures;
    Params params;
    Mlp net;
    TimeBasis basis;
    Tape tape;
    Arena arena;
};

/* ---- sequences --------------------------------------------------------------------- */

static double prepare_beats(Heart *m) { return (void)m, 1.0 / PERIOD; }

static void draw_beat(const Heart *m, Random row, double *x0)
{
    int phase = (int)random_below(row, SEQUENCE, PERIOD);
    for (int i = 0; i < m->data->D; i++) x0[i] = i % PERIOD == phase;
}

static bool is_valid(const Real *x)
{
    int ones = 0;
    for (int i = 0; i < SEQUENCE; i++) {
        ones += x[i] > 0;
        if (i >= PERIOD && x[i] != x[i - PERIOD]) return false;
    }
    return ones == SEQUENCE / PERIOD;
}

static void report_beats(Heart *m, const Real *x)
{
    enum { SHOWN = 8 };
    int valid = 0, samples = m->data->samples;
    for (int n = 0; n < samples; n++, x += SEQUENCE) {
        valid += is_valid(x);
        for (int i = 0; n < SHOWN && i < SEQUENCE; i++) putchar(x[i] > 0 ? '1' : '0');
        if (n < SHOWN) putchar('\n');
    }
    printf("%d of %d samples have a 1 in every fifth place\n"
           "no model has more than log2(1/5) = -2.322 bits; the paper's K is -2.414\n",
           valid, samples);
}

/* ---- digits ------------------------------------------------------------------------ */

static double is_white(uint8_t pixel) { return pixel >= 128; }

static double prepare_digits(Heart *m)
{
    m->pictures = dataset_load(&m->arena, "mnist", NULL, DATASET_TRAIN);
    double sum = 0;
    size_t size = (size_t)m->pictures.count * MAX_D;
    for (size_t i = 0; i < size; i++) sum += is_white(m->pictures.pixels[i]);
    return sum / (double)size;
}

static void draw_digit(const Heart *m, Random row, double *x0)
{
    size_t n = random_below(row, MAX_D, (uint32_t)m->pictures.count);
    for (int i = 0; i < MAX_D; i++)
        x0[i] = is_white(m->pictures.pixels[n * MAX_D + (size_t)i]);
}

static void report_digits(Heart *m, const Real *x)
{
    int count = m->data->samples;
    uint8_t *pixels = arena_new(&m->arena, uint8_t, (size_t)(count * MAX_D));
    for (int i = 0; i < count * MAX_D; i++) pixels[i] = x[i] > 0 ? 255 : 0;
    Image grid = image_grid(&m->arena, &(Pictures){count, SIDE, SIDE, 1, pixels}, 6, 1);
    image_show(&grid, stdout);
    folder_make("runs/heartbeat");
    png_write("runs/heartbeat/mnist.png", &grid);
    printf("  runs/heartbeat/mnist.png\n");
}

static const Data sets[] = {
    {"heartbeat", SEQUENCE, 50, 512, 40000, 200, 3500, false, prepare_beats, draw_beat,
     report_beats},
    {"mnist", MAX_D, 200, 128, 6400, 18, 1500, true, prepare_digits, draw_digit,
     report_digits},
};

/* ---- the bound --------------------------------------------------------------------- */

/* What a bit tells about itself: the log odds of x_0 = 1 given x_t, by Bayes.  A pixel
 * tells most; a beat less than its neighbours, which leave no doubt. */
static double own_odds(const Heart *m, int t, bool bit)
{
    if (!m->data->corrects) return 0;
    double one = binomial_marginal(&m->process, t, 1), p0 = m->process.p0;
    double zero = binomial_marginal(&m->process, t, 0);
    return log(bit ? one / zero : (1 - one) / (1 - zero)) + log(p0 / (1 - p0));
}

/* c of N rows of bits [N, D], row n at step t[n].  Where the network corrects a bit's own
 * odds, a silent one has K = L_null. */
static Var *predict(Heart *m, Pass *pass, const Real *x, int N, const double t[])
{
    int D = m->data->D;
    Tape *tape = pass->tape;
    Real *own = tape_save(tape, Real, (size_t)(N * D));
    for (int n = 0; n < N; n++) {
        double odds[] = {own_odds(m, (int)t[n], false), own_odds(m, (int)t[n], true)};
        for (int i = n * D; i < (n + 1) * D; i++) own[i] = (Real)odds[x[i] > 0];
    }
    Var *y = mlp_forward(pass, &m->net, tape_leaf(tape, "x_t", SHAPE(N, D), x, NULL));
    y = time_basis_average(tape, &m->basis, y, t);
    return sigmoid(tape, add(tape, y, tape_leaf(tape, "own", SHAPE(N, D), own, NULL)));
}

/* Bits x_t, and of each the probability that x_{t-1} is 1: with the true x0, with 0, with
 * 1 less that with 0. */
typedef struct { double *t; Real *x, *q, *zero, *rise; } Steps;

/* Probabilities that x_{t-1} is 1, by x_t and x_0. */
static void find_posteriors(const Heart *m, int t, double f[2][2])
{
    for (int k = 0; k < 4; k++)
        f[k / 2][k % 2] = binomial_posterior(&m->process, t, k / 2, k % 2);
}

static void draw_row(Heart *m, Random row, int t, Real *x, Real *q, Real *zero,
                     Real *rise)
{
    double x0[MAX_D], xt[MAX_D], f[2][2];
    int D = m->data->D;
    m->data->draw(m, row, x0);
    binomial_noise(&m->process, t, x0, (size_t)D, row, xt);
    find_posteriors(m, t, f);
    for (int i = 0; i < D; i++) {
        const double *of = f[xt[i] > 0];
        x[i] = (Real)xt[i], q[i] = (Real)of[x0[i] > 0];
        zero[i] = (Real)of[0], rise[i] = (Real)(of[1] - of[0]);
    }
}

static Steps draw_steps(Heart *m, Random r, int N)
{
    size_t n = (size_t)N, D = (size_t)m->data->D, all = D * n;
    Arena *a = &m->tape.records;                    /* until the tape is reset */
    Steps s = {arena_new(a, double, n), arena_new(a, Real, all), arena_new(a, Real, all),
               arena_new(a, Real, all), arena_new(a, Real, all)};
#pragma omp parallel for schedule(static)
    for (int k = 0; k < N; k++) {
        Random row = {r.seed, r.stream + ((uint64_t)(k + 1) << 24)};
        double u = (k + random_uniform(row, MAX_D + 1)) / N;        /* t is stratified */
        int t = 1 + (int)(u * (T - 1));
        size_t at = (size_t)k * D;
        s.t[k] = t;
        draw_row(m, row, t, s.x + at, s.q + at, s.zero + at, s.rise + at);
    }
    return s;
}

/* The sum over t of the cross-entropy between q(x_{t-1} | x_t, x_0) and f_b: KL, but for
 * a number that no network can change.  Estimated from N rows, in nats. */
static Var *cross_entropy_of(Heart *m, Pass *pass, const Steps *s, int N)
{
    Tape *t = pass->tape;
    Shape shape = SHAPE(N, m->data->D);
    Var *q = tape_leaf(t, "q", shape, s->q, NULL);
    Var *rise = multiply(t, tape_leaf(t, "f(1) - f(0)", shape, s->rise, NULL),
                         predict(m, pass, s->x, N, s->t));
    Var *f = add(t, tape_leaf(t, "f(0)", shape, s->zero, NULL), rise);
    Var *not_f = scale(t, f, -1, 1);
    Var *yes = multiply(t, q, logarithm(t, clamp(t, f, 1e-7, 1)));
    Var *no = multiply(t, scale(t, q, -1, 1), logarithm(t, clamp(t, not_f, 1e-7, 1)));
    return scale(t, mean(t, add(t, yes, no), ALL_AXES), -m->data->D * (T - 1), 0);
}

/* K in bits a row, in double from the network's c. */
static double bound(Heart *m)
{
    int N = m->data->batch, D = m->data->D, rounds = m->data->tests / N;
    double kl = 0;
    for (int k = 0; k < rounds; k++) {
        tape_reset(&m->tape);
        Pass pass = pass_inference(&m->tape, &m->params, m->params.value);
        Steps s = draw_steps(m, random_stream(1, MEASURE, (uint64_t)k), N);
        Var *c = predict(m, &pass, s.x, N, s.t);
        for (int i = 0; i < N * D; i++)
            kl += binomial_kl((double)s.q[i], (double)s.zero[i] +
                              (double)s.rise[i] * (double)c->value[i]);
    }
    return (D * binomial_ends(&m->process) - kl / (rounds * N) * (T - 1)) / log(2);
}

static void train(Heart *m, long steps)
{
    Optimizer o = optimizer_init(&m->params, &(OptimizerConfig){
        .rule = "adam", .rate = {.lr = 0.01, .decay = "cosine", .decay_steps = steps},
        .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .clip = 10});
    Progress progress = progress_start("step");
    for (long k = 0; k < steps; k++) {
        tape_reset(&m->tape);
        params_zero_grad(&m->params);
        Random r = random_stream(1, TRAIN, (uint64_t)k);
        Pass pass = pass_training(&m->tape, &m->params, r);
        Steps s = draw_steps(m, r, m->data->batch);
        backward(cross_entropy_of(m, &pass, &s, m->data->batch));
        optimizer_step(&o, &m->params);
        progress_show(&progress, k + 1, steps, (k + 1.0) / (double)steps, "");
    }
    progress_break(&progress);
}

/* ---- sampling ---------------------------------------------------------------------- */

/* Bits from B(p0), then down; the last step takes the likelier x0. */
static void draw_samples(Heart *m, Real *x)
{
    int N = m->data->samples, D = m->data->D;
    double *times = arena_new(&m->arena, double, (size_t)N);
    for (int i = 0; i < N * D; i++)
        x[i] = random_uniform(random_stream(1, DRAW, T), (uint64_t)i) < m->process.p0;
    for (int t = T - 1; t >= 0; t--) {
        for (int n = 0; n < N; n++) times[n] = t;
        tape_reset(&m->tape);
        Pass pass = pass_inference(&m->tape, &m->params, m->params.value);
        const Real *c = predict(m, &pass, x, N, times)->value;
        Random r = random_stream(1, DRAW, (uint64_t)t);
        double f[2][2];
        find_posteriors(m, t, f);
        for (int i = 0; i < N * D; i++) {
            const double *of = f[x[i] > 0];
            double one = of[0] + (double)c[i] * (of[1] - of[0]);
            x[i] = t ? random_uniform(r, (uint64_t)i) < one : c[i] > (Real)0.5;
        }
    }
}

/* ---- the command ------------------------------------------------------------------- */

static const Data *find_data(const char *name)
{
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        if (strcmp(sets[k].name, name) == 0) return &sets[k];
    fail_usage("no data %s; there are heartbeat and mnist", name);
}

int heartbeat_main(int argc, char **argv)
{
    const char *data = "heartbeat";
    long steps = 0;
    Option options[] = {
        {"data", OPTION_TEXT, &data, "NAME", "heartbeat, or mnist in black and white", 0},
        {"steps", OPTION_LONG, &steps, "N", "of training; 0: 3500, 1500 for mnist", 0},
        {0},
    };
    Usage usage = {"drift heartbeat [options]",
                   "Learns binary sequences with a 1 in every fifth place by diffusion\n"
                   "of bits (Sohl-Dickstein 2015, figure 2 and Table 1).", 0};
    options_parse(argc, argv, &usage, options, NULL);
    Heart m = {.data = find_data(data), .params = params_create(), .tape = tape_create(),
               .arena = arena_create(), .basis = {T, BUMPS, 1}};
    int D = m.data->D, H = m.data->hidden;
    m.process.schedule = schedule_make(&m.arena, "jsd", T, 0.1, 0.2);
    m.process.p0 = m.data->prepare(&m);
    m.net = mlp_init(&m.params, "net", (int[]){D, H, H, H, BUMPS * D, 0}, "sigmoid");
    params_allocate(&m.params, 1);
    train(&m, steps ? steps : m.data->steps);

    Real *x = arena_new(&m.arena, Real, (size_t)(m.data->samples * D));
    draw_samples(&m, x);
    m.data->report(&m, x);
    if (m.pictures.count)
        m.pictures = dataset_load(&m.arena, "mnist", NULL, DATASET_TEST);
    double K = bound(&m), null = -D * binomial_entropy(m.process.p0) / log(2);
    printf("K         %9.3f bits a row of %d, on average at most log2 p(x_0)\n"
           "L_null    %9.4f bits: each bit by itself, -%d h(%.4g)\n"
           "K - L_null%9.3f bits\n", K, D, null, D, m.process.p0, K - null);
    return 0;
}
