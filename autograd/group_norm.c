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
 * Pixels lie one after the other, channels inside.  Sums are first taken per channel,
 * then over the channels of a group; forward is one multiply-add a number, u = scale[c] x
 * + shift[c].
 *
 * Few channels make short inner loops, so several pixels side by side are treated as one
 * with as many times the channels (Rows): what belongs to a channel is repeated for each.
 * */
#include "autograd/ops.h"

#include <string.h>

#include "tensor/elementary.h"
#include "tensor/error.h"

typedef struct {
    int G;
    double eps;
    Real *mean, *rstd;          /* [N, C]: of the channel's group */
    bool found;                 /* forward has filled them: it may run again */
} Args;

static void norm_forward(Var *y);
static void norm_backward(Var *y);
static const Op group_norm_op = {
    .name = "group_norm", .forward = norm_forward, .backward = norm_backward,
    .cheap = true, .reads_inputs = ALL_INPUTS};
static const Op group_norm_silu_op = {
    .name = "group_norm_silu", .forward = norm_forward, .backward = norm_backward,
    .cheap = true, .reads_inputs = ALL_INPUTS};

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
                 tape_save(t, Real, (size_t)N * (size_t)C), false};
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

/* A sample [pixels, C] as rows of `repeat` pixels side by side. */
typedef struct { int rows, width, C, pixels; } Rows;

static Rows rows_of(const Var *y)
{
    enum { WIDE = 256 };
    int C = shape_last(y->shape), pixels = (int)y->size / y->shape.dim[0] / C, repeat = 1;
    while (repeat * C < WIDE && pixels % (2 * repeat) == 0) repeat *= 2;
    return (Rows){pixels / repeat, repeat * C, C, pixels};
}

/* A channel's number for each of the pixels side by side; from scratch. */
static Real *repeat(const Rows *r, const Real *channel)
{
    Real *row = arena_new(scratch(), Real, (size_t)r->width);
    for (int first = 0; first < r->width; first += r->C)
        memcpy(row + first, channel, (size_t)r->C * sizeof *row);
    return row;
}

/* channel[c] += the sums of a row, which is set to 0. */
static void fold(const Rows *r, Real *row, double *channel)
{
    for (int first = 0; first < r->width; first += r->C)
        for (int c = 0; c < r->C; c++) channel[c] += (double)row[first + c];
    memset(row, 0, (size_t)r->width * sizeof *row);
}

/* Rows whose sum is taken in Real, before it is added to one in double. */
enum { SHORT = 32 };

/* Fills mean[C] and rstd[C] of one sample, in one pass.  With d = x - centre,
 *
 *     mean = centre + avg(d)          variance = avg(d^2) - avg(d)^2
 *
 * for any centre; but where avg(d) is large the difference has lost digits.  The average
 * of the first row is near enough. */
static void find_statistics(const Real *x, const Rows *r, const Args *s, Real *mean,
                            Real *rstd)
{
    size_t mark = arena_mark(scratch()), C = (size_t)r->C, width = (size_t)r->width;
    double *sum = arena_zeroed(scratch(), double, C);
    double *squares = arena_zeroed(scratch(), double, C);
    Real *row = arena_zeroed(scratch(), Real, width);
    Real *row2 = arena_zeroed(scratch(), Real, width);
    for (size_t i = 0; i < width; i++) squares[i % C] += (double)x[i];
    average_groups(squares, r->C, s->G, r->width / r->C);
    for (size_t c = 0; c < C; c++) mean[c] = (Real)squares[c], squares[c] = 0;
    const Real *centre = repeat(r, mean);
    for (int p = 0; p < r->rows; p++, x += width) {
#pragma omp simd
        for (size_t i = 0; i < width; i++) {
            Real d = x[i] - centre[i];
            row[i] += d;
            row2[i] += d * d;
        }
        if (p % SHORT < SHORT - 1 && p < r->rows - 1) continue;
        fold(r, row, sum);
        fold(r, row2, squares);
    }
    average_groups(sum, r->C, s->G, r->pixels);
    average_groups(squares, r->C, s->G, r->pixels);
    for (size_t c = 0; c < C; c++) {
        mean[c] += (Real)sum[c];
        rstd[c] = (Real)(1 / sqrt(squares[c] - sum[c] * sum[c] + s->eps));
    }
    arena_rewind(scratch(), mark);
}

