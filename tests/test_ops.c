/* Every operation by hand: small numbers worked out on paper.  Gradients are proved in
 * test_gradients.c. */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"
#include "tests/check.h"

static Tape tape;

/* A constant leaf with the numbers listed. */
#define LEAF(shape, ...) tape_leaf(&tape, "x", shape, (Real[]){__VA_ARGS__}, NULL)
#define check_value(y, ...)                                                             \
    check_numbers(y, (Real[]){__VA_ARGS__}, sizeof((Real[]){__VA_ARGS__}) / sizeof(Real))

/* These numbers and no more. */
static void check_numbers(const Var *y, const Real *want, size_t n)
{
    check_int((long long)y->size, (long long)n);
    check_reals(y->value, want, n, 1e-6);
}

/* ---- values by hand ---------------------------------------------------------------- */

static void each_number_by_itself(void)
{
    tape = tape_create();
    Var *x = LEAF(SHAPE(3), 0, 1, -2);
    check_value(neg(&tape, x), 0, -1, 2);
    check_value(scale(&tape, x, 3, 1), 1, 4, -5);
    check_value(exponential(&tape, x), 1, 2.718281828, 0.1353352832);
    check_value(square(&tape, x), 0, 1, 4);
    check_value(hyperbolic_tangent(&tape, x), 0, 0.7615941560, -0.9640275801);
    check_value(sigmoid(&tape, x), 0.5, 0.7310585786, 0.1192029220);
    check_value(silu(&tape, x), 0, 0.7310585786, -0.2384058440);
    check_value(relu(&tape, x), 0, 1, 0);
    check_value(leaky_relu(&tape, x, 0.1), 0, 1, -0.2);
    check_value(gelu(&tape, x), 0, 0.8413447461, -0.0455002639);
    check_value(gelu_tanh(&tape, x), 0, 0.8411919906, -0.0454023059);
    check_value(softplus(&tape, x), 0.6931471806, 1.313261688, 0.1269280110);
    check_value(softplus(&tape, LEAF(SHAPE(2), 1000, -1000)), 1000, 0);
    check_value(clamp(&tape, x, -1, 0.5), 0, 0.5, -1);
    check_value(logarithm(&tape, LEAF(SHAPE(2), 1, 10)), 0, 2.302585093);
    check_value(square_root(&tape, LEAF(SHAPE(2), 9, 2)), 3, 1.414213562);
    check_value(stop_gradient(&tape, x), 0, 1, -2);
    tape_destroy(&tape);
}

static void two_arrays(void)
{
    tape = tape_create();
    Var *a = LEAF(SHAPE(2, 2), 1, 2, 3, 4), *row = LEAF(SHAPE(1, 2), 10, 20);
    Var *column = LEAF(SHAPE(2, 1), 1, 2);
    check_value(add(&tape, a, row), 11, 22, 13, 24);
    check_value(add(&tape, column, row), 11, 21, 12, 22);
    check_value(subtract(&tape, row, a), 9, 18, 7, 16);
    check_value(multiply(&tape, column, a), 1, 2, 6, 8);
    check_value(divide(&tape, a, column), 1, 2, 1.5, 2);
    check_value(where(&tape, LEAF(SHAPE(2, 2), 1, 0, 0, -1), a,
                      LEAF(SHAPE(2, 2), 5, 6, 7, 8)),
                1, 6, 7, 4);
    tape_destroy(&tape);
}

static void over_axes(void)
{
    tape = tape_create();
    Var *x = LEAF(SHAPE(2, 3), 1, 2, 6, -4, -5, -6);
    check_value(sum(&tape, x, AXIS(0)), -3, -3, 0);
    check_value(sum(&tape, x, AXIS(1)), 9, -15);
    check_value(mean(&tape, x, ALL_AXES), -1);
    check_value(max(&tape, x, AXIS(1)), 6, -4);
    check_value(max(&tape, x, AXIS(0)), 1, 2, 6);
    /* e^0 : e^(ln 3) is 1 : 3; a shift by 1000 changes nothing. */
    Var *s = LEAF(SHAPE(2, 2), 0, 1.098612289, 1000, 999);
    check_value(softmax(&tape, s), 0.25, 0.75, 0.7310585786, 0.2689414214);
    check_value(log_softmax(&tape, s), -1.386294361, -0.2876820724, -0.3132616875,
                -1.313261688);
    /* mean 3, deviation 2 */
    check_value(layer_norm(&tape, LEAF(SHAPE(1, 2), 1, 5), LEAF(SHAPE(2), 1, 10),
                           LEAF(SHAPE(2), 0, 7), 0), -1, 17);
    tape_destroy(&tape);
}

