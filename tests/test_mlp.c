/* The small networks of 2015: values by hand, gradients of the whole, learning. */
#include <string.h>

#include "nn/optimizer.h"
#include "nn/rbf.h"
#include "nn/time_basis.h"
#include "tests/check.h"

enum { N = 32, STEPS = 2 };

/* A network of either kind on N points of the plane, and its targets. */
typedef struct {
    Params params;
    Tape tape;
    Mlp mlp;
    Rbf rbf;
    bool is_rbf;
    Real x[N * 2], target[N];
} Net;

/* To learn: sin 3x in step 0, which has the first half, xy in step 1; the MLP, which has
 * no t, learns xy. */
static void set_up(Net *f, bool is_rbf)
{
    *f = (Net){.params = params_create(), .tape = tape_create(), .is_rbf = is_rbf};
    if (is_rbf) f->rbf = rbf_init(&f->params, "rbf", 2, 16, 1, STEPS);
    else f->mlp = mlp_init(&f->params, "mlp", (int[]){2, 16, 16, 1, 0},
                           "hyperbolic_tangent");
    params_allocate(&f->params, 1);
    fill_uniform(f->x, N * 2, 3);
    for (int n = 0; n < N; n++) {
        double x = (double)f->x[2 * n], y = (double)f->x[2 * n + 1];
        f->target[n] = (Real)(is_rbf && n < N / STEPS ? sin(3 * x) : x * y);
    }
}

static void tear_down(Net *f)
{
    params_destroy(&f->params);
    tape_destroy(&f->tape);
}

/* The mean squared error; its gradient is added to that of the parameters. */
static double loss_of(Net *f, bool backwards)
{
    tape_reset(&f->tape);
    Pass pass = pass_training(&f->tape, &f->params, random_stream(1, 1, 1));
    Shape shape = f->is_rbf ? SHAPE(STEPS, N / STEPS, 2) : SHAPE(N, 2);
    Var *x = tape_leaf(&f->tape, "x", shape, f->x, NULL);
    Var *y = f->is_rbf ? rbf_forward(&pass, &f->rbf, x, 0)
                       : mlp_forward(&pass, &f->mlp, x);
    y = reshape(&f->tape, y, SHAPE(N, 1));
    Var *target = tape_leaf(&f->tape, "target", SHAPE(N, 1), f->target, NULL);
    Var *loss = mean(&f->tape, mse(&f->tape, y, target), ALL_AXES);
    double value = (double)loss->value[0];
    if (backwards) backward(loss);
    return value;
}

/* Every parameter of both networks, one by one. */
static void their_gradients_are_slopes(void)
{
    double h = sizeof(Real) == 4 ? 1e-2 : 1e-5;
    double tolerance = sizeof(Real) == 4 ? 2e-3 : 1e-9;
    for (int is_rbf = 0; is_rbf < 2; is_rbf++) {
        Net f;
        set_up(&f, is_rbf);
        loss_of(&f, true);
        for (size_t i = 0; i < f.params.size; i++) {
            Real *w = &f.params.value[i], kept = *w;
            *w = kept + (Real)h;
            double high = loss_of(&f, false), up = (double)*w;
            *w = kept - (Real)h;
            double low = loss_of(&f, false), down = (double)*w;
            *w = kept;
            check_close((double)f.params.grad[i], (high - low) / (up - down), tolerance);
        }
        tear_down(&f);
    }
}

static void they_learn_a_function(void)
{
    for (int is_rbf = 0; is_rbf < 2; is_rbf++) {
        Net f;
        set_up(&f, is_rbf);
        Optimizer o = optimizer_init(&f.params, &(OptimizerConfig){
            .rule = "adam", .rate = {.lr = 0.02, .decay = "constant"}, .beta1 = 0.9,
            .beta2 = 0.999, .eps = 1e-8});
        double first = loss_of(&f, false), last = 0;
        for (int k = 0; k < 500; k++) {
            params_zero_grad(&f.params);
            last = loss_of(&f, true);
            optimizer_step(&o, &f.params);
        }
        check_at_most(last, 1e-3 * first, is_rbf ? "loss of the RBF" : "loss of the MLP");
        tear_down(&f);
    }
}

/* Two bumps at 0 and 2 on a line: at 1 they weigh 1/2 each, far to the right the second
 * one has all.  With radius 1/2 of the first, at 1: scores -2 and -1/2. */
