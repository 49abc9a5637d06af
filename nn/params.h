/* The parameters of a model: a list of names and shapes over one block of numbers.
 *
 *     value   [w00 w01 ... | b0 b1 ... | gamma ... ]      all parameters, as declared
 *     grad    [ the same layout ]
 *
 * Because each kind of number is one contiguous block, the optimiser, gradient clipping,
 * the moving average and the checkpoint are one loop or one call each.
 *
 * A model is made in two steps.  Its layers declare what they need (params_add), which
 * costs nothing, so the parameters of a network of any size can be counted;
 * params_allocate then makes the blocks and fills in the initial numbers. */
#ifndef NN_PARAMS_H
#define NN_PARAMS_H

#include <stdint.h>

#include "autograd/tape.h"
#include "nn/init.h"
#include "tensor/random.h"

typedef struct {
    const char *name;       /* "down.0.1.conv1.weight" */
    Shape shape;
    size_t offset, size;    /* in the block, in numbers */
    Init init;
} Param;

typedef struct {
    Arena arena;            /* owns everything below */
    Param *list;
    int count, room;
    size_t size;            /* numbers in all */
    Real *value, *grad;     /* NULL before params_allocate */
    const InitRule *rule;   /* how the layers declared from now on start */
} Params;

Params params_create(void);

/* Declares a parameter; returns its number in the list.  The name is printf-style. */
int params_add(Params *p, Shape shape, Init init, const char *name, ...)
    __attribute__((format(printf, 4, 5)));

/* A block of the size of all parameters, owned by p, filled with 0. */
Real *params_block(Params *p);

/* Makes value and grad; each parameter's numbers depend on (seed,
 * its place in the list). */
void params_allocate(Params *p, uint64_t seed);

void params_zero_grad(Params *p);
void params_destroy(Params *p);

/* One run through a model: where it is recorded, and with which numbers.  weights may be
 * params->value or an average of it; grads NULL means that no gradients are wanted. */
typedef struct {
    Tape *tape;
    const Params *params;
    const Real *weights;
    Real *grads;
    bool training;          /* dropout is on */
    Random random;          /* of dropout: one row a step */
    uint32_t draws;         /* dropouts so far in this run */
    uint64_t first;         /* the place of the first sample in its batch */
} Pass;

Pass pass_training(Tape *t, Params *p, Random r);
Pass pass_inference(Tape *t, const Params *p, const Real *weights);

/* Parameter number i as a leaf of the pass's tape. */
Var *pass_param(Pass *pass, int i);

#endif
