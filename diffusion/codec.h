/* A diffusion model as a compressor: the variational bound as a file (Ho 2020, section
 * 4.3, algorithms 3 and 4).
 *
 * The bound is a code length.  Sender and receiver have the model and a table of random
 * numbers.  x_T is from the table, free.  Then down the chain the sender, who knows x0,
 * has the receiver draw from q(x_{t-1} | x_t, x0) although it only knows p(x_{t-1} | x_t)
 * (reverse_channel.h): KL(q || p) bits.  At the end the pixels, each one of 256, follow
 * by arithmetic coding under the discretised Gaussian: L_0.  Stopping earlier leaves
 * x0_hat, and a rate and a distortion.
 *
 * With fixed_small variances q and p differ in their means only, and from t to any t' < t
 *
 *     KL = 1/2 |x0 - x0_hat|^2 (a'^2 / s'^2 - a^2 / s^2)    nats
 *
 * (Kingma 2021): half the squared error times the gain in signal to noise.  So the sender
 * can go as far down in one step as a channel carries, some 10 bits; where even a single
 * step of the schedule has more, the image is dealt out to several channels.  How far,
 * the receiver learns from the squared error, sent as a power of sqrt 2.
 *
 * Both sides compute the same x0_hat only if they are the same program on the same kind
 * of machine. */
#ifndef DIFFUSION_CODEC_H
#define DIFFUSION_CODEC_H

#include "diffusion/denoiser.h"
#include "diffusion/reverse_channel.h"

typedef struct {
    double channel;         /* bits that one channel is to carry */
    int until;              /* stop at this step and take x0_hat; 0: all the bits */
    uint64_t seed;          /* of the table */
} CodecOptions;

/* What it cost in bits: the chain by theory and as coded, the pixels likewise. */
typedef struct {
    int steps, channels;
    double kl, chain;               /* kl: of a writer */
    double likelihood, pixels;
    double rmse;            /* of x0_hat where the chain stopped; of a writer */
} CodecReport;

/* Writes the image x0 [size], numbers of 256 levels, or reads it.  x0 receives what is
 * read: with until 0 the image itself, else x0_hat. */
CodecReport codec_run(Arithmetic *c, Denoiser *d, const Process *p,
                      const CodecOptions *o, const int *label, double *x0);

#endif
