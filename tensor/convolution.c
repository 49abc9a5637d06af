/* The fast convolution: a matrix product whose factor is read from the image.
 *
 * Lay the KH*KW*C numbers under the filter at one output pixel in a row: the patch.  Then
 *
 *     y  [pixels, O]   = patches(x) [pixels, KC]  times  w transposed [KC, O]
 *     dw [O, KC]       = dy transposed [O, pixels] times  patches(x) [pixels, KC]
 *     dx [pixels, C]   = patches(dy) [pixels, KO] times  w, O and C swapped [KO, C]
 *
 * with K = KH*KW.  In the last line tap i of row h of the input is the row of the output
 * that it reached, (h + top - i) / stride, if that is a whole number.  With a stride of
 * 2 it is so for some taps at even rows and for the others at odd ones: each remainder
 * is a product of its own (Phase), with fewer taps.
 *
 * That is for any filter.  The 3x3 ones of a U-Net have ways of their own: winograd.h,
 * direct.h, narrow.h.
 *
 * Stored, the patches would be nine images; here gemm asks for a panel at a time.  A
 * patch is KH*KW runs of C neighbouring numbers, so packing is mostly memcpy, thanks to
 * NHWC. */
#include "tensor/convolution.h"

#include <string.h>

#include "tensor/direct.h"
#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/memory.h"
#include "tensor/narrow.h"
#include "tensor/vector.h"
#include "tensor/winograd.h"

#ifdef NO_WINOGRAD
enum { WINOGRAD = 0 };
#else
enum { WINOGRAD = 1 };
#endif

typedef struct {
    int H, W, C;                        /* the image that is read */
    int GH, GW;                         /* the grid of patches */
    int KH, KW;                         /* the taps of a patch */
    int scale, sign, top, left;         /* tap i of patch h: row h*scale + top + sign*i */
} Patches;

static Patches forward_patches(const Convolution *g)
{
    return (Patches){g->H, g->W, g->C, g->OH, g->OW, g->KH, g->KW, g->stride, 1, -g->top,
                     -g->left};
}

/* Copies the entries k0 ... k0+nk of `count` patches, the first being number `first`;
 * entry k of patch p goes to out[p * patch_step + k].  It is tap k/C, channel k%C. */
static void copy_patches(const Real *image, const Patches *p, int first, int count,
                         int k0, int nk, Real *out, int patch_step)
{
    int w = first % p->GW, h = first / p->GW % p->GH, n = first / p->GW / p->GH;
    for (int q = 0; q < count; q++) {
        const Real *in = image + (size_t)n * (size_t)p->H * (size_t)p->W * (size_t)p->C;
        Real *row = out + (size_t)q * (size_t)patch_step;
        int tap = k0 / p->C, c = k0 % p->C;
        int top = h * p->scale + p->top, left = w * p->scale + p->left;
        for (int k = 0; k < nk; tap++, c = 0) {
            int run = p->C - c < nk - k ? p->C - c : nk - k;
            int y = top + p->sign * (tap / p->KW), x = left + p->sign * (tap % p->KW);
            if (y < 0 || x < 0 || y >= p->H || x >= p->W)
                for (int r = 0; r < run; r++) row[k + r] = 0;
            else {
                const Real *from = in + ((size_t)y * (size_t)p->W + (size_t)x) *
                                        (size_t)p->C + c;
                if (run < LANES) for (int r = 0; r < run; r++) row[k + r] = from[r];
                else memcpy(row + k, from, (size_t)run * sizeof *row);
            }
            k += run;
        }
        if (++w == p->GW) w = 0, h++;
        if (h == p->GH) h = 0, n++;
    }
}

/* Patches as A: the outer index is the patch, k the entry. */
static void pack_patches_a(const Operand *x, int o0, int no, int k0, int nk,
                           Real *out, int outer_step, int k_step)
{
    require(k_step == 1, "a strip has its k in a row");
    copy_patches(x->data, x->geometry, o0, no, k0, nk, out, outer_step);
}

/* Patches as B: the outer index is the entry, k the patch. */
static void pack_patches_b(const Operand *x, int o0, int no, int k0, int nk,
                           Real *out, int outer_step, int k_step)
{
    require(outer_step == 1, "a panel has its columns in a row");
    copy_patches(x->data, x->geometry, k0, nk, o0, no, out, k_step);
}

/* The rows (or columns) of dx that leave the same remainder: first, first + stride, ...;
 * and the taps that reach them: tap, tap + stride, ... */
typedef struct { int first, rows, tap, taps; } Phase;

static Phase phase_of(int remainder, int size, int K, int stride, int pad)
{
    int tap = (remainder + pad) % stride;
    return (Phase){remainder, (size - remainder + stride - 1) / stride, tap,
                   tap < K ? (K - tap + stride - 1) / stride : 0};
}

/* w with O and C swapped, as B: column c, k = (tap of the phases, o). */
typedef struct { const Convolution *g; Phase down, across; } SwappedFilters;

