/* Bytes and numbers: see dequantise.h. */
#include "apps/support/dequantise.h"

#include <math.h>

Greys greys_of(const Dataset *d)
{
    double sum = 0, squares = 0;
    size_t n = (size_t)d->count * (size_t)(d->height * d->width * d->channels);
    for (size_t i = 0; i < n; i++) {
        double byte = d->pixels[i];
        sum += byte, squares += byte * byte;
    }
    double mean = sum / (double)n, variance = squares / (double)n - mean * mean;
    return (Greys){mean + 0.5, sqrt(variance + 1.0 / 12)};
}

void dequantise(const Greys *g, const uint8_t *bytes, size_t n, Random r, double *x)
{
    random_uniforms(r, 0, n, x);
    for (size_t i = 0; i < n; i++) x[i] = (bytes[i] + x[i] - g->mean) / g->deviation;
}

void quantise(const Greys *g, const double *x, size_t n, uint8_t *bytes)
{
    for (size_t i = 0; i < n; i++) {
        double level = floor(g->mean + g->deviation * x[i]);
        bytes[i] = (uint8_t)fmin(fmax(level, 0), 255);
    }
}
