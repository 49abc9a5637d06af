/* Adam (Kingma & Ba 2015), gradient clipping and the moving average of the weights, each one
 * loop over the parameter block.
 *
 *     g <- g min(1, clip / |g|)                       clipping by the norm of all gradients
 *     m <- beta1 m + (1 - beta1) g                    v <- beta2 v + (1 - beta2) g^2
 *     w <- w - lr (m / (1 - beta1^k)) / (sqrt(v / (1 - beta2^k)) + eps)       at step k = 1, 2...
 *
 *     ema <- d ema + (1 - d) w,   d = min(decay, (1 + k) / (10 + k))
 *
 * Samples are drawn with ema: it averages out the noise of the last steps.  The ramp of d keeps the
 * average from clinging to the initial weights while k is small. */
#ifndef NN_ADAM_H
#define NN_ADAM_H

#include "nn/params.h"

typedef struct {
    double lr, beta1, beta2, eps;
    double clip;            /* largest gradient norm; 0: no clipping */
    long warmup;            /* the learning rate grows linearly over so many steps */
    double ema_decay;
} AdamConfig;

typedef struct {
    AdamConfig config;
    Real *m, *v, *ema;      /* [params->size], owned by params */
    long step;              /* steps taken */
} Adam;

/* ema starts as a copy of the weights. */
Adam adam_init(Params *p, const AdamConfig *config);

/* The learning rate of the next step: lr * min(1, (step + 1) / warmup). */
double adam_lr(const Adam *a);

/* One step with the gradients in p->grad, which are clipped in place.  Returns the norm they
 * had; if it is not finite nothing is changed. */
double adam_step(Adam *a, Params *p);

#endif
