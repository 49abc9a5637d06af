/* y = x^2            dy/dx = 2 x */
#include "autograd/unary.h"

UNARY(square, INPUT, x * x, 2 * x)

Var *square(Tape *t, Var *x) { return unary_push(t, &square_op, x, 0, 0); }
