/* Gradients against finite differences: see gradcheck.h. */
#include "autograd/gradcheck.h"

#include <string.h>

#include "tensor/error.h"
#include "tensor/random.h"

typedef struct {
    const Case *call;
    int inputs;
    Real *value[MAX_INPUTS], *grad[MAX_INPUTS];
    Var *in[MAX_INPUTS];
    Tape tape;
    Arena arena;
} Check;

static Real *new_random(Arena *a, size_t n, uint64_t seed)
{
    Real *x = arena_new(a, Real, n);
    for (size_t i = 0; i < n; i++)
        x[i] = (Real)(2 * random_uniform((Random){seed, 0}, i) - 1);
    return x;
}

/* Puts the operation on a fresh tape; input i gets a gradient if bit i of `varying` is
 * set. The inputs are copies made by an operation, so the tape owns and may forget them.
 * */
static Var *run(Check *c, unsigned varying)
{
    tape_reset(&c->tape);
    for (int i = 0; i < c->inputs; i++) {
        Shape shape = c->call->shape[i];
        Real *grad = varying >> i & 1 ? c->grad[i] : NULL;
        Var *leaf = tape_leaf(&c->tape, "input", shape, c->value[i], grad);
        c->in[i] = reshape(&c->tape, leaf, shape);
    }
    return c->call->build(&c->tape, c->in, c->call->options);
}

static double weight(size_t i) { return 2 * random_uniform((Random){99, 0}, i) - 1; }

/* L = sum of weight * output. */
static double contract(Check *c)
{
    Var *y = run(c, 0);
    double sum = 0;
    for (size_t i = 0; i < y->size; i++)
        sum += weight(i) * (double)y->value[i];
    return sum;
}

/* Puts the weights into y->grad and runs the tape backwards from there: the contraction
 * as an operation. */
static void contract_forward(Var *y) { y->value[0] = 0; }

static void contract_backward(Var *y)
{
    Real *dx = var_grad(y->in[0]);
    for (size_t i = 0; i < y->in[0]->size; i++)
        dx[i] += (Real)weight(i);
}

static const Op contract_op = {.name = "contract", .forward = contract_forward,
                               .backward = contract_backward};

/* Keeps the entry of one input whose gradient is furthest from the slope. */
static void compare(Check *c, int input, unsigned varying, Mismatch *worst)
{
    double h = sizeof(Real) == 4 ? 1e-2 : 1e-5;
    for (size_t k = 0; k < shape_size(c->call->shape[input]); k++) {
        Real *x = &c->value[input][k], kept = *x;
        *x = (Real)((double)kept + h);
        double up = *x, high = contract(c);
        *x = (Real)((double)kept - h);
        double down = *x, low = contract(c);
        *x = kept;
        double slope = (high - low) / (up - down), got = c->grad[input][k];
        double error = fabs(got - slope) / fmax(1, fabs(got));
        if (!(error <= worst->error))               /* a NaN counts as the worst */
            *worst = (Mismatch){error, input, varying, k, got, slope};
    }
}

static Check begin(const Case *call)
{
    Check c = {.call = call, .inputs = case_inputs(call), .tape = tape_create(),
               .arena = arena_create()};
    for (int i = 0; i < c.inputs; i++) {
        size_t n = shape_size(call->shape[i]);
        c.value[i] = new_random(&c.arena, n, (uint64_t)i + 1);
        c.grad[i] = arena_new(&c.arena, Real, n);
    }
    return c;
}

static void end(Check *c)
{
    tape_destroy(&c->tape);
    arena_destroy(&c->arena);
}

/* Does some operation's record say that its backward reads v? */
static bool is_read(const Tape *t, const Var *v)
{
    if (v->op->reads_output) return true;
    for (int k = 0; k < t->lines; k++)
        for (int i = 0; i < t->line[k]->inputs; i++)
            if (t->line[k]->in[i] == v && t->line[k]->op->reads_inputs >> i & 1)
                return true;
    return false;
}

/* A tape may forget what nobody says he will read.  Here it forgets all of that, so an
 * operation whose record lacks a flag gets the gradient NaN. */
static void forget_unread(Tape *t)
{
    for (int k = 0; k < t->lines; k++) {
        Var *v = t->line[k];
        for (size_t i = 0; !is_read(t, v) && i < v->size; i++) v->value[i] = (Real)NAN;
    }
}

/* Adds `amount` to each of n numbers. */
static void shift(Real *x, size_t n, Real amount)
{
    for (size_t i = 0; x && i < n; i++) x[i] += amount;
}

/* The gradients of L with respect to the inputs in `varying`.  On the way every input has
 * a gradient of 1 already, as if it had another use: an operation must add to it. */
static void find_gradients(Check *c, unsigned varying)
{
    for (int i = 0; i < c->inputs; i++)
        memset(c->grad[i], 0, shape_size(c->call->shape[i]) * sizeof(Real));
    Var *y = run(c, varying);
    Var *loss = tape_push(&c->tape, &contract_op, SHAPE(1), 1, &y, NULL, 0);
    forget_unread(&c->tape);
    for (int i = 0; i < c->inputs; i++) shift(var_grad(c->in[i]), c->in[i]->size, 1);
    backward(loss);
    for (int i = 0; i < c->inputs; i++)
        if (varying >> i & 1) shift(c->grad[i], c->in[i]->size, -1);
}

Mismatch gradcheck(const Case *call)
{
    Check c = begin(call);
    Mismatch worst = {0};
    for (unsigned varying = 1; varying < 1u << c.inputs; varying++) {
        if (!run(&c, varying)->needs_grad) continue;    /* e.g. only the mask of where */
        find_gradients(&c, varying);
        for (int i = 0; i < c.inputs; i++)
            if (varying >> i & 1) compare(&c, i, varying, &worst);
    }
    end(&c);
    return worst;
}

double check_transpose(const Case *call, int input)
{
    Check c = begin(call);
    size_t n = shape_size(call->shape[input]);
    double left = 0, right = contract(&c);
    find_gradients(&c, 1u << input);
    for (size_t i = 0; i < n; i++) {
        left += (double)c.grad[input][i] * (double)c.value[input][i];
        c.value[input][i] = 0;
    }
    right -= contract(&c);
    end(&c);
    return fabs(left - right) / fmax(1, fabs(left));
}
