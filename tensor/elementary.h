/* Elementary functions for inner loops.
 *
 * libm's expf costs some ten nanoseconds a number and cannot be vectorised, and a U-Net
 * takes hundreds of millions of exponentials a step.  real_exp is plain arithmetic
 * without branches, so the compiler turns a loop over it into vector instructions:
 *
 *     exp(x) = 2^n * exp(r),   n = round(x / ln 2),   r = x - n ln 2,   |r| <= ln 2 / 2
 *
 * exp(r) is its Taylor polynomial.  Adding 1.5 * 2^23 rounds to an integer and leaves
 * it in the low bits of the sum, from where it is added to the exponent of exp(r).
 *
 * Relative error below 2.5e-7 (float) and 5e-16 (double) for results that are normal
 * numbers.  Smaller results stop at the smallest normal number, larger ones near the
 * largest: never inf, never 0.  NaN stays NaN. */
#ifndef TENSOR_ELEMENTARY_H
#define TENSOR_ELEMENTARY_H

#include <stdint.h>
#include <string.h>

#include "tensor/real.h"

#ifdef REFERENCE
static inline Real real_exp(Real x) { return (Real)exp((double)x); }

#elif defined(REAL_DOUBLE)
static inline double real_exp(double x)
{
    const double shift = 0x1.8p52;
    x = x > 709.0 ? 709.0 : x;
    x = x < -708.0 ? -708.0 : x;
    double t = x * 0x1.71547652b82fep0 + shift, n = t - shift;
    double r = x - n * 0x1.62e42fefa0000p-1 - n * 0x1.cf79abc9e3b3ap-40;
    double p = 1 / 6227020800.0;
    p = p * r + 1 / 479001600.0;
    p = p * r + 1 / 39916800.0;
    p = p * r + 1 / 3628800.0;
    p = p * r + 1 / 362880.0;
    p = p * r + 1 / 40320.0;
    p = p * r + 1 / 5040.0;
    p = p * r + 1 / 720.0;
    p = p * r + 1 / 120.0;
    p = p * r + 1 / 24.0;
    p = p * r + 1 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1;
    p = p * r + 1;
    uint64_t bits, exponent;
    memcpy(&bits, &p, 8);
    memcpy(&exponent, &t, 8);
    bits += exponent << 52;
    memcpy(&p, &bits, 8);
    return p;
}

#else
/* x between least < 0 and most > 0; NaN stays NaN.  Floats above 0 are in the order of
 * their bits, and so are those below 0 by size; compared as integers they do not wait for
 * the units that multiply. */
static inline float clamp_by_bits(float x, float least, float most)
{
    int32_t bits, high;
    uint32_t ubits, low;
    memcpy(&bits, &x, 4), memcpy(&high, &most, 4), memcpy(&low, &least, 4);
    bits = bits < high ? bits : high;           /* below 0: a negative integer, smaller */
    ubits = (uint32_t)bits < low ? (uint32_t)bits : low;    /* above 0: smaller too */
    float y;
    memcpy(&y, &ubits, 4);
    return x != x ? x : y;
}

static inline float real_exp(float x)
{
    const float shift = 0x1.8p23f;
    x = clamp_by_bits(x, -87.3f, 88.3f);
    float t = x * 0x1.715476p0f + shift, n = t - shift;
    float r = x - n * 0x1.62e4p-1f - n * 0x1.7f7d1cp-20f;
    float p = 1 / 5040.0f;
    p = p * r + 1 / 720.0f;
    p = p * r + 1 / 120.0f;
    p = p * r + 1 / 24.0f;
    p = p * r + 1 / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1;
    p = p * r + 1;
    uint32_t bits, exponent;
    memcpy(&bits, &p, 4);
    memcpy(&exponent, &t, 4);
    bits += exponent << 23;
    memcpy(&p, &bits, 4);
    return p;
}
#endif

/* The square root in the type's own precision. */
static inline Real real_sqrt(Real x)
{
    return sizeof x == 4 ? (Real)sqrtf((float)x) : (Real)sqrt((double)x);
}

static inline Real real_sigmoid(Real x) { return 1 / (1 + real_exp(-x)); }

#endif
