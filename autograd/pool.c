/* The average, or the largest, of the pixels in a window that moves over the image:
 *
 *     average_pool   y = 1/n sum of x      dx += dy / n
 *     max_pool       y = max of x          dx += dy at the largest, the first of equals
 *
 * over those x[h stride - pad + i][w stride - pad + j], i, j < K, that lie inside the
 * image.  There are n of them.  Channel by channel. */
#include "autograd/ops.h"
#include "tensor/error.h"

typedef struct { int K, stride, pad; } Window;

static void average_pool_forward(Var *y);
static void average_pool_backward(Var *y);
static const Op average_pool_op = {.name = "average_pool",
                                   .forward = average_pool_forward,
                                   .backward = average_pool_backward, .cheap = true};

static void max_pool_forward(Var *y);
static void max_pool_backward(Var *y);
static const Op max_pool_op = {.name = "max_pool", .forward = max_pool_forward,
                               .backward = max_pool_backward, .cheap = true,
                               .reads_inputs = 1};

static Var *pool(Tape *t, const Op *op, Var *x, Window w)
{
    const int *d = x->shape.dim;
    require(x->shape.rank == 4 && w.stride > 0 && w.pad >= 0 && w.pad < w.K &&
            d[1] + 2 * w.pad >= w.K && d[2] + 2 * w.pad >= w.K,
            "%s: windows of %dx%d, stride %d, padding %d on %s", op->name, w.K, w.K,
            w.stride, w.pad, SHOW(x->shape));
    Shape shape = SHAPE(d[0], (d[1] + 2 * w.pad - w.K) / w.stride + 1,
                        (d[2] + 2 * w.pad - w.K) / w.stride + 1, d[3]);
    return tape_push(t, op, shape, 1, (Var *[]){x}, &w, sizeof w);
}

Var *average_pool(Tape *t, Var *x, int K, int stride, int pad)
{
    return pool(t, &average_pool_op, x, (Window){K, stride, pad});
}

Var *max_pool(Tape *t, Var *x, int K, int stride, int pad)
{
    return pool(t, &max_pool_op, x, (Window){K, stride, pad});
}

/* What of a window lies inside: `count` pixels in rows of `columns`.  `first` and `line`
 * are the place of the first and the distance of rows, in numbers. */
typedef struct { int columns, count; size_t C, first, line; } View;

static size_t place(const View *v, int pixel)
{
    return v->first + (size_t)(pixel / v->columns) * v->line +
           (size_t)(pixel % v->columns) * v->C;
}

/* Places begin ... end - 1 of an axis of that size. */
typedef struct { int begin, end; } Range;

static Range range_of(Window w, int at, int size)
{
    int begin = at * w.stride - w.pad, end = begin + w.K;
    return (Range){begin > 0 ? begin : 0, end < size ? end : size};
}

/* Calls f for each output pixel; to: its numbers in y or dy.  Windows overlap, so the
 * images of a batch are what the threads share out. */
static void walk(const Var *y, const Real *x, Real *dx, Real *to,
                 void (*f)(const View *v, const Real *x, Real *dx, Real *to))
{
    const int *d = y->in[0]->shape.dim, *o = y->shape.dim;
    Window window = *(const Window *)y->args;
    size_t C = (size_t)d[3], line = (size_t)d[2] * C;
#pragma omp parallel for schedule(static)
    for (int n = 0; n < o[0]; n++)
        for (int p = 0; p < o[1] * o[2]; p++) {
            Range h = range_of(window, p / o[2], d[1]);
            Range w = range_of(window, p % o[2], d[2]);
            int columns = w.end - w.begin;
            View v = {columns, columns * (h.end - h.begin), C,
                      (size_t)(n * d[1] + h.begin) * line + (size_t)w.begin * C, line};
            f(&v, x, dx, to + ((size_t)n * (size_t)(o[1] * o[2]) + (size_t)p) * C);
        }
}

static void average(const View *v, const Real *x, Real *unused, Real *y)
{
    (void)unused;
    Real share = 1 / (Real)v->count;
    for (size_t c = 0; c < v->C; c++) y[c] = 0;
    for (int i = 0; i < v->count; i++)
        for (size_t c = 0, at = place(v, i); c < v->C; c++) y[c] += share * x[at + c];
}

static void share_out(const View *v, const Real *unused, Real *dx, Real *dy)
{
    (void)unused;
    Real share = 1 / (Real)v->count;
    for (int i = 0; i < v->count; i++)
        for (size_t c = 0, at = place(v, i); c < v->C; c++) dx[at + c] += share * dy[c];
}

static void find_largest(const View *v, const Real *x, Real *unused, Real *y)
{
    (void)unused;
    for (size_t c = 0; c < v->C; c++) y[c] = x[v->first + c];
    for (int i = 1; i < v->count; i++)
        for (size_t c = 0, at = place(v, i); c < v->C; c++)
            if (x[at + c] > y[c]) y[c] = x[at + c];
}

static void give_to_largest(const View *v, const Real *x, Real *dx, Real *dy)
{
    for (size_t c = 0; c < v->C; c++) {
        size_t largest = v->first + c;
        for (int i = 1; i < v->count; i++)
            if (x[place(v, i) + c] > x[largest]) largest = place(v, i) + c;
        dx[largest] += dy[c];
    }
}

static void average_pool_forward(Var *y)
{
    walk(y, y->in[0]->value, NULL, y->value, average);
}

static void average_pool_backward(Var *y)
{
    walk(y, NULL, var_grad(y->in[0]), y->grad, share_out);
}

static void max_pool_forward(Var *y)
{
    walk(y, y->in[0]->value, NULL, y->value, find_largest);
}

static void max_pool_backward(Var *y)
{
    walk(y, y->in[0]->value, var_grad(y->in[0]), y->grad, give_to_largest);
}
