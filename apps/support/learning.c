/* A training loop on one page: see learning.h. */
#include "apps/support/learning.h"

#include <stdio.h>

#include "apps/support/progress.h"

void learn(Params *p, Tape *t, const Learning *l, long steps, Loss loss)
{
    Optimizer o = optimizer_init(p, &(OptimizerConfig){
        .rule = "adam", .rate = {.lr = l->lr, .decay = "cosine", .decay_steps = steps},
        .beta1 = 0.9, .beta2 = l->beta2, .eps = 1e-8, .clip = l->clip});
    Progress progress = progress_start("step");
    for (long k = 1; k <= steps; k++) {
        tape_reset(t);
        params_zero_grad(p);
        Random r = random_stream(1, l->purpose, (uint64_t)k);
        Pass pass = pass_training(t, p, r);
        Var *value = loss.find(loss.context, &pass, r);
        char details[48];
        snprintf(details, sizeof details, "loss %.4g", (double)value->value[0]);
        backward(value);
        optimizer_step(&o, p);
        progress_show(&progress, k, steps, (double)k / (double)steps, details);
    }
    progress_break(&progress);
}
