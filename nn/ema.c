/* Moving averages: see ema.h. */
#include "nn/ema.h"

#include <string.h>

#include "tensor/error.h"

Ema ema_init(Params *p, int count, const double decay[], double ramp)
{
    require(count >= 1 && count <= MAX_EMA, "%d moving averages; want 1 to %d", count,
            MAX_EMA);
    Ema e = {.count = count, .ramp = ramp};
    for (int i = 0; i < count; i++) {
        e.decay[i] = decay[i];
        e.value[i] = decay[i] > 0 ? params_block(p) : p->value;
        if (decay[i] > 0) memcpy(e.value[i], p->value, p->size * sizeof(Real));
    }
    return e;
}

double ema_decay_at(double decay, double ramp, long step)
{
    if (step == 0) return 0;
    return ramp > 0 ? fmin(decay, pow(0.5, 1 / (ramp * (double)step))) : decay;
}

double ema_from_halflife(double images, int batch) { return pow(0.5, batch / images); }

void ema_update(Ema *e, const Params *p, long step)
{
    const Real *w = p->value;
    for (int i = 0; i < e->count; i++) {
        Real *ema = e->value[i], d = (Real)ema_decay_at(e->decay[i], e->ramp, step);
        if (ema == w) continue;
#pragma omp parallel for simd schedule(static)
        for (size_t k = 0; k < p->size; k++) ema[k] = d * ema[k] + (1 - d) * w[k];
    }
}