static void pack_swapped_filters(const Operand *x, int o0, int no, int k0, int nk,
                                 Real *out, int outer_step, int k_step)
{
    const SwappedFilters *f = x->geometry;
    const Convolution *g = f->g;
    require(outer_step == 1, "a panel has its columns in a row");
    for (int k = 0; k < nk; k++) {
        int tap = (k0 + k) / g->O, o = (k0 + k) % g->O;
        int i = f->down.tap + tap / f->across.taps * g->stride;
        int j = f->across.tap + tap % f->across.taps * g->stride;
        size_t from = ((size_t)o * (size_t)g->KH + (size_t)i) * (size_t)g->KW + (size_t)j;
        memcpy(out + (size_t)k * (size_t)k_step, x->data + from * (size_t)g->C + o0,
               (size_t)no * sizeof *out);
    }
}

/* A 1x1 filter makes each patch one pixel: the image is the matrix. */
static bool is_pointwise(const Convolution *g)
{
    return g->KH == 1 && g->KW == 1 && g->stride == 1 && g->top == 0 && g->left == 0 &&
           g->OH == g->H && g->OW == g->W;
}

/* dx += sum [N, down.rows, across.rows, C], at the pixels of the phases. */
static void scatter(Real *dx, const Real *sum, const Convolution *g, Phase down,
                    Phase across)
{
#pragma omp parallel for schedule(static)
    for (int row = 0; row < g->N * down.rows; row++) {
        const Real *from = sum + (size_t)row * (size_t)(across.rows * g->C);
        int h = row / down.rows * g->H + row % down.rows * g->stride + down.first;
        for (int column = 0; column < across.rows; column++, from += g->C) {
            int w = column * g->stride + across.first;
            Real *to = dx + ((size_t)h * (size_t)g->W + (size_t)w) * (size_t)g->C;
            for (int c = 0; c < g->C; c++) to[c] += from[c];
        }
    }
}

static void backward_phase(Real *dx, const Real *dy, const Real *w, const Convolution *g,
                           Phase down, Phase across, bool add)
{
    if (!down.taps || !across.taps) return;
    SwappedFilters swapped = {g, down, across};
    Operand filters = {.pack = pack_swapped_filters, .data = w, .geometry = &swapped};
    Patches p = {g->OH, g->OW, g->O, down.rows, across.rows, down.taps, across.taps, 1,
                 -1, (down.first + g->top) / g->stride,
                 (across.first + g->left) / g->stride};
    Operand patches = {.pack = pack_patches_a, .data = dy, .geometry = &p};
    if (is_pointwise(g)) patches = gemm_a(dy, (size_t)g->O);
    size_t mark = arena_mark(scratch());
    int M = g->N * down.rows * across.rows, K = down.taps * across.taps * g->O;
    bool all = g->stride == 1;
    Real *sum = all ? dx : arena_new(scratch(), Real, (size_t)M * (size_t)g->C);
    gemm(sum, (size_t)g->C, patches, filters, M, g->C, K, NULL, all && add);
    if (!all) scatter(dx, sum, g, down, across);
    arena_rewind(scratch(), mark);
}

static const Addends nothing;

/* y = bias + rest, for a product that adds to it; false if the product can add all there
 * is to add by itself. */
static bool begin_with(Real *y, const Addends *plus, const Convolution *g)
{
    if (!plus->rest && !plus->own_bias) return false;
    size_t pixels = (size_t)g->OH * (size_t)g->OW, O = (size_t)g->O;
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < (size_t)g->N * pixels; row++) {
        const Real *bias = bias_of(plus, row / pixels, g->O);
        for (size_t o = 0; o < O; o++)
            y[row * O + o] = (bias ? bias[o] : 0) +
                             (plus->rest ? plus->rest[row * O + o] : 0);
    }
    return true;
}

void convolution(Real *y, const Real *x, const Real *w, const Addends *plus,
                 const Convolution *g)
{
    if (!plus) plus = &nothing;
#ifdef REFERENCE
    convolution_reference(y, x, w, plus, g);
    return;
#endif
    if (WINOGRAD && winograd_fits(g)) {
        winograd_forward(y, x, w, plus, g);
        return;
    }
    if (narrow_fits(g)) {
        narrow_forward(y, x, w, plus, g);
        return;
    }
    bool begun = begin_with(y, plus, g);
    const Real *bias = begun ? NULL : plus->bias;
    if (direct_fits(g)) {
        direct_forward(y, x, w, bias, g, begun);
        return;
    }
    int entries = g->KH * g->KW * g->C;
    Patches p = forward_patches(g);
    Operand patches = {.pack = pack_patches_a, .data = x, .geometry = &p};
    if (is_pointwise(g)) patches = gemm_a(x, (size_t)g->C);
    gemm(y, (size_t)g->O, patches, gemm_b_transposed(w, (size_t)entries),
         g->N * g->OH * g->OW, g->O, entries, bias, begun);
}

static size_t input_size(const Convolution *g)
{
    return (size_t)g->N * (size_t)g->H * (size_t)g->W * (size_t)g->C;
}

