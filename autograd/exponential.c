/* y = e^x            dy/dx = y */
#include "autograd/unary.h"

UNARY(exponential, OUTPUT, real_exp(x), y)

Var *exponential(Tape *t, Var *x) { return unary_push(t, &exponential_op, x, 0, 0); }
