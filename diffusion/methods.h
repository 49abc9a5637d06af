/* Every way of sampling, a row each: what `drift sample --sampler` chooses from.
 *
 * The two kinds are asked for in the same words but move differently:
 *
 *     along the steps that the model was trained on      Sampler (sampler.h)
 *     along a path of our choice, an ODE                 Solver (solver.h)
 *
 * A new method is its rule, in sampler.c or solver.c, and a row in methods.c. */
#ifndef DIFFUSION_METHODS_H
#define DIFFUSION_METHODS_H

#include "diffusion/solver.h"

typedef struct {
    const char *name, *about;
    const Sampler *sampler;     /* one of these two, the other NULL */
    const Solver *solver;
    const char *steps;          /* how many are taken unless told */
} Method;

extern const Method methods[];  /* ended by a row without a name */

/* Fails with the list if there is no such name. */
const Method *method_find(const char *name);

/* "ddpm, ddim, ..."; in the scratch arena. */
const char *method_names(void);

#endif
