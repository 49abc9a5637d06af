/* Moving averages of the weights.  Samples are drawn with an average, because it leaves
 * out the jumping about of the last steps.  After step k = 0, 1, 2...
 *
 *     ema <- d ema + (1 - d) w,     d = min(decay, 0.5^(1 / (ramp k))),   d = 0 at k = 0
 *
 * so the first step copies (Ho 2020).  0.5^(1/h) forgets half in h steps: with ramp r the
 * average reaches back over a share of the steps so far until `decay` holds it (Karras
 * 2022: r = 0.05); ramp 0 means none, d = decay.
 *
 * Several rates can be kept at once (Nichol & Dhariwal 2021), each in its own block. */
#ifndef NN_EMA_H
#define NN_EMA_H

#include "nn/params.h"

enum { MAX_EMA = 4 };

typedef struct {
    int count;
    double decay[MAX_EMA], ramp;
    Real *value[MAX_EMA];       /* [params->size] each, owned by params; with decay 0, the
                                   weights themselves */
} Ema;

/* Each average starts as a copy of the weights. */
Ema ema_init(Params *p, int count, const double decay[], double ramp);

/* To be called after optimisation step number `step`, counted from 0. */
void ema_update(Ema *e, const Params *p, long step);

/* d of that step. */
double ema_decay_at(double decay, double ramp, long step);

/* The decay that forgets half in so many images (Karras 2022: 500,000). */
double ema_from_halflife(double images, int batch);

#endif
