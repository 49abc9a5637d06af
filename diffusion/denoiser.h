/* The one thing a sampler needs to know: given a noisy image, what is the clean one?
 *
 *     x0_hat(x, level) = E[ x0 | x = a x0 + s eps ]
 *
 * A trained network is a Denoiser, and so is anything else that can answer: the formula
 * for a Gaussian, the average of a data set weighted by distance, another Denoiser
 * steered by a classifier.  Samplers are written against this interface alone.
 *
 * Some can tell their derivative too, which likelihoods need (flow.h): the network by
 * walking its tape backwards, the formulas by formulas.
 *
 * A Denoiser is a struct whose first member is this one; predict gets it back as
 * `self`. */
#ifndef DIFFUSION_DENOISER_H
#define DIFFUSION_DENOISER_H

#include "diffusion/objective.h"

/* [N, size] each.  v and mean are NULL where the asker does not want them, and are left
 * alone by a denoiser that has nothing to say about them. */
typedef struct {
    double *x0;         /* the clean image */
    double *v;          /* about the variance of the step down (process.h) */
    double *mean;       /* the mean of the step down, if that is what was predicted */
} Answer;

/* The mean of the step down for number i of x. */
static inline double answer_mean(const Answer *a, const Level *l, double x, size_t i)
{
    return a->mean ? a->mean[i] : l->c0 * a->x0[i] + l->ct * x;
}

typedef struct Denoiser Denoiser;
struct Denoiser {
    size_t size;        /* numbers in one sample */
    bool gives_v, gives_mean;
    /* x [N, size], all samples at one level; label[N] or NULL. */
    void (*predict)(Denoiser *self, const double *x, const Level *level, const int *label,
                    int N, Answer *answer);
    const Conditioning *conditioning;   /* which levels it knows; NULL: all, and t is not read */
    /* The derivative of x0_hat, transposed, times e: g [N, size] with
     *     g_j = sum over i of e_i dx0_hat_i / dx_j,
     * and x0_hat itself.  NULL where nobody has written it. */
    void (*pull)(Denoiser *self, const double *x, const Level *level, const int *label,
                 int N, const double *e, double *x0, double *g);
};

/* What a network's output means: fills the answer for n numbers from out and, for a
 * process with a learned variance, v. */
void answer_from_output(Answer *answer, const Process *p, const Level *level,
                        const double *x, const double *out, const double *v, size_t n);

/* A network and its weights (params->value or an average).  The tape is the network's
 * own. */
typedef struct {
    Denoiser base;
    const UNet *net;
    const Params *params;
    const Real *weights;
    const Process *process;
    Tape tape;
    SmallPictures small;    /* of the samples asked about, for a super-resolution network */
} NetworkDenoiser;

NetworkDenoiser network_denoiser(const UNet *net, const Params *params,
                                 const Real *weights, const Process *process);
void network_denoiser_destroy(NetworkDenoiser *d);

/* The exact answer for data N(mean, variance) in every coordinate, for tests and for
 * seeing what a sampler does when the network is perfect:
 *     x0_hat = mean + a variance (x - a mean) / (a^2 variance + s^2). */
typedef struct {
    Denoiser base;
    double mean, variance;
} GaussianDenoiser;

GaussianDenoiser gaussian_denoiser(size_t size, double mean, double variance);

/* The exact answer for a mixture of K round Gaussians N(mean_k, std_k^2) with any
 * weights, in x' = x / a, sigma = s / a:
 *     r_k ~ weight_k N(x'; mean_k, std_k^2 + sigma^2)
 *     x0_hat = sum_k r_k (std_k^2 x' + sigma^2 mean_k) / (std_k^2 + sigma^2).
 * With the images of a data set as means and std 0 it is the best that any network
 * could learn from them (Karras 2022, appendix B.3): far off their mean, close by the
 * nearest of them. */
typedef struct {
    Denoiser base;
    int K;
    const double *weight, *std, *mean;      /* [K], [K], [K, size]; not owned */
} MixtureDenoiser;

MixtureDenoiser mixture_denoiser(size_t size, int K, const double *weight,
                                 const double *std, const double *mean);

#endif
