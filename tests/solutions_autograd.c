/* Solutions of the exercises of autograd/README.md.  Try first: see exercises.h. */
#include <string.h>

#include "autograd/broadcast.h"
#include "autograd/unary.h"
#include "tests/exercises.h"

/* u = w x + b, L = u^2: dL/du = 2 u, and du/dx = w, du/dw = x, du/db = 1. */
SOLUTION void answer_by_hand(double x, double w, double b, double out[3])
{
    double du = 2 * (w * x + b);
    out[0] = du * w, out[1] = du * x, out[2] = du;
}

/* ---- softsign: dy/dx = 1 / (1 + |x|)^2 = (1 - |y|)^2, so backward reads y ---------- */

#define ABS(x) ((x) < 0 ? -(x) : (x))
UNARY(softsign, OUTPUT, x / (1 + ABS(x)), (1 - ABS(y)) * (1 - ABS(y)))

SOLUTION Var *answer_softsign(Tape *t, Var *x)
{
    return unary_push(t, &softsign_op, x, 0, 0);
}

/* ---- round: its slope is taken to be 1, whatever it is ----------------------------- */

UNARY(round, NEITHER, (Real)rint((double)x), 1)

SOLUTION Var *answer_round(Tape *t, Var *x) { return unary_push(t, &round_op, x, 0, 0); }

/* ---- log_add: the larger number is taken out, so nothing overflows --------------------
 *
 *     dy/da = e^a / (e^a + e^b) = 1 / (1 + e^(b - a)) */

SOLUTION Var *answer_log_add(Tape *t, Var *a, Var *b);
BINARY(answer_log_add, (a > b ? a : b) + (Real)log1p(exp(-fabs((double)(a - b)))),
       real_sigmoid(a - b), real_sigmoid(b - a))

/* ---- rms_norm -------------------------------------------------------------------------
 *
 *     r = 1 / sqrt(avg(x^2) + eps)      xhat = x r      y = gamma xhat
 *
 * r depends on every x of the row, dr/dx = -r^3 x / C, so with dxhat = gamma dy
 *
 *     dgamma += sum over rows of dy xhat      dx += r (dxhat - xhat avg(dxhat xhat)) */

typedef struct { double eps; Real *r; } Args;       /* r [rows] */

static void rms_norm_forward(Var *y)
{
    const Args *s = y->args;
    size_t C = (size_t)shape_last(y->shape);
    const Real *gamma = y->in[1]->value;
    for (size_t row = 0; row < y->size / C; row++) {
        const Real *x = y->in[0]->value + row * C;
        double sum = 0;
        for (size_t c = 0; c < C; c++) sum += (double)x[c] * (double)x[c];
        s->r[row] = (Real)(1 / sqrt(sum / (double)C + s->eps));
        for (size_t c = 0; c < C; c++)
            y->value[row * C + c] = gamma[c] * x[c] * s->r[row];
    }
}

static void rms_norm_backward(Var *y)
{
    const Args *s = y->args;
    size_t C = (size_t)shape_last(y->shape);
    const Real *gamma = y->in[1]->value;
    Real *dx = var_grad(y->in[0]), *dgamma = var_grad(y->in[1]);
    for (size_t row = 0; row < y->size / C; row++) {
        const Real *x = y->in[0]->value + row * C, *dy = y->grad + row * C;
        Real r = s->r[row];
        double avg = 0;
        for (size_t c = 0; c < C; c++) {
            avg += (double)(gamma[c] * dy[c] * x[c] * r) / (double)C;
            if (dgamma) dgamma[c] += dy[c] * x[c] * r;
        }
        for (size_t c = 0; dx && c < C; c++)
            dx[row * C + c] += r * (gamma[c] * dy[c] - x[c] * r * (Real)avg);
    }
}

static const Op rms_norm_op = {.name = "rms_norm", .forward = rms_norm_forward,
                               .backward = rms_norm_backward, .cheap = true,
                               .reads_inputs = ALL_INPUTS};

SOLUTION Var *answer_rms_norm(Tape *t, Var *x, Var *gamma, double eps)
{
    require_shape(gamma, SHAPE(shape_last(x->shape)));
    Args args = {eps, tape_save(t, Real, x->size / gamma->size)};
    return tape_push(t, &rms_norm_op, x->shape, 2, (Var *[]){x, gamma}, &args,
                     sizeof args);
}

/* ---- memory and second derivatives ------------------------------------------------- */

/* linear is not cheap and silu's backward reads its input p, so every p stays.  silu
 * is cheap: every h but the last, which is the result, is dropped and computed again. */
SOLUTION size_t answer_bytes_kept(int layers, int N, int D, bool discarding)
{
    size_t array = ((size_t)N * (size_t)D * sizeof(Real) + 63) / 64 * 64;
    return (size_t)layers * array + (discarding ? 1 : (size_t)layers) * array;
}

static void find_gradient(Tape *t, Function *f, Shape shape, const Real *x, Real *dx)
{
    tape_reset(t);
    memset(dx, 0, shape_size(shape) * sizeof *dx);
    backward(f(t, tape_leaf(t, "x", shape, x, dx)));
}

/* H v is the slope of the gradient along v: (g(x + h v) - g(x - h v)) / 2h. */
SOLUTION void answer_hessian_times(Function *f, Shape shape, const Real *x, const Real *v,
                                   Real *out)
{
    Real h = sizeof(Real) == 4 ? (Real)1e-2 : (Real)1e-5;
    size_t n = shape_size(shape);
    Arena a = arena_create();
    Tape t = tape_create();
    Real *near = arena_new(&a, Real, n), *up = arena_new(&a, Real, n);
    Real *down = arena_new(&a, Real, n);
    for (size_t i = 0; i < n; i++) near[i] = x[i] + h * v[i];
    find_gradient(&t, f, shape, near, up);
    for (size_t i = 0; i < n; i++) near[i] = x[i] - h * v[i];
    find_gradient(&t, f, shape, near, down);
    for (size_t i = 0; i < n; i++) out[i] = (up[i] - down[i]) / (2 * h);
    tape_destroy(&t);
    arena_destroy(&a);
}
