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
#include "apps/support/bits.h"
#include "apps/support/learning.h"
#include "apps/support/options.h"
#include "diffusion/binomial.h"
#include "nn/mlp.h"
#include "nn/time_basis.h"

enum { T = 2000, BUMPS = 20 };
enum { TRAIN = 1, MEASURE, DRAW };                  /* whose random numbers */

/* A network for each of the data, and how much to draw. */
typedef struct {
    const char *data;
    int hidden, batch, tests, samples;
    long steps;
    bool corrects;              /* the network's word is added to a bit's own odds */
} Setting;

static const Setting settings[] = {
    {"heartbeat", 50, 512, 40000, 200, 3500, false},
    {"mnist", 200, 128, 6400, 18, 1500, true},
};

typedef struct {
    Bits bits;
    const Setting *set;
    Binomial process;
    Params params;
    Mlp net;
    TimeBasis basis;
    Tape tape;
    Arena arena;
} Heart;

/* ---- the bound --------------------------------------------------------------------- */

/* What a bit tells about itself: the log odds of x_0 = 1 given x_t, by Bayes.  A pixel
 * tells most; a beat less than its neighbours, which leave no doubt. */
static double own_odds(const Heart *m, int t, bool bit)
{
    if (!m->set->corrects) return 0;
    double one = binomial_marginal(&m->process, t, 1), p0 = m->process.p0;
    double zero = binomial_marginal(&m->process, t, 0);
    return log(bit ? one / zero : (1 - one) / (1 - zero)) + log(p0 / (1 - p0));
}

/* c of N rows of bits [N, D], row n at step t[n].  Where the network corrects a bit's own
 * odds, a silent one has K = L_null. */
static Var *predict(Heart *m, Pass *pass, const Real *x, int N, const double t[])
{
    int D = m->bits.D;
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
    double x0[MOST_BITS], xt[MOST_BITS], f[2][2];
    int D = m->bits.D;
    m->bits.draw(&m->bits, row, x0);
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
    size_t n = (size_t)N, D = (size_t)m->bits.D, all = D * n;
    Arena *a = &m->tape.records;                    /* until the tape is reset */
    Steps s = {arena_new(a, double, n), arena_new(a, Real, all), arena_new(a, Real, all),
               arena_new(a, Real, all), arena_new(a, Real, all)};
#pragma omp parallel for schedule(static)
    for (int k = 0; k < N; k++) {
        Random row = {r.seed, r.stream + ((uint64_t)(k + 1) << 24)};
        double u = (k + random_uniform(row, MOST_BITS + 1)) / N;    /* t is stratified */
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
    Shape shape = SHAPE(N, m->bits.D);
    Var *q = tape_leaf(t, "q", shape, s->q, NULL);
    Var *rise = multiply(t, tape_leaf(t, "f(1) - f(0)", shape, s->rise, NULL),
                         predict(m, pass, s->x, N, s->t));
    Var *f = add(t, tape_leaf(t, "f(0)", shape, s->zero, NULL), rise);
    Var *not_f = scale(t, f, -1, 1);
    Var *yes = multiply(t, q, logarithm(t, clamp(t, f, 1e-7, 1)));
    Var *no = multiply(t, scale(t, q, -1, 1), logarithm(t, clamp(t, not_f, 1e-7, 1)));
    return scale(t, mean(t, add(t, yes, no), ALL_AXES), -m->bits.D * (T - 1), 0);
}

static Var *loss(void *context, Pass *pass, Random r)
{
    Heart *m = context;
    Steps s = draw_steps(m, r, m->set->batch);
    return cross_entropy_of(m, pass, &s, m->set->batch);
}

/* K in bits a row, in double from the network's c. */
static double bound(Heart *m)
{
    int N = m->set->batch, D = m->bits.D, rounds = m->set->tests / N;
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

/* ---- sampling ---------------------------------------------------------------------- */

/* Bits from B(p0), then down; the last step takes the likelier x0. */
static void draw_samples(Heart *m, Real *x)
{
    int N = m->set->samples, D = m->bits.D;
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
    Heart m = {.params = params_create(), .tape = tape_create(),
               .arena = arena_create(), .basis = {T, BUMPS, 1}, .set = settings};
    m.bits = bits_find(&m.arena, data);
    while (strcmp(m.set->data, data) != 0) m.set++;
    int D = m.bits.D, H = m.set->hidden;
    m.process.schedule = schedule_make(&m.arena, "jsd", T, 0.1, 0.2);
    m.process.p0 = m.bits.activity;
    m.net = mlp_init(&m.params, "net", (int[]){D, H, H, H, BUMPS * D, 0}, "sigmoid");
    params_allocate(&m.params, 1);
    learn(&m.params, &m.tape, &(Learning){0.01, 0.999, 10, TRAIN},
          steps ? steps : m.set->steps, (Loss){loss, &m});

    Real *x = arena_new(&m.arena, Real, (size_t)(m.set->samples * D));
    draw_samples(&m, x);
    m.bits.report(&m.bits, &m.arena, x, m.set->samples);
    m.bits.load(&m.bits, &m.arena, DATASET_TEST);
    double K = bound(&m), null = -D * binomial_entropy(m.process.p0) / log(2);
    printf("K         %9.3f bits a row of %d, on average at most log2 p(x_0)\n"
           "L_null    %9.4f bits: each bit by itself, -%d h(%.4g)\n"
           "K - L_null%9.3f bits\n", K, D, null, D, m.process.p0, K - null);
    return 0;
}
