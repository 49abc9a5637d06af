/* Two arrays of different size in one operation.
 *
 * The shapes have the same rank, and along each axis the same size, or one of them has 1,
 * which is repeated: [N, H, W, C] with [N, 1, 1, C].  Repeating costs no memory: along an
 * axis of size 1 the index stays 0, its step there is 0.
 *
 * Backwards, a number that was used many times gets the sum of the gradients of all its
 * uses.  So repeating and summing are each other's transpose, and the reductions (sum.c,
 * mean.c) are made of the same two loops. */
#ifndef AUTOGRAD_BROADCAST_H
#define AUTOGRAD_BROADCAST_H

#include "autograd/ops.h"

/* The result's size along four axes, the first of them 1 where the rank is lower, and the
 * distance between neighbours in each operand, 0 where it is repeated. */
typedef struct { int size[MAX_RANK], step_a[MAX_RANK], step_b[MAX_RANK]; } Broadcast;

/* The shape of the result; dies with both shapes if they do not fit. */
Broadcast broadcast_make(const char *op, Shape a, Shape b, Shape *y);

/* a[...] += the sum of y over all places where that number of a was used. */
void broadcast_sum(Real *a, const int step[MAX_RANK], const int size[MAX_RANK],
                   const Real *y);

/* y[...] += c * a, each number of a to all places where it is used. */
void broadcast_add(Real *y, const int step[MAX_RANK], const int size[MAX_RANK],
                   const Real *a, Real c);

/* Row r of the result: a run along the last axis.  Where does it begin in an operand? */
static inline size_t broadcast_row(const int size[MAX_RANK], const int step[MAX_RANK],
                                   int r)
{
    int k = r % size[2], j = r / size[2] % size[1], i = r / size[2] / size[1];
    return (size_t)i * (size_t)step[0] + (size_t)j * (size_t)step[1] +
           (size_t)k * (size_t)step[2];
}

/* out[...] = expression in a and b, for all numbers of the result.  The last axis has
 * four loops of its own, since a step that the compiler knows makes vectors. */
#define BROADCAST_LOOP(s, pa, pb, out, expression)                                  \
    do {                                                                            \
        int rows_ = (s)->size[0] * (s)->size[1] * (s)->size[2], C_ = (s)->size[3];  \
        int sa_ = (s)->step_a[3], sb_ = (s)->step_b[3];                             \
        _Pragma("omp parallel for schedule(static)")                                \
        for (int r_ = 0; r_ < rows_; r_++) {                                        \
            const Real *a_ = (pa) + broadcast_row((s)->size, (s)->step_a, r_);      \
            const Real *b_ = (pb) + broadcast_row((s)->size, (s)->step_b, r_);      \
            Real *out_ = (out) + (size_t)r_ * (size_t)C_;                           \
            if (sa_ && sb_) BROADCAST_ROW(1, 1, expression)                         \
            else if (sa_) BROADCAST_ROW(1, 0, expression)                           \
            else if (sb_) BROADCAST_ROW(0, 1, expression)                           \
            else BROADCAST_ROW(0, 0, expression)                                    \
        }                                                                           \
    } while (0)

#define BROADCAST_ROW(sa, sb, expression)                                           \
    for (int c_ = 0; c_ < C_; c_++) {                                               \
        Real a = a_[(sa) * c_], b = b_[(sb) * c_];                                  \
        (void)a, (void)b;                                                           \
        out_[c_] = expression;                                                      \
    }

/* An operation y = f(a, b) from its value and its two slopes dy/da and dy/db, written in
 * a and b.  (add.c needs no values backwards and is written out.) */
#define BINARY(name_, value_, slope_a, slope_b)                                     \
    static void name_##_forward(Var *v)                                             \
    {                                                                               \
        const Broadcast *s = v->args;                                               \
        BROADCAST_LOOP(s, v->in[0]->value, v->in[1]->value, v->value, value_);      \
    }                                                                               \
    static void name_##_backward(Var *v)                                            \
    {                                                                               \
        const Broadcast *s = v->args;                                               \
        Real *da = var_grad(v->in[0]), *db = var_grad(v->in[1]);                    \
        size_t mark = arena_mark(scratch());                                        \
        Real *d = arena_new(scratch(), Real, v->size);                              \
        if (da) {                                                                   \
            BROADCAST_LOOP(s, v->in[0]->value, v->in[1]->value, d, slope_a);        \
            for (size_t i = 0; i < v->size; i++) d[i] *= v->grad[i];                \
            broadcast_sum(da, s->step_a, s->size, d);                               \
        }                                                                           \
        if (db) {                                                                   \
            BROADCAST_LOOP(s, v->in[0]->value, v->in[1]->value, d, slope_b);        \
            for (size_t i = 0; i < v->size; i++) d[i] *= v->grad[i];                \
            broadcast_sum(db, s->step_b, s->size, d);                               \
        }                                                                           \
        arena_rewind(scratch(), mark);                                              \
    }                                                                               \
    static const Op name_##_op = {.name = #name_, .forward = name_##_forward,       \
                                  .backward = name_##_backward, .cheap = true,      \
                                  .reads_inputs = ALL_INPUTS};                            \
    Var *name_(Tape *t, Var *a, Var *b)                                             \
    {                                                                               \
        Shape shape;                                                                \
        Broadcast s = broadcast_make(#name_, a->shape, b->shape, &shape);           \
        return tape_push(t, &name_##_op, shape, 2, (Var *[]){a, b}, &s, sizeof s);  \
    }

#endif
