/* Gradients against finite differences: see gradcheck.h. */
#include "autograd/gradcheck.h"

#include <string.h>

#include "tensor/error.h"
#include "tensor/random.h"

typedef struct {
    Build *build;
    const void *options;
    int inputs;
    const Shape *shape;
    Real *value[MAX_INPUTS], *grad[MAX_INPUTS];
    Tape tape;
} Check;

static Real *new_random(Arena *a, size_t n, uint64_t seed)
{
    Real *x = arena_new(a, Real, n);
    for (size_t i = 0; i < n; i++)
        x[i] = (Real)(2 * random_uniform((Random){seed, 0}, i) - 1);
    return x;
}

/* Puts the operation on a fresh tape; input i gets a gradient if bit i of `varying` is set. */
static Var *run(Check *c, unsigned varying)
{
    Var *in[MAX_INPUTS];
    tape_reset(&c->tape);
    for (int i = 0; i < c->inputs; i++)
        in[i] = tape_leaf(&c->tape, "input", c->shape[i], c->value[i],
                          varying >> i & 1 ? c->grad[i] : NULL);
    return c->build(&c->tape, in, c->options);
}

/* L = sum of weight * output. */
static double contract(Check *c)
{
    Var *y = run(c, 0);
    double sum = 0;
    for (size_t i = 0; i < y->size; i++)
        sum += (2 * random_uniform((Random){99, 0}, i) - 1) * (double)y->value[i];
    return sum;
}

/* Puts the weights into y->grad and runs the tape backwards from there: the contraction as an
 * operation. */
static void contract_forward(Var *y) { y->value[0] = 0; }

static void contract_backward(Var *y)
{
    Real *dx = var_grad(y->in[0]);
    for (size_t i = 0; i < y->in[0]->size; i++)
        dx[i] += (Real)(2 * random_uniform((Random){99, 0}, i) - 1);
}

static const Op contract_op = {.name = "contract", .forward = contract_forward,
                               .backward = contract_backward};

static double compare(Check *c, int input)
{
    double h = sizeof(Real) == 4 ? 1e-2 : 1e-5, worst = 0;
    for (size_t k = 0; k < shape_size(c->shape[input]); k++) {
        Real *x = &c->value[input][k], kept = *x;
        *x = (Real)((double)kept + h);
        double up = *x, high = contract(c);
        *x = (Real)((double)kept - h);
        double down = *x, low = contract(c);
        *x = kept;
        double slope = (high - low) / (up - down), got = c->grad[input][k];
        double error = fabs(got - slope) / fmax(1, fabs(got));
        if (!(error <= worst)) worst = error;       /* a NaN counts as the worst */
    }
    return worst;
}

double gradcheck(Build *build, const void *options, int inputs, const Shape shape[])
{
    require(inputs >= 1 && inputs <= MAX_INPUTS, "gradcheck of %d inputs", inputs);
    Arena arena = arena_create();
    Check c = {build, options, inputs, shape, {NULL}, {NULL}, tape_create()};
    for (int i = 0; i < inputs; i++) {
        c.value[i] = new_random(&arena, shape_size(shape[i]), (uint64_t)i + 1);
        c.grad[i] = arena_new(&arena, Real, shape_size(shape[i]));
    }
    double worst = 0;
    for (unsigned varying = 1; varying < 1u << inputs; varying++) {
        for (int i = 0; i < inputs; i++)
            memset(c.grad[i], 0, shape_size(shape[i]) * sizeof(Real));
        Var *y = run(&c, varying);
        backward(tape_push(&c.tape, &contract_op, SHAPE(1), 1, &y, NULL, 0));
        for (int i = 0; i < inputs; i++)
            if (varying >> i & 1) {
                double error = compare(&c, i);
                if (!(error <= worst)) worst = error;
            }
    }
    tape_destroy(&c.tape);
    arena_destroy(&arena);
    return worst;
}
