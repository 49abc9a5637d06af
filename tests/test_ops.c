/* Every operation: by hand, and its gradient against finite differences with every subset of
 * the inputs held constant.  In double the gradients must agree to 1e-7. */
#include <string.h>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "tensor/error.h"
#include "tests/check.h"

static const double gradient_tolerance = sizeof(Real) == 4 ? 2e-2 : 1e-7;

/* gradcheck(build, NULL, the shapes listed) */
#define check_gradient(build, options, ...)                                             \
    check_close(gradcheck(build, options, (int)(sizeof((Shape[]){__VA_ARGS__}) / sizeof(Shape)), \
                          (Shape[]){__VA_ARGS__}), 0, gradient_tolerance)

static Tape tape;

/* A constant leaf with the numbers listed. */
#define LEAF(shape, ...) tape_leaf(&tape, "x", shape, (Real[]){__VA_ARGS__}, NULL)
#define check_value(y, ...)                                                             \
    check_reals((y)->value, ((Real[]){__VA_ARGS__}),                                    \
                sizeof((Real[]){__VA_ARGS__}) / sizeof(Real), 1e-6)

/* ---- values by hand --------------------------------------------------------------------- */

static void values_by_hand(void)
{
    tape = tape_create();
    check_value(add(&tape, LEAF(SHAPE(2, 2), 1, 2, 3, 4), LEAF(SHAPE(1, 2), 10, 20)),
                11, 22, 13, 24);
    check_value(add(&tape, LEAF(SHAPE(2, 1), 1, 2), LEAF(SHAPE(1, 2), 10, 20)), 11, 21, 12, 22);
    check_value(silu(&tape, LEAF(SHAPE(3), 0, 1, -1)), 0, 0.7310585786, -0.2689414214);
    check_value(linear(&tape, LEAF(SHAPE(1, 2), 1, 2), LEAF(SHAPE(3, 2), 1, 0, 0, 1, 1, 1),
                       LEAF(SHAPE(3), 10, 20, 30)), 11, 22, 33);
    check_value(concat(&tape, LEAF(SHAPE(2, 1), 1, 2), LEAF(SHAPE(2, 2), 3, 4, 5, 6)),
                1, 3, 4, 2, 5, 6);
    check_value(upsample(&tape, LEAF(SHAPE(1, 1, 2, 1), 1, 2)), 1, 1, 2, 2, 1, 1, 2, 2);
    check_value(depth_to_space(&tape, LEAF(SHAPE(1, 1, 2, 4), 1, 2, 3, 4, 5, 6, 7, 8), 2),
                1, 2, 5, 6, 3, 4, 7, 8);
    check_value(embedding(&tape, LEAF(SHAPE(2, 2), 1, 2, 3, 4), (int[]){1, 0, 1}, 3),
                3, 4, 1, 2, 3, 4);
    check_value(mse(&tape, LEAF(SHAPE(2, 2), 1, 2, 3, 4), LEAF(SHAPE(2, 2), 0, 0, 3, 2)),
                2.5, 2);
    check_value(mean(&tape, LEAF(SHAPE(2, 2), 1, 2, 3, 6)), 3);
    tape_destroy(&tape);
}

/* Two groups of two numbers: (1, 3) and (10, 30) both become (-1, 1). */
static void group_norm_by_hand(void)
{
    tape = tape_create();
    Var *x = LEAF(SHAPE(1, 1, 2, 2), 1, 10, 3, 30);
    Var *y = group_norm(&tape, x, LEAF(SHAPE(2), 1, 2), LEAF(SHAPE(2), 0, 5), 2, 0);
    check_value(y, -1, 3, 1, 7);
    y = group_norm_silu(&tape, x, LEAF(SHAPE(2), 1, 2), LEAF(SHAPE(2), 0, 5), 2, 0);
    check_value(y, -0.2689414214, 3 / (1 + exp(-3)), 0.7310585786, 7 / (1 + exp(-7)));
    /* One group of all four, whose mean is 11. */
    y = group_norm(&tape, x, LEAF(SHAPE(2), 1, 1), LEAF(SHAPE(2), 0, 0), 1, 0);
    double s = sqrt((100 + 1 + 64 + 361) / 4.0);
    check_value(y, -10 / s, -1 / s, -8 / s, 19 / s);
    tape_destroy(&tape);
}

