/* The exercises of nn/README.md: what an answer must do (exercises.h). */
#include <string.h>

#include "nn/checkpoint.h"
#include "nn/ema.h"
#include "nn/layers.h"
#include "nn/unet.h"
#include "tests/check.h"
#include "tests/exercises.h"

static size_t count_prefix(const Params *p, const char *prefix)
{
    size_t sum = 0;
    for (int i = 0; i < p->count; i++)
        if (strncmp(p->list[i].name, prefix, strlen(prefix)) == 0) sum += p->list[i].size;
    return sum;
}

/* The channels of preset mini, in blocks of Ho 2020. */
static void block_parameters(void)
{
    static const struct { const char *prefix; int in, out; } blocks[] = {
        {"down.0.0.", 16, 16}, {"down.1.0.", 16, 32}, {"middle.0.", 64, 64},
        {"up.1.0.", 96, 32}, {"up.1.1.", 48, 32}, {"up.0.1.", 32, 16}};
    UNetConfig like_mini = {.height = 28, .width = 28, .channels = 1, .out_channels = 1,
                       .base = 16, .levels = 3, .mult = {1, 2, 4}, .blocks = 1,
                       .style = {.heads = 1, .groups = 8}};
    Params p = params_create();
    unet_init(&p, &like_mini);
    for (int i = 0; i < NELEM(blocks); i++)
        check_int((long long)answer_block_parameters(blocks[i].in, blocks[i].out, 64),
                  (long long)count_prefix(&p, blocks[i].prefix));
    params_destroy(&p);
}

/* What attention(), or four linear layers, of T tokens with C channels cost. */
static double work(int T, int C, bool layers)
{
    Arena a = arena_create();
    Tape t = tape_create();
    size_t n = (size_t)T * (size_t)C, square = (size_t)C * (size_t)C;
    Real *x = arena_new(&a, Real, n > square ? n : square);
    memset(x, 0, (n > square ? n : square) * sizeof *x);
    Var *q = tape_leaf(&t, "q", SHAPE(1, T, C), x, NULL);
    if (!layers) attention(&t, q, q, q, 1);
    for (int i = 0; layers && i < 4; i++)
        linear(&t, q, tape_leaf(&t, "w", SHAPE(C, C), x, NULL), NULL);
    double flops = tape_flops(&t);
    tape_destroy(&t);
    arena_destroy(&a);
    return flops;
}

static void tokens_at_most(void)
{
    for (int C = 4; C <= 40; C += 9) {
        int T = answer_tokens_at_most(C);
        check(T >= 1 && T < 10000 && work(T, C, false) <= work(T, C, true));
        check(T < 10000 && work(T + 1, C, false) > work(T + 1, C, true));
    }
}

static Params one_weight(void)
{
    Params p = params_create();
    params_add(&p, SHAPE(1), (Init){INIT_CONSTANT, 0}, "w");
    params_allocate(&p, 0);
    return p;
}

static void travel(void)
{
    Params p = one_weight();
    Optimizer o = optimizer_init(&p, &(OptimizerConfig){
        .rule = "sgd", .rate = {.lr = 0.01, .decay = "constant"}, .beta1 = 0.9});
    for (int k = 1; k <= 50; k++) {
        p.grad[0] = 1;
        optimizer_step(&o, &p);
        check_close(answer_travel(0.01, 0.9, k), -p.value[0], 1e-5);
    }
    params_destroy(&p);
}

/* The variance after a layer, over that before it. */
static double measured_gain(const char *rule, int width)
{
    enum { ROWS = 64, MOST = 256 };
    static Real x[ROWS * MOST];
    double before = 0, after = 0;
    Params p = params_create();
    p.rule = init_rule(rule);
    Linear l = linear_init_without_bias(&p, "l", width, width, ROLE_PLAIN);
    params_allocate(&p, 1);
    Tape t = tape_create();
    for (int i = 0; i < ROWS * width; i++)
        x[i] = (Real)random_normal(random_stream(1, 9, 0), (uint64_t)i);
    Pass pass = pass_inference(&t, &p, p.value);
    Var *y = linear_forward(&pass, &l, tape_leaf(&t, "x", SHAPE(ROWS, width), x, NULL));
    for (size_t i = 0; i < y->size; i++) {
        before += (double)x[i] * (double)x[i];
        after += (double)y->value[i] * (double)y->value[i];
    }
    tape_destroy(&t);
    params_destroy(&p);
    return after / before;
}

