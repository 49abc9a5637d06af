/* The binomial process: diffusion of bits (Sohl-Dickstein 2015, Table App.1, Appendix B).
 *
 * At each step a bit stays as it is, or with probability beta_t is drawn anew from B(p0):
 *
 *     q(x_t = 1 | x_{t-1}) = (1 - beta_t) x_{t-1} + beta_t p0                        kernel
 *     q(x_t = 1 | x_0)     = alpha_bar_t x_0 + (1 - alpha_bar_t) p0                  marginal
 *
 * as a mean is all there is to know of a bit, and the mean is linear.  Backwards, by
 * Bayes, with the kernel as likelihood of x_{t-1} = 1 and 0 and m = q(x_{t-1} = 1 | x_0)
 * as its prior:
 *
 *     odds of q(x_{t-1} = 1 | x_t, x_0) = q(x_t | 1) m / (q(x_t | 0) (1 - m))        posterior
 *
 * beta_t = 1/(T - t + 1) (schedule "jsd") erases 1/T of the signal each step; beta_T = 1,
 * so nothing is left of it: alpha_bar_T = 0, and p(x_T) = B(p0) exactly.
 *
 * The bound (eq. 14) on E log p(x_0), with entropies h(p) = -p ln p - (1-p) ln(1-p):
 *
 *     K = - sum_{t=2..T} E KL(q(x_{t-1} | x_t, x_0) || p) + H_q(X_T|X_0) - H_q(X_1|X_0) - H_p(X_T)
 *
 * A bit that is 1 with probability r has H_q(X_t | X_0) = r h(marginal of 1) + (1-r)
 * h(marginal of 0).  The first step back is the forward kernel, p(x_0 | x_1) = T(x_0 |
 * x_1).  It is reversible, pi(x) T(y|x) = pi(y) T(x|y) with pi = B(p0), so the term of t
 * = 1 is E ln pi(x_0) - E ln pi(x_1), which vanishes iff r = p0.  Hence p0 is the data's
 * activity.
 *
 * Nats throughout.  t counts from 0, as in schedule.h: the papers' t is one more. */
#ifndef DIFFUSION_BINOMIAL_H
#define DIFFUSION_BINOMIAL_H

#include "diffusion/schedule.h"
#include "tensor/random.h"

typedef struct { Schedule schedule; double p0; } Binomial;

/* Probabilities of 1.  t is 0 ... T-1; `before` and x0 are bits, or probabilities of
 * 1. */
double binomial_kernel(const Binomial *b, int t, double before);
double binomial_marginal(const Binomial *b, int t, double x0);     /* t = -1: x0 itself */
double binomial_posterior(const Binomial *b, int t, int xt, int x0);

/* Draws n bits at t: number i of the row decides about bit i. */
void binomial_noise(const Binomial *b, int t, const double *x0, size_t n, Random r,
                    double *xt);

double binomial_entropy(double p);
double binomial_kl(double q, double p);         /* KL(B(q) || B(p)), infinite if p denies q */

/* The three entropies of K for one bit of activity p0. */
double binomial_ends(const Binomial *b);

/* What is left of c = p(x = 1) when the distribution is multiplied by r(x), r(1) = d and
 * r(0) = 1 - d: c d / (c d + (1 - c)(1 - d)). */
double binomial_perturb(double c, double d);

#endif
