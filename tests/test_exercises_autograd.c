/* The exercises of autograd/README.md: what an answer must do (exercises.h).  `make
 * test` builds this file in double too, where gradients are held to 1e-7. */
#include <string.h>

#include "tests/check.h"
#include "tests/exercises.h"

enum { MOST = 64 };
typedef Var *Build(Tape *t, Var *in[]);
typedef struct {
    Build *build;
    int inputs;
    Shape shape[2];
    Real value[2][MOST], grad[2][MOST];
} Check;

/* L = the output times fixed random weights, summed; backwards if `varying` is not 0. */
static double contract(Check *c, Tape *t, unsigned varying)
{
    Var *in[2];
    Real weight[MOST * MOST];
    tape_reset(t);
    for (int i = 0; i < c->inputs; i++) {
        memset(c->grad[i], 0, sizeof c->grad[i]);
        in[i] = tape_leaf(t, "x", c->shape[i], c->value[i],
                          varying >> i & 1 ? c->grad[i] : NULL);
    }
    Var *y = c->build(t, in);
    fill_uniform(weight, y->size, 77);
    Var *L = sum(t, multiply(t, y, tape_leaf(t, "w", y->shape, weight, NULL)), ALL_AXES);
    double value = (double)L->value[0];
    if (varying) backward(L);
    return value;
}

/* The worst |gradient - slope| / max(1, |gradient|), over all subsets of constant
 * inputs. */
static double worst_error(Build *build, int inputs, Shape a, Shape b)
{
    Check c = {.build = build, .inputs = inputs, .shape = {a, b}};
    Tape t = tape_create();
    Real h = sizeof(Real) == 4 ? (Real)1e-2 : (Real)1e-5, got[MOST];
    double worst = 0;
    for (int i = 0; i < inputs; i++) fill_uniform(c.value[i], MOST, (unsigned)i + 5);
    for (unsigned varying = 1; varying < 1u << inputs; varying++)
        for (int i = 0; i < inputs; i++) {
            if (!(varying >> i & 1)) continue;
            contract(&c, &t, varying);
            memcpy(got, c.grad[i], sizeof got);
            for (size_t k = 0; k < shape_size(c.shape[i]); k++) {
                Real *x = &c.value[i][k], kept = *x, side[2] = {kept + h, kept - h};
                double L[2];
                for (int s = 0; s < 2; s++) *x = side[s], L[s] = contract(&c, &t, 0);
                *x = kept;
                double slope = (L[0] - L[1]) / (double)(side[0] - side[1]);
                double g = (double)got[k], error = fabs(slope - g) / fmax(1, fabs(g));
                if (!(error <= worst)) worst = error;
            }
        }
    tape_destroy(&t);
    return worst;
}

