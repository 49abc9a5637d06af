/* Group normalisation, alone or followed by SiLU.
 *
 * A group of one sample is D = (pixels) * (C/G) numbers; avg is the mean over them.
 *
 *     mean = avg(x)                rstd = 1 / sqrt(avg((x - mean)^2) + eps)
 *     xhat = (x - mean) rstd       u = gamma[c] xhat + beta[c]       y = u or silu(u)
 *
 * Backward, with du = dy or dy silu'(u):
 *
 *     dbeta[c] += sum(du)          dgamma[c] += sum(du xhat)
 *
 * mean and rstd depend on every x of the group.  Differentiating through them takes from
 * dxhat = gamma[c] du its average and its component along xhat:
 *
 *     dx += rstd (dxhat - avg(dxhat) - xhat avg(dxhat xhat))
 *
 * gamma and beta may also differ from sample to sample: [N, 1, 1, C] instead of [C].
 * That is how a network modulates its channels by the noise level (adaptive group
 * normalisation, Dhariwal & Nichol 2021).
 *
 * Pixels lie one after the other, channels inside, so all sums are first taken per
 * channel and then over the channels of a group.  Forward is one multiply-add a number:
 * u = scale[c] x + shift[c]. */
#include "autograd/ops.h"
#include "tensor/elementary.h"
#include "tensor/error.h"

typedef struct {
    int G;
    double eps;
    Real *mean, *rstd;          /* [N, C]: of the channel's group */
} Args;

static void norm_forward(Var *y);
static void norm_backward(Var *y);
static const Op group_norm_op = {
    .name = "group_norm", .forward = norm_forward, .backward = norm_backward,
    .cheap = true, .reads_inputs = true};
static const Op group_norm_silu_op = {
    .name = "group_norm_silu", .forward = norm_forward, .backward = norm_backward,
    .cheap = true, .reads_inputs = true};

static Var *push(Tape *t, const Op *op, Var *x, Var *gamma, Var *beta, int G, double eps)
{
    int N = x->shape.dim[0], C = shape_last(x->shape);
    require(x->shape.rank >= 2 && G > 0 && C % G == 0,
            "%s: %d groups do not divide the %d channels of %s", op->name, G, C,
            SHOW(x->shape));
    require((gamma->size == (size_t)C || gamma->size == (size_t)N * (size_t)C) &&
            shape_last(gamma->shape) == C,
            "%s: gamma is %s; want [%d], or one for each sample of %s", op->name,
            SHOW(gamma->shape), C, SHOW(x->shape));
    require_shape(beta, gamma->shape);
    Args args = {G, eps, tape_save(t, Real, (size_t)N * (size_t)C),
                 tape_save(t, Real, (size_t)N * (size_t)C)};
    return tape_push(t, op, x->shape, 3, (Var *[]){x, gamma, beta}, &args, sizeof args);
}

Var *group_norm(Tape *t, Var *x, Var *gamma, Var *beta, int G, double eps)
{
    return push(t, &group_norm_op, x, gamma, beta, G, eps);
}

Var *group_norm_silu(Tape *t, Var *x, Var *gamma, Var *beta, int G, double eps)
{
    return push(t, &group_norm_silu_op, x, gamma, beta, G, eps);
}

/* Replaces each channel's number by the average of its group's, divided by `per`. */
static void average_groups(double *channel, int C, int G, double per)
{
    for (int g = 0, width = C / G; g < G; g++) {
        double sum = 0;
        for (int c = g * width; c < (g + 1) * width; c++) sum += channel[c];
        for (int c = g * width; c < (g + 1) * width; c++)
            channel[c] = sum / (per * width);
    }
}

/* Fills mean[C] and rstd[C] of one sample. */
static void find_statistics(const Real *x, int pixels, int C, const Args *s,
                            Real *mean, Real *rstd, double *sum)
{
    for (int c = 0; c < C; c++) sum[c] = 0;
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < C; c++)
            sum[c] += (double)x[(size_t)p * (size_t)C + (size_t)c];
    average_groups(sum, C, s->G, pixels);
    for (int c = 0; c < C; c++) mean[c] = (Real)sum[c], sum[c] = 0;
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < C; c++) {
            Real d = x[(size_t)p * (size_t)C + (size_t)c] - mean[c];
            sum[c] += (double)(d * d);
        }
    average_groups(sum, C, s->G, pixels);
    for (int c = 0; c < C; c++) rstd[c] = (Real)(1 / sqrt(sum[c] + s->eps));
}

/* Where the gamma of sample n begins. */
static size_t place(const Var *y, int n)
{
    size_t C = (size_t)shape_last(y->shape);
    return y->in[1]->size == C ? 0 : (size_t)n * C;
}

