/* How good are the samples?  Distances between two sets of images, each image known by a
 * vector of D features (in the papers: of an Inception network, nn/inception.h; any
 * features will do, even pixels, to see how the measures behave).
 *
 *     Frechet distance     of two Gaussians with the sets' means m and covariances S
 *                          (Heusel 2017; FID with Inception's features):
 *                              |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)
 *     inception score      exp of the mean over images of KL(p(y|x) || p(y)): sure of
 *                          each image, unsure of all together (Salimans 2016)
 *     precision, recall    shares of the generated images inside the reference set, and
 *                          of the reference images inside the generated one; a set is
 *                          the union of balls around its members that reach to their
 *                          k-th neighbour (Kynkaanniemi 2019, k = 3)
 *     Parzen window        samples as a density, a Gaussian of width w on each of M centres
 *                              p(x) = mean of N(x; c, w^2 I)      (Breuleux 2011)
 *
 * All in double, from features in row-major [N, D]. */
#ifndef DIFFUSION_METRICS_H
#define DIFFUSION_METRICS_H

#include "tensor/memory.h"

typedef struct {
    int N, D;
    const double *x;            /* [N, D] */
} Features;

typedef struct {
    int D;
    double *mean, *covariance;  /* [D], [D, D] */
} Moments;

/* Mean and covariance (divisor N - 1) of at least two images; the arena owns them. */
Moments feature_moments(Arena *a, Features f);

/* Never below 0.  Covariances may be singular, as they are with N <= D. */
double frechet_distance(const Moments *p, const Moments *q);

/* The mean score of splits of `split` rows in turn, the last perhaps shorter; p [N, K]
 * are class probabilities. */
double inception_score(Features p, int split);

/* radius [N]: the squared distance to the k-th nearest other member; k < N. */
void neighbour_radii(double *radius, Features set, int k);

/* The share of the points that lie in a ball of the set. */
double share_inside(Features points, Features set, const double *radius);

/* ln p(x) of a Parzen window, from |x - c|^2 to each of M centres in D dimensions. */
double parzen_log_density(const double *square, int M, int D, double width);

#endif
