/* The binomial process: see binomial.h. */
#include "diffusion/binomial.h"

#include <math.h>

double binomial_kernel(const Binomial *b, int t, double before)
{
    double beta = b->schedule.beta[t];
    return (1 - beta) * before + beta * b->p0;
}

double binomial_marginal(const Binomial *b, int t, double x0)
{
    double alpha_bar = t < 0 ? 1 : b->schedule.alpha_bar[t];
    return alpha_bar * x0 + (1 - alpha_bar) * b->p0;
}

double binomial_perturb(double c, double d)
{
    return c * d / (c * d + (1 - c) * (1 - d));
}

double binomial_posterior(const Binomial *b, int t, int xt, int x0)
{
    double one = binomial_kernel(b, t, 1), zero = binomial_kernel(b, t, 0);
    if (!xt) one = 1 - one, zero = 1 - zero;
    return binomial_perturb(binomial_marginal(b, t - 1, x0), one / (one + zero));
}

void binomial_noise(const Binomial *b, int t, const double *x0, size_t n, Random r,
                    double *xt)
{
    for (size_t i = 0; i < n; i++)
        xt[i] = random_uniform(r, i) < binomial_marginal(b, t, x0[i]);
}

/* p ln(p / q), which tends to 0 with p. */
static double relative(double p, double q) { return p > 0 ? p * log(p / q) : 0; }

double binomial_entropy(double p) { return -relative(p, 1) - relative(1 - p, 1); }

double binomial_kl(double q, double p) { return relative(q, p) + relative(1 - q, 1 - p); }

double binomial_ends(const Binomial *b)
{
    int T = b->schedule.T;
    double r = b->p0, conditional[2];
    for (int k = 0; k < 2; k++) {
        int t = k ? T - 1 : 0;
        conditional[k] = r * binomial_entropy(binomial_marginal(b, t, 1)) +
                         (1 - r) * binomial_entropy(binomial_marginal(b, t, 0));
    }
    return conditional[1] - conditional[0] - binomial_entropy(b->p0);
}
