/* Solutions of the exercises of nn/README.md.  Try first: see exercises.h. */
#include <string.h>

#include "nn/checkpoint.h"
#include "nn/layers.h"
#include "tests/exercises.h"

/* Two norms, two 3x3 convolutions, the word of the embedding, and a 1x1 convolution
 * around the block if the channels change. */
SOLUTION size_t answer_block_parameters(int in, int out, int embed)
{
    int norms = 2 * in + 2 * out, first = 9 * in * out + out;
    int second = 9 * out * out + out, word = embed * out + out;
    int around = in == out ? 0 : in * out + out;
    return (size_t)(norms + first + second + word + around);
}

/* T tokens: the layers multiply and add 4 T C^2 times, the two products of attention 2
 * T^2 C. */
SOLUTION int answer_tokens_at_most(int C) { return 2 * C; }

/* m = 1, 1 + b, 1 + b + b^2 ... */
SOLUTION double answer_travel(double lr, double beta1, int k)
{
    double m = 0, way = 0;
    for (int i = 0; i < k; i++) m = beta1 * m + 1, way += lr * m;
    return way;
}

/* A sum of `width` products: width * var(w) * var(x), and U(-s, s) has variance s^2 /
 * 3. */
SOLUTION double answer_gain(const char *rule, int width)
{
    double s = init_rule(rule)->weight(width, width, ROLE_PLAIN).scale;
    return width * s * s / 3;
}

/* The old value's share after k updates is decay^k. */
SOLUTION long answer_halflife(double decay)
{
    long k = 0;
    for (double share = 1; share >= 0.5; share *= decay) k++;
    return k;
}

SOLUTION void answer_freeze(Params *p, const char *prefix)
{
    for (int i = 0; i < p->count; i++) {
        const Param *q = &p->list[i];
        if (strncmp(q->name, prefix, strlen(prefix)) != 0)
            memset(p->grad + q->offset, 0, q->size * sizeof *p->grad);
    }
}

SOLUTION void answer_lion(Params *p, Real *m, double lr, double beta1, double beta2)
{
    for (size_t i = 0; i < p->size; i++) {
        double g = (double)p->grad[i], u = beta1 * (double)m[i] + (1 - beta1) * g;
        p->value[i] -= (Real)(lr * ((u > 0) - (u < 0)));
        m[i] = (Real)(beta2 * (double)m[i] + (1 - beta2) * g);
    }
}

SOLUTION void answer_merge(const Params *p, const char *one, const char *two,
                           const char *out)
{
    Arena a = arena_create();
    Real *x = arena_new(&a, Real, p->size), *y = arena_new(&a, Real, p->size);
    SafeTensors file = safetensors_read(&a, one);
    checkpoint_load_some(&file, p, &(CheckpointBlock){"model", x}, 1);
    file = safetensors_read(&a, two);
    checkpoint_load_some(&file, p, &(CheckpointBlock){"model", y}, 1);
    for (size_t i = 0; i < p->size; i++) x[i] = (x[i] + y[i]) / 2;
    CheckpointBlock mean = {"model", x};
    checkpoint_save(out, p, &(CheckpointParts){&mean, 1}, NULL, 0);
    arena_destroy(&a);
}

/* 2 -> 8 -> 1 with tanh, 300 steps of Adam on all four cases at once. */
SOLUTION void answer_xor(uint64_t seed, Real out[4])
{
    static const Real x[] = {0, 0, 0, 1, 1, 0, 1, 1}, target[] = {0, 1, 1, 0};
    Params p = params_create();
    Linear first = linear_init(&p, "first", 2, 8, ROLE_PLAIN);
    Linear second = linear_init(&p, "second", 8, 1, ROLE_PLAIN);
    params_allocate(&p, seed);
    Optimizer o = optimizer_init(&p, &(OptimizerConfig){
        .rule = "adam", .rate = {.lr = 0.05, .decay = "constant"}, .beta1 = 0.9,
        .beta2 = 0.99, .eps = 1e-8});
    Tape t = tape_create();
    for (int step = 0; step <= 300; step++) {
        tape_reset(&t);
        params_zero_grad(&p);
        Pass pass = pass_training(&t, &p, random_stream(seed, 0, 0));
        Var *h = hyperbolic_tangent(&t, linear_forward(
            &pass, &first, tape_leaf(&t, "x", SHAPE(4, 2), x, NULL)));
        Var *y = linear_forward(&pass, &second, h);
        memcpy(out, y->value, 4 * sizeof *out);
        backward(mean(&t, mse(&t, y, tape_leaf(&t, "target", SHAPE(4, 1), target, NULL)),
                      ALL_AXES));
        optimizer_step(&o, &p);
    }
    tape_destroy(&t);
    params_destroy(&p);
}
