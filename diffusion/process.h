/* A diffusion process with a learned way back: the choices of Ho 2020 and Nichol &
 * Dhariwal 2021.
 *
 * Given x = a x0 + s eps, any one of x0, eps or a mix of them determines the others, so a
 * network may be asked for any.  Which one is a Prediction:
 *
 *     eps         the noise                           x0 = (x - s eps) / a    Ho, eq. 15
 *     x0          the image
 *     previous    the mean of x_{t-1}, c0 x0 + ct x   x0 = (mean - ct x) / c0
 *     v           a eps - s x0                        x0 = a x - s v    Salimans & Ho 2022
 *     score       -eps: s times the gradient of log p(x)          Song 2021 (VE)
 *     edm         the mix whose variance is 1 at each level:      Karras 2022, eq. 7
 *                     x0 = c_skip x/a + c_out F,  sigma = s/a,  data of deviation d = 0.5
 *                     c_skip = d^2 / (sigma^2 + d^2),  c_out = sigma d / sqrt(sigma^2 + d^2)
 *
 * At the input the network gets `input` times x: 1/sqrt(a^2 + s^2), which is 1 for the
 * schedules of Ho 2020; 1/a for score; 1/sqrt(a^2 d^2 + s^2) for edm.
 *
 * The way back p(x_{t-1} | x_t) is a Gaussian with the mean c0 x0 + ct x of the true
 * posterior at the predicted x0.  Its Variance is one of two fixed ones, right for data
 * of variance 1 and for a single point, or what the network says in a second set of
 * channels:
 *
 *     fixed_large     beta_t; at t = 0, where it is useless, the next one of fixed_small
 *     fixed_small     that of q(x_{t-1} | x_t, x0)
 *     learned         log variance = v
 *     learned_range   log variance between the two, v = -1 small, v = 1 large
 *                     (Nichol & Dhariwal 2021, eq. 15) */
#ifndef DIFFUSION_PROCESS_H
#define DIFFUSION_PROCESS_H

#include <stdbool.h>

#include "diffusion/conditioning.h"
#include "diffusion/schedule.h"

typedef struct {
    const char *name;
    double (*target)(double x0, double eps, const Level *l);    /* of one number */
    double (*to_x0)(double out, double x, const Level *l);      /* from the network's output */
    double (*input)(const Level *l);    /* what x is multiplied by for the network */
    bool is_mean;               /* the output is the mean itself: it stays when x0 is clipped */
} Prediction;

typedef struct {
    const char *name;
    bool learned;               /* the network has a second set of channels, v */
    double (*variance)(double v, const Level *l);
    double (*log_variance)(double v, const Level *l);
} Variance;

/* Fail with the list if there is no such name. */
const Prediction *prediction_find(const char *name);
const Variance *variance_find(const char *name);

typedef struct {
    Schedule schedule;
    const Prediction *prediction;
    const Variance *variance;
    const char *loss;           /* objective.h */
    Conditioning conditioning;
} Process;

#endif
