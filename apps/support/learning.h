/* The training loop of the programs of 2015 (swissroll, heartbeat, pixels): as short as
 * one can be, without checkpoints.  That of `drift train` is training.h. */
#ifndef APPS_SUPPORT_LEARNING_H
#define APPS_SUPPORT_LEARNING_H

#include "nn/optimizer.h"

/* The loss of one step, a single number, from the random row r. */
typedef struct {
    Var *(*find)(void *context, Pass *pass, Random r);
    void *context;
} Loss;

typedef struct {
    double lr, beta2, clip;     /* of Adam, the rate to 0 by a cosine; clip 0: none */
    unsigned purpose;           /* of the random rows; step k, from 1, has row k */
} Learning;

/* `steps` steps on p, with a line of progress. */
void learn(Params *p, Tape *t, const Learning *l, long steps, Loss loss);

#endif
