/* The one thing a sampler needs to know: given a noisy image, what is the clean one?
 *
 *     x0_hat(x, level) = E[ x0 | x = a x0 + s eps ]
 *
 * A trained network is a Denoiser, and so is anything else that can answer: the formula for a
 * Gaussian, the average of a data set weighted by distance, another Denoiser steered by a
 * classifier.  Samplers are written against this interface alone.
 *
 * A Denoiser is a struct whose first member is this one; predict gets it back as `self`. */
#ifndef DIFFUSION_DENOISER_H
#define DIFFUSION_DENOISER_H

#include "diffusion/objective.h"

typedef struct Denoiser Denoiser;
struct Denoiser {
    size_t size;        /* numbers in one sample */
    /* x, x0 [N, size]; all samples at one level; label[N] or NULL.  Writes x0_hat to x0. */
    void (*predict)(Denoiser *self, const double *x, Level level, const int *label, int N,
                    double *x0);
};

/* A network and its weights (params->value or an average).  The tape is the network's own. */
typedef struct {
    Denoiser base;
    const UNet *net;
    const Params *params;
    const Real *weights;
    const Objective *objective;
    Tape tape;
} NetworkDenoiser;

NetworkDenoiser network_denoiser(const UNet *net, const Params *params, const Real *weights,
                                 const Objective *objective);
void network_denoiser_destroy(NetworkDenoiser *d);

/* The exact answer for data N(mean, variance) in every coordinate, for tests and for seeing what
 * a sampler does when the network is perfect:
 *     x0_hat = mean + a variance (x - a mean) / (a^2 variance + s^2). */
typedef struct {
    Denoiser base;
    double mean, variance;
} GaussianDenoiser;

GaussianDenoiser gaussian_denoiser(size_t size, double mean, double variance);

#endif
