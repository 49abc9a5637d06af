/* y = 1 / (1 + e^-x)            dy/dx = y (1 - y) */
#include "autograd/unary.h"

UNARY(sigmoid, OUTPUT, real_sigmoid(x), y * (1 - y))

Var *sigmoid(Tape *t, Var *x) { return unary_push(t, &sigmoid_op, x, 0, 0); }
