/* Optimisers, learning rates and moving averages: a few steps by hand, and what must
 * not change. */
#include <string.h>

#include "nn/ema.h"
#include "nn/optimizer.h"
#include "tests/check.h"

enum { STEPS = 3 };
static const double gradient[STEPS] = {1, -4, 0.5};

/* Runs a rule on one weight that starts at 1; w[k] is the weight after step k+1. */
static void run_rule(OptimizerConfig c, double w[STEPS])
{
    Params p = params_create();
    params_add(&p, SHAPE(1), (Init){INIT_CONSTANT, 1}, "w");
    params_allocate(&p, 0);
    Optimizer o = optimizer_init(&p, &c);
    for (int k = 0; k < STEPS; k++) {
        p.grad[0] = (Real)gradient[k];
        check_close(optimizer_step(&o, &p), fabs(gradient[k]), 1e-6);
        w[k] = (double)p.value[0];
    }
    params_destroy(&p);
}

static OptimizerConfig config(const char *rule)
{
    return (OptimizerConfig){.rule = rule, .rate = {.lr = 0.1, .decay = "constant"},
                             .beta1 = 0.9, .beta2 = 0.99, .eps = 0.01};
}

/* Numbers worked out on paper from the formulas of optimizer.h. */
static void first_steps_by_hand(void)
{
    static const struct { const char *rule; double after_one, after_two; } rows[] = {
        /* m = 1, -3.1 */
        {"sgd", 0.9, 1.21},
        /* v = 0.01, 0.1699; m = 1/0.11, 8.18182 - 4/0.422190 = -1.29259 */
        {"rmsprop", 1 - 0.1 / 0.11, 1 - 0.1 / 0.11 + 0.1 * 1.29259},
        /* m^ = 1, -0.31/0.19; v^ = 1, 0.1699/0.0199 = 8.53769 */
        {"adam", 1 - 0.1 / 1.01, 1 - 0.1 / 1.01 + 0.1 * 1.631579 / 2.931932},
        /* eps / sqrt(1 - 0.99^k) = 0.1, 0.0708881 */
        {"adam_hat", 1 - 0.1 / 1.1, 1 - 0.1 / 1.1 + 0.1 * 1.631579 / 2.992820},
    };
    for (int i = 0; i < NELEM(rows); i++) {
        double w[STEPS];
        run_rule(config(rows[i].rule), w);
        check_close(w[0], rows[i].after_one, 2e-6);
        check_close(w[1], rows[i].after_two, 2e-6);
    }
}

/* Decoupled decay shrinks by lr * decay, is adam for decay 0; others see a gradient. */
static void weight_decay_is_decoupled_in_adamw_only(void)
{
    double plain[STEPS], w[STEPS];
    OptimizerConfig c = config("adamw");
    run_rule(config("adam"), plain);
    run_rule(c, w);
    check(memcmp(plain, w, sizeof w) == 0);
    c.weight_decay = 0.5;
    run_rule(c, w);
    check_close(w[0], 1 - 0.1 * 0.5 - 0.1 / 1.01, 1e-6);
    c = config("sgd");
    c.weight_decay = 0.5;
    run_rule(c, w);
    check_close(w[0], 1 - 0.1 * 1.5, 1e-6);
}

static void the_norm_of_all_gradients_is_clipped(void)
{
    Params p = params_create();
    params_add(&p, SHAPE(2), (Init){INIT_CONSTANT, 0}, "a");
    params_add(&p, SHAPE(1), (Init){INIT_CONSTANT, 0}, "b");
    params_allocate(&p, 0);
    OptimizerConfig c = config("sgd");
    c.clip = 3.5;
    Optimizer o = optimizer_init(&p, &c);
    memcpy(p.grad, (Real[]){2, 3, -6}, 3 * sizeof(Real));       /* norm 7 */
    check_close(optimizer_step(&o, &p), 7, 1e-6);
    check_reals(p.value, ((Real[]){-0.1, -0.15, 0.3}), 3, 1e-6);
    memcpy(p.grad, (Real[]){0, 1, 0}, 3 * sizeof(Real));        /* small: left alone */
    o.m[0] = o.m[1] = o.m[2] = 0;
    optimizer_step(&o, &p);
    check_reals(p.value, ((Real[]){-0.1, -0.25, 0.3}), 3, 1e-6);
    params_destroy(&p);
}

static void a_gradient_that_is_not_finite_changes_nothing(void)
{
    static const char *const rules[] = {"sgd", "rmsprop", "adam", "adam_hat", "adamw"};
    for (int i = 0; i < NELEM(rules); i++) {
        Params p = params_create();
        params_add(&p, SHAPE(2), (Init){INIT_CONSTANT, 1}, "w");
        params_allocate(&p, 0);
        OptimizerConfig c = config(rules[i]);
        Optimizer o = optimizer_init(&p, &c);
        p.grad[0] = 1, p.grad[1] = (Real)NAN;
        check(isnan(optimizer_step(&o, &p)));
        p.grad[1] = (Real)INFINITY;
        check(isinf(optimizer_step(&o, &p)));
        check(p.value[0] == 1 && o.m[0] == 0 && o.step == 0);
        params_destroy(&p);
    }
}

