/* Is a gradient right?  Compare it with the slope of the function itself.
 *
 * The operation's output is contracted with fixed random weights to one number L, and for
 * every number x of every input
 *
 *     dL/dx  is compared with  (L(x + h) - L(x - h)) / 2h.
 *
 * This is done once for every subset of the inputs held constant, because a backward that
 * forgets to skip a constant input, or skips too much, is right in all other cases.
 * Every value that no operation says its backward will read is NaN by then, and every
 * gradient has been added to before. */
#ifndef AUTOGRAD_GRADCHECK_H
#define AUTOGRAD_GRADCHECK_H

#include "autograd/cases.h"

/* An entry of a gradient and the slope there. */
typedef struct {
    double error;           /* |gradient - slope| / max(1, |gradient|) */
    int input;
    unsigned varying;       /* bit i: input i was not constant */
    size_t index;           /* in the input, row by row */
    double gradient, slope;
} Mismatch;

/* Fills the inputs with fixed numbers in [-1, 1) and returns the entry with the largest
 * error.  A right gradient gives about 1e-10 in double (step 1e-5) and 1e-3 in float
 * (step 1e-2); check in double. */
Mismatch gradcheck(const Case *c);

/* For an operation y = A x + b that is linear in input `input`:  <A'w, x> = <w, A x> for
 * any w, so a backward that is not the transpose of its forward shows in one number:
 * |<dx, x> - <w, y(x) - y(0)>| / max(1, |<dx, x>|), with random w. */
double check_transpose(const Case *c, int input);

#endif
