/* y = tanh x = (e^x - e^-x) / (e^x + e^-x)            dy/dx = 1 - y^2
 *
 * Near 0 that difference would lose the digits that count, so libm computes it. */
#include "autograd/unary.h"

UNARY(hyperbolic_tangent, OUTPUT, (Real)tanh((double)x), 1 - y * y)

Var *hyperbolic_tangent(Tape *t, Var *x)
{
    return unary_push(t, &hyperbolic_tangent_op, x, 0, 0);
}
