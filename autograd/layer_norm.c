/* Layer normalisation (Ba 2016): each position's C channels get mean 0 and variance 1,
 * then a scale and a shift per channel.
 *
 *     xhat = (x - mean) rstd,   rstd = 1 / sqrt(avg((x - mean)^2) + eps)
 *     y = gamma xhat + beta
 *
 * Backward as in group_norm.c, with dxhat = gamma dy and averages over the C channels:
 *
 *     dbeta += sum(dy)    dgamma += sum(dy xhat)
 *     dx += rstd (dxhat - avg(dxhat) - xhat avg(dxhat xhat)) */
#include "autograd/ops.h"

typedef struct { double eps; Real *mean, *rstd; } Args;     /* [rows] */

static void layer_norm_forward(Var *y);
static void layer_norm_backward(Var *y);
static const Op layer_norm_op = {.name = "layer_norm", .forward = layer_norm_forward,
                                 .backward = layer_norm_backward, .cheap = true,
                                 .reads_inputs = ALL_INPUTS};

Var *layer_norm(Tape *t, Var *x, Var *gamma, Var *beta, double eps)
{
    size_t C = (size_t)shape_last(x->shape), rows = x->size / C;
    require_shape(gamma, SHAPE((int)C));
    require_shape(beta, SHAPE((int)C));
    Args args = {eps, tape_save(t, Real, rows), tape_save(t, Real, rows)};
    return tape_push(t, &layer_norm_op, x->shape, 3, (Var *[]){x, gamma, beta}, &args,
                     sizeof args);
}

static void layer_norm_forward(Var *y)
{
    const Args *s = y->args;
    size_t C = (size_t)shape_last(y->shape);
    const Real *gamma = y->in[1]->value, *beta = y->in[2]->value;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < y->size / C; r++) {
        const Real *x = y->in[0]->value + r * C;
        double mean = 0, var = 0;
        for (size_t c = 0; c < C; c++) mean += (double)x[c];
        mean /= (double)C;
        for (size_t c = 0; c < C; c++)
            var += ((double)x[c] - mean) * ((double)x[c] - mean);
        s->mean[r] = (Real)mean;
        s->rstd[r] = (Real)(1 / sqrt(var / (double)C + s->eps));
        for (size_t c = 0; c < C; c++)
            y->value[r * C + c] = gamma[c] * (x[c] - s->mean[r]) * s->rstd[r] + beta[c];
    }
}

static void layer_norm_backward(Var *y)
{
    const Args *s = y->args;
    size_t C = (size_t)shape_last(y->shape), rows = y->size / C;
    const Real *xs = y->in[0]->value, *gamma = y->in[1]->value, *dys = y->grad;
    Real *dxs = var_grad(y->in[0]), *dgamma = var_grad(y->in[1]);
    Real *dbeta = var_grad(y->in[2]);

#pragma omp parallel for schedule(static) if (dxs)
    for (size_t r = 0; r < (dxs ? rows : 0); r++) {
        const Real *x = xs + r * C, *dy = dys + r * C;
        double avg = 0, avg_x = 0;
        for (size_t c = 0; c < C; c++) {
            Real xhat = (x[c] - s->mean[r]) * s->rstd[r];
            avg += (double)(gamma[c] * dy[c]);
            avg_x += (double)(gamma[c] * dy[c] * xhat);
        }
        Real a = (Real)(avg / (double)C), b = (Real)(avg_x / (double)C);
        for (size_t c = 0; c < C; c++) {
            Real xhat = (x[c] - s->mean[r]) * s->rstd[r];
            dxs[r * C + c] += s->rstd[r] * (gamma[c] * dy[c] - a - xhat * b);
        }
    }

    /* Each channel is one thread's: its sum runs over the rows in order. */
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < C; c++) {
        double sum = 0, sum_x = 0;
        for (size_t r = 0; r < rows; r++) {
            double dy = (double)dys[r * C + c];
            sum += dy;
            sum_x += dy * (double)((xs[r * C + c] - s->mean[r]) * s->rstd[r]);
        }
        if (dbeta) dbeta[c] += (Real)sum;
        if (dgamma) dgamma[c] += (Real)sum_x;
    }
}
