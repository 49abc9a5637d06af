/* GELU as it was before erf was at hand (Hendrycks & Gimpel 2016, section 2): the normal
 * distribution of gelu.c replaced by a curve that differs from it by 2e-4 at most,
 *
 *     P(x) ~ (1 + tanh(v/2)) / 2 = s(v),   v = sqrt(8/pi) (x + 0.044715 x^3)
 *
 * with the sigmoid s, for which s' = s (1 - s):
 *
 *     y = x s(v)                                       dy/dx = s + x s (1 - s) dv/dx */
#include "autograd/unary.h"

static const Real slope_at_0 = (Real)1.59576912160573071176, cubic = (Real)0.044715;

static inline Real approximate_cdf(Real x)
{
    return real_sigmoid(slope_at_0 * (x + cubic * x * x * x));
}

static inline Real slope_of(Real x)
{
    Real s = approximate_cdf(x);
    return s + x * s * (1 - s) * slope_at_0 * (1 + 3 * cubic * x * x);
}

UNARY(gelu_tanh, INPUT, x * approximate_cdf(x), slope_of(x))

Var *gelu_tanh(Tape *t, Var *x) { return unary_push(t, &gelu_tanh_op, x, 0, 0); }
