/* Bytes as numbers of mean 0 and variance 1, spread over their grey levels.
 *
 *     x = (byte + u - mean) / deviation,    u uniform on [0, 1)
 *
 * A density may put all its weight on the 256 levels, and then the likelihood of bytes
 * grows without end; with y = byte + u, E log2 p(y) is at most log2 of the byte's
 * probability (Jensen), and bits for a byte are log2 deviation - E log2 p(x).  Mean and
 * deviation are those of byte + u: u adds 1/2 to the one and 1/12 to the variance.
 *
 * (The code of Sohl-Dickstein 2015 divides the noise of 1/255 by the scale that it
 * multiplies the data by: on MNIST the noise is ten times too small.  Its scale is that
 * of one minibatch; here it is that of the whole set.) */
#ifndef APPS_SUPPORT_DEQUANTISE_H
#define APPS_SUPPORT_DEQUANTISE_H

#include <stddef.h>

#include "apps/support/dataset.h"
#include "tensor/random.h"

typedef struct { double mean, deviation; } Greys;       /* in grey levels */

/* Over all numbers of a set. */
Greys greys_of(const Dataset *d);

/* x [n] from bytes [n]; u are the numbers 0 ... n-1 of the row r. */
void dequantise(const Greys *g, const uint8_t *bytes, size_t n, Random r, double *x);

/* The bytes [n] in whose levels x lies; what is out of range becomes 0 or 255. */
void quantise(const Greys *g, const double *x, size_t n, uint8_t *bytes);

#endif
