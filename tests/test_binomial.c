/* The binomial process by enumeration: three bits, three steps, every path. */
#include <math.h>

#include "diffusion/binomial.h"
#include "tests/check.h"

enum { BITS = 3, STATES = 1 << BITS, STEPS = 3 };

static int bit(int x, int i) { return x >> i & 1; }

/* The probability of state x when bit i is 1 with probability p[i]. */
static double product(int x, const double p[BITS])
{
    double all = 1;
    for (int i = 0; i < BITS; i++) all *= bit(x, i) ? p[i] : 1 - p[i];
    return all;
}

static double kernel(const Binomial *b, int t, int next, int before)
{
    double p[BITS];
    for (int i = 0; i < BITS; i++) p[i] = binomial_kernel(b, t, bit(before, i));
    return product(next, p);
}

/* Some way back: bit i of x_{t-1} given the whole of x_t. */
static double guess(const Binomial *b, int t, int xt, int i)
{
    if (t == 0) return binomial_kernel(b, 0, bit(xt, i));
    return 0.15 + 0.6 * bit(xt, i) + 0.04 * t * bit(xt, (i + 1) % BITS);
}

static double back(const Binomial *b, int t, int before, int xt)
{
    double p[BITS];
    for (int i = 0; i < BITS; i++) p[i] = guess(b, t, xt, i);
    return product(before, p);
}

static Binomial make(Arena *a)
{
    return (Binomial){schedule_make(a, "jsd", STEPS, 0.1, 0.2), 1.0 / BITS};
}

/* A 1 in one of three places.  The bound from its definition, over all paths x0 ... x3,
 * and the model's true log-likelihood. */
static void add_paths(const Binomial *b, int x0, double *jensen, double *likelihood)
{
    double prior[BITS], all = 0;
    for (int i = 0; i < BITS; i++) prior[i] = b->p0;
    for (int x1 = 0; x1 < STATES; x1++)
        for (int x2 = 0; x2 < STATES; x2++)
            for (int x3 = 0; x3 < STATES; x3++) {
                double q =
                    kernel(b, 0, x1, x0) * kernel(b, 1, x2, x1) * kernel(b, 2, x3, x2);
                double p = product(x3, prior) * back(b, 2, x2, x3) * back(b, 1, x1, x2) *
                           back(b, 0, x0, x1);
                *jensen += q * log(p / q) / BITS;
                all += p;
            }
    *likelihood += log(all) / BITS;
}

/* K as the paper has it: divergences of single bits and closed entropies. */
static double bound(const Binomial *b)
{
    double K = BITS * binomial_ends(b);
    for (int x0 = 1; x0 < STATES; x0 *= 2)
        for (int t = 1; t < STEPS; t++)
            for (int xt = 0; xt < STATES; xt++) {
                double p[BITS], kl = 0;
                for (int i = 0; i < BITS; i++) {
                    p[i] = binomial_marginal(b, t, bit(x0, i));
                    kl += binomial_kl(binomial_posterior(b, t, bit(xt, i), bit(x0, i)),
                                      guess(b, t, xt, i));
                }
                K -= product(xt, p) * kl / BITS;
            }
    return K;
}

static void the_bound_is_that_of_all_paths(void)
{
    Arena a = arena_create();
    Binomial b = make(&a);
    double jensen = 0, likelihood = 0;
    for (int x0 = 1; x0 < STATES; x0 *= 2) add_paths(&b, x0, &jensen, &likelihood);
    check_close(bound(&b), jensen, 1e-12);
    check(jensen < likelihood);
    arena_destroy(&a);
}

/* Kernels in a row are the marginal; marginal times posterior is marginal times
 * kernel. */
static void steps_add_up_and_turn_round(void)
{
    Arena a = arena_create();
    Binomial b = {schedule_make(&a, "jsd", 50, 0.1, 0.2), 0.2};
    for (int x0 = 0; x0 < 2; x0++) {
        double p = x0;
        for (int t = 0; t < 50; t++) {
            double before = p;
            p = binomial_kernel(&b, t, p);
            check_close(p, binomial_marginal(&b, t, x0), 1e-13);
            for (int xt = 0; xt < 2; xt++) {
                double kept = binomial_kernel(&b, t, 1), now = xt ? p : 1 - p;
                double joint = before * (xt ? kept : 1 - kept);
                if (now > 0)
                    check_close(now * binomial_posterior(&b, t, xt, x0), joint, 1e-13);
            }
        }
        check_close(p, 0.2, 1e-15);                     /* nothing is left */
    }
    arena_destroy(&a);
}

/* Of the heartbeat of the paper: L_null = -20 h(0.2) = -14.4386 bits. */
static void the_null_model_is_the_papers(void)
{
    check_close(20 * binomial_entropy(0.2) / log(2), 14.438561897747, 1e-12);
    check_close(binomial_kl(0.3, 0.3), 0, 0);
    check_close(binomial_kl(1, 0.25), log(4), 1e-15);
    check_close(binomial_perturb(0.2, 0.5), 0.2, 1e-15);        /* r says nothing */
    check_close(binomial_perturb(0.2, 1), 1, 1e-15);            /* r knows */
}

static const Test tests[] = {
    T(the_bound_is_that_of_all_paths), T(steps_add_up_and_turn_round),
    T(the_null_model_is_the_papers),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
