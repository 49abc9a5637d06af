/* Points of the plane to learn from: data sets small enough to look at, of known density.
 *
 *     x0 = (c(u) - m) / k + width eps,    u uniform on [0, 1),  eps ~ N(0, I)
 *
 * c is a curve, or jumps from centre to centre; m and k make the mean of x0 zero and E
 * |x0|^2 = 2, as N(0, I) has.  Each noisy version of the data is then an average of
 * Gaussians over u, so its density, and hence its entropy, is an integral in one
 * dimension: the exact answer to compare a model's bound on the likelihood with. */
#ifndef APPS_SUPPORT_PLANE_H
#define APPS_SUPPORT_PLANE_H

#include "tensor/random.h"

typedef struct {
    const char *name, *about;
    void (*centre)(double u, double c[2]);
    double width;               /* 0: the data are the curve itself */
    double mean[2], scale;      /* m and k */
} Plane;

/* roll, moons or mixture; a usage error with the list if there is no such name. */
Plane plane_find(const char *name);

/* x [N, 2], from the numbers 0 ... 3N-1 of the row r. */
void plane_draw(const Plane *p, Random r, int N, double *x);

/* H(a x0 + s eps) in bits: the density at `draws` points by the midpoint rule over u,
 * whose steps must be finer than s (4096 of them, so s above 0.003); averaging leaves a
 * standard error of about 1/sqrt(draws). */
double plane_entropy(const Plane *p, double a, double s, Random r, int draws);

#endif
