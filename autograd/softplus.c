/* y = ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|)            dy/dx = 1 / (1 + e^-x)
 *
 * A ReLU without the kink.  The second form cannot overflow. */
#include "autograd/unary.h"

UNARY(softplus, INPUT, (x > 0 ? x : 0) + (Real)log1p(exp(-fabs((double)x))),
      real_sigmoid(x))

Var *softplus(Tape *t, Var *x) { return unary_push(t, &softplus_op, x, 0, 0); }
