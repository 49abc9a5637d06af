/* y = sqrt(x)            dy/dx = 1 / (2 y) */
#include "autograd/unary.h"

UNARY(square_root, OUTPUT, real_sqrt(x), (Real)0.5 / y)

Var *square_root(Tape *t, Var *x) { return unary_push(t, &square_root_op, x, 0, 0); }
