/* The bound of 2015: exact where data are Gaussian, and a function of the schedule. */
#include <math.h>

#include "diffusion/readout.h"
#include "tests/check.h"

enum { STEPS = 8, PAIRS = 4 };
static const bool single = sizeof(Real) == 4;

/* Data and noise +-1 in all four pairings: N = 4 numbers with exactly the moments of N(0,
 * 1) up to the second.  The data are also what they seem: two points on a line. */
static const Real x0[PAIRS] = {1, 1, -1, -1};
static Real eps[(STEPS - 1) * PAIRS];

static FrozenBatch make_batch(void)
{
    for (int i = 0; i < (STEPS - 1) * PAIRS; i++) eps[i] = i % 2 ? 1 : -1;
    return (FrozenBatch){PAIRS, 1, x0, eps};
}

/* p is the forward kernel. */
static void forward_kernel(void *context, Tape *t, Var *x, const Levels *l, Var **mean,
                           Var **log_variance)
{
    (void)context;
    *mean = multiply(t, x, square_root(t, scale(t, l->beta, -1, 1)));
    *log_variance = add(t, scale(t, x, 0, 0), logarithm(t, l->beta));
}

/* The right mean and variance for data at +-1, where E[x0 | x_t] = tanh(a x / s^2). */
static void two_points(void *context, Tape *t, Var *x, const Levels *l, Var **mean,
                       Var **log_variance)
{
    (void)context;
    Var *guess = hyperbolic_tangent(t, multiply(t, x, divide(t, l->a, square(t, l->s))));
    *mean = add(t, multiply(t, guess, l->c0), multiply(t, x, l->ct));
    Var *rest = multiply(t, scale(t, square(t, guess), -1, 1), square(t, l->c0));
    *log_variance = logarithm(t, add(t, rest, l->variance));
}

/* K - L_null; the gradient is added to grad, if not NULL. */
static double bound_of_beta(const Real beta[STEPS], Real *grad, Reverse r)
{
    FrozenBatch b = make_batch();
    Tape t = tape_create();
    Real unused[STEPS] = {0};
    Var *leaf = tape_leaf(&t, "beta", SHAPE(STEPS, 1), beta, grad ? grad : unused);
    Var *K = gaussian_bound(&t, leaf, &b, r);
    double value = (double)K->value[0];
    if (grad) backward(K);
    tape_destroy(&t);
    return value;
}

static void nothing_is_gained_on_gaussian_data(void)
{
    Real beta[STEPS];
    constant_erasure(STEPS, beta);
    for (int round = 0; round < 3; round++) {
        double K = bound_of_beta(beta, NULL, (Reverse){forward_kernel, NULL});
        check_close(K, 0, single ? 2e-6 : 1e-14);
        fill_uniform(beta, STEPS, (unsigned)round);
        for (int i = 0; i < STEPS; i++) beta[i] = (Real)0.5 + beta[i] * (Real)0.4;
    }
}

static void its_gradient_is_its_slope(void)
{
    Real beta[STEPS], grad[STEPS] = {0}, h = single ? (Real)3e-3 : (Real)1e-6;
    Reverse r = {two_points, NULL};
    constant_erasure(STEPS, beta);
    bound_of_beta(beta, grad, r);
    for (int i = 0; i < STEPS; i++) {
        Real kept = beta[i];
        beta[i] = kept + h;
        double high = bound_of_beta(beta, NULL, r);
        beta[i] = kept - h;
        double low = bound_of_beta(beta, NULL, r);
        beta[i] = kept;
        check_close((double)grad[i], (high - low) / (2 * (double)h),
                    single ? 2e-2 : 1e-7);
    }
}

/* Gradient ascent on logit(beta_2 ... beta_T) beats constant erasure; beta_1 stays. */
static void a_schedule_can_be_learned(void)
{
    Real beta[STEPS];
    Reverse r = {two_points, NULL};
    constant_erasure(STEPS, beta);
    double first = bound_of_beta(beta, NULL, r);
    for (int k = 0; k < 200; k++) {
        Real grad[STEPS] = {0};
        bound_of_beta(beta, grad, r);
        for (int i = 1; i < STEPS; i++) {
            double b = (double)beta[i], slope = b * (1 - b);    /* d beta / d logit */
            double logit = log(b / (1 - b)) + 0.5 * slope * (double)grad[i];
            beta[i] = (Real)(1 / (1 + exp(-logit)));
        }
    }
    double learned = bound_of_beta(beta, NULL, r);
    check(learned > first + 0.005);
    check_close((double)beta[0], 1.0 / (STEPS + 1), 1e-6);
}

/* A step back for data N(0, v): its variance is that of the posterior and what is not
 * known of x0; for v = 1 that is beta. */
static void entropies_lie_within_their_bounds(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 50, 1e-3, 0.2);
    for (int k = 1; k <= 3; k++)
        for (int t = 1; t < 50; t++) {
            Level l = schedule_level(&s, t);
            double v = k / 3.0, rest = v * l.s * l.s / (l.a * l.a * v + l.s * l.s);
            double variance = l.variance + l.c0 * l.c0 * rest;
            double entropy = 0.5 * log(2 * 3.14159265358979 * exp(1) * variance);
            EntropyBounds b = entropy_bounds(&s, t);
            check(b.low <= entropy && entropy <= b.high + 1e-12);
            if (k == 3) check_close(entropy, b.high, 1e-12);
        }
    arena_destroy(&a);
}

