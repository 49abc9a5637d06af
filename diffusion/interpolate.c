/* Between two images: see interpolate.h. */
#include "diffusion/interpolate.h"

#include <math.h>

static void mix(double u, const double *a, double v, const double *b, size_t D, double *x)
{
    for (size_t i = 0; i < D; i++) x[i] = u * a[i] + v * b[i];
}

void interpolate_linear(const double *a, const double *b, double f, size_t D, double *x)
{
    mix(1 - f, a, f, b, D, x);
}

void interpolate_slerp(const double *a, const double *b, double f, size_t D, double *x)
{
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < D; i++)
        aa += a[i] * a[i], bb += b[i] * b[i], ab += a[i] * b[i];
    double w = acos(fmin(fmax(ab / sqrt(aa * bb), -1), 1));
    if (w < 1e-6) interpolate_linear(a, b, f, D, x);        /* the circle is a line */
    else mix(sin((1 - f) * w) / sin(w), a, sin(f * w) / sin(w), b, D, x);
}
