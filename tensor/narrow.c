/* Convolution to few channels: see narrow.h. */
#include "tensor/narrow.h"

#include <string.h>

#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/memory.h"
#include "tensor/vector.h"

/* Columns of z. */
static int columns_of(const Convolution *g) { return g->O * g->KH * g->KW; }

static int pixels_of(const Convolution *g) { return g->N * g->H * g->W; }

bool narrow_fits(const Convolution *g)
{
    return g->stride == 1 && g->OH == g->H && g->OW == g->W && g->KH * g->KW > 1 &&
           g->C >= LANES && columns_of(g) <= NR;
}

static Real *new_z(const Convolution *g)
{
    require(narrow_fits(g), "not a convolution to few channels");
    return arena_new(scratch(), Real, (size_t)pixels_of(g) * (size_t)columns_of(g));
}

/* For one tap, a row of outputs and the row of inputs that it reads: output pixel v reads
 * pixel v + off, for first <= v < end.  None, if the row is outside. */
typedef struct { size_t output, input; int off, first, end; } Reach;

static Reach reach_of(const Convolution *g, int row, int tap)
{
    int h = row % g->H + tap / g->KW - g->top, off = tap % g->KW - g->left;
    size_t image = (size_t)(row / g->H * g->H), W = (size_t)g->W;
    Reach r = {(size_t)row * W, (image + (size_t)h) * W, off, off < 0 ? -off : 0,
               off > 0 ? g->W - off : g->W};
    if (h < 0 || h >= g->H) r.end = r.first;
    return r;
}

void narrow_forward(Real *y, const Real *x, const Real *w, const Addends *plus,
                    const Convolution *g)
{
    size_t mark = arena_mark(scratch());
    int O = g->O, taps = g->KH * g->KW, columns = columns_of(g);
    Real *z = new_z(g);
    gemm(z, (size_t)columns, gemm_a(x, (size_t)g->C), gemm_b_transposed(w, (size_t)g->C),
         pixels_of(g), columns, g->C, NULL, false);
#pragma omp parallel for schedule(static)
    for (int row = 0; row < g->N * g->H; row++) {
        const Real *bias = bias_of(plus, (size_t)(row / g->H), O);
        size_t at = (size_t)row * (size_t)(g->W * O);
        for (int i = 0; i < g->W * O; i++)
            y[at + i] = (bias ? bias[i % O] : 0) + (plus->rest ? plus->rest[at + i] : 0);
        for (int tap = 0; tap < taps; tap++) {
            Reach r = reach_of(g, row, tap);
            const Real *from = z + r.input * columns + r.off * columns + tap;
            for (int v = r.first; v < r.end; v++)
                for (int o = 0; o < O; o++)
                    y[at + v * O + o] += from[v * columns + o * taps];
        }
    }
    arena_rewind(scratch(), mark);
}

/* dz from dy: each tap of each output sends its gradient to the pixel that it read. */
static const Real *spread(const Real *dy, const Convolution *g)
{
    int O = g->O, taps = g->KH * g->KW, columns = columns_of(g);
    Real *z = new_z(g);
    /* Seen from an input, the same convolution turned round. */
    Convolution back = *g;
    back.top = g->KH - 1 - g->top, back.left = g->KW - 1 - g->left;
#pragma omp parallel for schedule(static)
    for (int row = 0; row < g->N * g->H; row++) {
        Real *to = z + (size_t)row * (size_t)(g->W * columns);
        memset(to, 0, (size_t)(g->W * columns) * sizeof *to);
        for (int tap = 0; tap < taps; tap++) {
            Reach r = reach_of(&back, row, taps - 1 - tap);
            const Real *from = dy + (r.input + r.off) * O;
            for (int v = r.first; v < r.end; v++)
                for (int o = 0; o < O; o++)
                    to[v * columns + o * taps + tap] = from[v * O + o];
        }
    }
    return z;
}

void narrow_backward_input(Real *dx, const Real *dy, const Real *w, const Convolution *g,
                           bool add)
{
    size_t mark = arena_mark(scratch());
    int columns = columns_of(g);
    gemm(dx, (size_t)g->C, gemm_a(spread(dy, g), (size_t)columns),
         gemm_b(w, (size_t)g->C), pixels_of(g), g->C, columns, NULL, add);
    arena_rewind(scratch(), mark);
}

void narrow_backward_weight(Real *dw, const Real *dy, const Real *x, const Convolution *g)
{
    size_t mark = arena_mark(scratch());
    int columns = columns_of(g);
    gemm(dw, (size_t)g->C, gemm_a_transposed(spread(dy, g), (size_t)columns),
         gemm_b(x, (size_t)g->C), columns, g->C, pixels_of(g), NULL, true);
    arena_rewind(scratch(), mark);
}
