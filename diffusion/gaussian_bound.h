/* The bound of Sohl-Dickstein 2015 for Gaussian diffusion as a function of the schedule.
 *
 * Beyond a model that is N(0, I), data x_0 of D numbers have on average (eq. 14)
 *
 *     K - L_null = - sum_{t=2..T} E KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t))
 *                  + D/2 ln(1 - alpha_bar_T) - D/2 ln beta_1               nats,
 *
 * for an entropy is D/2 ln(2 pi e variance) and L_null = -D/2 ln(2 pi e).  x_t = a x_0 +
 * s eps with the noise "frozen": eps is given, only a and s depend on beta.  So K is a
 * differentiable function of beta, and beta_2 ... beta_T can be learned like weights.
 * beta_1 must not be: a smaller one always raises K, without end if the data lie on a
 * curve (section 2.4.1).
 *
 * Control: where data are N(0, I) and p is the forward kernel, K - L_null is 0 for any
 * beta.
 *
 * How much noise should a step back have?  Given x_0 it has the variance of the
 * posterior, and not knowing x_0 cannot make it less; a step of a process at equilibrium
 * has as much as the step forward (eq. 24).  So, per number,
 *
 *     H_q(X_t|X_{t-1}) + H_q(X_{t-1}|X_0) - H_q(X_t|X_0)
 *         <= H_q(X_{t-1}|X_t) <= H_q(X_t|X_{t-1}),
 *
 * which are fixed_small and fixed_large of process.h as entropies. */
#ifndef DIFFUSION_GAUSSIAN_BOUND_H
#define DIFFUSION_GAUSSIAN_BOUND_H

#include "autograd/ops.h"
#include "diffusion/schedule.h"

/* Level of schedule.h as variables of a tape, for S of T steps, [S, 1, 1] each. */
typedef struct {
    int T;
    Var *beta, *a, *s, *c0, *ct, *variance;
} Levels;

/* Those of the steps t[S] of a fixed schedule, whole or between (schedule_between). */
Levels levels_at(Tape *tape, const Schedule *s, const double t[], int S);

/* The way back from x [T-1, N, D] at all steps t >= 2 of the paper: mean and log variance
 * of p(x_{t-1} | x_t), the same shape. */
typedef struct {
    void (*predict)(void *context, Tape *t, Var *x, const Levels *l, Var **mean,
                    Var **log_variance);
    void *context;
} Reverse;

/* KL(q(x_{t-1} | x_t, x_0) || N(mean, e^log_variance)), number by number: x, mean and
 * log_variance [S, N, D]; x0 [1, N, D], or [S, 1, D] if N = 1. */
Var *posterior_kl(Tape *t, Var *x0, Var *x, const Levels *l, Var *mean,
                  Var *log_variance);

/* N samples with their frozen noise. */
typedef struct {
    int N, D;
    const Real *x0;         /* [N, D], E x0^2 = 1 */
    const Real *eps;        /* [T-1, N, D] */
} FrozenBatch;

/* D/2 ln(1 - alpha_bar_T) - D/2 ln beta_1 of a fixed schedule, for one number (D = 1). */
double gaussian_bound_ends(const Schedule *s);

/* K - L_null, a single number.  beta [T, 1]. */
Var *gaussian_bound(Tape *t, Var *beta, const FrozenBatch *b, Reverse reverse);

/* Constant erasure, as in the paper's code: beta_t = 1/(T - t + 2) takes 1/(T+1) of the
 * signal each step, and leaves as much at the end.  beta [T, 1]; t counts from 1. */
void constant_erasure(int T, Real *beta);

/* The bounds of eq. 24 on the entropy of the step down from t (schedule.h), in nats. */
typedef struct { double low, high; } EntropyBounds;

EntropyBounds entropy_bounds(const Schedule *s, int t);

#endif
