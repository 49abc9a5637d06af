/* The number type of the engine.
 *
 * Every value, weight and gradient is a Real: float for speed, double (`make
 * REAL=double`) for proofs.  In float a gradient that is wrong by one part in ten
 * thousand hides in the rounding; in double it cannot, so gradient checks run there.
 *
 * Rules: sums over more than a few hundred numbers are kept in double or in several
 * partial sums; schedules and samplers are double in both builds. */
#ifndef TENSOR_REAL_H
#define TENSOR_REAL_H

#include <float.h>
#include <math.h>

#ifdef REAL_DOUBLE
typedef double Real;
#define REAL_MAX DBL_MAX
#define REAL_NAME "double"
#define REAL_BYTES 8
#else
typedef float Real;
#define REAL_MAX FLT_MAX
#define REAL_NAME "float"
#define REAL_BYTES 4
#endif

#endif
