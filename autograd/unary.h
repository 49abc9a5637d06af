/* Operations that work on each number by itself: y[i] = f(x[i]).
 *
 * All have the lines of silu.c, which is written out; UNARY makes them of four entries:
 *
 *     UNARY(square, INPUT, x * x, 2 * x)
 *
 *   name    of the operation; its record is square_op
 *   known   what the slope is written in: INPUT (x), OUTPUT (y) or NEITHER.  It tells
 *           the tape which value backward will read.  Choose OUTPUT where you can: y is
 *           often needed by the next operation anyway
 *   value   f(x)
 *   slope   dy/dx;  dx[i] += dy[i] * slope
 *
 * `constant` points to the operation's numbers, if it has any. */
#ifndef AUTOGRAD_UNARY_H
#define AUTOGRAD_UNARY_H

#include "autograd/ops.h"
#include "tensor/elementary.h"

typedef struct { Real a, b; } Constants;

static inline Var *unary_push(Tape *t, const Op *op, Var *x, double a, double b)
{
    return tape_push(t, op, x->shape, 1, (Var *[]){x}, &(Constants){(Real)a, (Real)b},
                     sizeof(Constants));
}

#define INPUT_FLAG   .cheap = true, .reads_inputs = ALL_INPUTS
#define OUTPUT_FLAG  .cheap = true, .reads_output = true
#define NEITHER_FLAG .cheap = false     /* computing it again would need x kept */
#define INPUT_VALUE(v, i)   Real x = (v)->in[0]->value[i];
#define OUTPUT_VALUE(v, i)  Real y = (v)->value[i];
#define NEITHER_VALUE(v, i)

#define UNARY(name_, known, value_, slope)                                          \
    static void name_##_forward(Var *v)                                             \
    {                                                                               \
        const Constants *constant = v->args;                                        \
        Real *out = v->value;                                                       \
        (void)constant;                                                             \
        _Pragma("omp parallel for simd schedule(static)")                           \
        for (size_t i = 0; i < v->size; i++) {                                      \
            Real x = v->in[0]->value[i];                                            \
            out[i] = value_;                                                        \
        }                                                                           \
    }                                                                               \
    static void name_##_backward(Var *v)                                            \
    {                                                                               \
        const Constants *constant = v->args;                                        \
        Real *dx = var_grad(v->in[0]), *dy = v->grad;                               \
        (void)constant;                                                             \
        _Pragma("omp parallel for simd schedule(static)")                           \
        for (size_t i = 0; i < v->size; i++) {                                      \
            known##_VALUE(v, i)                                                     \
            dx[i] += dy[i] * (slope);                                               \
        }                                                                           \
    }                                                                               \
    static const Op name_##_op = {.name = #name_, .forward = name_##_forward,       \
                                  .backward = name_##_backward, known##_FLAG};

#endif
