/* GELU (Hendrycks & Gimpel 2016): x times the probability that a standard normal number
 * is below x.
 *
 *     y = x P(x),   P(x) = (1 + erf(x / sqrt(2))) / 2            dy/dx = P(x) + x p(x)
 *
 * with the density p(x) = e^(-x^2/2) / sqrt(2 pi). */
#include "autograd/unary.h"

static const double sqrt_half = 0.70710678118654752440;
static const double density_at_0 = 0.39894228040143267794;

static Real normal_cdf(Real x) { return (Real)(0.5 * erfc(-(double)x * sqrt_half)); }

UNARY(gelu, INPUT, x * normal_cdf(x),
      normal_cdf(x) + x * (Real)density_at_0 * real_exp(-x * x / 2))

Var *gelu(Tape *t, Var *x) { return unary_push(t, &gelu_op, x, 0, 0); }
