/* Convolution from a framed image: see direct.h. */
#include "tensor/direct.h"

#include <string.h>

#include "tensor/error.h"
#include "tensor/memory.h"
#include "tensor/vector.h"

enum { TASKS = 16 };

bool direct_fits(const Convolution *g)
{
    return g->KH == 3 && g->KW == 3 && g->stride == 1 && g->top == 1 && g->left == 1 &&
           g->OH == g->H && g->OW == g->W && g->W >= 12;
}

/* out [N, H, W, O] = 3x3 patches of in [N, H, W, C] times filters. */
typedef struct {
    int N, H, W, C, O;
    const Real *in;
    Real *out;
    Addends plus;
    const Real *panels;         /* [O / NR, rounded up][9 C][NR]: the filters, packed */
} Product;

/* tile [MR][NR] = MR overlapping patches times a panel.  `wide` is a constant in every
 * call. */
static inline __attribute__((always_inline)) void
multiply(const Real *a, size_t C, size_t frame_row, const Real *b, Real *tile, bool wide)
{
    Vector c0[MR] = {{0}}, c1[MR] = {{0}};
    for (int row = 0; row < 3; row++, a += frame_row) {
        const Real *p[MR / 3];              /* every third patch; two more follow each */
        for (int g = 0; g < MR / 3; g++) p[g] = a + 3 * (size_t)g * C;
        for (size_t t = 0; t < 3 * C; t++, b += NR) {
            Vector b0 = *(const Vector *)b, b1 = b0;
            if (wide) b1 = *(const Vector *)(b + LANES);
#pragma GCC unroll 12
            for (int i = 0; i < MR; i++) {
                Real x = p[i / 3][t + (size_t)(i % 3) * C];
                c0[i] += x * b0;
                if (wide) c1[i] += x * b1;
            }
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < MR; i++) {
        *(Vector *)(tile + i * NR) = c0[i];
        if (wide) *(Vector *)(tile + i * NR + LANES) = c1[i];
    }
}

static void multiply_wide(const Real *a, size_t C, size_t frame_row, const Real *b, Real *tile)
{
    multiply(a, C, frame_row, b, tile, true);
}

static void multiply_narrow(const Real *a, size_t C, size_t frame_row, const Real *b, Real *tile)
{
    multiply(a, C, frame_row, b, tile, false);
}

/* An image [H, W, C] to be framed: its rows first ... first+rows-1, those outside being
 * 0, with `left` pixels of 0 before each row and 2 - left after it. */
typedef struct { const Real *image; int H, W, C, first, rows, left; } Framing;

/* Owned by scratch; with room for what a strip of pixels or channels reaches beyond the
 * end. */
static Real *make_frame(const Framing *f)
{
    size_t C = (size_t)f->C, row = (size_t)(f->W + 2) * C;
    size_t size = (size_t)f->rows * row + (MR + 2) * C + 2 * NR;
    Real *frame = arena_new(scratch(), Real, size);
    memset(frame, 0, size * sizeof *frame);
    for (int r = 0; r < f->rows; r++) {
        int h = f->first + r;
        if (h < 0 || h >= f->H) continue;
        memcpy(frame + (size_t)r * row + (size_t)f->left * C, f->image + (size_t)h * (size_t)f->W * C,
               (size_t)f->W * C * sizeof *frame);
    }
    return frame;
}

static const Real *image_at(const Real *x, const Convolution *g, int n, int C)
{
    return x + (size_t)n * (size_t)g->H * (size_t)g->W * (size_t)C;
}

/* Moves the valid numbers of a tile, of pixels first ... first+MR-1 of the frame, to the
 * output, whose columns j ... j+columns-1 they are; the frame's first pixel is number
 * `corner` of the output. */
static void store(const Product *p, size_t corner, const Real *bias, const Real *tile,
                  int first, int pixels, int j, int columns)
{
    for (int i = 0; i < MR && first + i < pixels; i++, tile += NR) {
        int w = (first + i) % (p->W + 2), h = (first + i) / (p->W + 2);
        if (w >= p->W) continue;
        size_t at = (corner + (size_t)(h * p->W + w)) * (size_t)p->O + (size_t)j;
        for (int c = 0; c < columns; c++)
            p->out[at + c] = tile[c] + (bias ? bias[j + c] : 0) +
                             (p->plus.rest ? p->plus.rest[at + c] : 0);
    }
}

static void run_rows(const Product *p, int n, int h0, int rows)
{
    size_t mark = arena_mark(scratch()), C = (size_t)p->C, row = (size_t)(p->W + 2) * C;
    Framing f = {p->in + (size_t)n * (size_t)p->H * (size_t)p->W * C, p->H, p->W, p->C, h0 - 1,
                 rows + 2, 1};
    Real *frame = make_frame(&f), *tile = arena_new(scratch(), Real, MR * NR);
    size_t corner = ((size_t)n * (size_t)p->H + (size_t)h0) * (size_t)p->W;
    const Real *bias = bias_of(&p->plus, (size_t)n, p->O);
    int pixels = rows * (p->W + 2) - 2;
    for (int j = 0; j < p->O; j += NR) {
        const Real *panel = p->panels + (size_t)j * 9 * C;
        int columns = p->O - j < NR ? p->O - j : NR;
        for (int first = 0; first < pixels; first += MR) {
            (columns > LANES ? multiply_wide : multiply_narrow)(frame + (size_t)first * C, C, row,
                                                                panel, tile);
            store(p, corner, bias, tile, first, pixels, j, columns);
        }
    }
    arena_rewind(scratch(), mark);
}

/* The pieces depend on the sizes alone. */
static void run(const Product *p)
{
    int parts = (TASKS + p->N - 1) / p->N, rows = (p->H + parts - 1) / parts;
    parts = (p->H + rows - 1) / rows;
#pragma omp parallel for schedule(dynamic)
    for (int task = 0; task < p->N * parts; task++) {
        int h0 = task % parts * rows;
        run_rows(p, task / parts, h0, p->H - h0 < rows ? p->H - h0 : rows);
    }
}

/* Number (k, o) of the packed filters, k = (tap, channel), is w at this place. */
typedef size_t Place(const Convolution *g, int tap, int c, int o);

static size_t forward_place(const Convolution *g, int tap, int c, int o)
{
    return ((size_t)o * 9 + (size_t)tap) * (size_t)g->C + (size_t)c;
}

/* Going back, output channels come in, and the filter is turned round: tap i reaches back
 * from where tap 8 - i reached. */
static size_t backward_place(const Convolution *g, int tap, int c, int o)
{
    return ((size_t)c * 9 + (size_t)(8 - tap)) * (size_t)g->C + (size_t)o;
}

static Real *pack_filters(const Real *w, const Convolution *g, int C, int O, Place *place)
{
    int count = (O + NR - 1) / NR;
    Real *panels = arena_new(scratch(), Real, (size_t)count * NR * 9 * (size_t)C);
#pragma omp parallel for schedule(static)
    for (int j = 0; j < count; j++) {
        Real *to = panels + (size_t)j * NR * 9 * (size_t)C;
        for (int tap = 0; tap < 9; tap++)
            for (int c = 0; c < C; c++, to += NR)
                for (int o = 0; o < NR; o++)
                    to[o] = j * NR + o < O ? w[place(g, tap, c, j * NR + o)] : 0;
    }
    return panels;
}

void direct_forward(Real *y, const Real *x, const Real *w, const Addends *plus,
                    const Convolution *g)
{
    size_t mark = arena_mark(scratch());
    require(direct_fits(g), "not a direct convolution");
    Product p = {.N = g->N, .H = g->H, .W = g->W, .C = g->C, .O = g->O, .in = x, .out = y,
                 .plus = *plus, .panels = pack_filters(w, g, g->C, g->O, forward_place)};
    run(&p);
    arena_rewind(scratch(), mark);
}

void direct_backward_input(Real *dx, const Real *dy, const Real *w, const Convolution *g,
                           bool add)
{
    size_t mark = arena_mark(scratch());
    require(direct_fits(g), "not a direct convolution");
    Product p = {.N = g->N, .H = g->H, .W = g->W, .C = g->O, .O = g->C, .in = dy, .out = dx,
                 .plus.rest = add ? dx : NULL, .panels = pack_filters(w, g, g->O, g->C, backward_place)};
    run(&p);
    arena_rewind(scratch(), mark);
}

/* ---- the gradient of the filters ---------------------------------------------------------- */

enum { ROWS = MR * 2 / 3, PARTS = 8 };

/* tile [ROWS][NR] = sum over pixels of dy[p][0..ROWS) times x[p][0..NR). */
static inline __attribute__((always_inline)) void
correlate(size_t pixels, const Real *dy, size_t O, const Real *x, size_t C, Real *tile, bool wide)
{
    Vector c0[ROWS] = {{0}}, c1[ROWS] = {{0}};
    for (size_t p = 0; p < pixels; p++, dy += O, x += C) {
        Vector x0, x1 = {0};
        memcpy(&x0, x, sizeof x0);
        if (wide) memcpy(&x1, x + LANES, sizeof x1);
#pragma GCC unroll 12
        for (int i = 0; i < ROWS; i++) {
            c0[i] += dy[i] * x0;
            if (wide) c1[i] += dy[i] * x1;
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < ROWS; i++) {
        *(Vector *)(tile + i * NR) = c0[i];
        if (wide) *(Vector *)(tile + i * NR + LANES) = c1[i];
    }
}

static void correlate_wide(size_t pixels, const Real *dy, size_t O, const Real *x, size_t C,
                           Real *tile)
{
    correlate(pixels, dy, O, x, C, tile, true);
}

static void correlate_narrow(size_t pixels, const Real *dy, size_t O, const Real *x, size_t C,
                             Real *tile)
{
    correlate(pixels, dy, O, x, C, tile, false);
}

/* sum [O, 9, C] += one image's part in the gradient of the filters. */
static void add_image(Real *sum, const Real *dy, const Real *x, const Convolution *g)
{
    size_t mark = arena_mark(scratch()), C = (size_t)g->C, O = (size_t)g->O;
    size_t width = (size_t)g->W + 2, pixels = (size_t)g->H * width - 2;
    const Real *fx = make_frame(&(Framing){x, g->H, g->W, g->C, -1, g->H + 2, 1});
    const Real *fy = make_frame(&(Framing){dy, g->H, g->W, g->O, 0, g->H, 0});
    Real *tile = arena_new(scratch(), Real, ROWS * NR);
    for (size_t tap = 0; tap < 9; tap++) {
        const Real *moved = fx + (tap / 3 * width + tap % 3) * C;
        for (size_t o = 0; o < O; o += ROWS)
            for (size_t c = 0; c < C; c += NR) {
                size_t columns = C - c < NR ? C - c : NR;
                (columns > LANES ? correlate_wide : correlate_narrow)(pixels, fy + o, O, moved + c,
                                                                      C, tile);
                for (size_t i = 0; i < ROWS && o + i < O; i++)
                    for (size_t k = 0; k < columns; k++)
                        sum[((o + i) * 9 + tap) * C + c + k] += tile[i * NR + k];
            }
    }
    arena_rewind(scratch(), mark);
}

/* The images are cut into PARTS, each summed by one thread; then the parts are added in
 * order. */
void direct_backward_weight(Real *dw, const Real *dy, const Real *x, const Convolution *g)
{
    require(direct_fits(g), "not a direct convolution");
    size_t mark = arena_mark(scratch()), size = 9 * (size_t)g->O * (size_t)g->C;
    Real *sums = arena_new(scratch(), Real, PARTS * size);
    memset(sums, 0, PARTS * size * sizeof *sums);
#pragma omp parallel for schedule(static)
    for (int part = 0; part < PARTS; part++)
        for (int n = g->N * part / PARTS; n < g->N * (part + 1) / PARTS; n++)
            add_image(sums + (size_t)part * size, image_at(dy, g, n, g->O),
                      image_at(x, g, n, g->C), g);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < size; i++)
        for (size_t part = 0; part < PARTS; part++) dw[i] += sums[part * size + i];
    arena_rewind(scratch(), mark);
}