static void bumps_by_hand(void)
{
    Params p = params_create();
    Tape tape = tape_create();
    Rbf r = rbf_init(&p, "rbf", 1, 2, 1, 2);
    params_allocate(&p, 1);
    static const Real x[] = {1, 1, 1, 100};
    static const Real values[] = {0, 2,  0, 0,  10, 20,  1, 3,  0, 5};
    memcpy(p.value, values, sizeof values);     /* centres, radii, weights, biases */
    for (int narrow = 0; narrow < 2; narrow++) {
        tape_reset(&tape);
        p.value[2] = (Real)(narrow ? log(0.5) : 0);
        Pass pass = pass_inference(&tape, &p, p.value);
        Var *all = tape_leaf(&tape, "x", SHAPE(2, 2, 1), x, NULL);
        Var *one = tape_leaf(&tape, "x", SHAPE(1, 1, 1), x, NULL);
        Var *y = rbf_forward(&pass, &r, all, 0), *late = rbf_forward(&pass, &r, one, 1);
        double first = narrow ? 1 / (1 + exp(1.5)) : 0.5;
        check_close(y->value[0], 10 * first + 20 * (1 - first), 1e-6);
        check_close(y->value[2], 1 * first + 3 * (1 - first) + 5, 1e-6);
        check(late->value[0] == y->value[2]);
        check_close(y->value[3], 8, 1e-6);
    }
    tape_destroy(&tape);
    params_destroy(&p);
}

/* Placed at data, with the data as advice, the network answers with their average. */
static void placed_bumps_average_the_data(void)
{
    Params p = params_create();
    Tape tape = tape_create();
    Rbf r = rbf_init(&p, "rbf", 1, 3, 1, 2);
    params_allocate(&p, 1);
    static const Real data[] = {-1, 0, 2}, x[] = {(Real)0.3};
    rbf_place(&p, &r, data, 0.5, data);
    double weight = 0, sum = 0;
    for (int j = 0; j < 3; j++) {
        double w = exp(-2 * (0.3 - (double)data[j]) * (0.3 - (double)data[j]));
        weight += w, sum += w * (double)data[j];
    }
    for (int t = 0; t < 2; t++) {
        tape_reset(&tape);
        Pass pass = pass_inference(&tape, &p, p.value);
        Var *here = tape_leaf(&tape, "x", SHAPE(1, 1, 1), x, NULL);
        Var *y = rbf_forward(&pass, &r, here, t);
        check_close(y->value[0], sum / weight, 1e-6);
    }
    tape_destroy(&tape);
    params_destroy(&p);
}

static void layers_by_hand(void)
{
    Params p = params_create();
    Tape tape = tape_create();
    Mlp m = mlp_init(&p, "mlp", (int[]){1, 2, 1, 0}, "relu");
    params_allocate(&p, 1);
    check_int(p.count, 4);
    check_text(p.list[2].name, "mlp.1.weight");
    memcpy(p.value, ((Real[]){1, -1,  0, 1,  10, 100,  5}), 7 * sizeof(Real));
    Pass pass = pass_inference(&tape, &p, p.value);
    static const Real x[] = {2, -3};
    Var *y = mlp_forward(&pass, &m, tape_leaf(&tape, "x", SHAPE(2, 1), x, NULL));
    check_reals(y->value, ((Real[]){10 * 2 + 5, 100 * 4 + 5}), 2, 1e-6);
    tape_destroy(&tape);
    params_destroy(&p);
}

/* Ten bumps over 1000 steps, half as wide as their distance: the code of 2015 gives at
 * the first step 0.88054 0.11917 0.00030, in the middle 0.00875 0.48658 0.49542 0.00924.
 * The average: y_j = 3 for all j gives 3; y_j = j at the last time the mirror image of
 * 0. */
static void bumps_in_time(void)
{
    TimeBasis b = {1000, 10, 0.5};
    double g[10], sum = 0;
    time_basis_weights(&b, 0, g);
    check_close(g[0], 0.88054, 1e-5);
    check_close(g[1], 0.11917, 1e-5);
    check_close(g[2], 0.00030, 1e-5);
    time_basis_weights(&b, 500, g);
    static const double middle[] = {0.00875, 0.48658, 0.49542, 0.00924};
    for (int j = 0; j < 4; j++) check_close(g[3 + j], middle[j], 1e-5);
    time_basis_weights(&b, 499.5, g);                       /* between two steps */
    for (int j = 0; j < 10; j++) sum += g[j], check_close(g[j], g[9 - j], 1e-14);
    check_close(sum, 1, 1e-14);

    Tape tape = tape_create();
    Real y[2 * 20];
    for (int j = 0; j < 20; j++) y[j] = y[20 + j] = j % 2 ? 3 : (Real)(j / 2);
    Var *leaf = tape_leaf(&tape, "y", SHAPE(2, 20), y, NULL);
    Var *z = time_basis_average(&tape, &b, leaf, (double[]){0, 999});
    check_close((double)(z->value[0] + z->value[2]), 9, 1e-5);
    check_close((double)z->value[0], 0.11917 + 2 * 0.00030, 1e-4);
    check_close((double)z->value[1], 3, 1e-6);
    tape_destroy(&tape);
}

static void find_sine(void *unused) { (void)unused, activation_find("sine"); }

static void an_unknown_activation_stops_with_the_list(void)
{
    check_stops(find_sine, NULL, "no activation sine; there are sigmoid, hyperbolic_");
    check(activation_find("silu") == silu);
}

static const Test tests[] = {
    T(layers_by_hand), T(bumps_in_time), T(bumps_by_hand),
    T(placed_bumps_average_the_data),
    T(their_gradients_are_slopes),
    T(they_learn_a_function), T(an_unknown_activation_stops_with_the_list),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
