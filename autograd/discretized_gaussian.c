/* The log-likelihood, in nats, of a pixel that is one of 256 levels under a Gaussian: the
 * probability that the Gaussian falls into the pixel's bin (Ho 2020, eq. 13; the code of
 * Nichol & Dhariwal 2021, losses.py).  x in [-1, 1] is the middle of its bin, which is
 * 2/255 wide; the bins at the two ends reach to infinity.
 *
 *     u = e^-s (x - m + 1/255),   l = e^-s (x - m - 1/255),   m mean, s log deviation
 *
 *     y = ln P(u)              if x < -0.999
 *         ln (1 - P(l))        if x > 0.999
 *         ln (P(u) - P(l))     else
 *
 * P is the normal distribution function in the tanh form of that code, so that the
 * numbers agree,
 *     P(z) = (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) / 2,
 * and each probability is taken as at least 1e-12; where that bites the derivative is 0.
 *
 * Backward: with q the probability, p = P' and g = dy / q,
 *     dm -= g e^-s (p(u) - p(l))          ds -= g (u p(u) - l p(l))         dx = -dm
 * where the terms of a missing edge are left out. */
#include "autograd/ops.h"

static void discretized_gaussian_forward(Var *y);
static void discretized_gaussian_backward(Var *y);
static const Op discretized_gaussian_op = {
    .name = "discretized_gaussian", .forward = discretized_gaussian_forward,
    .backward = discretized_gaussian_backward, .reads_inputs = ALL_INPUTS};

Var *discretized_gaussian(Tape *t, Var *x, Var *mean, Var *log_scale)
{
    require_shape(mean, x->shape);
    require_shape(log_scale, x->shape);
    return tape_push(t, &discretized_gaussian_op, x->shape, 3,
                     (Var *[]){x, mean, log_scale}, NULL, 0);
}

static const double root_2_over_pi = 0.79788456080286535588, cubic = 0.044715;
static const double least = 1e-12;

static double cdf(double z)
{
    return (1 + tanh(root_2_over_pi * (z + cubic * z * z * z))) / 2;
}

static double density(double z)
{
    double h = tanh(root_2_over_pi * (z + cubic * z * z * z));
    return (1 - h * h) / 2 * root_2_over_pi * (1 + 3 * cubic * z * z);
}

/* One pixel: its bin's edges in units of the deviation, and the bin's probability. */
typedef struct { double u, l, inverse, q; bool has_u, has_l; } Bin;

static Bin make_bin(double x, double m, double s)
{
    Bin b = {.inverse = exp(-s)};
    b.u = b.inverse * (x - m + 1 / 255.0);
    b.l = b.inverse * (x - m - 1 / 255.0);
    b.has_u = x <= 0.999, b.has_l = x >= -0.999;
    b.q = (b.has_u ? cdf(b.u) : 1) - (b.has_l ? cdf(b.l) : 0);
    return b;
}

static Bin bin_of(const Var *y, size_t i)
{
    return make_bin((double)y->in[0]->value[i], (double)y->in[1]->value[i],
                    (double)y->in[2]->value[i]);
}

double discretized_gaussian_value(double x, double mean, double log_scale)
{
    return log(fmax(make_bin(x, mean, log_scale).q, least));
}

static void discretized_gaussian_forward(Var *y)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < y->size; i++)
        y->value[i] = (Real)log(fmax(bin_of(y, i).q, least));
}

static void discretized_gaussian_backward(Var *y)
{
    Real *dx = var_grad(y->in[0]), *dm = var_grad(y->in[1]), *ds = var_grad(y->in[2]);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < y->size; i++) {
        Bin b = bin_of(y, i);
        if (b.q < least) continue;
        double g = (double)y->grad[i] / b.q;
        double pu = b.has_u ? density(b.u) : 0, pl = b.has_l ? density(b.l) : 0;
        if (dx) dx[i] += (Real)(g * b.inverse * (pu - pl));
        if (dm) dm[i] -= (Real)(g * b.inverse * (pu - pl));
        if (ds) ds[i] -= (Real)(g * (b.u * pu - b.l * pl));
    }
}
