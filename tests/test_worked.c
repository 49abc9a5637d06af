/* The numbers of the worked examples in the chapters, in their order. */
#include <string.h>

#include "nn/layers.h"
#include "nn/optimizer.h"
#include "tensor/convolution.h"
#include "tensor/memory.h"
#include "tensor/random.h"
#include "tests/check.h"

/* ---- tensor/README.md -------------------------------------------------------------- */

static void a_pool_on_paper(void)
{
    Pool p = pool_create();
    void *a = pool_alloc(&p, 1000), *b = pool_alloc(&p, 1000);
    check_int((long long)p.in_use, 2048);
    pool_free(&p, a);
    check_int((long long)p.in_use, 1024);
    check(pool_alloc(&p, 900) == a && b != a);
    check_int((long long)p.in_use, 2048);
    check_int((long long)p.peak, 2048);
    pool_destroy(&p);
}

static void random_numbers_of_two_rows(void)
{
    static const struct { unsigned row; double uniform[5], normal[5]; } rows[] = {
        {0, {0.987672, 0.008969, 0.761261, 0.539024, 0.092979},
         {0.157259, 0.008872, -0.716527, -0.179297, -0.572145}},
        {7, {0.399096, 0.253925, 0.948603, 0.792544, 0.713880},
         {-0.033419, 1.354986, 0.085806, -0.313316, -0.662114}},
    };
    for (int k = 0; k < 2; k++)
        for (uint64_t i = 0; i < 5; i++) {
            Random r = random_stream(1, 4, rows[k].row);
            check_close(random_uniform(r, i), rows[k].uniform[i], 6e-7);
            check_close(random_normal(r, i), rows[k].normal[i], 6e-7);
        }
    check_close(sqrt(-2 * log(0.987672)), 0.157509, 1e-6);
}

static void a_convolution_by_hand(void)
{
    static const Real x[] = {1, 2, 0, 0, 1, 3, 2, 1, 1}, w[] = {1, 0, 2, -1};
    static const Real dy[] = {1, 0, 0, 2};
    Convolution g = {1, 3, 3, 1, 2, 2, 1, 2, 2, 1, 0, 0};
    Real y[4], dx[9] = {0}, dw[4] = {0};
    convolution(y, x, w, NULL, &g);
    check_reals(y, ((Real[]){0, 1, 3, 2}), 4, 0);
    convolution_backward_weight(dw, dy, x, &g);
    check_reals(dw, ((Real[]){3, 8, 2, 3}), 4, 0);
    convolution_backward_input(dx, dy, w, &g, false);
    check_reals(dx, ((Real[]){1, 0, 0, 2, 1, 0, 0, 4, -2}), 9, 0);
}

static void addition_is_not_associative(void)
{
    volatile float big = 16777216, one = 1, left = big + one, two = one + one;
    left = left + one;
    volatile float right = big + two;
    check(left == 16777216 && right == 16777218);
}

/* ---- autograd/README.md ------------------------------------------------------------ */

static void the_chain_rule_on_two_operations(void)
{
    static const Real w_value = 3, x_value = 2;
    Real w_grad = 0, x_grad = 0, twice = 0;
    Tape t = tape_create();
    Var *w = tape_leaf(&t, "w", SHAPE(1), &w_value, &w_grad);
    Var *x = tape_leaf(&t, "x", SHAPE(1), &x_value, &x_grad);
    Var *u = multiply(&t, w, x), *L = square(&t, u);
    check(u->value[0] == 6 && L->value[0] == 36);
    check(t.line[0] == u && t.line[1] == L && t.lines == 2);
    backward(L);
    check(w_grad == 24 && x_grad == 36);
    tape_reset(&t);
    x = tape_leaf(&t, "x", SHAPE(1), &x_value, &twice);
    backward(add(&t, x, x));
    check(twice == 2);
    tape_destroy(&t);
}

/* |central difference - derivative| of silu at 2. */
static double silu_error(double h)
{
    double s = 1 / (1 + exp(-2.0)), up = 2 + h, down = 2 - h;
    double slope = (up / (1 + exp(-up)) - down / (1 + exp(-down))) / (2 * h);
    return fabs(slope - s * (1 + 2 * (1 - s)));
}

static double silu_error_in_float(float h)
{
    double s = 1 / (1 + exp(-2.0));
    volatile float up = 2 + h, down = 2 - h;
    volatile float high = up / (1 + expf(-up)), low = down / (1 + expf(-down));
    return fabs((double)((high - low) / (2 * h)) - s * (1 + 2 * (1 - s)));
}

static void silu_and_its_slopes(void)
{
    static const Real two = 2;
    Real dx = 0;
    Tape t = tape_create();
    Var *y = silu(&t, tape_leaf(&t, "x", SHAPE(1), &two, &dx));
    check_close(y->value[0], 1.761594, 1e-6);
    backward(y);
    check_close(dx, 1.090784, 1e-6);
    tape_destroy(&t);
    check_close(silu_error(1e-2) / 3e-6, 1, 0.5);
    check_close(silu_error(1e-3) / 3e-8, 1, 0.5);
    check(silu_error(1e-5) < 1e-10 && silu_error(1e-11) > 1e-8);
    check(silu_error_in_float(1e-3f) < 1e-3 && silu_error_in_float(1e-5f) > 1e-4);
    check(silu_error_in_float(1e-8f) > 0.5);
}

