/* The tape: see tape.h. */
#include "autograd/tape.h"

#include <string.h>

#include "tensor/error.h"
#include "tensor/reduce.h"

Tape tape_create(void)
{
    return (Tape){.records = arena_create(), .pool = pool_create(), .recording = true};
}

void tape_reset(Tape *t)
{
    arena_rewind(&t->records, 0);
    pool_reset(&t->pool);
    t->line = NULL;
    t->lines = t->room = 0;
    t->done = false;
    t->scope = NULL;
}

void tape_destroy(Tape *t)
{
    arena_destroy(&t->records);
    pool_destroy(&t->pool);
    *t = (Tape){0};
}

static Real *new_array(Var *v)
{
    return pool_alloc(&v->tape->pool, v->size * sizeof(Real));
}

static Var *new_var(Tape *t, Shape shape)
{
    Var *v = arena_new(&t->records, Var, 1);
    *v = (Var){.shape = shape, .size = shape_size(shape), .scope = t->scope,
               .tape = t};
    return v;
}

Var *tape_leaf(Tape *t, const char *name, Shape shape, const Real *value, Real *grad)
{
    Var *v = new_var(t, shape);
    v->name = name;
    v->value = (Real *)value;       /* a leaf is never written */
    v->grad = t->recording ? grad : NULL;
    v->needs_grad = v->grad != NULL;
    return v;
}

const char *tape_scope(Tape *t, const char *name)
{
    const char *outer = t->scope;
    t->scope = name;
    return outer;
}

static const char *name_of(const Var *v) { return v->op ? v->op->name : v->name; }

static void check_finite(const Var *v, const Real *x, const char *what)
{
    if (!v->tape->check_finite || all_finite(x, v->size)) return;
    Arena *s = scratch();
    char *from = arena_printf(s, "%s", v->inputs ? "" : "nothing");
    for (int i = 0; i < v->inputs; i++)
        from = arena_printf(s, "%s%s%s", from, i ? ", " : "", name_of(v->in[i]));
    fail("the first number that is not finite: %s of %s %s, computed from %s", what,
         name_of(v), SHOW(v->shape), from);
}

static void append(Tape *t, Var *v)
{
    if (t->lines == t->room) {
        t->room = t->room ? 2 * t->room : 256;
        Var **more = arena_new(&t->records, Var *, (size_t)t->room);
        if (t->lines) memcpy(more, t->line, (size_t)t->lines * sizeof *more);
        t->line = more;
    }
    t->line[t->lines++] = v;
}

static void run(void (*f)(Var *), Var *y)
{
    Tape *t = y->tape;
    if (t->watch) t->watch(t, f, y);
    else f(y);
}

Var *tape_push(Tape *t, const Op *op, Shape shape, int inputs, Var *const in[],
               const void *args, size_t args_size)
{
    require(inputs <= MAX_INPUTS, "%s: %d inputs", op->name, inputs);
    require(!t->done, "%s: backward has run on this tape; tape_reset it first", op->name);
    Var *y = new_var(t, shape);
    y->op = op;
    y->inputs = inputs;
    for (int i = 0; i < inputs; i++) {
        require(in[i]->tape == t, "%s: input %d is on another tape", op->name, i);
        require(in[i]->value, "%s: input %d, %s %s, was discarded before this use",
                op->name, i, name_of(in[i]), SHOW(in[i]->shape));
        y->in[i] = in[i];
        y->needs_grad |= in[i]->needs_grad;
    }
    for (int i = 0; i < inputs; i++)
        in[i]->wanted |= t->recording &&
                         (op->cheap || (y->needs_grad && op->reads_inputs >> i & 1));
    if (args_size) {
        y->args = arena_alloc(&t->records, args_size);
        memcpy(y->args, args, args_size);
    }
    append(t, y);
    y->value = new_array(y);
    run(op->forward, y);
    check_finite(y, y->value, "the value");
    return y;
}

static void free_value(Var *v)
{
    pool_free(&v->tape->pool, v->value);
    v->value = NULL;
}

void discard(Var *h)
{
    if (!h->op || !h->value) return;
    bool needed = h->wanted || (h->needs_grad && h->op->reads_output);
    if (!needed || h->op->cheap) free_value(h);
}

/* Brings a discarded value back by running its operation again. */
static void restore(Var *v)
{
    if (v->value) return;
    require(v->op->cheap, "%s was released but is needed again", v->op->name);
    for (int i = 0; i < v->inputs; i++) restore(v->in[i]);
    v->value = new_array(v);
    run(v->op->forward, v);
}

Real *var_grad_whole(Var *x, bool *add)
{
    *add = x->grad != NULL;
    if (x->needs_grad && !x->grad) x->grad = new_array(x);
    return x->grad;
}

void grad_pass(Var *x, Var *y, bool last)
{
    if (last && x->needs_grad && !x->grad) {
        x->grad = y->grad;
        y->grad = NULL;
        return;
    }
    bool add;
    Real *dx = var_grad_whole(x, &add);
    const Real *dy = y->grad;
    if (!dx) return;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < x->size; i++) dx[i] = add ? dx[i] + dy[i] : dy[i];
}

Real *var_grad(Var *x)
{
    bool add;
    Real *dx = var_grad_whole(x, &add);
    return dx && !add ? memset(dx, 0, x->size * sizeof *dx) : dx;
}

static void run_backward(Var *y)
{
    if (y->op->reads_output) restore(y);
    else free_value(y);
    for (int i = 0; i < y->inputs; i++)
        if (y->op->reads_inputs >> i & 1) restore(y->in[i]);
    run(y->op->backward, y);
    for (int i = 0; i < y->inputs; i++)
        if (y->in[i]->grad) check_finite(y->in[i], y->in[i]->grad, "the gradient");
}

void backward(Var *loss)
{
    Tape *t = loss->tape;
    require(t->recording, "backward on a tape that does not record");
    require(!t->done, "backward has run already on this tape: each line released its "
            "values on the way.  Compute the loss again, or add two losses and call "
            "backward once");
    require(loss->size == 1, "backward from %s; the loss must be a single number",
            SHOW(loss->shape));
    require(loss->needs_grad, "the loss depends on nothing that needs a gradient");
    t->done = true;
    *var_grad(loss) = 1;
    for (int i = t->lines - 1; i >= 0; i--) {
        Var *y = t->line[i];
        if (y->grad) run_backward(y);
        free_value(y);
        pool_free(&t->pool, y->grad);
        y->grad = NULL;
    }
}

double tape_flops(const Tape *t)
{
    double sum = 0;
    for (int i = 0; i < t->lines; i++)
        if (t->line[i]->op->flops) sum += t->line[i]->op->flops(t->line[i]);
    return sum;
}