static void what_is_not_finite_can_be_replaced_and_counted(void)
{
    Params p = params_create();
    params_add(&p, SHAPE(4), (Init){INIT_CONSTANT, 1}, "w");
    params_allocate(&p, 0);
    OptimizerConfig c = config("sgd");
    c.repair = true;
    Optimizer o = optimizer_init(&p, &c);
    memcpy(p.grad, (Real[]){(Real)NAN, (Real)INFINITY, (Real)-INFINITY, 2},
           4 * sizeof(Real));
    check_close(optimizer_step(&o, &p), sqrt(2e10 + 4), 1e-2);
    check_reals(p.value, ((Real[]){1, 1 - 1e4, 1 + 1e4, 0.8}), 4, 1e-6);
    check_int((int)o.repaired, 3);
    p.grad[0] = p.grad[1] = p.grad[2] = 0;
    optimizer_step(&o, &p);
    check_int((int)o.repaired, 3);
    params_destroy(&p);
}

static void rates_by_hand(void)
{
    LearningRate warm = {.lr = 2, .warmup = 4, .decay = "constant"};
    check_close(learning_rate(&warm, 0), 0, 0);
    check_close(learning_rate(&warm, 1), 0.5, 1e-12);
    check_close(learning_rate(&warm, 3), 1.5, 1e-12);
    check_close(learning_rate(&warm, 4), 2, 1e-12);
    check_close(learning_rate(&warm, 4000), 2, 1e-12);
    static const struct { const char *decay; double half, all, beyond; } rows[] = {
        {"constant", 2, 2, 2}, {"linear", 1, 0.01, 0.01}, {"cosine", 1, 0.01, 0.01},
        {"exponential", 2 * 0.31622776601683794, 0.2, 0.02}};
    for (int i = 0; i < NELEM(rows); i++) {
        LearningRate c = {.lr = 2, .decay = rows[i].decay, .decay_steps = 100,
                          .floor = 0.01};
        check_close(learning_rate(&c, 0), 2, 1e-12);
        check_close(learning_rate(&c, 50), rows[i].half, 1e-12);
        check_close(learning_rate(&c, 100), rows[i].all, 1e-12);
        check_close(learning_rate(&c, 200), rows[i].beyond, 1e-12);
    }
}

static void averages_by_hand(void)
{
    Params p = params_create();
    params_add(&p, SHAPE(1), (Init){INIT_CONSTANT, 5}, "w");
    params_allocate(&p, 0);
    Ema e = ema_init(&p, 2, (double[]){0.5, 0.9}, 0);
    static const double w[] = {1, 3, 7}, half[] = {1, 2, 4.5}, slow[] = {1, 1.2, 1.78};
    for (int k = 0; k < 3; k++) {
        p.value[0] = (Real)w[k];
        ema_update(&e, &p, k);
        check_close(e.value[0][0], half[k], 1e-6);
        check_close(e.value[1][0], slow[k], 1e-6);
    }
    params_destroy(&p);
}

/* EDM: half-life 500,000 images at batch 512; the ramp lets the average reach back over a
 * twentieth of the steps so far. */
static void the_ramp_is_that_of_edm(void)
{
    double decay = ema_from_halflife(500000, 512);
    check_close(decay, 0.99929047, 1e-8);
    check_close(ema_decay_at(decay, 0.05, 0), 0, 0);
    check_close(ema_decay_at(decay, 0.05, 100), pow(0.5, 512 / (0.05 * 100 * 512)),
                1e-12);
    check_close(ema_decay_at(decay, 0.05, 10000000), decay, 0);
}

static void init_unknown(void *rule)
{
    Params p = params_create();
    OptimizerConfig c = config(rule);
    if (strcmp(rule, "sgd") == 0) c.rate.decay = "cubic";
    optimizer_init(&p, &c);
}

static void unknown_names_stop_with_the_list(void)
{
    check_stops(init_unknown, "lion", "no optimiser lion; there are sgd, rmsprop, adam");
    check_stops(init_unknown, "sgd", "no learning-rate decay cubic; there are constant");
}

static const Test tests[] = {
    T(first_steps_by_hand), T(weight_decay_is_decoupled_in_adamw_only),
    T(the_norm_of_all_gradients_is_clipped),
    T(a_gradient_that_is_not_finite_changes_nothing),
    T(what_is_not_finite_can_be_replaced_and_counted),
    T(rates_by_hand), T(averages_by_hand), T(the_ramp_is_that_of_edm),
    T(unknown_names_stop_with_the_list),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