static void rearranging(void)
{
    tape = tape_create();
    Var *x = LEAF(SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    check(shape_equal(reshape(&tape, x, SHAPE(3, 2))->shape, SHAPE(3, 2)));
    check_value(reshape(&tape, x, SHAPE(3, 2)), 1, 2, 3, 4, 5, 6);
    check_value(permute(&tape, x, (int[]){1, 0}), 1, 4, 2, 5, 3, 6);
    check_value(permute(&tape, LEAF(SHAPE(1, 2, 3), 1, 2, 3, 4, 5, 6), (int[]){2, 0, 1}),
                1, 4, 2, 5, 3, 6);
    check_value(slice(&tape, x, 1, 1, 2), 2, 3, 5, 6);
    check_value(slice(&tape, x, 0, 1, 1), 4, 5, 6);
    check_value(concat(&tape, LEAF(SHAPE(2, 1), 1, 2), LEAF(SHAPE(2, 2), 3, 4, 5, 6), 1),
                1, 3, 4, 2, 5, 6);
    check_value(concat(&tape, x, LEAF(SHAPE(1, 3), 7, 8, 9), 0),
                1, 2, 3, 4, 5, 6, 7, 8, 9);
    check_value(upsample(&tape, LEAF(SHAPE(1, 1, 2, 1), 1, 2)), 1, 1, 2, 2, 1, 1, 2, 2);
    check_value(depth_to_space(&tape, LEAF(SHAPE(1, 1, 2, 4), 1, 2, 3, 4, 5, 6, 7, 8), 2),
                1, 2, 5, 6, 3, 4, 7, 8);
    check_value(embedding(&tape, LEAF(SHAPE(2, 2), 1, 2, 3, 4), (int[]){1, 0, 1}, 3),
                3, 4, 1, 2, 3, 4);
    check_value(reflect_pad(&tape, LEAF(SHAPE(1, 2, 3, 1), 1, 2, 3, 4, 5, 6),
                            (int[]){1, 0, 2, 0}),
                6, 5, 4, 5, 6, 3, 2, 1, 2, 3, 6, 5, 4, 5, 6);
    check_value(reflect_pad(&tape, LEAF(SHAPE(1, 2, 3, 1), 1, 2, 3, 4, 5, 6),
                            (int[]){0, 1, 0, 2}),
                1, 2, 3, 2, 1, 4, 5, 6, 5, 4, 1, 2, 3, 2, 1);
    tape_destroy(&tape);
}

static void products_and_filters(void)
{
    tape = tape_create();
    Var *a = LEAF(SHAPE(2, 2), 1, 2, 3, 4), *b = LEAF(SHAPE(2, 2), 5, 6, 7, 8);
    check_value(linear(&tape, LEAF(SHAPE(1, 2), 1, 2),
                       LEAF(SHAPE(3, 2), 1, 0, 0, 1, 1, 1), LEAF(SHAPE(3), 10, 20, 30)),
                11, 22, 33);
    check_value(matmul(&tape, a, false, b, false), 19, 22, 43, 50);
    check_value(matmul(&tape, a, true, b, false), 26, 30, 38, 44);
    check_value(matmul(&tape, a, false, b, true), 17, 23, 39, 53);
    check_value(matmul(&tape, a, true, b, true), 23, 31, 34, 46);
    Var *image = LEAF(SHAPE(1, 2, 2, 1), 1, 2, 3, 6);
    check_value(conv2d(&tape, image, LEAF(SHAPE(1, 2, 2, 1), 1, 10, 100, 1000),
                       LEAF(SHAPE(1), 5), 1, (Padding){1, 0, 1, 0}),
                1005, 2105, 3015, 6326);
    check_value(conv2d(&tape, image, LEAF(SHAPE(1, 1, 2, 1), 1, 10), NULL, 1,
                       (Padding){0, 0, 0, 1}), 21, 2, 63, 6);
    check_value(average_pool(&tape, image, 2, 2, 0), 3);
    check_value(resample_down(&tape, image, (Real[]){1, 1}, 2, 0), 3);
    check_value(resample_up(&tape, LEAF(SHAPE(1, 1, 2, 1), 1, 2), (Real[]){1, 1}, 2, 0),
                1, 1, 2, 2, 1, 1, 2, 2);
    /* A constant 8 through (1, 3, 3, 1)/8: a corner's 3x3 nonzero taps weigh (7/8)^2. */
    check_value(resample_down(&tape, LEAF(SHAPE(1, 2, 2, 1), 8, 8, 8, 8),
                              (Real[]){1, 3, 3, 1}, 4, 1), 8 * 0.75 * 0.75);
    check_value(resample_up(&tape, LEAF(SHAPE(1, 1, 1, 1), 16), (Real[]){1, 3, 3, 1},
                            4, 1), 9, 9, 9, 9);
    /* A window of 2 x 2 from one pixel outside; a corner has one pixel, an edge two. */
    check_value(average_pool(&tape, image, 2, 1, 1), 1, 1.5, 2, 2, 3, 4, 3, 4.5, 6);
    check_value(max_pool(&tape, image, 2, 1, 1), 1, 2, 2, 3, 6, 6, 3, 6, 6);
    check_value(max_pool(&tape, scale(&tape, image, -1, 0), 2, 2, 0), -1);
    /* Output centres lie at -1/4, 1/4, 3/4, 5/4 of the input; outside it, the edge. */
    check_value(resize(&tape, LEAF(SHAPE(1, 1, 2, 1), 0, 8), 1, 4, 0.5), 0, 2, 6, 8);
    check_value(resize(&tape, LEAF(SHAPE(1, 1, 2, 1), 0, 8), 1, 4, 0), 0, 4, 8, 8);
    tape_destroy(&tape);
}

static void losses(void)
{
    tape = tape_create();
    check_value(mse(&tape, LEAF(SHAPE(2, 2), 1, 2, 3, 4), LEAF(SHAPE(2, 2), 0, 0, 3, 2)),
                2.5, 2);
    check_value(cross_entropy(&tape, LEAF(SHAPE(2, 2), 0, 1.098612289, 1000, 0),
                              (int[]){0, 0}),
                1.386294361, 0);
    /* KL(N(1, 1) || N(0, 1)) = 1/2; KL(N(0, 1) || N(0, e)) = (1 - 1 + e^-1) / 2 */
    check_value(gaussian_kl(&tape, LEAF(SHAPE(3), 1, 0, 2), LEAF(SHAPE(3), 0, 0, 1),
                            LEAF(SHAPE(3), 0, 0, 2), LEAF(SHAPE(3), 0, 1, 1)),
                0.5, 0.1839397206, 0);
    /* A wide bin's probability is its width times the density; end bins get the rest. */
    check_value(discretized_gaussian(&tape, LEAF(SHAPE(3), 0, -1, 1),
                                     LEAF(SHAPE(3), 0, -1, 1), LEAF(SHAPE(3), 0, 0, 0)),
                log(2 / 255.0 * 0.3989422804), log(0.5 + 0.3989422804 / 255),
                log(0.5 + 0.3989422804 / 255));
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
    /* Two samples, each with its own gamma and beta. */
    y = group_norm(&tape, LEAF(SHAPE(2, 2, 1), 1, 3, 5, 9), LEAF(SHAPE(2, 1, 1), 1, 10),
                   LEAF(SHAPE(2, 1, 1), 0, 5), 1, 0);
    check_value(y, -1, 1, -5, 15);
    tape_destroy(&tape);
}

/* Two tokens of one number: scores (0, 0) give weights 1/2 1/2, (0, ln 3) 1/4 3/4. */
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
                     random_stream(1, 0, 0), 0);
    double sum = 0;
    for (int i = 0; i < N; i++) {
        sum += (double)y->value[i];
        check(y->value[i] == 0 || fabs((double)y->value[i] - 4.0 / 3) < 1e-6);
    }
    check_close(sum / N, 1, 4 * sqrt(0.25 / 0.75 / N));
    tape_destroy(&tape);
}

/* The gradient of x times a constant copy of x is x, not 2 x. */
static void stop_gradient_stops(void)
{
    Real x[2] = {3, -4}, dx[2] = {0, 0};
    tape = tape_create();
    Var *v = tape_leaf(&tape, "x", SHAPE(2), x, dx);
    backward(sum(&tape, multiply(&tape, v, stop_gradient(&tape, v)), ALL_AXES));
    check_reals(dx, x, 2, 1e-6);
    tape_destroy(&tape);
}

/* ---- mistakes stop with the shapes ------------------------------------------------- */

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
    conv2d(&tape, LEAF(SHAPE(1, 1, 1, 2), 1, 2), LEAF(SHAPE(1, 1, 1, 3), 1, 2, 3), NULL,
           1, (Padding){0});
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
    T(each_number_by_itself), T(two_arrays), T(over_axes), T(rearranging),
    T(products_and_filters), T(losses), T(group_norm_by_hand), T(attention_by_hand),
    T(heads_are_independent), T(dropout_keeps_its_share), T(stop_gradient_stops),
    T(mistakes_name_the_shapes),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
