/* y = x, but at least a and at most b            dy/dx = 1 where a <= x <= b, else 0 */
#include "autograd/unary.h"
#include "tensor/error.h"

UNARY(clamp, INPUT, x < constant->a ? constant->a : x > constant->b ? constant->b : x,
      x >= constant->a && x <= constant->b ? 1 : 0)

Var *clamp(Tape *t, Var *x, double a, double b)
{
    require(a <= b, "clamp to at least %g and at most %g", a, b);
    return unary_push(t, &clamp_op, x, a, b);
}
