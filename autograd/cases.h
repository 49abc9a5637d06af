/* For each operation, how to call it on small, awkward inputs.
 *
 * Whoever adds an operation adds a row here, and everything that goes through all
 * operations finds it: gradients against finite differences, linear operations against
 * their transposes, equal bytes for any number of threads, and `drift gradcheck`.
 *
 * The samples of a row can be multiplied: the first axis of all inputs where it has the
 * same size as in the first.  So that of a parameter must have another size. */
#ifndef AUTOGRAD_CASES_H
#define AUTOGRAD_CASES_H

#include "autograd/ops.h"

/* Puts the operation on the tape. */
typedef Var *Build(Tape *t, Var *in[], const int *options);

typedef struct {
    const char *op;
    Build *build;
    Shape shape[MAX_INPUTS];    /* of the inputs; rank 0 after the last */
    int options[5];
    unsigned linear;            /* bit i: linear (or affine) in input i alone */
} Case;

extern const Case cases[];      /* ends with a NULL op */

int case_inputs(const Case *c);

/* The same call with `times` as many samples. */
Case case_enlarge(const Case *c, int times);

#endif
