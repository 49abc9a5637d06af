/* A published network: ours, filled by the formula through the list of published arrays
 * (nn/published.h), and compared array by array. */
#ifndef TESTS_GOLDEN_NETWORKS_H
#define TESTS_GOLDEN_NETWORKS_H

#include "nn/published.h"
#include "tests/golden.h"

/* Fills value by the weight rule of the file; every shape/NAME of g's group must be an
 * array of the list, and the other way round. */
void golden_fill(Golden *g, const Published *w, Real *value);

/* gstat/NAME of each array, grad/NAME or dw/NAME where stored, and grad_total_norm. */
void golden_compare_gradients(Golden *g, const Published *w, const Real *grad);

/* PyTorch's [N, C, H, W] of the file as our [N, H, W, C].  With grad, the leaf's gradient
 * is added to it, in PyTorch's order. */
Var *golden_image(Golden *g, Tape *t, const char *name, Real *grad);
Var *golden_channels_first(Tape *t, Var *x);

/* The outputs of modules, act/MODULE.  The watch keeps the first sample of every value,
 * as most are gone when the network has run; it belongs to the tape's watcher. */
typedef struct {
    Arena *arena;
    Real **kept;                /* [lines] */
    int room;
} Watcher;

void golden_watch(Tape *t, void (*f)(Var *y), Var *y);
void golden_compare_modules(Golden *g, const Published *w, Pass *pass,
                            const GroupNorm *norm_out);

#endif
