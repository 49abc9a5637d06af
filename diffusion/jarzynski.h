/* The probability that a model gives to x_0, by averaging over the way to noise.
 *
 * p(x_0) is an integral over all paths x_1 ... x_T that end in x_0, hopeless to do from
 * the model's side, where hardly a path ends there.  But q's paths begin in x_0 (eq. 9):
 *
 *     p(x_0) = E_q [ W ],   W = p(x_T) prod_t p(x_{t-1} | x_t) / q(x_t | x_{t-1}).
 *
 * It is Jarzynski's equality of 1997: exp(-free energy) is the mean of exp(-work) over
 * processes however fast; and annealed importance sampling (Neal 2001).  Jensen turns it
 * into the bound: E log W <= log E W, which is K for data x_0.  The two are the same
 * where W does not vary: a process slow enough to be at equilibrium at all times,
 * "quasi-static", of which p is the exact reverse.  M paths give something between: the
 * log of their mean is at least the mean of their logs, and on average at most log
 * p(x_0). */
#ifndef DIFFUSION_JARZYNSKI_H
#define DIFFUSION_JARZYNSKI_H

#include "diffusion/schedule.h"
#include "tensor/random.h"

/* p(x_{t-1} | x_t) of M states x [M, D]: mean and log variance, [M, D]. */
typedef struct {
    void (*predict)(void *context, int t, const double *x, double *mean,
                    double *log_variance);
    void *context;
} Backward;

/* Nats: log of the mean of W, mean of log W, and deviation of log W over the paths. */
typedef struct { double log_mean, mean_log, deviation; } PathAverage;

/* M paths from x0 [D], their noise from the row r; p(x_T) = N(0, I). */
PathAverage path_average(const Schedule *s, const double *x0, size_t D, int M, Random r,
                         Backward p);

#endif
