/* y = x where x > 0, else c x            dy/dx = 1 or c
 *
 * A ReLU that never goes quite silent: a little gradient passes where it is off. */
#include "autograd/unary.h"

UNARY(leaky_relu, INPUT, x > 0 ? x : constant->a * x, x > 0 ? 1 : constant->a)

Var *leaky_relu(Tape *t, Var *x, double c)
{
    return unary_push(t, &leaky_relu_op, x, c, 0);
}
