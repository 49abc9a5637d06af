/* Samples that fit an observation: p(x_0) times r(x_0) (Sohl-Dickstein 2015, section
 * 2.5).
 *
 * Multiply the distribution of every x_t by r.  The chain stays a diffusion if each step
 * becomes
 *
 *     p~(x_{t-1} | x_t)  ~  p(x_{t-1} | x_t) r(x_{t-1}),
 *
 * and since steps are small this is easy to draw from, whatever r is:
 *
 *     smooth r        N(mu + Sigma grad log r, Sigma)      the guide of sampler.h; with the
 *                                                          gradient of a classifier: guidance
 *     N(x; y, S^2)    product of two Gaussians: precisions add, the mean is their average
 *                         1/s'^2 = 1/s^2 + 1/S^2,   mu' = s'^2 (mu/s^2 + y/S^2)    denoising
 *     delta(x - y)    mu' = y, s' = 0                                              inpainting
 *
 * The 2015 code puts the clean y in at all t.  Lugmayr 2022 (RePaint) instead draws the
 * known part as noisy as the rest, from q(x_{t-1} | y), and takes each step several
 * times, with a step of the forward process after it, so that the unknown part can adapt
 * to the known. */
#ifndef DIFFUSION_POSTERIOR_H
#define DIFFUSION_POSTERIOR_H

#include <stdbool.h>

#include "diffusion/sampler.h"

typedef struct {
    const double *y;        /* [N, size] */
    const bool *known;      /* [N, size]: where y holds; NULL: everywhere */
    double noise;           /* S: of y; 0: y is exact */
    bool as_noisy;          /* the known part is noised to each level */
    int repeats;            /* of each step; at least 1 */
} Observation;

/* The hook `multiply` of sampler.h; context: an Observation. */
void posterior_multiply(void *context, const Level *next, size_t i, double *mean,
                        double *sigma);

/* Fills x [N, size].  Starts from noise where nothing is known; from y where it is,
 * unless as_noisy. The hooks of o are replaced; where y is exact, x is y to the bit. */
void sample_posterior(Denoiser *d, const Schedule *s, const SamplingOptions *o, Crowd c,
                      Observation *y, double *x);

#endif
