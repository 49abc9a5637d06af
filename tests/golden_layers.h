/* The groups of layers.safetensors: one row of the table in golden_layers.c each. */
#ifndef TESTS_GOLDEN_LAYERS_H
#define TESTS_GOLDEN_LAYERS_H

#include "tests/golden.h"

/* Optimisers, averages, rates and clipping (golden_training.c). */
void golden_adam(Golden *g);
void golden_adamw(Golden *g);
void golden_ema(Golden *g);
void golden_ema_decay(Golden *g);
void golden_learning_rate(Golden *g);
void golden_clip(Golden *g);

#endif
