/* Reverse-mode automatic differentiation.
 *
 * Calling an operation computes its result at once and writes one line on the tape: which
 * operation, from which inputs.  For a loss at the end of the tape, walking it backwards
 * and applying the chain rule line by line,
 *
 *     dL/dx += dL/dy * dy/dx      for every input x of y,
 *
 * leaves dL/dp in the gradient of every parameter p.  The tape is already in topological
 * order: an operation cannot use what has not been computed.
 *
 * Memory.  A value lives from its operation until the last backward that reads it.  Going
 * backwards, each line releases its value and its gradient when it is done.  Going
 * forwards, the caller says discard(h): nobody below needs h again.  Then h is freed at
 * once if no backward will read it, or if its operation is cheap (a norm, an activation),
 * for then it is computed again when backward gets there.  One word makes both training
 * and sampling small.
 *
 * Rules.  Gradients are added to, never assigned: an input used twice gets both.  A
 * variable without needs_grad has no gradient, and every backward must allow for that
 * (var_grad gives NULL).  backward runs once per tape; tape_reset readies it again. */
#ifndef AUTOGRAD_TAPE_H
#define AUTOGRAD_TAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/error.h"
#include "tensor/memory.h"
#include "tensor/real.h"
#include "tensor/shape.h"

enum { MAX_INPUTS = 4, ALL_INPUTS = (1 << MAX_INPUTS) - 1 };

typedef struct Var Var;
typedef struct Tape Tape;

/* An operation: a constant record beside its code. */
typedef struct Op {
    const char *name;
    void (*forward)(Var *y);          /* fills y->value from y->in[] and y->args */
    void (*backward)(Var *y);         /* adds to the gradients of y->in[], from y->grad */
    double (*flops)(const Var *y);    /* of forward; NULL: not worth counting */
    bool cheap;                       /* may be computed again instead of kept */
    unsigned reads_inputs;            /* which values backward reads: input i if bit i */
    bool reads_output;
} Op;

struct Var {
    Shape shape;
    size_t size;                /* shape_size(shape) */
    Real *value;                /* NULL once released or discarded */
    Real *grad;                 /* dL/dvalue; NULL until something is added to it */
    bool needs_grad;
    const Op *op;               /* NULL: a leaf, whose arrays belong to the caller */
    int inputs;
    Var *in[MAX_INPUTS];
    void *args;             /* the operation's options and what it saves for backward */
    const char *name;       /* of a leaf, for messages */
    const char *scope;      /* the tape's when it was made: "down.0.1" */
    bool wanted;            /* a backward or a second forward will read the value */
    Tape *tape;
};

struct Tape {
    Arena records;              /* Vars, args and saved statistics: until tape_reset */
    Pool pool;                  /* values and gradients: block by block */
    Var **line;                 /* the operations in the order they ran */
    int lines, room;
    bool recording;         /* false: no gradients will be wanted (sampling) */
    bool check_finite;      /* stop at the first value or gradient that is not finite */
    bool done;              /* backward has begun */
    const char *scope;      /* the part of the model that is running, NULL outside all */

    /* NULL, or called in the place of every f(y), a forward or a backward; it must call
     * it.  So a profiler puts its clock around each operation. */
    void (*watch)(Tape *t, void (*f)(Var *y), Var *y);
    void *watcher;              /* for watch */
};

Tape tape_create(void);
void tape_reset(Tape *t);                   /* forgets everything, keeps the pages */
void tape_destroy(Tape *t);

/* Leaves.  `value` [shape] and `grad` [shape] stay the caller's; backward adds to grad.
 * With grad NULL the leaf is a constant. */
Var *tape_leaf(Tape *t, const char *name, Shape shape, const Real *value, Real *grad);

/* Computes op on the inputs and records it; args is copied.  Dies if an input was
 * discarded or belongs to another tape. */
Var *tape_push(Tape *t, const Op *op, Shape shape, int inputs, Var *const in[],
               const void *args, size_t args_size);

/* Says which part of the model runs from now on, for reports and drawings; returns the
 * part until now.  Names nest by dots, and must live as long as the tape's lines.  A
 * block does
 *
 *     const char *outer = tape_scope(t, b->name);  ...  tape_scope(t, outer); */
const char *tape_scope(Tape *t, const char *name);

/* Memory for what an operation saves (statistics, small inputs); until tape_reset. */
#define tape_save(t, Type, count) arena_new(&(t)->records, Type, count)

/* "Nobody below me needs h": see above. */
void discard(Var *h);

/* Runs the tape backwards from `loss`, a single number.  Read its value before: it is
 * released.  Dies if called twice. */
void backward(Var *loss);

/* The array that a backward adds to: zeroed at its first use;
 * NULL if x needs no gradient. */
Real *var_grad(Var *x);

/* The same for a backward that writes every number of it: at its first use the array is
 * not zeroed, and *add is false, that is, assign; later *add is true.  Saves two passes
 * over memory. */
Real *var_grad_whole(Var *x, bool *add);

/* dx += dy, number by number.  If it is the `last` thing that the backward of y does with
 * dy, an x without gradient simply gets y's array. */
void grad_pass(Var *x, Var *y, bool last);

/* The sum over the tape of the operations' multiplications and additions. */
double tape_flops(const Tape *t);

/* require, with names and shapes in the message. */
#define require_shape(x, want) \
    require(shape_equal((x)->shape, want), "%s is %s, want %s", #x, SHOW((x)->shape), \
            SHOW(want))

#endif
