/* The likelihood of an image, not a bound on it: the sampler's equation read as a flow.
 *
 * Without noise, sampling moves every point along one curve (path.h), in u = ln sigma
 *
 *     dx/du = x - x0_hat(x, sigma),
 *
 * and such a flow only carries probability along: where it spreads points out, the
 * density falls (Chen 2018; Song 2021, section 4.3).  In y = x / r, r = sqrt(1 +
 * sigma^2), which hardly moves at either end, from the image's up to pure noise:
 *
 *     dy/du = y / r^2 - x0_hat / r
 *     d ln p(y)/du = -div,   div = D / r^2 - trace J,   J = dx0_hat/dx
 *     ln p(x) = -D ln r + ln N(y at sigma_max; 0, 1) + integral of div du
 *
 * The trace needs D derivatives.  Hutchinson 1989: with random signs e it is E[e' J e],
 * and J' e is one walk back along the tape (`pull` in denoiser.h).
 *
 * What is exact is the density of x1 = x0 + sigma_min eps.  To the image itself, one of
 * 256 levels a number, leads the same last step as in the bound (likelihood.h):
 *
 *     -ln P(x0) <= E[ -ln p(x1) + ln q(x1 | x0) - ln P(x0 | x1) ],
 *
 * so the first two take the place of the bound's prior and KL, and the last is its L_0.
 * */
#ifndef DIFFUSION_FLOW_H
#define DIFFUSION_FLOW_H

#include "diffusion/sampler.h"

typedef struct {
    int N;                          /* levels, evenly spread in ln sigma; at least 2 */
    double sigma_min, sigma_max;    /* kept within what the denoiser knows */
    int probes;                     /* e, each sample has its own; 0: the whole trace */
    uint64_t seed;
} FlowOptions;

/* ln p, in nats, of each x [N, size] = x0 + sigma_min eps.  The denoiser must have
 * `pull`. By Heun's rule: the error falls as N^-2. */
void flow_log_density(Denoiser *d, const FlowOptions *o, Crowd c, const double *x,
                      double *log_p);

/* What x1 = x0 + sigma_min eps takes for each x0 [N, size], in bits per dimension:
 * -log2 p(x1) + log2 q(x1 | x0). */
void flow_bits(Denoiser *d, const FlowOptions *o, Crowd c, const double *x0,
               const double *eps, double *bits);

#endif
