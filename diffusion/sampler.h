/* Turning noise into images: the forward process run backwards.
 *
 * A sampler goes down a schedule step by step; at each it asks the denoiser for x0_hat,
 * clips it to [-1, 1], and moves x to the next level.
 *
 *   ddpm    ancestral sampling (Ho 2020, algorithm 2): a draw from p(x_{t-1} | x_t),
 *               x_{t-1} = c0 x0_hat + ct x_t + sigma z,
 *     (eq. 7)
 *           sigma^2 the Variance of process.h
 *   ddim    (Song 2021, eq. 12; as in Nichol & Dhariwal 2021) keeps the predicted noise,
 *               x_{t-1} = a' x0_hat + sqrt(s'^2 - sigma^2) eps_hat + sigma z,
 *               sigma = eta (s' / s) sqrt(1 - a^2 / a'^2),   (a', s') the next level.
 *           eta = 0 is deterministic; eta = 1 is ddpm with fixed_small.
 *
 * The last step adds no noise.  With fewer steps than the schedule has, respace it
 * first.  Because ddim with eta = 0 draws nothing it can also go up, from an image to
 * its noise: `encode`.
 *
 * Guidance.  A gradient g of some log r(x) steers the samples towards r (Dhariwal &
 * Nichol 2021): ddpm adds variance * g to the mean (algorithm 1), ddim takes s g off
 * eps_hat (algorithm 2).
 *
 * Temperature scales all noise, at the start and on the way: below 1 samples are more
 * alike.
 *
 * The noise of an image depends on the seed and the image's own number only, so image 7
 * is the same in any batch, with any number of threads. */
#ifndef DIFFUSION_SAMPLER_H
#define DIFFUSION_SAMPLER_H

#include "diffusion/denoiser.h"
#include "tensor/random.h"

typedef struct Move Move;

typedef struct {
    void (*step)(const Move *m, double *x);
} Sampler;

extern const Sampler sampler_ddpm, sampler_ddim;

/* By its name in the table of methods.h; fails with the list if there is none. */
const Sampler *sampler_find(const char *name);

/* Samples number first ... first+N-1. */
typedef struct {
    uint64_t first;
    int N;
    const int *label;               /* [N], or NULL */
    bool alike;                     /* all have the noise of the first */
} Crowd;

typedef struct {
    const Sampler *sampler;
    const Variance *variance;       /* of ddpm; NULL: fixed_large */
    double eta;                     /* of ddim */
    bool no_clip;                   /* x0_hat may leave [-1, 1] */
    bool keep_eps;                  /* ddim takes eps_hat from x0_hat as it was before
                                       clipping, as diffusers does; OpenAI's code takes
                                       it from after */
    double temperature;             /* the noise is multiplied by it; 0: 1 */
    uint64_t seed;
    /* Fills g [N, size], if not NULL. */
    void (*guide)(void *context, const double *x, const Level *level, Crowd c, double *g);
    /* Turns N(mean, sigma^2), from which number i of x_{t-1} is to be drawn, into its
     * product with some r(x_{t-1}), if not NULL (posterior.h).  next: the level of
     * x_{t-1}. */
    void (*multiply)(void *context, const Level *next, size_t i, double *mean,
                     double *sigma);
    /* Called after each step, if not NULL: x and x0_hat [N, size], steps left. */
    void (*watch)(void *context, const double *x, const double *x0, int left);
    void *context;
} SamplingOptions;

/* One step of n numbers, from `now` to `next`. */
struct Move {
    const SamplingOptions *options;
    Level now, next;
    bool last;                      /* to the clean image: no noise is added */
    size_t n;
    Answer answer;                  /* clipped; v and mean NULL if not given */
    const double *eps;              /* eps_hat, or NULL: to be had from x0_hat */
    const double *g, *z;            /* gradient of the guide, or NULL; N(0, 1) */
};

/* Row k of the noise of each sample of a crowd, z [N, size]: the start for k = 0, then
 * one a step. */
void sample_noise(uint64_t seed, Crowd c, size_t size, int k, double *z);

/* x [N, size] at step t of the schedule to step t-1, with the noise z.  x0 receives
 * x0_hat. */
void sample_step(Denoiser *d, const Schedule *s, const SamplingOptions *o, int t, Crowd c,
                 const double *z, double *x, double *x0);

/* Fills x [N, size]. */
void sample(Denoiser *d, const Schedule *s, const SamplingOptions *o, Crowd c, double *x);

/* The same from x at step t on. */
void sample_from(Denoiser *d, const Schedule *s, const SamplingOptions *o, int t, Crowd c,
                 double *x);

/* The same from x at step t to x at step end < t; -1 is the image.  Going on from there
 * with sample_from draws what one call would have drawn; with a crowd of other numbers,
 * other images that share the way so far (Ho 2020, figure 7). */
void sample_between(Denoiser *d, const Schedule *s, const SamplingOptions *o, int t,
                    int end, Crowd c, double *x);

/* The same between any two levels, without noise. */
void sample_move(Denoiser *d, const SamplingOptions *o, Level now, Level next, Crowd c,
                 double *x, double *x0);

/* x at step t up to step t+1: ddim with eta = 0 turned round. */
void encode_step(Denoiser *d, const Schedule *s, const SamplingOptions *o, int t, Crowd c,
                 double *x, double *x0);

/* Images x [N, size], taken as step 0, up to step T-1: the noise from which ddim with
 * eta = 0 draws them.  The error of there and back falls as 1/T. */
void encode(Denoiser *d, const Schedule *s, const SamplingOptions *o, Crowd c, double *x);

#endif