/* Where the gamma of sample n begins. */
static size_t place(const Var *y, int n)
{
    size_t C = (size_t)shape_last(y->shape);
    return y->in[1]->size == C ? 0 : (size_t)n * C;
}

static void norm_forward(Var *y)
{
    Args *s = y->args;
    const Rows r = rows_of(y);
    int N = y->shape.dim[0], C = r.C;
    size_t sample = y->size / (size_t)N;
    bool activate = y->op == &group_norm_silu_op;
#pragma omp parallel for schedule(static)
    for (int n = 0; n < N; n++) {
        size_t mark = arena_mark(scratch());
        Real *mean = s->mean + n * C, *rstd = s->rstd + n * C;
        const Real *gamma = y->in[1]->value + place(y, n);
        const Real *beta = y->in[2]->value + place(y, n);
        const Real *x = y->in[0]->value + (size_t)n * sample;
        Real *out = y->value + (size_t)n * sample;
        if (!s->found) find_statistics(x, &r, s, mean, rstd);
        Real *own = arena_new(scratch(), Real, (size_t)(2 * C));
        for (int c = 0; c < C; c++) {
            own[c] = gamma[c] * rstd[c];
            own[C + c] = beta[c] - mean[c] * own[c];
        }
        const Real *scale = repeat(&r, own), *shift = repeat(&r, own + C);
        for (int p = 0; p < r.rows; p++, x += r.width, out += r.width) {
            if (activate)
#pragma omp simd
                for (int i = 0; i < r.width; i++) {
                    Real u = scale[i] * x[i] + shift[i];
                    out[i] = u * real_sigmoid(u);
                }
            else
#pragma omp simd
                for (int i = 0; i < r.width; i++) out[i] = scale[i] * x[i] + shift[i];
        }
        arena_rewind(scratch(), mark);
    }
    s->found = true;
}

/* What backward knows of a sample: its arrays, and the channels' numbers, repeated. */
typedef struct {
    Rows rows;
    const Real *x, *dy, *gamma, *beta, *mean, *rstd;
} Sample;

/* Fills du [rows, width], and the sums of du and du xhat by channel. */
static void find_du(const Sample *s, bool activate, Real *du, double *sum_du,
                    double *sum_dux)
{
    const Rows *r = &s->rows;
    const Real *x = s->x, *dy = s->dy, *mean = s->mean, *rstd = s->rstd;
    const Real *gamma = s->gamma, *beta = s->beta;
    size_t mark = arena_mark(scratch());
    Real *row = arena_new(scratch(), Real, (size_t)r->width);
    Real *row_x = arena_new(scratch(), Real, (size_t)r->width);
    for (int i = 0; i < r->width; i++) row[i] = row_x[i] = 0;
    for (int c = 0; c < r->C; c++) sum_du[c] = sum_dux[c] = 0;
    for (int p = 0; p < r->rows; p++, x += r->width, dy += r->width, du += r->width) {
#pragma omp simd
        for (int i = 0; i < r->width; i++) {
            Real xhat = (x[i] - mean[i]) * rstd[i], d = dy[i];
            if (activate) {
                Real u = gamma[i] * xhat + beta[i], sigmoid = real_sigmoid(u);
                d *= sigmoid * (1 + u * (1 - sigmoid));
            }
            du[i] = d;
            row[i] += d;
            row_x[i] += d * xhat;
        }
        if (p % SHORT < SHORT - 1 && p < r->rows - 1) continue;
        fold(r, row, sum_du);
        fold(r, row_x, sum_dux);
    }
    arena_rewind(scratch(), mark);
}

