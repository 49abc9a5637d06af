/* The tape: the chain rule, accumulation, and the life of a value. */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"
#include "tests/check.h"

enum { N = 2, D = 8 };
static Real x[N * D], w[D * D], gamma_[D], beta_[D];

static void fill(void)
{
    fill_uniform(x, N * D, 1);
    fill_uniform(w, D * D, 2);
    fill_uniform(gamma_, D, 3);
    fill_uniform(beta_, D, 4);
}

/* Three layers; `frugal` discards all it can.  Returns the loss; dx, dw get gradients. */
static Real run(Tape *t, bool frugal, Real *dx, Real *dw)
{
    Var *h = tape_leaf(t, "x", SHAPE(N, 1, 1, D), x, dx);
    Var *W = tape_leaf(t, "w", SHAPE(D, D), w, dw);
    Var *g = tape_leaf(t, "gamma", SHAPE(D), gamma_, NULL);
    Var *b = tape_leaf(t, "beta", SHAPE(D), beta_, NULL);
    for (int layer = 0; layer < 3; layer++) {
        Var *norm = group_norm(t, h, g, b, 2, 1e-5), *s = silu(t, norm);
        if (frugal) discard(norm);
        Var *up = linear(t, s, W, NULL);
        if (frugal) discard(s);
        Var *sum = add(t, h, up);
        if (frugal) discard(up), discard(h);
        h = sum;
    }
    Var *loss = mean(t, h, ALL_AXES);
    Real value = loss->value[0];
    if (t->recording) backward(loss);
    return value;
}

static void discard_changes_no_number_and_saves_memory(void)
{
    fill();
    size_t peak[2];
    Real loss[2], dx[2][N * D] = {{0}}, dw[2][D * D] = {{0}};
    for (int frugal = 0; frugal < 2; frugal++) {
        Tape t = tape_create();
        loss[frugal] = run(&t, frugal, dx[frugal], dw[frugal]);
        peak[frugal] = t.pool.peak;
        check_int((long long)t.pool.in_use, 0);    /* values and gradients are released */
        tape_destroy(&t);
    }
    check(loss[0] == loss[1]);
    check(memcmp(dx[0], dx[1], sizeof dx[0]) == 0);
    check(memcmp(dw[0], dw[1], sizeof dw[0]) == 0);
    check(dw[0][0] != 0);
    check(peak[1] < peak[0]);
}

/* Without gradients a discarded value is freed at once: the peak is three arrays (a
 * layer's input, its norm and activation, or its sum), however many layers there are. */
static void sampling_keeps_three_arrays(void)
{
    fill();
    Tape t = tape_create();
    t.recording = false;
    run(&t, true, NULL, NULL);
    size_t array = N * D * sizeof(Real);
    check(t.pool.peak <= 3 * ((array + 63) / 64 * 64));
    tape_destroy(&t);
}

/* Two passes without clearing add up: what gradient accumulation relies on. */
static void gradients_accumulate(void)
{
    fill();
    Real once[D * D] = {0}, twice[D * D] = {0};
    Tape t = tape_create();
    run(&t, true, NULL, once);
    tape_reset(&t);
    run(&t, true, NULL, twice);
    tape_reset(&t);
    run(&t, false, NULL, twice);
    for (int i = 0; i < D * D; i++) check_close(twice[i], 2 * once[i], 1e-6);
    tape_destroy(&t);
}

/* A watcher sees each forward, also those that backward repeats, and each backward. */
static void count_call(Tape *t, void (*f)(Var *), Var *y)
{
    int *calls = t->watcher;
    calls[f == y->op->backward ? 2 : t->done ? 1 : 0]++;
    f(y);
}

static void a_watcher_sees_every_call_and_changes_nothing(void)
{
    fill();
    Real dw[2][D * D] = {{0}};
    int calls[3] = {0};
    for (int watched = 0; watched < 2; watched++) {
        Tape t = tape_create();
        if (watched) t.watch = count_call, t.watcher = calls;
        run(&t, true, NULL, dw[watched]);
        tape_destroy(&t);
    }
    check(memcmp(dw[0], dw[1], sizeof dw[0]) == 0);
    check_int(calls[0], 13);            /* four operations a layer, and the mean */
    check_int(calls[1], 6);             /* the norm and activation of each layer */
    check_int(calls[2], 11);            /* not those of the first layer: x is constant */
}

static void backward_twice(void *argument)
{
    Tape *t = argument;
    Real g[2] = {0};
    Var *loss = mean(t, tape_leaf(t, "x", SHAPE(2), x, g), ALL_AXES);
    backward(loss);
    backward(loss);
}

static void use_after_discard(void *argument)
{
    Tape *t = argument;
    t->recording = false;
    Var *s = silu(t, tape_leaf(t, "x", SHAPE(2), x, NULL));
    discard(s);
    mean(t, s, ALL_AXES);
}

static void backward_from_many(void *argument)
{
    Tape *t = argument;
    Real g[2] = {0};
    backward(silu(t, tape_leaf(t, "x", SHAPE(2), x, g)));
}

static void infinity(void *argument)
{
    Tape *t = argument;
    static const Real huge[] = {REAL_MAX, REAL_MAX};
    t->check_finite = true;
    Var *h = tape_leaf(t, "huge", SHAPE(2), huge, NULL);
    silu(t, add(t, silu(t, h), h));
}

static void mistakes_stop(void)
{
    static const struct { void (*f)(void *); const char *words; } mistakes[] = {
        {backward_twice, "backward has run already"},
        {use_after_discard, "input 0, silu [2], was discarded"},
        {backward_from_many, "must be a single number"},
        {infinity, "not finite: the value of add [2], computed from silu, huge"},
    };
    for (int i = 0; i < NELEM(mistakes); i++) {
        Tape t = tape_create();
        check_stops(mistakes[i].f, &t, mistakes[i].words);
        tape_destroy(&t);
    }
}

static const Test tests[] = {
    T(discard_changes_no_number_and_saves_memory), T(sampling_keeps_three_arrays),
    T(gradients_accumulate),
    T(a_watcher_sees_every_call_and_changes_nothing), T(mistakes_stop),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