static void norm_forward(Var *y)
{
    const Args *s = y->args;
    int N = y->shape.dim[0], C = shape_last(y->shape), pixels = (int)y->size / N / C;
    size_t sample = y->size / (size_t)N;
    bool activate = y->op == &group_norm_silu_op;
#pragma omp parallel for schedule(static)
    for (int n = 0; n < N; n++) {
        size_t mark = arena_mark(scratch());
        double *sum = arena_new(scratch(), double, (size_t)C);
        Real *scale = arena_new(scratch(), Real, (size_t)C);
        Real *shift = arena_new(scratch(), Real, (size_t)C);
        Real *mean = s->mean + n * C, *rstd = s->rstd + n * C;
        const Real *gamma = y->in[1]->value + place(y, n);
        const Real *beta = y->in[2]->value + place(y, n);
        const Real *x = y->in[0]->value + (size_t)n * sample;
        Real *out = y->value + (size_t)n * sample;
        find_statistics(x, pixels, C, s, mean, rstd, sum);
        for (int c = 0; c < C; c++) {
            scale[c] = gamma[c] * rstd[c];
            shift[c] = beta[c] - mean[c] * scale[c];
        }
        for (int p = 0; p < pixels; p++, x += C, out += C) {
            if (activate)
                for (int c = 0; c < C; c++) {
                    Real u = scale[c] * x[c] + shift[c];
                    out[c] = u * real_sigmoid(u);
                }
            else
                for (int c = 0; c < C; c++) out[c] = scale[c] * x[c] + shift[c];
        }
        arena_rewind(scratch(), mark);
    }
}

/* One sample.  du is scratch [pixels, C]; sum_du, sum_dux [C] receive the sums of du and
 * du xhat, and dx, if wanted, its gradient. */
static void sample_backward(const Var *y, int n, Real *du, double *sum_du,
                            double *sum_dux, Real *dx)
{
    const Args *s = y->args;
    int C = shape_last(y->shape), pixels = (int)y->size / y->shape.dim[0] / C;
    size_t first = (size_t)n * y->size / (size_t)y->shape.dim[0];
    const Real *x = y->in[0]->value + first, *dy = y->grad + first;
    const Real *gamma = y->in[1]->value + place(y, n);
    const Real *beta = y->in[2]->value + place(y, n);
    const Real *mean = s->mean + n * C, *rstd = s->rstd + n * C;
    bool activate = y->op == &group_norm_silu_op;

    /* Pass 1: du, and its sums by channel. */
    for (int c = 0; c < C; c++) sum_du[c] = sum_dux[c] = 0;
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < C; c++) {
            size_t i = (size_t)p * (size_t)C + (size_t)c;
            Real xhat = (x[i] - mean[c]) * rstd[c], d = dy[i];
            if (activate) {
                Real u = gamma[c] * xhat + beta[c], sigmoid = real_sigmoid(u);
                d *= sigmoid * (1 + u * (1 - sigmoid));
            }
            du[i] = d;
            sum_du[c] += (double)d;
            sum_dux[c] += (double)(d * xhat);
        }
    if (!dx) return;

    /* Pass 2: the averages over each group, then dx. */
    size_t mark = arena_mark(scratch());
    double *avg = arena_new(scratch(), double, (size_t)C);
    double *avg_x = arena_new(scratch(), double, (size_t)C);
    for (int c = 0; c < C; c++) {
        avg[c] = (double)gamma[c] * sum_du[c];
        avg_x[c] = (double)gamma[c] * sum_dux[c];
    }
    average_groups(avg, C, s->G, pixels);
    average_groups(avg_x, C, s->G, pixels);
    Real *a = arena_new(scratch(), Real, (size_t)C);
    Real *b = arena_new(scratch(), Real, (size_t)C);
    for (int c = 0; c < C; c++) a[c] = (Real)avg[c], b[c] = (Real)avg_x[c];
    dx += first;
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < C; c++) {
            size_t i = (size_t)p * (size_t)C + (size_t)c;
            Real xhat = (x[i] - mean[c]) * rstd[c];
            dx[i] += rstd[c] * (gamma[c] * du[i] - a[c] - xhat * b[c]);
        }
    arena_rewind(scratch(), mark);
}

static void norm_backward(Var *y)
{
    int N = y->shape.dim[0], C = shape_last(y->shape);
    Real *dx = var_grad(y->in[0]), *dgamma = var_grad(y->in[1]);
    Real *dbeta = var_grad(y->in[2]);
    size_t mark = arena_mark(scratch()), sample = y->size / (size_t)N;
    double *sum_du = arena_new(scratch(), double, (size_t)(N * C));
    double *sum_dux = arena_new(scratch(), double, (size_t)(N * C));
#pragma omp parallel for schedule(static)
    for (int n = 0; n < N; n++) {
        size_t inner = arena_mark(scratch());
        sample_backward(y, n, arena_new(scratch(), Real, sample), sum_du + n * C,
                        sum_dux + n * C, dx);
        arena_rewind(scratch(), inner);
    }
    for (int n = 0; n < N; n++)
        for (int c = 0; c < C; c++) {
            if (dbeta) dbeta[place(y, n) + (size_t)c] += (Real)sum_du[n * C + c];
            if (dgamma) dgamma[place(y, n) + (size_t)c] += (Real)sum_dux[n * C + c];
        }
    arena_rewind(scratch(), mark);
}
