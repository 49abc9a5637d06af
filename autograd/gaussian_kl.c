/* The Kullback-Leibler divergence between two Gaussians, number by number, in nats: what
 * the variational bound is made of (Ho 2020, eq. 5).  Means m, M; log-variances l, L:
 *
 *     y = KL(N(m, e^l) || N(M, e^L)) = (L - l - 1 + e^(l - L) + (m - M)^2 e^-L) / 2
 *
 *     dm += dy (m - M) e^-L              dl += dy (e^(l - L) - 1) / 2
 *     dM -= dy (m - M) e^-L              dL += dy (1 - e^(l - L) - (m - M)^2 e^-L) / 2 */
#include "autograd/ops.h"

static void gaussian_kl_forward(Var *y);
static void gaussian_kl_backward(Var *y);
static const Op gaussian_kl_op = {.name = "gaussian_kl", .forward = gaussian_kl_forward,
                                  .backward = gaussian_kl_backward,
                                  .reads_inputs = ALL_INPUTS};

Var *gaussian_kl(Tape *t, Var *mean1, Var *log_var1, Var *mean2, Var *log_var2)
{
    require_shape(log_var1, mean1->shape);
    require_shape(mean2, mean1->shape);
    require_shape(log_var2, mean1->shape);
    return tape_push(t, &gaussian_kl_op, mean1->shape, 4,
                     (Var *[]){mean1, log_var1, mean2, log_var2}, NULL, 0);
}

double gaussian_kl_value(double m, double l, double M, double L)
{
    return (L - l - 1 + exp(l - L) + (m - M) * (m - M) * exp(-L)) / 2;
}

static void gaussian_kl_forward(Var *y)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < y->size; i++)
        y->value[i] = (Real)gaussian_kl_value(
            (double)y->in[0]->value[i], (double)y->in[1]->value[i],
            (double)y->in[2]->value[i], (double)y->in[3]->value[i]);
}

static void gaussian_kl_backward(Var *y)
{
    Real *dm = var_grad(y->in[0]), *dl = var_grad(y->in[1]);
    Real *dM = var_grad(y->in[2]), *dL = var_grad(y->in[3]);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < y->size; i++) {
        double m = (double)y->in[0]->value[i], l = (double)y->in[1]->value[i];
        double M = (double)y->in[2]->value[i], L = (double)y->in[3]->value[i];
        double dy = (double)y->grad[i], ratio = exp(l - L), pull = (m - M) * exp(-L);
        if (dm) dm[i] += (Real)(dy * pull);
        if (dM) dM[i] -= (Real)(dy * pull);
        if (dl) dl[i] += (Real)(dy * (ratio - 1) / 2);
        if (dL) dL[i] += (Real)(dy * (1 - ratio - (m - M) * pull) / 2);
    }
}
