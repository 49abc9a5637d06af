/* Halving and doubling an image through a low-pass filter (Karras 2022, networks.py).
 *
 *     down  y[h] = sum_i f[i] x[2h + i - pad]                  size (H + 2 pad - n)/2 + 1
 *     up    y[2h + i - pad] += 2 f[i] x[h]                     size 2 (H - 1) - 2 pad + n
 *
 * along both axes, with f = taps / sum(taps); x is 0 outside the image.  Taps (1, 1)
 * average and repeat; (1, 3, 3, 1) with pad 1 blur on the way, so that fine patterns do
 * not turn into coarse ones (aliasing).  Up is twice (four times, for two axes) the
 * transpose of down, so each is the other's backward:
 *
 *     small = gather(large), large = scatter(small): a pixel of the one meets a pixel of
 *     the other through f[i] where  large index = 2 * small index + i - pad. */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"

enum { MAX_TAPS = 8 };

typedef struct { int n, pad; Real f[MAX_TAPS]; } Args;

static void down_forward(Var *y);
static void down_backward(Var *y);
static void up_forward(Var *y);
static void up_backward(Var *y);
static const Op resample_down_op = {.name = "resample_down", .forward = down_forward,
                                    .backward = down_backward, .cheap = true};
static const Op resample_up_op = {.name = "resample_up", .forward = up_forward,
                                  .backward = up_backward, .cheap = true};

static Args make_args(Var *x, const Real taps[], int n, int pad)
{
    Args s = {.n = n, .pad = pad};
    Real sum = 0;
    require(x->shape.rank == 4 && n >= 1 && n <= MAX_TAPS && pad >= 0 && pad < n,
            "resample of %s with %d taps and padding %d", SHOW(x->shape), n, pad);
    for (int i = 0; i < n; i++) sum += taps[i];
    for (int i = 0; i < n; i++) s.f[i] = taps[i] / sum;
    return s;
}

Var *resample_down(Tape *t, Var *x, const Real taps[], int n, int pad)
{
    Args s = make_args(x, taps, n, pad);
    const int *d = x->shape.dim;
    require(d[1] + 2 * pad >= n && d[2] + 2 * pad >= n,
            "resample_down of %s with %d taps", SHOW(x->shape), n);
    Shape y = SHAPE(d[0], (d[1] + 2 * pad - n) / 2 + 1, (d[2] + 2 * pad - n) / 2 + 1,
                    d[3]);
    return tape_push(t, &resample_down_op, y, 1, (Var *[]){x}, &s, sizeof s);
}

Var *resample_up(Tape *t, Var *x, const Real taps[], int n, int pad)
{
    Args s = make_args(x, taps, n, pad);
    const int *d = x->shape.dim;
    int H = 2 * (d[1] - 1) - 2 * pad + n, W = 2 * (d[2] - 1) - 2 * pad + n;
    require(H > 0 && W > 0, "resample_up of %s with %d taps and padding %d",
            SHOW(x->shape), n, pad);
    return tape_push(t, &resample_up_op, SHAPE(d[0], H, W, d[3]), 1, (Var *[]){x}, &s,
                     sizeof s);
}

/* to[c] += weight * from[c] */
static void add_pixel(Real *to, const Real *from, Real weight, int C)
{
    for (int c = 0; c < C; c++) to[c] += weight * from[c];
}

/* small += scale * (large filtered and thinned) */
static void gather(Real *small, Shape s, const Real *large, Shape l, const Args *a,
                   Real scale)
{
    int C = s.dim[3];
#pragma omp parallel for schedule(static)
    for (int row = 0; row < s.dim[0] * s.dim[1]; row++) {
        int n = row / s.dim[1], h = row % s.dim[1];
        for (int w = 0; w < s.dim[2]; w++)
            for (int i = 0; i < a->n; i++)
                for (int j = 0; j < a->n; j++) {
                    int H = 2 * h + i - a->pad, W = 2 * w + j - a->pad;
                    if (H < 0 || H >= l.dim[1] || W < 0 || W >= l.dim[2]) continue;
                    size_t to = ((size_t)row * (size_t)s.dim[2] + (size_t)w) * (size_t)C;
                    size_t from = (((size_t)n * (size_t)l.dim[1] + (size_t)H) *
                                   (size_t)l.dim[2] + (size_t)W) * (size_t)C;
                    add_pixel(small + to, large + from, scale * a->f[i] * a->f[j], C);
                }
    }
}

/* large += scale * (small spread and filtered): the transpose,
 * each thread with rows of its own */
static void scatter(Real *large, Shape l, const Real *small, Shape s, const Args *a,
                    Real scale)
{
    int C = s.dim[3];
#pragma omp parallel for schedule(static)
    for (int row = 0; row < l.dim[0] * l.dim[1]; row++) {
        int n = row / l.dim[1], H = row % l.dim[1];
        for (int i = 0; i < a->n; i++) {
            int h = H + a->pad - i;
            if (h < 0 || h % 2 || h / 2 >= s.dim[1]) continue;
            for (int W = 0; W < l.dim[2]; W++)
                for (int j = 0; j < a->n; j++) {
                    int w = W + a->pad - j;
                    if (w < 0 || w % 2 || w / 2 >= s.dim[2]) continue;
                    size_t to = ((size_t)row * (size_t)l.dim[2] + (size_t)W) * (size_t)C;
                    size_t from = (((size_t)n * (size_t)s.dim[1] + (size_t)(h / 2)) *
                                   (size_t)s.dim[2] + (size_t)(w / 2)) * (size_t)C;
                    add_pixel(large + to, small + from, scale * a->f[i] * a->f[j], C);
                }
        }
    }
}

static void down_forward(Var *y)
{
    memset(y->value, 0, y->size * sizeof *y->value);
    gather(y->value, y->shape, y->in[0]->value, y->in[0]->shape, y->args, 1);
}

static void down_backward(Var *y)
{
    scatter(var_grad(y->in[0]), y->in[0]->shape, y->grad, y->shape, y->args, 1);
}

static void up_forward(Var *y)
{
    memset(y->value, 0, y->size * sizeof *y->value);
    scatter(y->value, y->shape, y->in[0]->value, y->in[0]->shape, y->args, 4);
}

static void up_backward(Var *y)
{
    gather(var_grad(y->in[0]), y->in[0]->shape, y->grad, y->shape, y->args, 4);
}
