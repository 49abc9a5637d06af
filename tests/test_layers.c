/* Layers and parts of blocks: how they start, what they compute, when they drop. */
#include <string.h>

#include "nn/blocks.h"
#include "nn/embedding.h"
#include "tests/check.h"

/* Each array starts with numbers of its own from U(-r, r), r^2 = 6 / (in + out). */
static void weights_start_as_the_rule_says(void)
{
    enum { IN = 300, OUT = 100 };
    Params p = params_create();
    linear_init(&p, "a", IN, OUT, ROLE_PLAIN);
    linear_init(&p, "b", IN, OUT, ROLE_PLAIN);
    params_allocate(&p, 1);
    const Real *a = p.value, *b = p.value + p.list[2].offset;
    double range = sqrt(6.0 / (IN + OUT)), square = 0, product = 0, largest = 0;
    for (int i = 0; i < IN * OUT; i++) {
        square += (double)a[i] * (double)a[i];
        product += (double)a[i] * (double)b[i];
        largest = fmax(largest, fabs((double)a[i]));
    }
    check_close(square / (IN * OUT) * 3 / (range * range), 1, 4 / sqrt(IN * OUT));
    check_close(product / square, 0, 4 / sqrt(IN * OUT));
    check(largest < range && largest > 0.99 * range);
    for (int i = 0; i < OUT; i++) check(a[IN * OUT + i] == 0);      /* the biases */
    params_destroy(&p);
}

/* Two dropouts of a pass draw different masks; while sampling there is none. */
static void dropout_is_for_training_and_drawn_anew(void)
{
    enum { SIZE = 200 };
    static Real ones[SIZE];
    for (int i = 0; i < SIZE; i++) ones[i] = 1;
    Params p = params_create();
    params_allocate(&p, 1);
    Tape t = tape_create();
    Var *x = tape_leaf(&t, "ones", SHAPE(2, SIZE / 2), ones, NULL);
    Pass pass = pass_training(&t, &p, random_stream(1, 2, 3));
    Var *first = dropout_forward(&pass, 0.5, x), *second = dropout_forward(&pass, 0.5, x);
    check(memcmp(first->value, second->value, sizeof ones) != 0);
    pass = pass_inference(&t, &p, p.value);
    check(dropout_forward(&pass, 0.5, x) == x);
    tape_destroy(&t);
    params_destroy(&p);
}

/* With nothing to say, scale 0 and shift 0, an adaptive norm is a plain one.  A sum of
 * two is multiplied by the block's factor.  A filter with its 1 in the middle changes
 * nothing. */
static void parts_of_a_block_by_hand(void)
{
    static const Real x[] = {1, -2, 3, 5, 0, 7, -4, 2}, nothing[8] = {0};
    Params p = params_create();
    GroupNorm norm = group_norm_init(&p, "norm", 4, 2, 1e-6);
    Conv2d conv = conv2d_init(&p, "conv", 1, 1, 3, ROLE_PLAIN);
    params_allocate(&p, 1);
    Tape t = tape_create();
    Pass pass = pass_inference(&t, &p, p.value);
    Var *h = tape_leaf(&t, "x", SHAPE(1, 1, 2, 4), x, NULL);
    Var *w = tape_leaf(&t, "w", SHAPE(1, 1, 1, 8), nothing, NULL);
    check_reals(group_norm_adaptive_forward(&pass, &norm, h, w)->value,
                group_norm_silu_forward(&pass, &norm, h)->value, 8, 1e-6);
    Var *a = tape_leaf(&t, "a", SHAPE(2), (Real[]){1, 2}, NULL);
    Var *b = scale(&t, a, 3, 0);
    check_reals(add_residual(&t, a, b, 0.5)->value, ((Real[]){2, 4}), 2, 1e-6);
    for (int i = 0; i < 9; i++) p.value[p.list[conv.weight].offset + (size_t)i] = i == 4;
    Var *image = tape_leaf(&t, "image", SHAPE(1, 4, 2, 1), x, NULL);
    check_reals(conv2d_forward(&pass, &conv, image)->value, x, 8, 1e-6);
    tape_destroy(&t);
    params_destroy(&p);
}

/* Equal times: what is different in e comes from the class, and belongs to it. */
static void a_class_reaches_its_sample(void)
{
    Params p = params_create();
    EmbeddingConfig config = {.dim = 8, .out = 4, .classes = 3};
    Embedding b = embedding_init(&p, "time", &config);
    params_allocate(&p, 1);
    Tape t = tape_create();
    Pass pass = pass_inference(&t, &p, p.value);
    Condition c = {.t = (double[]){5, 5, 5, 5}, .label = (int[]){2, 0, 2, -1}};
    const Real *e = embedding_forward(&pass, &b, &c, 4)->value;
    check(memcmp(e, e + 8, 4 * sizeof *e) == 0);
    check(memcmp(e, e + 4, 4 * sizeof *e) != 0);
    check(memcmp(e, e + 12, 4 * sizeof *e) != 0);
    check(memcmp(e + 4, e + 12, 4 * sizeof *e) != 0);
    tape_destroy(&t);
    params_destroy(&p);
}

static const Test tests[] = {
    T(weights_start_as_the_rule_says), T(dropout_is_for_training_and_drawn_anew),
    T(parts_of_a_block_by_hand), T(a_class_reaches_its_sample),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
