/* What happens to the weights between two backwards, against PyTorch and EDM's training
 * loop: groups of layers.safetensors. */
#include <stdio.h>
#include <string.h>

#include "nn/ema.h"
#include "nn/optimizer.h"
#include "tests/golden_layers.h"

/* A model of one parameter with n numbers. */
static Params make_params(const Real *value, size_t n)
{
    Params p = params_create();
    params_add(&p, SHAPE((int)n), (Init){INIT_CONSTANT, 0}, "w");
    params_allocate(&p, 0);
    memcpy(p.value, value, n * sizeof(Real));
    return p;
}

/* grads [steps, n] are fed in order; hyper holds lr, beta1, beta2, eps, weight decay. */
static void run_optimizer(Golden *g, const char *rule)
{
    size_t n = shape_size(golden_shape(g, "p0")), total = golden_size(g, "grads") / n * n;
    const Real *grads = golden_reals(g, "grads");
    Real *track = arena_new(&g->arena, Real, total);
    Params p = make_params(golden_reals(g, "p0"), n);
    OptimizerConfig c = {.rule = rule, .beta1 = golden_number(g, "hyper", 1),
                         .beta2 = golden_number(g, "hyper", 2),
                         .eps = golden_number(g, "hyper", 3),
                         .weight_decay = golden_number(g, "hyper", 4),
                         .rate.lr = golden_number(g, "hyper", 0),
                         .rate.decay = "constant"};
    Optimizer o = optimizer_init(&p, &c);
    for (size_t i = 0; i < total; i += n) {
        memcpy(p.grad, grads + i, n * sizeof(Real));
        optimizer_step(&o, &p);
        memcpy(track + i, p.value, n * sizeof(Real));
    }
    golden_compare_reals(g, "params", track, total);
    golden_compare_reals(g, "m", o.m, n);
    golden_compare_reals(g, "v", o.v, n);
    params_destroy(&p);
}

void golden_adam(Golden *g) { run_optimizer(g, "adam"); }
void golden_adamw(Golden *g) { run_optimizer(g, "adamw"); }

/* params [steps, n]: the average starts as row 0 and is compared after each later row. */
void golden_ema(Golden *g)
{
    Shape shape = golden_shape(g, "params");
    size_t n = (size_t)shape_last(shape), total = shape_size(shape);
    const Real *rows = golden_reals(g, "params");
    Real *track = arena_new(&g->arena, Real, total);
    Params p = make_params(rows, n);
    double rate = golden_number(g, "rate", 0);
    Ema e = ema_init(&p, 1, &rate, 0);
    for (size_t i = n; i < total; i += n) {
        memcpy(p.value, rows + i, n * sizeof(Real));
        ema_update(&e, &p, (long)(i / n));
        memcpy(track + i, e.value[0], n * sizeof(Real));
    }
    golden_compare_reals(g, "average", track + n, total - n);
    params_destroy(&p);
}

/* EDM's decay, 0.5^(batch / min(halflife, ramp images)).  The images seen need not be
 * whole batches, so it is taken as that of `batch` steps of one image at that place. */
void golden_ema_decay(Golden *g)
{
    size_t n = golden_size(g, "cur_nimg");
    const int *images = golden_integers(g, "cur_nimg");
    double batch = golden_number(g, "batch_halflife_rampup", 0);
    double decay = ema_from_halflife(golden_number(g, "batch_halflife_rampup", 1), 1);
    double ramp = golden_number(g, "batch_halflife_rampup", 2);
    double *beta = arena_new(&g->arena, double, n);
    for (size_t i = 0; i < n; i++)
        beta[i] = pow(ema_decay_at(decay, ramp, images[i]), batch);
    golden_compare_numbers(g, "beta", beta, n);
}

/* EDM's warm-up over ten million images, at the places of the group ema_edm. */
void golden_learning_rate(Golden *g)
{
    const char *group = g->group;
    g->group = "ema_edm/";
    size_t n = golden_size(g, "cur_nimg");
    const int *images = golden_integers(g, "cur_nimg");
    g->group = group;
    double *factor = arena_new(&g->arena, double, n);
    LearningRate rate = {.lr = 1, .warmup = 10000000, .decay = "constant"};
    for (size_t i = 0; i < n; i++) factor[i] = learning_rate(&rate, images[i]);
    golden_compare_numbers(g, "factor", factor, n);
}

/* Gradients g0, g1 ... are clipped together: out = g min(1, max_norm / (norm + 1e-6)). */
void golden_clip(Golden *g)
{
    char name[16];
    Params p = params_create();
    for (;; ) {
        snprintf(name, sizeof name, "g%d", p.count);
        if (!golden_has(g, name)) break;
        params_add(&p, golden_shape(g, name), (Init){INIT_CONSTANT, 0}, "%s", name);
    }
    params_allocate(&p, 0);
    for (int i = 0; i < p.count; i++)
        memcpy(p.grad + p.list[i].offset, golden_reals(g, p.list[i].name),
               p.list[i].size * sizeof(Real));
    OptimizerConfig c = {.rule = "sgd", .rate.decay = "constant",
                         .clip = golden_number(g, "max_norm", 0)};
    Optimizer o = optimizer_init(&p, &c);
    double norm = optimizer_step(&o, &p);
    Real total = (Real)norm;
    golden_compare_reals(g, "total_norm", &total, 1);
    for (int i = 0; i < p.count; i++) {
        snprintf(name, sizeof name, "out%d", i);
        golden_compare_reals(g, name, p.grad + p.list[i].offset, p.list[i].size);
    }
    params_destroy(&p);
}
