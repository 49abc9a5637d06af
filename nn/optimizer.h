/* Optimisers: from the gradient of the parameters to their next values, in one loop over
 * the parameter block.  At step k = 1, 2... with gradient g and learning rate lr:
 *
 *   all          g <- g min(1, clip / (|g| + 1e-6)),  |g| the norm of all together
 *
 *   sgd          m <- beta1 m + g                                w <- w - lr m
 *   rmsprop      v <- beta2 v + (1 - beta2) g^2
 *                m <- beta1 m + g / (sqrt(v) + eps)              w <- w - lr m
 *   adam         m <- beta1 m + (1 - beta1) g,  m^ = m / (1 - beta1^k)
 *                v <- beta2 v + (1 - beta2) g^2,  v^ = v / (1 - beta2^k)
 *                w <- w - lr m^ / (sqrt(v^) + eps)
 *   adam_hat     the same, but eps is added to sqrt(v) before the correction (Kingma & Ba
 *                2015, end of section 2): what TensorFlow does, and so DDPM
 *   adamw        w <- w - lr weight_decay w before adam (Loshchilov & Hutter 2019)
 *
 * The others add weight_decay w to g instead (the gradient of weight_decay |w|^2 / 2).
 * The 1e-6 is PyTorch's.  A step whose gradient is not finite changes nothing; or, with
 * `repair` (Karras 2022), such numbers are first replaced, NaN by 0 and infinities by
 * +-100000, and counted: one bad sample in weeks of training then costs one step, but an
 * error in the code goes unseen by all who do not look at the count. */
#ifndef NN_OPTIMIZER_H
#define NN_OPTIMIZER_H

#include "nn/learning_rate.h"
#include "nn/params.h"

typedef struct {
    const char *rule;       /* a name of the table above */
    LearningRate rate;
    double beta1, beta2, eps, weight_decay;
    double clip;            /* largest gradient norm; 0: no clipping */
    bool repair;
} OptimizerConfig;

typedef struct {
    OptimizerConfig config;
    Real *m, *v;        /* [params->size], owned by params; NULL if the rule has none */
    long step;          /* steps taken */
    long repaired;      /* numbers replaced since optimizer_init */
} Optimizer;

/* Fails with the list if there is no rule of that name. */
Optimizer optimizer_init(Params *p, const OptimizerConfig *config);

/* The learning rate of the next step. */
double optimizer_lr(const Optimizer *o);

/* One step with the gradients in p->grad, which are clipped in place.  Returns the norm
 * they had before clipping; if it is not finite nothing is changed. */
double optimizer_step(Optimizer *o, Params *p);

#endif