/* Of one number x = 0.8 at step 3, z_mu = 0.5, z_Sigma = -1. */
static void readouts_by_hand(void)
{
    static const Real x = (Real)0.8, z_mu = (Real)0.5, z_sigma = -1;
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 16, 0.1, 0.4);
    Level l = schedule_level(&s, 3);
    double beta = s.beta[3], logit = log(beta / (1 - beta));
    double sigma = 1 / (1 + exp(1 - logit));
    struct { const char *name; double mean, variance; } rows[] = {
        {"paper", 0.8 * (1 - sigma) + 0.5 * sigma, sigma},
        {"code", 0.8 * sqrt(1 - beta) + 0.5 * sqrt(beta), 1 / (1 + exp(0.25 - logit))},
        {"posterior", l.c0 * 0.5 + l.ct * 0.8, l.variance + l.c0 * l.c0 * exp(-1)},
        {"velocity", l.c0 * (l.a * 0.8 + l.s * 0.5) + l.ct * 0.8,
         l.variance + l.c0 * l.c0 * l.s * l.s * exp(-1)},
    };
    Tape t = tape_create();
    Shape one = SHAPE(1, 1, 1);
    for (int k = 0; k < NELEM(rows); k++) {
        tape_reset(&t);
        Levels levels = levels_at(&t, &s, (double[]){3}, 1);
        Var *mean, *log_variance;
        readout_find(rows[k].name)->read(&t, tape_leaf(&t, "x", one, &x, NULL),
            tape_leaf(&t, "z_mu", one, &z_mu, NULL),
            tape_leaf(&t, "z_sigma", one, &z_sigma, NULL), &levels, &mean, &log_variance);
        check_close((double)mean->value[0], rows[k].mean, single ? 1e-6 : 1e-14);
        check_close((double)log_variance->value[0], log(rows[k].variance),
                    single ? 1e-6 : 1e-14);
    }
    tape_destroy(&t);
    arena_destroy(&a);
}

/* Between two steps beta and alpha_bar are on a straight line.  Of beta = 1/2, 1/4:
 * alpha_bar = 1/2, 3/8; halfway beta = 3/8 and alpha_bar = 7/16, so alpha_bar before is
 * 7/10.  Then the posterior still fits the marginals: c0 + ct a = a', and
 * variance + ct^2 s^2 = s'^2.  At whole t it is the level of the table. */
static void steps_have_levels_between(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 2, 0.5, 0.25);
    Level l = schedule_between(&s, 0.5);
    check_close(l.a * l.a, 7.0 / 16, 1e-14);
    check_close(l.s * l.s, 9.0 / 16, 1e-14);
    check_close(exp(l.log_beta), 3.0 / 8, 1e-14);
    check_close(l.variance, 3.0 / 8 * 0.3 / (9.0 / 16), 1e-14);
    check_close(l.c0 + l.ct * l.a, sqrt(0.7), 1e-14);
    check_close(l.variance + l.ct * l.ct * l.s * l.s, 0.3, 1e-14);
    check_close(l.t, 0.5, 0);
    for (int t = 0; t < 2; t++) {
        Level here = schedule_level(&s, t), same = schedule_between(&s, t);
        check_close(same.a, here.a, 0);
        check_close(same.c0, here.c0, 1e-14);
        check_close(same.ct, here.ct, 1e-14);
        check_close(same.variance, here.variance, 1e-14);
        check_close(same.log_variance, here.log_variance, 1e-14);
    }
    arena_destroy(&a);
}

/* Noise of 1/4, 1/2 and 3/4 of the variance: s^2/a^2 = 1/3, 1, 3. */
static void a_geometric_schedule_by_hand(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "geometric", 3, 0.25, 0.75);
    static const double left[] = {0.75, 0.5, 0.25};
    for (int t = 0; t < 3; t++) check_close(s.alpha_bar[t], left[t], 1e-14);
    check_close(s.beta[0], 0.25, 1e-15);
    check_close(gaussian_bound_ends(&s), 0.5 * log(3), 1e-14);
    arena_destroy(&a);
}

/* A silent network (z = 0) repeats the forward step in the code's readout and in the last,
 * and so gains exactly nothing on Gaussian data: the control that the code had as
 * comments. */
static const char *silent_name;
static void silent(void *context, Tape *t, Var *x, const Levels *l, Var **mean,
                   Var **log_variance)
{
    (void)context;
    Var *zero = scale(t, x, 0, 0);
    readout_find(silent_name)->read(t, x, zero, zero, l, mean, log_variance);
}

static void a_silent_network_gains_nothing(void)
{
    Real beta[STEPS];
    constant_erasure(STEPS, beta);
    silent_name = "code";
    Reverse r = {silent, NULL};
    check_close(bound_of_beta(beta, NULL, r), 0, single ? 2e-6 : 1e-14);
    silent_name = "velocity";
    check_close(bound_of_beta(beta, NULL, r), 0, single ? 2e-6 : 1e-14);
    silent_name = "paper";          /* 1 - beta for sqrt(1 - beta): too fast a decay */
    check(bound_of_beta(beta, NULL, r) < -0.01);
}

static const Test tests[] = {
    T(steps_have_levels_between), T(a_geometric_schedule_by_hand),
    T(readouts_by_hand), T(a_silent_network_gains_nothing),
    T(nothing_is_gained_on_gaussian_data), T(its_gradient_is_its_slope),
    T(a_schedule_can_be_learned), T(entropies_lie_within_their_bounds),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
