/* Between two images: mixing what the sampler starts from instead of the pixels.
 *
 * Half of one picture over half of another is a double exposure, not a picture.  Ho 2020
 * (section 4.4) brings both to step t, mixes there, and lets the way back make an image
 * of the mixture:
 *
 *     x_t, x_t' ~ q(x_t | x0), q(x_t | x0'),      (1 - f) x_t + f x_t'       linear
 *
 * The higher t, the more the network may choose itself.  Noise mixed so loses length; at
 * the top of the chain, where x is nothing but noise, Song 2021 (DDIM, appendix D.5) goes
 * along the circle:
 *
 *     (sin((1 - f) w) x_T + sin(f w) x_T') / sin w,                          slerp
 *     cos w = x_T.x_T' / |x_T||x_T'|
 *
 * which ddim's `encode` fits: the ends come back as the images themselves. */
#ifndef DIFFUSION_INTERPOLATE_H
#define DIFFUSION_INTERPOLATE_H

#include <stddef.h>

/* x[D] between a[D], f = 0, and b[D], f = 1. */
void interpolate_linear(const double *a, const double *b, double f, size_t D, double *x);
void interpolate_slerp(const double *a, const double *b, double f, size_t D, double *x);

#endif
