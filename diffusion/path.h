/* The way from noise to image: x(t) = s(t) (x0 + sigma(t) eps), t from large to 0.
 *
 * Karras 2022 see that every earlier sampler follows one differential equation (eq. 4),
 *
 *     dx/dt = (sigma'/sigma + s'/s) x - sigma' s / sigma D(x/s; sigma),
 *
 * and that they differ in two functions of t, which may be chosen freely for any network:
 *
 *     schedule   sigma(t)                              scaling   s(t)
 *     linear     t                                     none      1
 *     ve         sqrt(t)                               vp        1 / sqrt(1 + sigma(t)^2)
 *     vp         sqrt(e^(beta_d t^2 / 2 + beta_min t) - 1)
 *
 * linear with none is EDM's choice: dx/dt = (x - D) / sigma, nearly straight. */
#ifndef DIFFUSION_PATH_H
#define DIFFUSION_PATH_H

#include <stdbool.h>

typedef struct Path Path;
struct Path {
    const char *schedule;
    double (*sigma)(const Path *p, double t);
    double (*inverse)(const Path *p, double sigma);
    double (*slope)(const Path *p, double t);       /* sigma' */
    bool scaled;
    double beta_d, beta_min;                        /* of vp */
};

/* beta_d and beta_min are such that vp has sigma_min at t = 1e-3 and sigma_max at t = 1.
 * Fails with the list if there is no such name. */
Path path_make(const char *schedule, const char *scaling, double sigma_min,
               double sigma_max);

/* vp with the betas of Ho 2020 in the limit of many steps: beta_d 19.9, beta_min 0.1. */
Path path_vp(void);

/* A place on it: x = s (x0 + sigma eps); ds, dsigma the derivatives. */
typedef struct { double t, sigma, s, dsigma, ds; } Point;

Point path_point(const Path *p, double t);

/* ---- where to stop on it: N levels from sigma_max to sigma_min ------------------------
 *
 *     edm      sigma^(1/rho) evenly spaced, rho = 7: fine near 0            eq. 5
 *     vp       t of vp evenly spaced                                        Song 2021
 *     ve       geometric                                                    Song 2021
 *     iddpm    of the 1000 levels of the cosine schedule, evenly spread     Nichol 2021 */
typedef struct {
    const char *name;
    double sigma_min, sigma_max, rho;
} Stops;

/* The ranges of the paper, table 1.  Fails with the list if there is no such name. */
Stops stops_find(const char *name);

/* Fills sigma[N], N at least 2. */
void stops_fill(const Stops *stops, int N, double *sigma);

#endif
