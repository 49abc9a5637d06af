/* y = ln x            dy/dx = 1 / x */
#include "autograd/unary.h"

UNARY(logarithm, INPUT, (Real)log((double)x), 1 / x)

Var *logarithm(Tape *t, Var *x) { return unary_push(t, &logarithm_op, x, 0, 0); }
