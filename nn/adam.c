/* Adam, clipping and the moving average: see adam.h. */
#include "nn/adam.h"

#include <string.h>

#include "tensor/elementary.h"
#include "tensor/reduce.h"

Adam adam_init(Params *p, const AdamConfig *config)
{
    Adam a = {*config, params_block(p), params_block(p), params_block(p), 0};
    memcpy(a.ema, p->value, p->size * sizeof *a.ema);
    return a;
}

double adam_lr(const Adam *a)
{
    const AdamConfig *c = &a->config;
    return a->step + 1 < c->warmup ? c->lr * (double)(a->step + 1) / (double)c->warmup : c->lr;
}

double adam_step(Adam *a, Params *p)
{
    const AdamConfig *c = &a->config;
    double norm = sqrt(reduce_dot(p->grad, p->grad, p->size));
    if (!isfinite(norm)) return norm;

    double k = (double)(a->step + 1);
    double decay = fmin(c->ema_decay, (1 + k) / (10 + k));
    /* Both corrections for starting at zero folded into two constants. */
    Real step = (Real)(adam_lr(a) / (1 - pow(c->beta1, k)));
    Real root = (Real)(1 / sqrt(1 - pow(c->beta2, k)));
    Real clip = (Real)(c->clip > 0 && norm > c->clip ? c->clip / norm : 1);
    Real beta1 = (Real)c->beta1, beta2 = (Real)c->beta2, eps = (Real)c->eps;
    Real keep = (Real)(1 - decay);
    Real *w = p->value, *g = p->grad, *m = a->m, *v = a->v, *ema = a->ema;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < p->size; i++) {
        g[i] *= clip;
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
        w[i] -= step * m[i] / (real_sqrt(v[i]) * root + eps);
        ema[i] += keep * (w[i] - ema[i]);
    }
    a->step++;
    return norm;
}
