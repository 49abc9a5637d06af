/* Rows of bits to learn from: what `drift heartbeat` can be given.
 *
 *     heartbeat   20 bits, a 1 in every fifth place: five such rows, equally likely
 *     mnist       28x28 pixels of a digit, 1 where the byte is at least 128 */
#ifndef APPS_SUPPORT_BITS_H
#define APPS_SUPPORT_BITS_H

#include "apps/support/dataset.h"
#include "tensor/random.h"
#include "tensor/real.h"

enum { MOST_BITS = 28 * 28 };

typedef struct Bits Bits;
struct Bits {
    const char *name;
    int D;                      /* bits a row, at most MOST_BITS */
    void (*load)(Bits *b, Arena *a, DatasetPart part);
    /* A random row x0 [D]; uses the numbers from MOST_BITS on of the random row r. */
    void (*draw)(const Bits *b, Random r, double *x0);
    /* Prints what there is to say of N samples x [N, D]. */
    void (*report)(const Bits *b, Arena *a, const Real *x, int N);
    double activity;            /* the share of ones, known after load */
    Dataset pictures;           /* of digits */
};

/* Loads the part for training; a usage error with the list if there is no such name. */
Bits bits_find(Arena *a, const char *name);

#endif