static void repeating_and_summing(void)
{
    static const Real a[] = {1, 2}, b[] = {10, 20, 30}, dy[] = {1, 2, 3, 4, 5, 6};
    Real da[2] = {0}, db[3] = {0};
    Tape t = tape_create();
    Var *y = add(&t, tape_leaf(&t, "a", SHAPE(2, 1), a, da),
                 tape_leaf(&t, "b", SHAPE(1, 3), b, db));
    check_reals(y->value, ((Real[]){11, 21, 31, 12, 22, 32}), 6, 0);
    Var *weights = tape_leaf(&t, "dy", SHAPE(2, 3), dy, NULL);
    backward(sum(&t, multiply(&t, y, weights), ALL_AXES));
    check_reals(da, ((Real[]){6, 15}), 2, 0);
    check_reals(db, ((Real[]){5, 7, 9}), 3, 0);
    tape_destroy(&t);
}

/* y = x + linear(silu(norm(x))): which of n, s, u are held, and what runs twice. */
typedef struct { Var *n, *s, *u; int again; } Step;

static void follow(Tape *t, void (*f)(Var *), Var *y)
{
    Step *step = t->watcher;
    if (t->done && f == y->op->forward) step->again++;
    f(y);
}

static void one_array_is_held(void)
{
    Real x[8], w[16], gamma[4] = {1, 1, 1, 1}, beta[4] = {0}, dx[8] = {0}, dw[16] = {0};
    Step step = {.again = 0};
    Tape t = tape_create();
    t.watch = follow, t.watcher = &step;
    fill_uniform(x, 8, 1);
    fill_uniform(w, 16, 2);
    Var *in = tape_leaf(&t, "x", SHAPE(2, 4), x, dx);
    step.n = layer_norm(&t, in, tape_leaf(&t, "gamma", SHAPE(4), gamma, NULL),
                        tape_leaf(&t, "beta", SHAPE(4), beta, NULL), 1e-5);
    step.s = silu(&t, step.n);
    discard(step.n);
    step.u = linear(&t, step.s, tape_leaf(&t, "w", SHAPE(4, 4), w, dw), NULL);
    discard(step.s);
    Var *y = add(&t, in, step.u);
    discard(step.u);
    check(!step.n->value && !step.s->value && !step.u->value && y->value);
    check(step.n->wanted && step.s->wanted && !step.u->wanted);
    backward(sum(&t, y, ALL_AXES));
    check_int(step.again, 2);
    tape_destroy(&t);
}

/* ---- nn/README.md ------------------------------------------------------------------ */

/* The linear layer of the chapter, one step of a rule; returns the loss before and
 * after. */
static void train_by_hand(const char *rule, double loss[2], Params *p)
{
    static const Real x[] = {1, 2}, target[] = {0, 1};
    static const Real start[] = {0.5, -1, 1, 0.25, 0, 0.5};
    *p = params_create();
    Linear l = linear_init(p, "l", 2, 2, ROLE_PLAIN);
    params_allocate(p, 1);
    memcpy(p->value, start, sizeof start);
    Optimizer o = optimizer_init(p, &(OptimizerConfig){
        .rule = rule, .rate = {.lr = 0.1, .decay = "constant"}, .beta1 = 0,
        .beta2 = 0.999, .eps = 1e-12});
    Tape t = tape_create();
    for (int k = 0; k < 2; k++) {
        Real dx[2] = {0};
        tape_reset(&t);
        Pass pass = pass_training(&t, p, random_stream(1, 0, 0));
        Var *y = linear_forward(&pass, &l, tape_leaf(&t, "x", SHAPE(1, 2), x, dx));
        Var *L = mse(&t, y, tape_leaf(&t, "target", SHAPE(1, 2), target, NULL));
        loss[k] = (double)L->value[0];
        if (k == 1) break;
        check_reals(y->value, ((Real[]){-1.5, 2}), 2, 1e-6);
        backward(L);
        check_reals(p->grad, ((Real[]){-1.5, -3, 1, 2, -1.5, 1}), 6, 1e-6);
        check_reals(dx, ((Real[]){0.25, 1.75}), 2, 1e-6);
        optimizer_step(&o, p);
    }
    tape_destroy(&t);
}

static void a_linear_layer_by_hand(void)
{
    Params p;
    double loss[2];
    train_by_hand("sgd", loss, &p);
    check_reals(p.value, ((Real[]){0.65, -0.7, 0.9, 0.05, 0.15, 0.4}), 6, 1e-6);
    check_close(loss[0], 1.625, 1e-6);
    check_close(loss[1], 0.26, 1e-6);
    params_destroy(&p);
    train_by_hand("adam", loss, &p);
    check_reals(p.value, ((Real[]){0.6, -0.9, 0.9, 0.15, 0.1, 0.4}), 6, 1e-6);
    check_close(loss[1], 0.785, 1e-6);
    params_destroy(&p);
}

static const Test tests[] = {
    T(a_pool_on_paper), T(random_numbers_of_two_rows), T(a_convolution_by_hand),
    T(addition_is_not_associative), T(the_chain_rule_on_two_operations),
    T(silu_and_its_slopes), T(repeating_and_summing), T(one_array_is_held),
    T(a_linear_layer_by_hand),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
