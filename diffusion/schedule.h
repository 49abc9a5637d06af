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
 * Every process in this course has the form x = a x0 + s eps; a noise level is the pair (a, s) and
 * the number t that the network is told.  The tables are double in both builds.
 *
 * t counts from 0, as in the code of the papers; the papers' t is one more. */
#ifndef DIFFUSION_SCHEDULE_H
#define DIFFUSION_SCHEDULE_H

#include <stddef.h>

#include "tensor/memory.h"

/* x = a x0 + s eps */
typedef struct {
    double a, s;
    double t;           /* what the network is told */
} Level;

typedef struct {
    int T;
    double *beta;       /* [T] */
    double *alpha_bar;  /* [T] */
    double *told;       /* [T]: t of the schedule that the network was trained with */
} Schedule;

/* beta grows linearly from `first` to `last`; DDPM: 1e-4, 0.02, T = 1000.  Owned by the arena. */
Schedule schedule_linear(Arena *a, int T, double first, double last);

/* The same process seen at only `steps` of its times, evenly spread from 0 to T-1 (Nichol &
 * Dhariwal 2021, respace.py): alpha_bar is kept, beta'_i = 1 - alpha_bar_i / alpha_bar_{i-1} is
 * rebuilt.  Dies unless 1 <= steps <= T. */
Schedule schedule_respace(Arena *a, const Schedule *s, int steps);

/* The level of step t; t = -1 is the clean image, a = 1 and s = 0. */
Level schedule_level(const Schedule *s, int t);

#endif
