/* Which noise levels a network knows, and what it is told of them: Karras 2022's c_noise.
 *
 * Any level (a, s) is, but for the scale of x, the level sigma = s / a of x0 + sigma eps.
 * So a sampler may ask every network at every sigma, whatever it was trained with, if
 * somebody knows what number to hand to the embedding:
 *
 *     schedule   the t of the nearest step of a schedule         Ho 2020, Nichol 2021
 *     vp         999 t(sigma), t of the path vp                  Song 2021
 *     ve         ln(sigma / 2)                                   Song 2021
 *     edm        ln(sigma) / 4                                   Karras 2022
 *
 * With Prediction (process.h) these are the rows of the paper's preconditioning,
 * D = c_skip x + c_out F(c_in x, c_noise), table 1; v = sigma^2 + d^2:
 *
 *     row     prediction   conditioning   c_skip   c_out              c_in
 *     vp      eps          vp             1        -sigma             1/sqrt(sigma^2 + 1)
 *     ve      score        ve             1        sigma              1
 *     iddpm   eps          schedule       1        -sigma             1/sqrt(sigma^2 + 1)
 *     edm     edm          edm            d^2/v    sigma d/sqrt(v)    1/sqrt(v) */
#ifndef DIFFUSION_CONDITIONING_H
#define DIFFUSION_CONDITIONING_H

#include "diffusion/schedule.h"

typedef struct Conditioning Conditioning;
struct Conditioning {
    const char *name;
    double sigma_min, sigma_max;                /* beyond them it cannot be asked */
    double (*told)(const Conditioning *c, double sigma);
    int rungs;          /* of a schedule, else 0: the levels that there are, increasing */
    double *rung;       /* [rungs] from 0, the clean image */
    double *rung_told;  /* [rungs] what is told there */
};

/* Fails with the list if there is no such name. */
Conditioning conditioning_make(Arena *a, const char *name, const Schedule *s);

/* That of the cosine schedule of 1000 steps, as the paper takes it for iDDPM. */
Conditioning conditioning_iddpm(Arena *a);

/* The nearest level that there is: sigma itself, if all are. */
double conditioning_round(const Conditioning *c, double sigma);

/* The place of that level among the rungs. */
int conditioning_nearest(const Conditioning *c, double sigma);

/* Makes the schedule tell what c tells, so that ddpm and ddim can ask any network too. */
void conditioning_tell(const Conditioning *c, Schedule *s);

/* x = a (x0 + sigma eps) with what the network is told; c may be NULL. */
Level conditioning_level(const Conditioning *c, double a, double sigma);

#endif