/* Two tokens of one number: scores (0, 0) and (0, ln 3) give weights 1/2 1/2 and 1/4 3/4. */
static void attention_by_hand(void)
{
    tape = tape_create();
    Var *q = LEAF(SHAPE(1, 2, 1), 0, 1), *k = LEAF(SHAPE(1, 2, 1), 0, 1.098612289);
    Var *v = LEAF(SHAPE(1, 2, 1), 4, 8);
    check_value(attention(&tape, q, k, v, 1), 6, 7);
    /* Scores too large for exp are no trouble: the largest takes all. */
    Var *large = LEAF(SHAPE(1, 2, 1), 1e4, 2e4);
    check_value(attention(&tape, large, large, v, 1), 8, 8);
    tape_destroy(&tape);
}

/* Heads do not see each other: two heads are two attentions side by side. */
static void heads_are_independent(void)
{
    enum { N = 2, T = 5, D = 3 };
    tape = tape_create();
    Real q[2][N * T * D], both[3][N * T * 2 * D];
    Var *one[2];
    for (int h = 0; h < 2; h++) {
        Var *in[3];
        for (int i = 0; i < 3; i++) {
            fill_uniform(q[h], N * T * D, (unsigned)(10 * h + i));
            Real *copy = tape_save(&tape, Real, N * T * D);
            memcpy(copy, q[h], sizeof q[h]);
            in[i] = tape_leaf(&tape, "in", SHAPE(N, T, D), copy, NULL);
            for (int r = 0; r < N * T; r++)
                memcpy(both[i] + r * 2 * D + h * D, copy + r * D, D * sizeof(Real));
        }
        one[h] = attention(&tape, in[0], in[1], in[2], 1);
    }
    Var *in[3];
    for (int i = 0; i < 3; i++)
        in[i] = tape_leaf(&tape, "in", SHAPE(N, T, 2 * D), both[i], NULL);
    Var *y = attention(&tape, in[0], in[1], in[2], 2);
    for (int r = 0; r < N * T; r++)
        for (int h = 0; h < 2; h++)
            check_reals(y->value + r * 2 * D + h * D, one[h]->value + r * D, D, 1e-6);
    tape_destroy(&tape);
}

static void dropout_keeps_its_share(void)
{
    enum { N = 20000 };
    static Real ones[N];
    for (int i = 0; i < N; i++) ones[i] = 1;
    tape = tape_create();
    Var *y = dropout(&tape, tape_leaf(&tape, "x", SHAPE(N), ones, NULL), 0.25,
                     random_stream(1, 0, 0));
    double sum = 0;
    for (int i = 0; i < N; i++) {
        sum += (double)y->value[i];
        check(y->value[i] == 0 || fabs((double)y->value[i] - 4.0 / 3) < 1e-6);
    }
    check_close(sum / N, 1, 4 * sqrt(0.25 / 0.75 / N));
    tape_destroy(&tape);
}

/* ---- gradients ----------------------------------------------------------------------------- */

