/* Optimisers: see optimizer.h. */
#include "nn/optimizer.h"

#include <string.h>

#include "tensor/elementary.h"
#include "tensor/error.h"
#include "tensor/reduce.h"

/* What a rule needs for n numbers: parameters w, clipped gradients g, moments m and v. */
typedef struct {
    Real *w, *g, *m, *v;
    size_t n;
    Real lr, beta1, beta2, eps, decay;
    Real rest1, rest2;          /* 1 - beta1, 1 - beta2: 1 - 0.999f is 1.3e-5 off */
    Real correct1, correct2;    /* 1 / (1 - beta1^k), 1 / sqrt(1 - beta2^k) */
} Update;

/* g <- clip * g + decay * w, where decay belongs to the loss. */
static void prepare(const Update *u, Real clip, Real decay)
{
    if (clip == 1 && decay == 0) return;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < u->n; i++) u->g[i] = clip * u->g[i] + decay * u->w[i];
}

static void sgd(const Update *u)
{
    Real *w = u->w, *g = u->g, *m = u->m;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < u->n; i++) {
        m[i] = u->beta1 * m[i] + g[i];
        w[i] -= u->lr * m[i];
    }
}

static void rmsprop(const Update *u)
{
    Real *w = u->w, *g = u->g, *m = u->m, *v = u->v;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < u->n; i++) {
        v[i] = u->beta2 * v[i] + u->rest2 * g[i] * g[i];
        m[i] = u->beta1 * m[i] + g[i] / (real_sqrt(v[i]) + u->eps);
        w[i] -= u->lr * m[i];
    }
}

/* w <- keep w - step m / (sqrt(v) root + eps): all three kinds of Adam. */
static void adam_loop(const Update *u, Real keep, Real step, Real root)
{
    Real *w = u->w, *g = u->g, *m = u->m, *v = u->v;
    Real beta1 = u->beta1, beta2 = u->beta2, eps = u->eps;
    Real rest1 = u->rest1, rest2 = u->rest2;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < u->n; i++) {
        m[i] = beta1 * m[i] + rest1 * g[i];
        v[i] = beta2 * v[i] + rest2 * g[i] * g[i];
        w[i] = keep * w[i] - step * m[i] / (real_sqrt(v[i]) * root + eps);
    }
}

static void adam(const Update *u) { adam_loop(u, 1, u->lr * u->correct1, u->correct2); }
static void adam_hat(const Update *u)
{
    adam_loop(u, 1, u->lr * u->correct1 / u->correct2, 1);
}
static void adamw(const Update *u)
{
    adam_loop(u, 1 - u->lr * u->decay, u->lr * u->correct1, u->correct2);
}

static const struct Rule {
    const char *name;
    void (*update)(const Update *u);
    bool has_v, own_decay;
} rules[] = {
    {"sgd", sgd, false, false}, {"rmsprop", rmsprop, true, false},
    {"adam", adam, true, false},
    {"adam_hat", adam_hat, true, false}, {"adamw", adamw, true, true},
};

static const struct Rule *find_rule(const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].name, name) == 0) return &rules[i];
    fail("there is no optimiser %s; there are sgd, rmsprop, adam, adam_hat and adamw",
         name);
}

Optimizer optimizer_init(Params *p, const OptimizerConfig *config)
{
    learning_rate(&config->rate, 0);        /* fails if it cannot be computed */
    return (Optimizer){.config = *config, .m = params_block(p),
                       .v = find_rule(config->rule)->has_v ? params_block(p) : NULL};
}

double optimizer_lr(const Optimizer *o)
{
    return learning_rate(&o->config.rate, o->step);
}

/* Returns how many of the n numbers were not finite. */
static long repair(Real *g, size_t n)
{
    long count = 0;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(g[i])) continue;
        g[i] = isnan(g[i]) ? 0 : g[i] > 0 ? (Real)1e5 : (Real)-1e5;
        count++;
    }
    return count;
}

double optimizer_step(Optimizer *o, Params *p)
{
    const OptimizerConfig *c = &o->config;
    const struct Rule *rule = find_rule(c->rule);
    if (c->repair) o->repaired += repair(p->grad, p->size);
    double norm = sqrt(reduce_dot(p->grad, p->grad, p->size)), k = (double)(o->step + 1);
    if (!isfinite(norm)) return norm;
    Update u = {
        .w = p->value, .g = p->grad, .m = o->m, .v = o->v, .n = p->size,
        .lr = (Real)optimizer_lr(o), .beta1 = (Real)c->beta1, .beta2 = (Real)c->beta2,
        .eps = (Real)c->eps, .decay = (Real)c->weight_decay,
        .rest1 = (Real)(1 - c->beta1), .rest2 = (Real)(1 - c->beta2),
        .correct1 = (Real)(1 / (1 - pow(c->beta1, k))),
        .correct2 = (Real)(1 / sqrt(1 - pow(c->beta2, k))),
    };
    prepare(&u, (Real)(c->clip > 0 ? fmin(1, c->clip / (norm + 1e-6)) : 1),
            rule->own_decay ? 0 : u.decay);
    rule->update(&u);
    o->step++;
    return norm;
}
