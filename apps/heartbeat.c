/* drift heartbeat: diffusion of bits.  Sequences of 20 bits with a 1 in every fifth
 * place.
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
 * learn.  And c changes slowly with t, so BINS readouts do for 2000 steps. */
#include <math.h>
#include <stdio.h>

#include "apps/commands.h"
#include "apps/support/options.h"
#include "apps/support/progress.h"
#include "diffusion/binomial.h"
#include "nn/mlp.h"
#include "nn/optimizer.h"
#include "tensor/error.h"

enum { D = 20, PERIOD = 5, T = 2000, BINS = 20, HIDDEN = 50, BATCH = 512, TEST = 40000,
       SAMPLES = 200, SHOWN = 8 };
enum { TRAIN = 1, MEASURE, DRAW };                  /* whose random numbers */

typedef struct {
    Binomial process;
    Params params;
    Mlp body;
    StepLinear readout;
    Tape tape;
} Heart;

/* c of N sequences, sequence n at step t[n]. */
static Var *predict(Heart *m, Pass *pass, Var *x, const int t[])
{
    int N = x->shape.dim[0], *bin = tape_save(pass->tape, int, (size_t)N);
    for (int n = 0; n < N; n++) bin[n] = t[n] * BINS / T;
    Var *h = sigmoid(pass->tape, mlp_forward(pass, &m->body, x));
    return sigmoid(pass->tape, step_linear_forward(pass, &m->readout, h, bin));
}

/* ---- the bound ---------------------------------------------------------------------- */

/* Bits x_t, and of each the probability that x_{t-1} is 1: with the true x0, with 0, with
 * 1 less that with 0. */
typedef struct { int *t; Real *x, *q, *zero, *rise; } Steps;

static Steps draw_steps(Heart *m, Random r, int N)
{
    size_t n = (size_t)N, all = D * n;
    Arena *a = &m->tape.records;                    /* until the tape is reset */
    Steps s = {arena_new(a, int, n), arena_new(a, Real, all), arena_new(a, Real, all),
               arena_new(a, Real, all), arena_new(a, Real, all)};
    for (int k = 0; k < N; k++) {
        double x0[D], xt[D];
        Random row = {r.seed, r.stream + ((uint64_t)(k + 1) << 24)};   /* a row a sequence */
        int phase = (int)random_below(row, D, PERIOD);
        int t = s.t[k] = 1 + (int)(((double)k + random_uniform(row, D + 1)) / N * (T - 1));
        for (int i = 0; i < D; i++) x0[i] = i % PERIOD == phase;
        binomial_noise(&m->process, t, x0, D, row, xt);
        for (int i = 0; i < D; i++) {
            double one = binomial_posterior(&m->process, t, (int)xt[i], 1);
            double zero = binomial_posterior(&m->process, t, (int)xt[i], 0);
            size_t at = (size_t)k * D + (size_t)i;
            s.x[at] = (Real)xt[i], s.q[at] = (Real)(x0[i] > 0 ? one : zero);
            s.zero[at] = (Real)zero, s.rise[at] = (Real)(one - zero);
        }
    }
    return s;
}

/* The sum over t of the cross-entropy between q(x_{t-1} | x_t, x_0) and f_b: KL, but for
 * a number that no network can change.  Estimated from N sequences, in nats. */
static Var *cross_entropy_of(Heart *m, Pass *pass, const Steps *s, int N)
{
    Tape *t = pass->tape;
    Shape shape = SHAPE(N, D);
    Var *x = tape_leaf(t, "x_t", shape, s->x, NULL), *q = tape_leaf(t, "q", shape, s->q, NULL);
    Var *f = add(t, tape_leaf(t, "f(0)", shape, s->zero, NULL),
                 multiply(t, tape_leaf(t, "f(1) - f(0)", shape, s->rise, NULL),
                          predict(m, pass, x, s->t)));
    Var *yes = multiply(t, q, logarithm(t, clamp(t, f, 1e-7, 1)));
    Var *no = multiply(t, scale(t, q, -1, 1), logarithm(t, clamp(t, scale(t, f, -1, 1), 1e-7, 1)));
    return scale(t, mean(t, add(t, yes, no), ALL_AXES), -D * (T - 1), 0);
}

