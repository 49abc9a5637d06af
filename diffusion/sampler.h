/* Turning noise into images: the forward process run backwards.
 *
 * Both samplers go down a schedule step by step; at each they ask the denoiser for x0_hat, clip
 * it to [-1, 1], and draw the next, less noisy x from what is then known.
 *
 *   ddpm   ancestral sampling (Ho 2020, algorithm 2): from the posterior of the forward process,
 *              x_{t-1} = c0 x0_hat + c1 x_t + sqrt(beta_t) z,                              (eq. 7)
 *              c0 = beta_t sqrt(alpha_bar_{t-1}) / (1 - alpha_bar_t),
 *              c1 = (1 - alpha_bar_{t-1}) sqrt(1 - beta_t) / (1 - alpha_bar_t)
 *   ddim   (Song 2021, eq. 12; as in Nichol & Dhariwal 2021): keeps the predicted noise,
 *              x_{t-1} = a' x0_hat + sqrt(s'^2 - sigma^2) eps_hat + sigma z,
 *              sigma = eta (s' / s) sqrt(1 - a^2 / a'^2),   (a', s') the next level.
 *          eta = 0 is deterministic; eta = 1 is ancestral with the smaller variance.
 *
 * The last step adds no noise.  With fewer steps than the schedule has, respace it first.
 *
 * The noise of an image depends on the seed and the image's own number only, so image 7 is
 * the same in any batch, with any number of threads. */
#ifndef DIFFUSION_SAMPLER_H
#define DIFFUSION_SAMPLER_H

#include "diffusion/denoiser.h"
#include "tensor/random.h"

/* Where x goes from level t to level t-1; z is one standard normal number for each x. */
typedef struct {
    const char *name;
    void (*step)(const Schedule *s, int t, double eta, const double *x0, const double *z,
                 double *x, size_t n);
} Sampler;

extern const Sampler samplers[];                    /* ends with a NULL name */
const Sampler *sampler_find(const char *name);      /* NULL if there is none */

typedef struct {
    const Sampler *sampler;
    double eta;
    uint64_t seed;
    /* Called after each step, if not NULL: x and x0_hat [N, size], steps left. */
    void (*watch)(void *context, const double *x, const double *x0, int left);
    void *context;
} SamplingOptions;

/* Fills x [N, size] with samples number first ... first+N-1. */
void sample(Denoiser *d, const Schedule *s, const SamplingOptions *o, uint64_t first, int N,
            const int *label, double *x);

#endif