static Var *build_add(Tape *t, Var *in[], const void *o) { (void)o; return add(t, in[0], in[1]); }
static Var *build_double(Tape *t, Var *in[], const void *o) { (void)o; return add(t, in[0], in[0]); }
static Var *build_silu(Tape *t, Var *in[], const void *o) { (void)o; return silu(t, in[0]); }
static Var *build_linear(Tape *t, Var *in[], const void *o)
{
    (void)o;
    return linear(t, in[0], in[1], in[2]);
}
static Var *build_linear_plain(Tape *t, Var *in[], const void *o)
{
    (void)o;
    return linear(t, in[0], in[1], NULL);
}
static Var *build_conv(Tape *t, Var *in[], const void *options)
{
    const int *o = options;
    return conv2d(t, in[0], in[1], in[2], o[0], o[1], o[2]);
}
static Var *build_norm(Tape *t, Var *in[], const void *options)
{
    return group_norm(t, in[0], in[1], in[2], *(const int *)options, 1e-5);
}
static Var *build_norm_silu(Tape *t, Var *in[], const void *options)
{
    return group_norm_silu(t, in[0], in[1], in[2], *(const int *)options, 1e-5);
}
static Var *build_attention(Tape *t, Var *in[], const void *options)
{
    return attention(t, in[0], in[1], in[2], *(const int *)options);
}
static Var *build_self_attention(Tape *t, Var *in[], const void *options)
{
    return attention(t, in[0], in[0], in[0], *(const int *)options);
}
static Var *build_dropout(Tape *t, Var *in[], const void *o)
{
    (void)o;
    return dropout(t, in[0], 0.3, random_stream(5, 0, 0));
}
static Var *build_embedding(Tape *t, Var *in[], const void *o)
{
    (void)o;
    return embedding(t, in[0], (int[]){2, 0, 2, 1, 2}, 5);
}
static Var *build_upsample(Tape *t, Var *in[], const void *o) { (void)o; return upsample(t, in[0]); }
static Var *build_depth_to_space(Tape *t, Var *in[], const void *options)
{
    return depth_to_space(t, in[0], *(const int *)options);
}
static Var *build_concat(Tape *t, Var *in[], const void *o)
{
    (void)o;
    return concat(t, in[0], in[1]);
}
static Var *build_concat_twice(Tape *t, Var *in[], const void *o)
{
    (void)o;
    return concat(t, concat(t, in[0], in[1]), in[0]);
}
static Var *build_mse(Tape *t, Var *in[], const void *o) { (void)o; return mse(t, in[0], in[1]); }
static Var *build_mean(Tape *t, Var *in[], const void *o) { (void)o; return mean(t, in[0]); }

static void add_gradient(void)
{
    check_gradient(build_add, NULL, SHAPE(3, 5), SHAPE(3, 5));
    check_gradient(build_add, NULL, SHAPE(2, 3, 1, 5), SHAPE(2, 1, 1, 5));
    check_gradient(build_add, NULL, SHAPE(1, 3), SHAPE(4, 1));
    check_gradient(build_add, NULL, SHAPE(2, 1, 4), SHAPE(1, 3, 1));
    check_gradient(build_add, NULL, SHAPE(1), SHAPE(1));
    check_gradient(build_double, NULL, SHAPE(3, 2));
}

static void silu_gradient(void) { check_gradient(build_silu, NULL, SHAPE(37)); }

static void linear_gradient(void)
{
    check_gradient(build_linear, NULL, SHAPE(5, 3), SHAPE(4, 3), SHAPE(4));
    check_gradient(build_linear, NULL, SHAPE(2, 3, 1, 7), SHAPE(1, 7), SHAPE(1));
    check_gradient(build_linear_plain, NULL, SHAPE(1, 1), SHAPE(2, 1));
}

static void conv2d_gradient(void)
{
    int same[] = {1, 1, 1}, down[] = {2, 1, 1}, down_end[] = {2, 0, 1}, none[] = {1, 0, 0};
    check_gradient(build_conv, same, SHAPE(2, 4, 3, 3), SHAPE(2, 3, 3, 3), SHAPE(2));
    check_gradient(build_conv, down, SHAPE(1, 5, 4, 2), SHAPE(3, 3, 3, 2), SHAPE(3));
    check_gradient(build_conv, down_end, SHAPE(1, 4, 6, 2), SHAPE(3, 3, 3, 2), SHAPE(3));
    check_gradient(build_conv, none, SHAPE(2, 3, 3, 5), SHAPE(4, 1, 1, 5), SHAPE(4));
    int patches[] = {2, 0, 0};
    check_gradient(build_conv, patches, SHAPE(1, 4, 4, 1), SHAPE(3, 2, 2, 1), SHAPE(3));
}

