/* y = -x            dy/dx = -1 */
#include "autograd/unary.h"

UNARY(neg, NEITHER, -x, -1)

Var *neg(Tape *t, Var *x) { return unary_push(t, &neg_op, x, 0, 0); }
