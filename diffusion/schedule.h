/* The forward process: how an image turns into noise.
 *
 * Each of T steps shrinks the image a little and adds a little noise (Ho 2020, eq. 2),
 *
 *     q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t I),
 *
 * and because Gaussians add up, any number of steps can be taken at once (eq. 4):
 *
 *     x_t = a x0 + s eps,   a = sqrt(alpha_bar_t),  s = sqrt(1 - alpha_bar_t),
 *     alpha_bar_t = product over i <= t of (1 - beta_i),   eps ~ N(0, I).
 *
 * Every process in this course has the form x = a x0 + s eps; a noise level is the pair
 * (a, s) and the number t that the network is told.  Tables are double in both builds.
 *
 * Going back one step, if x0 were known, would again be a Gaussian (eq. 6, 7):
 *
 *     q(x_{t-1} | x_t, x0) = N(c0 x0 + ct x_t, variance I)
 *     c0 = beta_t sqrt(alpha_bar_{t-1}) / (1 - alpha_bar_t)
 *     ct = (1 - alpha_bar_{t-1}) sqrt(1 - beta_t) / (1 - alpha_bar_t)
 *     variance = beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t)
 *
 * t counts from 0, as in the code of the papers; the papers' t is one more. */
#ifndef DIFFUSION_SCHEDULE_H
#define DIFFUSION_SCHEDULE_H

#include <stddef.h>

#include "tensor/memory.h"

enum { MOST_STEPS = 1 << 20 };      /* T */

/* x = a x0 + s eps, and the way down from here. */
typedef struct {
    double a, s;
    double t;               /* what the network is told */
    double c0, ct;          /* of the mean of q(x_{t-1} | x_t, x0) */
    double variance;        /* of it: 0 at t = 0 */
    double log_variance;    /* its logarithm; at t = 0, where it is -inf, that of t = 1 */
    double log_beta;
} Level;

typedef struct {
    int T;
    double *beta;       /* [T] */
    double *alpha_bar;  /* [T] */
    double *told;       /* [T]: t of the schedule that the network was trained with */
} Schedule;

/* A schedule by name; it belongs to the arena.  first and last are beta's ends,
 * f = t/(T-1):
 *
 *     linear        first + (last - first) f                     Ho 2020: 1e-4, 0.02
 *                                                                for T = 1000
 *     linear_scaled the same, ends times 1000/T: alike for any T Nichol & Dhariwal 2021
 *     quadratic     (sqrt(first) + (sqrt(last) - sqrt(first)) f)^2
 *     constant      last
 *     warmup10, warmup50   linear over the first tenth, half of the steps, then last
 *     jsd           1/T, 1/(T-1) ... 1                           Sohl-Dickstein 2015
 *     geometric     s/a grows by the same factor each step, so that each spoils another
 *                   scale; first and last are s^2 at the ends, between 0 and 1
 *     cosine        from alpha_bar(u) = cos^2((u + 0.008)/1.008 pi/2),
 *                   beta_t = 1 - alpha_bar((t+1)/T)/alpha_bar(t/T), at most 0.999
 *     sqrt          alpha_bar(u) = 1 - sqrt(u + 1e-4), likewise  Li 2022
 *     sigmoid_beta  first + (last - first)/(1 + e^-(12 f - 6))   diffusers
 *     sigmoid       alpha_bar(u) falls as 1/(1 + e^(6u - 3)) from 1 to 0, likewise
 *                                                                Jabri 2022
 *
 * Fails with the list if the name is unknown. */
Schedule schedule_make(Arena *a, const char *name, int T, double first, double last);

/* The same process seen at some of its times only (Nichol & Dhariwal 2021, respace.py):
 * alpha_bar is kept, beta'_i = 1 - alpha_bar_i / alpha_bar_{i-1} is rebuilt.  `which`:
 *
 *     "25"          25 times evenly spread from 0 to T-1
 *     "10,15,20"    T cut into as many equal parts, so many times from each
 *     "ddim25"      every k-th from 0, for the k that gives exactly 25
 *
 * A usage error if a part has fewer times than wanted, or no k does it. */
Schedule schedule_respace(Arena *a, const Schedule *s, const char *which);

/* Tells the network t 1000/T instead of t, so that it sees the same range for any T. */
void schedule_rescale_told(Schedule *s);

/* The level of step t; t = -1 is the clean image (a = 1, s = 0),
 * t = T pure noise (a = 0). */
Level schedule_level(const Schedule *s, int t);

/* The level of any t from 0 to T-1, as the code of Sohl-Dickstein 2015 has it: beta and
 * alpha_bar are sums of the tables with weights w_k = max(0, 1 - |t - k|), a straight line
 * between neighbours, and alpha_bar of the step before is alpha_bar / (1 - beta).  A whole
 * t gives schedule_level, but beta must be below 1. */
Level schedule_between(const Schedule *s, double t);

#endif