/* In float the rounding of the slopes hides what is smaller. */
static const double limit = sizeof(Real) == 4 ? 5e-3 : 1e-7;
#define check_slopes(build, inputs, a, b) \
    check_at_most(worst_error(build, inputs, a, b), limit, #build)

static void by_hand(void)
{
    static const Real values[3][3] = {{2, 3, -1}, {-1, 0.5, 4}, {0, 7, 2}};
    for (int k = 0; k < 3; k++) {
        Tape t = tape_create();
        Real grad[3] = {0};
        double out[3];
        Var *x = tape_leaf(&t, "x", SHAPE(1), &values[k][0], &grad[0]);
        Var *w = tape_leaf(&t, "w", SHAPE(1), &values[k][1], &grad[1]);
        Var *b = tape_leaf(&t, "b", SHAPE(1), &values[k][2], &grad[2]);
        backward(square(&t, add(&t, multiply(&t, w, x), b)));
        answer_by_hand((double)*x->value, (double)*w->value, (double)*b->value, out);
        for (int i = 0; i < 3; i++) check_close(out[i], grad[i], 1e-6);
        tape_destroy(&t);
    }
}

static Var *build_softsign(Tape *t, Var *in[]) { return answer_softsign(t, in[0]); }

static void softsign(void)
{
    Tape t = tape_create();
    Var *x = tape_leaf(&t, "x", SHAPE(4), (Real[]){0, 1, -3, 1000}, NULL);
    check_reals(answer_softsign(&t, x)->value, ((Real[]){0, 0.5, -0.75, 0.999000999}), 4,
                1e-6);
    check_slopes(build_softsign, 1, SHAPE(5, 3), SHAPE(1));
    tape_destroy(&t);
}

static Var *build_log_add(Tape *t, Var *in[]) { return answer_log_add(t, in[0], in[1]); }

static void log_add(void)
{
    Tape t = tape_create();
    Var *a = tape_leaf(&t, "a", SHAPE(3), (Real[]){0, 80, -80}, NULL);
    Var *b = tape_leaf(&t, "b", SHAPE(3), (Real[]){0, -80, -80}, NULL);
    check_reals(answer_log_add(&t, a, b)->value,
                ((Real[]){0.6931471806, 80, -79.3068528194}), 3, 1e-6);
    check_slopes(build_log_add, 2, SHAPE(3, 4), SHAPE(3, 4));
    check_slopes(build_log_add, 2, SHAPE(3, 1), SHAPE(1, 4));
    tape_destroy(&t);
}

static Var *build_rms_norm(Tape *t, Var *in[])
{
    return answer_rms_norm(t, in[0], in[1], 1e-5);
}

static void rms_norm(void)
{
    Tape t = tape_create();
    Var *x = tape_leaf(&t, "x", SHAPE(2, 2), (Real[]){1, 7, 3, -4}, NULL);  /* 25, 12.5 */
    Var *g = tape_leaf(&t, "g", SHAPE(2), (Real[]){10, 1}, NULL);
    check_reals(answer_rms_norm(&t, x, g, 0)->value,
                ((Real[]){2, 1.4, 8.48528137, -1.13137085}), 4, 1e-6);
    check_slopes(build_rms_norm, 2, SHAPE(2, 3, 5), SHAPE(5));
    tape_destroy(&t);
}

static void straight_through(void)
{
    Tape t = tape_create();
    Real dx[3] = {0};
    Var *x = tape_leaf(&t, "x", SHAPE(3), (Real[]){0.4, 1.6, -2.7}, dx);
    Var *y = answer_round(&t, x);
    check_reals(y->value, ((Real[]){0, 2, -3}), 3, 0);
    backward(sum(&t, square(&t, y), ALL_AXES));
    check_reals(dx, ((Real[]){0, 4, -6}), 3, 1e-6);
    tape_destroy(&t);
}

/* ---- an exercise without code: what an assignment does ----------------------------- */

static void assign_forward(Var *y)
{
    const Real *a = y->in[0]->value, *b = y->in[1]->value;
    for (size_t i = 0; i < y->size; i++) y->value[i] = a[i] + b[i];
}

static void assign_backward(Var *y)
{
    for (int k = 0; k < 2; k++) {
        Real *dx = var_grad(y->in[k]);
        for (size_t i = 0; dx && i < y->size; i++) dx[i] = y->grad[i];
    }
}

static const Op assign_op = {.name = "assign", .forward = assign_forward,
                             .backward = assign_backward};

static Var *add_two(Tape *t, Var *in[])
{
    return tape_push(t, &assign_op, in[0]->shape, 2, in, NULL, 0);
}

static Var *add_same(Tape *t, Var *in[])
{
    return tape_push(t, &assign_op, in[0]->shape, 2, (Var *[]){in[0], in[0]}, NULL, 0);
}

static void assigning_shows_only_when_an_input_is_used_twice(void)
{
    check_slopes(add_two, 2, SHAPE(4), SHAPE(4));
    check(worst_error(add_same, 1, SHAPE(4), SHAPE(4)) > 0.1);
}

/* ---- memory, second derivatives ---------------------------------------------------- */

static size_t bytes_kept(int layers, int N, int D, bool discarding)
{
    Real x[MOST], dx[MOST], w[MOST * MOST], dw[MOST * MOST];
    Tape t = tape_create();
    fill_uniform(x, MOST, 1);
    fill_uniform(w, NELEM(w), 2);
    Var *h = tape_leaf(&t, "x", SHAPE(N, D), x, dx);
    for (int l = 0; l < layers; l++) {
        Var *p = linear(&t, h, tape_leaf(&t, "w", SHAPE(D, D), w, dw), NULL);
        if (discarding) discard(h);
        h = silu(&t, p);
        if (discarding) discard(p);
    }
    size_t bytes = t.pool.in_use;
    tape_destroy(&t);
    return bytes;
}

static void kept(void)
{
    for (int layers = 1; layers < 6; layers++)
        for (int D = 3; D <= 16; D += 13)
            for (int d = 0; d < 2; d++)
                check_int((long long)answer_bytes_kept(layers, 4, D, d),
                          (long long)bytes_kept(layers, 4, D, d));
}

/* f = sum of (x0^2 x1 + x1^3):  H = [2 x1, 2 x0; 2 x0, 6 x1]. */
static Var *cubic(Tape *t, Var *x)
{
    Var *x0 = slice(t, x, 0, 0, 1), *x1 = slice(t, x, 0, 1, 1);
    Var *f = add(t, multiply(t, square(t, x0), x1), multiply(t, square(t, x1), x1));
    return sum(t, f, ALL_AXES);
}

static void hessian_times(void)
{
    Real out[2];
    answer_hessian_times(cubic, SHAPE(2), (Real[]){3, -1}, (Real[]){1, 2}, out);
    check_reals(out, ((Real[]){10, -6}), 2, sizeof(Real) == 4 ? 1e-2 : 1e-7);
}

static const Test tests[] = {
    T(by_hand), T(softsign), T(log_add), T(rms_norm), T(straight_through),
    T(assigning_shows_only_when_an_input_is_used_twice), T(kept), T(hessian_times),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