/* K in bits a sequence, in double from the network's c. */
static double bound(Heart *m)
{
    tape_reset(&m->tape);
    Pass pass = pass_inference(&m->tape, &m->params, m->params.value);
    Steps s = draw_steps(m, random_stream(1, MEASURE, 0), TEST);
    Var *c = predict(m, &pass, tape_leaf(&m->tape, "x_t", SHAPE(TEST, D), s.x, NULL), s.t);
    double kl = 0;
    for (size_t i = 0; i < (size_t)TEST * D; i++)
        kl += binomial_kl((double)s.q[i], (double)s.zero[i] +
                          (double)s.rise[i] * (double)c->value[i]);
    return (D * binomial_ends(&m->process) - kl / TEST * (T - 1)) / log(2);
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
        Pass pass = pass_training(&m->tape, &m->params, random_stream(1, TRAIN, (uint64_t)k));
        Steps s = draw_steps(m, pass.random, BATCH);
        backward(cross_entropy_of(m, &pass, &s, BATCH));
        optimizer_step(&o, &m->params);
        progress_show(&progress, k + 1, steps, (k + 1.0) / (double)steps, "");
    }
    progress_break(&progress);
}

/* ---- sampling ----------------------------------------------------------------------- */

/* Bits from B(p0), then down; the last step takes the likelier x0. */
static void draw_samples(Heart *m, Real *x)
{
    static int times[SAMPLES];
    for (size_t i = 0; i < SAMPLES * D; i++)
        x[i] = random_uniform(random_stream(1, DRAW, T), i) < m->process.p0;
    for (int t = T - 1; t >= 0; t--) {
        for (int n = 0; n < SAMPLES; n++) times[n] = t;
        tape_reset(&m->tape);
        Pass pass = pass_inference(&m->tape, &m->params, m->params.value);
        Var *c = predict(m, &pass, tape_leaf(&m->tape, "x_t", SHAPE(SAMPLES, D), x, NULL), times);
        Random r = random_stream(1, DRAW, (uint64_t)t);
        double f[2][2];                             /* of x_t and x_0 */
        for (int k = 0; k < 4; k++)
            f[k / 2][k % 2] = binomial_posterior(&m->process, t, k / 2, k % 2);
        for (size_t i = 0; i < SAMPLES * D; i++) {
            double guess = (double)c->value[i], *row = f[x[i] > 0];
            x[i] = t ? random_uniform(r, i) < row[0] + guess * (row[1] - row[0]) : guess > 0.5;
        }
    }
}

static bool is_valid(const Real *x)
{
    int ones = 0;
    for (int i = 0; i < D; i++) {
        ones += x[i] > 0;
        if (i >= PERIOD && x[i] != x[i - PERIOD]) return false;
    }
    return ones == D / PERIOD;
}

int heartbeat_main(int argc, char **argv)
{
    long steps = 3500;
    Option options[] = {{"steps", OPTION_LONG, &steps, "N", "of training", 0}, {0}};
    Usage usage = {"drift heartbeat [options]",
                   "Learns binary sequences with a 1 in every fifth place by diffusion of bits\n"
                   "(Sohl-Dickstein 2015, figure 2 and Table 1).", 0};
    options_parse(argc, argv, &usage, options, NULL);
    Arena a = arena_create();
    Heart m = {.process = {schedule_make(&a, "jsd", T, 0.1, 0.2), 1.0 / PERIOD},
               .params = params_create(), .tape = tape_create()};
    m.body = mlp_init(&m.params, "body", (int[]){D, HIDDEN, HIDDEN, HIDDEN, 0}, "sigmoid");
    m.readout = step_linear_init(&m.params, "readout", BINS, HIDDEN, D);
    params_allocate(&m.params, 1);
    train(&m, steps);

    static Real x[SAMPLES * D];
    draw_samples(&m, x);
    int valid = 0;
    for (int n = 0; n < SAMPLES; n++) {
        valid += is_valid(x + n * D);
        for (int i = 0; n < SHOWN && i <= D; i++) putchar(i == D ? '\n' : "01"[x[n * D + i] > 0]);
    }
    double K = bound(&m), null = -D * binomial_entropy(m.process.p0) / log(2);
    printf("%d of %d samples have a 1 in every fifth place\n"
           "K         %8.3f bits a sequence; not above log2(1/5) = -2.322   [paper -2.414]\n"
           "L_null    %8.4f bits: each bit by itself, -20 h(0.2)\n"
           "K - L_null%8.3f bits                                            [paper 12.024]\n",
           valid, SAMPLES, K, null, K - null);
    return 0;
}