void convolution_backward_input(Real *dx, const Real *dy, const Real *w,
                                const Convolution *g, bool add)
{
#ifdef REFERENCE
    convolution_backward_input_reference(dx, dy, w, g, add);
    return;
#endif
    if (WINOGRAD && winograd_fits(g)) {
        winograd_backward_input(dx, dy, w, g, add);
        return;
    }
    if (narrow_fits(g)) {
        narrow_backward_input(dx, dy, w, g, add);
        return;
    }
    if (direct_fits(g)) {
        direct_backward_input(dx, dy, w, g, add);
        return;
    }
    if (!add && g->stride > 1) memset(dx, 0, input_size(g) * sizeof *dx);
    for (int row = 0; row < g->stride && row < g->H; row++)
        for (int column = 0; column < g->stride && column < g->W; column++)
            backward_phase(dx, dy, w, g,
                           phase_of(row, g->H, g->KH, g->stride, g->top),
                           phase_of(column, g->W, g->KW, g->stride, g->left), add);
}

void convolution_backward_weight(Real *dw, const Real *dy, const Real *x,
                                 const Convolution *g)
{
#ifdef REFERENCE
    convolution_backward_weight_reference(dw, dy, x, g);
    return;
#endif
    if (WINOGRAD && winograd_fits(g)) {
        winograd_backward_weight(dw, dy, x, g);
        return;
    }
    if (narrow_fits(g)) {
        narrow_backward_weight(dw, dy, x, g);
        return;
    }
    if (direct_fits(g) && g->C >= LANES / 2) {  /* its products are C wide, not 9 C */
        direct_backward_weight(dw, dy, x, g);
        return;
    }
    int entries = g->KH * g->KW * g->C;
    Patches p = forward_patches(g);
    Operand patches = {.pack = pack_patches_b, .data = x, .geometry = &p};
    if (is_pointwise(g)) patches = gemm_b(x, (size_t)g->C);
    gemm(dw, (size_t)entries, gemm_a_transposed(dy, (size_t)g->O), patches, g->O, entries,
         g->N * g->OH * g->OW, NULL, true);
}

/* ---- the plain versions ---------------------------------------------------------------
 * One walk over all (output number, input number, weight) triples; the three functions
 * differ only in which of the three is the sum. */

typedef struct { size_t x, y, w; bool inside; } Triple;

static Triple triple(const Convolution *g, int n, int h, int v, int o, int i, int j,
                     int c)
{
    int row = h * g->stride + i - g->top, column = v * g->stride + j - g->left;
    bool inside = row >= 0 && row < g->H && column >= 0 && column < g->W;
    return (Triple){
        .x = inside ? (size_t)(((n * g->H + row) * g->W + column) * g->C + c) : 0,
        .y = (size_t)(((n * g->OH + h) * g->OW + v) * g->O + o),
        .w = (size_t)(((o * g->KH + i) * g->KW + j) * g->C + c),
        .inside = inside,
    };
}

#define FOR(index, size) for (int index = 0; index < (size); index++)

void convolution_reference(Real *y, const Real *x, const Real *w, const Addends *plus,
                           const Convolution *g)
{
    if (!plus) plus = &nothing;
    FOR(n, g->N) FOR(h, g->OH) FOR(v, g->OW) FOR(o, g->O) {
        size_t at = triple(g, n, h, v, o, 0, 0, 0).y;
        const Real *bias = bias_of(plus, (size_t)n, g->O);
        double sum = (bias ? bias[o] : 0) + (plus->rest ? plus->rest[at] : 0);
        FOR(i, g->KH) FOR(j, g->KW) FOR(c, g->C) {
            Triple t = triple(g, n, h, v, o, i, j, c);
            if (t.inside) sum += (double)x[t.x] * (double)w[t.w];
        }
        y[at] = (Real)sum;
    }
}

void convolution_backward_input_reference(Real *dx, const Real *dy, const Real *w,
                                          const Convolution *g, bool add)
{
    if (!add) memset(dx, 0, input_size(g) * sizeof *dx);
    FOR(n, g->N) FOR(h, g->OH) FOR(v, g->OW) FOR(o, g->O)
        FOR(i, g->KH) FOR(j, g->KW) FOR(c, g->C) {
            Triple t = triple(g, n, h, v, o, i, j, c);
            if (t.inside) dx[t.x] += dy[t.y] * w[t.w];
        }
}

void convolution_backward_weight_reference(Real *dw, const Real *dy, const Real *x,
                                           const Convolution *g)
{
    FOR(o, g->O) FOR(i, g->KH) FOR(j, g->KW) FOR(c, g->C) {
        double sum = 0;
        FOR(n, g->N) FOR(h, g->OH) FOR(v, g->OW) {
            Triple t = triple(g, n, h, v, o, i, j, c);
            if (t.inside) sum += (double)dy[t.y] * (double)x[t.x];
        }
        dw[triple(g, 0, 0, 0, o, i, j, c).w] += (Real)sum;
    }
}