static void gain(void)
{
    static const char *const rules[] = {"ddpm", "openai", "song"};
    for (int i = 0; i < NELEM(rules); i++)
        for (int width = 64; width <= 256; width *= 2)
            check_close(measured_gain(rules[i], width) / answer_gain(rules[i], width), 1,
                        0.05);
}

static void halflife(void)
{
    static const double decays[] = {0.5, 0.9, 0.99, 0.999};
    for (int i = 0; i < NELEM(decays); i++) {
        Params p = one_weight();
        Ema e = ema_init(&p, 1, &decays[i], 0);
        long k = 0;
        p.value[0] = 1;
        while (e.value[0][0] <= (Real)0.5) ema_update(&e, &p, ++k);
        check_int(answer_halflife(decays[i]), k);
        params_destroy(&p);
    }
}

static void freeze(void)
{
    Params p = params_create();
    linear_init(&p, "body", 3, 2, ROLE_PLAIN);
    linear_init(&p, "head", 2, 1, ROLE_PLAIN);
    params_allocate(&p, 1);
    for (size_t i = 0; i < p.size; i++) p.grad[i] = 1;
    answer_freeze(&p, "head");
    for (int i = 0; i < p.count; i++)
        for (size_t k = 0; k < p.list[i].size; k++)
            check(p.grad[p.list[i].offset + k] == (p.list[i].name[0] == 'h'));
    params_destroy(&p);
}

/* beta1 0.9, beta2 0.99: m = 0, 0.01, 0.0099 - 0.02 = -0.0101; u = 0.1, 0.009 - 0.2,
 * 0. */
static void lion(void)
{
    static const Real gradient[] = {1, -2, 0}, want[] = {-0.1, 0, 0.1};
    static const Real moment[] = {0.01, -0.0101, -0.009999};
    Params p = one_weight();
    Real *m = params_block(&p);
    for (int k = 0; k < 3; k++) {
        p.grad[0] = gradient[k];
        answer_lion(&p, m, 0.1, 0.9, 0.99);
        check_close(p.value[0], want[k], 1e-6);
        check_close(m[0], moment[k], 1e-8);
    }
    params_destroy(&p);
}

static void merge(void)
{
    Params p[3];
    Arena a = arena_create();
    const char *name[3];
    for (int i = 0; i < 3; i++) {
        p[i] = params_create();
        linear_init(&p[i], "l", 3, 2, ROLE_PLAIN);
        params_allocate(&p[i], (uint64_t)i);
        name[i] = arena_printf(&a, "%s/%d.safetensors", test_folder(), i);
        CheckpointBlock block = {"model", p[i].value};
        CheckpointParts parts = {&block, 1};
        if (i < 2) checkpoint_save(name[i], &p[i], &parts, NULL, 0);
    }
    answer_merge(&p[0], name[0], name[1], name[2]);
    SafeTensors file = safetensors_read(&a, name[2]);
    CheckpointBlock block = {"model", p[2].value};
    checkpoint_load(&file, &p[2], &(CheckpointParts){&block, 1});
    for (size_t i = 0; i < p[0].size; i++)
        check_close(p[2].value[i], (double)(p[0].value[i] + p[1].value[i]) / 2, 1e-7);
    for (int i = 0; i < 3; i++) params_destroy(&p[i]);
    arena_destroy(&a);
}

static void learns_xor(void)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        Real out[4];
        answer_xor(seed, out);
        check_reals(out, ((Real[]){0, 1, 1, 0}), 4, 0.1);
    }
}

static const Test tests[] = {
    T(block_parameters), T(tokens_at_most), T(travel), T(gain), T(halflife), T(freeze),
    T(lion), T(merge), T(learns_xor),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
