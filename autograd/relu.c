/* y = max(x, 0)     dy/dx = 1 where y > 0, else 0: also at the kink, as PyTorch has it */
#include "autograd/unary.h"

UNARY(relu, OUTPUT, x > 0 ? x : 0, y > 0 ? 1 : 0)

Var *relu(Tape *t, Var *x) { return unary_push(t, &relu_op, x, 0, 0); }
