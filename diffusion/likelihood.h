/* How many bits an image costs: the variational bound, term by term (Ho 2020, eq. 5).
 *
 *     -log2 p(x0) <= L_prior + sum over t >= 1 of L_t + L_0         here per dimension
 *
 *     L_prior = KL(q(x_{T-1} | x0) || N(0, I))    what the noise at the end still tells
 *     L_t = KL(q(x_{t-1} | x_t, x0) || p(x_{t-1} | x_t))
 *     L_0 = -log p(x0 | x at t = 0)               of 256 levels (discretized_gaussian.c)
 *
 * Each L_t is one sample's estimate at one x_t.  Beside it stand two errors, which say
 * how good the network is at that noise: of x0_hat, and of the noise that it implies. */
#ifndef DIFFUSION_LIKELIHOOD_H
#define DIFFUSION_LIKELIHOOD_H

#include "diffusion/denoiser.h"

typedef struct { double bits, x0_mse, eps_mse; } BoundTerm;

/* L_t of one sample of D numbers, x0 at the level as xt, from the denoiser's answer (its
 * x0 clipped already, if that is wanted). */
BoundTerm bound_term(const Process *p, const Level *l, const double *x0, const double *xt,
                     const Answer *answer, size_t D);

/* L_prior of one sample. */
double bound_prior(const Process *p, const double *x0, size_t D);

/* All terms of N samples with x0_hat clipped: term [N, T], prior [N], total [N] (bits per
 * dimension).  noise(context, t, eps) fills eps [N, D] with the noise that makes x_t. */
typedef struct { BoundTerm *term; double *prior, *total; } Bound;

typedef struct {
    void (*fill)(void *context, int t, double *eps);
    void *context;
} NoiseSource;

Bound bound_of(Arena *a, Denoiser *d, const Process *p, const double *x0, int N,
               const int *label, NoiseSource noise);

#endif
