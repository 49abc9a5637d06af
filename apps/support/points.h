/* Data sets of points of the plane, and the best denoiser that could be learned from
 * them: a mixture of round Gaussians at the points (denoiser.h). */
#ifndef APPS_SUPPORT_POINTS_H
#define APPS_SUPPORT_POINTS_H

#include "diffusion/denoiser.h"

typedef struct {
    int count;
    double *mean;               /* [count, 2] */
    double *weight, *std;       /* [count] */
} Points;

/* "swissroll", "ring", "pair", or an .npy file [N, 2]; scaled to mean 0 and variance 1 a
 * coordinate.  std: of each point, in those units.  The arena owns them.  Fails with the
 * list if there is no such data set or file. */
Points points_load(Arena *a, const char *what, double std);

MixtureDenoiser points_denoiser(const Points *p);

/* The density of their mixture at x, y with noise sigma. */
double points_density(const Points *p, double x, double y, double sigma);

#endif
