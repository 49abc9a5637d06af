/* Steering a sampler towards a class: denoisers around denoisers.
 *
 * Classifier-free guidance (Ho & Salimans 2022).  A network that has learned both with
 * and without the class (its label left out in a tenth of the training) knows the class's
 * own direction: the difference between its two answers.  Going further that way,
 *
 *     x0 = x0(no class) + w (x0(class) - x0(no class)),
 *
 * is sampling from p(x) p(class | x)^w: w = 1 is the network as it is, larger w gives
 * clearer and less varied samples.  (Where the paper writes (1 + w') eps(class) - w'
 * eps(no class), w' = w - 1; the same combination of x0, eps or v is the same thing, for
 * each is linear in the others.) */
#ifndef DIFFUSION_GUIDANCE_H
#define DIFFUSION_GUIDANCE_H

#include "diffusion/denoiser.h"

typedef struct {
    Denoiser base;
    Denoiser *inner;
    double w;
} ClassifierFree;

/* inner must outlive it. */
ClassifierFree classifier_free(Denoiser *inner, double w);

#endif
