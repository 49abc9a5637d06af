/* From what a network says to the Gaussian of a step back, p(x_{t-1} | x_t) = N(mu,
 * Sigma).
 *
 * Sohl-Dickstein 2015 describe one way and publish another; in both a silent network
 * (z = 0) repeats the forward step, or nearly.  The others say what both approximate:
 *
 *     paper       Sigma = sigmoid(z_Sigma + logit beta)                            eq. 64
 *                 mu    = (1 - Sigma) x + Sigma z_mu: x decays towards z_mu        eq. 65
 *     code        Sigma = sigmoid(z_Sigma / sqrt(T) + logit beta)
 *                 mu    = sqrt(1 - beta) x + sqrt(beta) z_mu: a shift, in units of noise
 *     posterior   x_0 given x_t has mean z_mu and variance e^z_Sigma; so, by the laws of
 *                 total mean and variance, with q(x_{t-1} | x_t, x_0) of schedule.h,
 *                 mu    = c0 z_mu + ct x
 *                 Sigma = variance + c0^2 e^z_Sigma
 *     velocity    the same, from what x_t alone says of numbers N(0, 1):
 *                 x_0 has mean a x + s z_mu and variance s^2 e^z_Sigma
 *
 * A decay towards the data is what the first has in mind, but at its rate Sigma, near
 * beta, the data would be reached too slowly: z_mu has to exaggerate, by 1/s^2.  In the
 * third z_mu is a place among the data, at every t, and slow in x: easy to learn.  In the
 * last, -z_mu is the v of Salimans & Ho 2022 (process.h), of the same size at every t,
 * and a silent network repeats the forward step exactly: its K is L_null on any data of
 * variance 1. */
#ifndef DIFFUSION_READOUT_H
#define DIFFUSION_READOUT_H

#include <stdbool.h>

#include "diffusion/gaussian_bound.h"

/* x, z_mu, z_sigma, and the answers: [S, N, D]; l: of the S steps. */
typedef struct {
    const char *name;
    bool is_place;          /* z_mu is a place among the data; else 0 is a good start */
    void (*read)(Tape *t, Var *x, Var *z_mu, Var *z_sigma, const Levels *l, Var **mean,
                 Var **log_variance);
} Readout;

/* A usage error with the list if there is no such name. */
const Readout *readout_find(const char *name);

#endif