/* dx (+)= rstd (dxhat - avg(dxhat) - xhat avg(dxhat xhat)). */
static void find_dx(const Sample *s, int G, const Real *du, const double *sum_du,
                    const double *sum_dux, Real *dx, bool add)
{
    const Rows *r = &s->rows;
    const Real *x = s->x, *gamma = s->gamma, *mean = s->mean, *rstd = s->rstd;
    size_t mark = arena_mark(scratch());
    double *avg = arena_new(scratch(), double, (size_t)r->C);
    double *avg_x = arena_new(scratch(), double, (size_t)r->C);
    for (int c = 0; c < r->C; c++) {
        avg[c] = (double)gamma[c] * sum_du[c];
        avg_x[c] = (double)gamma[c] * sum_dux[c];
    }
    average_groups(avg, r->C, G, r->pixels);
    average_groups(avg_x, r->C, G, r->pixels);
    Real *own = arena_new(scratch(), Real, (size_t)(2 * r->C));
    for (int c = 0; c < r->C; c++)
        own[c] = (Real)avg[c], own[r->C + c] = (Real)avg_x[c];
    const Real *a = repeat(r, own), *b = repeat(r, own + r->C);
    for (int p = 0; p < r->rows; p++, x += r->width, du += r->width, dx += r->width)
#pragma omp simd
        for (int i = 0; i < r->width; i++) {
            Real xhat = (x[i] - mean[i]) * rstd[i];
            Real d = rstd[i] * (gamma[i] * du[i] - a[i] - xhat * b[i]);
            dx[i] = add ? dx[i] + d : d;
        }
    arena_rewind(scratch(), mark);
}

/* Sample n: its sums by channel, and, if wanted, its dx. */
static void sample_backward(const Var *y, int n, double *sum_du, double *sum_dux,
                            Real *dx, bool add)
{
    const Args *args = y->args;
    size_t mark = arena_mark(scratch()), size = y->size / (size_t)y->shape.dim[0];
    Rows r = rows_of(y);
    Sample s = {r, y->in[0]->value + (size_t)n * size, y->grad + (size_t)n * size,
                repeat(&r, y->in[1]->value + place(y, n)),
                repeat(&r, y->in[2]->value + place(y, n)),
                repeat(&r, args->mean + n * r.C), repeat(&r, args->rstd + n * r.C)};
    Real *du = arena_new(scratch(), Real, size);
    find_du(&s, y->op == &group_norm_silu_op, du, sum_du, sum_dux);
    if (dx) find_dx(&s, args->G, du, sum_du, sum_dux, dx + (size_t)n * size, add);
    arena_rewind(scratch(), mark);
}

static void norm_backward(Var *y)
{
    int N = y->shape.dim[0], C = shape_last(y->shape);
    bool add;
    Real *dx = var_grad_whole(y->in[0], &add), *dgamma = var_grad(y->in[1]);
    Real *dbeta = var_grad(y->in[2]);
    size_t mark = arena_mark(scratch());
    double *sum_du = arena_new(scratch(), double, (size_t)(N * C));
    double *sum_dux = arena_new(scratch(), double, (size_t)(N * C));
#pragma omp parallel for schedule(static)
    for (int n = 0; n < N; n++)
        sample_backward(y, n, sum_du + n * C, sum_dux + n * C, dx, add);
    for (int n = 0; n < N; n++)
        for (int c = 0; c < C; c++) {
            if (dbeta) dbeta[place(y, n) + (size_t)c] += (Real)sum_du[n * C + c];
            if (dgamma) dgamma[place(y, n) + (size_t)c] += (Real)sum_dux[n * C + c];
        }
    arena_rewind(scratch(), mark);
}
