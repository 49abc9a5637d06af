/* y = c x + d, with fixed numbers c and d            dy/dx = c */
#include "autograd/unary.h"

UNARY(scale, NEITHER, constant->a * x + constant->b, constant->a)

Var *scale(Tape *t, Var *x, double c, double d)
{
    return unary_push(t, &scale_op, x, c, d);
}