static void group_norm_gradient(void)
{
    int one = 1, two = 2, all = 4;
    check_gradient(build_norm, &two, SHAPE(3, 2, 3, 4), SHAPE(4), SHAPE(4));
    check_gradient(build_norm, &one, SHAPE(2, 5, 4), SHAPE(4), SHAPE(4));
    check_gradient(build_norm, &all, SHAPE(1, 3, 1, 4), SHAPE(4), SHAPE(4));
    check_gradient(build_norm_silu, &two, SHAPE(3, 2, 3, 4), SHAPE(4), SHAPE(4));
    check_gradient(build_norm_silu, &all, SHAPE(2, 7, 4), SHAPE(4), SHAPE(4));
}

static void attention_gradient(void)
{
    int one = 1, two = 2, three = 3;
    check_gradient(build_attention, &one, SHAPE(2, 5, 3), SHAPE(2, 5, 3), SHAPE(2, 5, 3));
    check_gradient(build_attention, &two, SHAPE(1, 2, 3, 4), SHAPE(1, 2, 3, 4), SHAPE(1, 2, 3, 4));
    check_gradient(build_attention, &three, SHAPE(1, 1, 3), SHAPE(1, 1, 3), SHAPE(1, 1, 3));
    check_gradient(build_self_attention, &two, SHAPE(2, 3, 4));
}

static void the_other_gradients(void)
{
    int two = 2, three = 3;
    check_gradient(build_dropout, NULL, SHAPE(7, 3));
    check_gradient(build_embedding, NULL, SHAPE(4, 3));
    check_gradient(build_upsample, NULL, SHAPE(2, 3, 1, 5));
    check_gradient(build_depth_to_space, &two, SHAPE(2, 3, 1, 8));
    check_gradient(build_depth_to_space, &three, SHAPE(1, 1, 2, 9));
    check_gradient(build_concat, NULL, SHAPE(2, 3, 2), SHAPE(2, 3, 5));
    check_gradient(build_concat_twice, NULL, SHAPE(3, 2), SHAPE(3, 1));
    check_gradient(build_mse, NULL, SHAPE(3, 2, 2), SHAPE(3, 2, 2));
    check_gradient(build_mean, NULL, SHAPE(5, 3));
}

/* ---- mistakes stop with the shapes -------------------------------------------------------------- */

static void add_misfits(void *unused)
{
    (void)unused;
    add(&tape, LEAF(SHAPE(2), 1, 2), LEAF(SHAPE(3), 1, 2, 3));
}

static void norm_misfits(void *unused)
{
    (void)unused;
    Var *c = LEAF(SHAPE(4), 1, 2, 3, 4);
    group_norm(&tape, LEAF(SHAPE(1, 1, 4), 1, 2, 3, 4), c, c, 3, 0);
}

static void conv_misfits(void *unused)
{
    (void)unused;
    conv2d(&tape, LEAF(SHAPE(1, 1, 1, 2), 1, 2), LEAF(SHAPE(1, 1, 1, 3), 1, 2, 3), NULL, 1, 0, 0);
}

static void mistakes_name_the_shapes(void)
{
    tape = tape_create();
    check_stops(add_misfits, NULL, "add: [2] and [3]");
    check_stops(norm_misfits, NULL, "3 groups do not divide the 4 channels of [1, 1, 4]");
    check_stops(conv_misfits, NULL, "x [1, 1, 1, 2] and w [1, 1, 1, 3]");
    tape_destroy(&tape);
}

static const Test tests[] = {
    T(values_by_hand), T(group_norm_by_hand), T(attention_by_hand), T(heads_are_independent),
    T(dropout_keeps_its_share), T(add_gradient), T(silu_gradient), T(linear_gradient),
    T(conv2d_gradient), T(group_norm_gradient), T(attention_gradient), T(the_other_gradients),
    T(mistakes_name_the_shapes),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
