/* What winograd.c and winograd_weight.c share: the transforms of winograd.h, and how tiles
 * are read from images and written to them. */
#ifndef TENSOR_WINOGRAD_TILES_H
#define TENSOR_WINOGRAD_TILES_H

#include "tensor/bfloat16.h"
#include "tensor/memory.h"
#include "tensor/vector.h"
#include "tensor/winograd.h"

/* A tile of IN x IN numbers makes OUT x OUT outputs, by way of PLACES products.  Channels
 * come in whole vectors. */
enum { IN = 6, OUT = 4, TAPS = 3, PLACES = IN * IN };

/* ---- the transforms ------------------------------------------------------------------
 * The points are 0, P, -P, Q, -Q and infinity; P2 and Q2 are their squares.  Row k of B'
 * holds the coefficients of the product of (z - point) over all other points; row k of G
 * the powers of the point over the same product at the point; column k of A' the powers
 * of the point.  At infinity a polynomial's value is its leading coefficient.  Each
 * works on `step`-spaced vectors, a channel in each lane, so one function does columns
 * and rows. */

#define P ((Real)(21 / 32.0))
#define Q ((Real)(13 / 8.0))
#define P2 (P * P)
#define Q2 (Q * Q)

/* v = B' d */
static inline __attribute__((always_inline)) void
points_of_image(const Vector *d, int step, Vector *v)
{
    Vector d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step],
           d5 = d[5 * step];
    Vector even = d4 - Q2 * d2, odd = P * (d3 - Q2 * d1);
    v[1] = even + odd, v[2] = even - odd;
    even = d4 - P2 * d2, odd = Q * (d3 - P2 * d1);
    v[3] = even + odd, v[4] = even - odd;
    v[0] = P2 * Q2 * d0 - (P2 + Q2) * d2 + d4;
    v[5] = P2 * Q2 * d1 - (P2 + Q2) * d3 + d5;
}

/* One over those products at 0, at P and -P, at Q and -Q. */
#define AT_0 (1 / (P2 * Q2))
#define AT_P (1 / (2 * P2 * (P2 - Q2)))
#define AT_Q (1 / (2 * Q2 * (Q2 - P2)))

/* u = G g */
static inline __attribute__((always_inline)) void
points_of_filter(const Vector *g, int step, Vector *u)
{
    Vector g0 = g[0], g1 = g[step], g2 = g[2 * step];
    Vector even = g0 + P2 * g2, odd = P * g1;
    u[1] = AT_P * (even + odd), u[2] = AT_P * (even - odd);
    even = g0 + Q2 * g2, odd = Q * g1;
    u[3] = AT_Q * (even + odd), u[4] = AT_Q * (even - odd);
    u[0] = AT_0 * g0, u[5] = g2;
}

/* g = G' u */
static inline __attribute__((always_inline)) void
filter_of_points(const Vector *u, int step, Vector *g)
{
    Vector u0 = u[0], u1 = u[step], u2 = u[2 * step], u3 = u[3 * step], u4 = u[4 * step];
    Vector evenP = AT_P * (u1 + u2), oddP = AT_P * (u1 - u2);
    Vector evenQ = AT_Q * (u3 + u4), oddQ = AT_Q * (u3 - u4);
    g[0] = AT_0 * u0 + evenP + evenQ;
    g[1] = P * oddP + Q * oddQ;
    g[2] = P2 * evenP + Q2 * evenQ + u[5 * step];
}

/* y = A' m */
static inline __attribute__((always_inline)) void
output_of_points(const Vector *m, int step, Vector *y)
{
    Vector m0 = m[0], m1 = m[step], m2 = m[2 * step], m3 = m[3 * step], m4 = m[4 * step];
    Vector evenP = m1 + m2, oddP = P * (m1 - m2), evenQ = m3 + m4, oddQ = Q * (m3 - m4);
    y[0] = m0 + evenP + evenQ;
    y[1] = oddP + oddQ;
    y[2] = P2 * evenP + Q2 * evenQ;
    y[3] = P2 * oddP + Q2 * oddQ + m[5 * step];
}

/* m = A y */
static inline __attribute__((always_inline)) void
points_of_output(const Vector *y, int step, Vector *m)
{
    Vector y0 = y[0], y1 = y[step], y2 = y[2 * step], y3 = y[3 * step];
    Vector even = y0 + P2 * y2, odd = P * (y1 + P2 * y3);
    m[1] = even + odd, m[2] = even - odd;
    even = y0 + Q2 * y2, odd = Q * (y1 + Q2 * y3);
    m[3] = even + odd, m[4] = even - odd;
    m[0] = y0, m[5] = y3;
}

/* ---- tiles ---------------------------------------------------------------------------
 * The images of a batch are cut into tiles, counted through the batch; a block of them
 * is one task. */

typedef struct { int H, W, down, across; } Grid;

static inline Grid make_grid(const Convolution *g)
{
    return (Grid){g->H, g->W, (g->H + OUT - 1) / OUT, (g->W + OUT - 1) / OUT};
}

/* Where in the batch's images [N, H, W] tile t begins. */
typedef struct { size_t image; int row, column; } Corner;

static inline Corner corner_of(const Grid *grid, int t)
{
    return (Corner){(size_t)(t / (grid->down * grid->across)),
                    t / grid->across % grid->down * OUT, t % grid->across * OUT};
}

/* From place to place: room for n numbers, and an odd number of vectors, so that the
 * places do not fall on the same lines of the cache. */
static inline size_t apart(size_t n)
{
    return (n + LANES - 1) / LANES / 2 * 2 * LANES + LANES;
}

/* Values of a block of tiles at the PLACES: number c of tile t at place k is at at[k
 * place + t width + c].  The width is a vector more than the channels, so that rows do
 * not fall on the same lines either.  With `pairs` (bfloat16.h), c counts pairs of
 * channels. */
typedef struct {
    Real *at;
    size_t tiles, width, place;
    bool pairs;
    const Real *zeros;      /* [channels]: a pixel outside the image */
} Values;

static inline Real *values_at(const Values *v, size_t place)
{
    return v->at + place * v->place;
}

/* Room for four more or less: so many rows are read at a time, and the products of tiles
 * beyond the last are thrown away. */
static inline Values new_values(int tiles, int channels, bool pairs)
{
    Values v = {.tiles = (size_t)(tiles + 3) / 4 * 4, .pairs = pairs,
                .width = (size_t)channels / (pairs ? 2 : 1) + LANES};
    v.place = apart(v.tiles * v.width);
    v.at = arena_new(scratch(), Real, PLACES * v.place);
    v.zeros = arena_zeroed(scratch(), Real, (size_t)channels);
    return v;
}

/* The values of tile t from `size` x `size` numbers of x [N, H, W, C], the first of them
 * `before` rows and columns in front of the tile's corner; outside the image they are 0.
 * `transform` takes them to IN, along one axis.  Two rows of values at a time stay in the
 * registers, as all six would not, and cost no more: what the others need of a column is
 * not computed.  On the last round the pixels of the next tile are asked for. */
static inline __attribute__((always_inline)) void
read_tile(const Values *v, size_t t, const Real *x, int C, const Grid *grid,
          Corner corner, int size, int before,
          void (*transform)(const Vector *, int, Vector *))
{
    const Real *image = x + corner.image * (size_t)(grid->H * grid->W) * (size_t)C;
    const Real *pixel[IN][IN];                  /* [column][row] */
    for (int j = 0; j < size; j++)
        for (int i = 0; i < size; i++) {
            int row = corner.row - before + i, column = corner.column - before + j;
            bool inside = row >= 0 && row < grid->H && column >= 0 && column < grid->W;
            pixel[j][i] = inside ? image + (size_t)((row * grid->W + column) * C)
                                 : v->zeros;
        }
    size_t place = v->place;
    for (int c = 0; c < C; c += LANES) {
        Real *to = v->at + t * v->width + (v->pairs ? c / 2 : c);
        UNROLL(3)
        for (int pair = 0; pair < IN / 2; pair++) {
            int rows[2] = {(2 * pair + 1) % IN, (2 * pair + 2) % IN};
            Vector row[2][IN];
            UNROLL(6)
            for (int j = 0; j < size; j++) {
                Vector d[IN], column[IN];
                UNROLL(6)
                for (int i = 0; i < size; i++) {
                    d[i] = vector_load(pixel[j][i] + c);
                    if (pair == 2) __builtin_prefetch(pixel[j][i] + c + OUT * C);
                }
                transform(d, 1, column);
                row[0][j] = column[rows[0]], row[1][j] = column[rows[1]];
            }
            UNROLL(2)
            for (int i = 0; i < 2; i++) {
                Vector values[IN];
                transform(row[i], 1, values);
                UNROLL(6)
                for (int j = 0; j < IN; j++) {
                    Real *at = to + (size_t)(rows[i] * IN + j) * place;
                    if (v->pairs) halves_store(at, values[j]);
                    else vector_store(at, values[j]);
                }
            }
        }
    }
}

/* v[t ...] = B' d B for `count` tiles from number `first` on. */
static inline void read_image(const Values *v, int t, const Real *x, int C,
                              const Grid *grid, int first, int count)
{
    for (int i = 0; i < count; i++)
        read_tile(v, (size_t)(t + i), x, C, grid, corner_of(grid, first + i), IN, 1,
                  points_of_image);
}

/* m[t ...] = A dy A'. */
static inline void read_output(const Values *m, int t, const Real *dy, int O,
                               const Grid *grid, int first, int count)
{
    for (int i = 0; i < count; i++)
        read_tile(m, (size_t)(t + i), dy, O, grid, corner_of(grid, first + i), OUT, 0,
                  points_of_output);
}

/* Where a tile of outputs goes, and what is added to it; rest and bias may be NULL. */
typedef struct {
    Real *y;                    /* as its corner's */
    const Real *rest, *bias;
    int row, pixel, channels;   /* from row to row, from pixel to pixel; how many */
} Target;

/* y = A' m A of tile t + bias (+ rest), `rows` x `width` of it. */
static inline __attribute__((always_inline)) void
write_tile(const Values *m, size_t t, const Target *to, int rows, int width)
{
    size_t place = m->place;
    for (int o = 0; o < to->channels; o += LANES) {
        const Real *from = m->at + t * m->width + o;
        Vector across[IN][OUT], bias = {0};
        if (to->bias) bias = vector_load(to->bias + o);
        UNROLL(6)
        for (int i = 0; i < IN; i++) {
            Vector row[IN];
            UNROLL(6)
            for (int j = 0; j < IN; j++)
                row[j] = vector_load(from + (size_t)(i * IN + j) * place);
            output_of_points(row, 1, across[i]);
        }
        UNROLL(4)
        for (int j = 0; j < width; j++) {
            Vector column[OUT];
            output_of_points(&across[0][j], OUT, column);
            UNROLL(4)
            for (int i = 0; i < rows; i++) {
                int at = i * to->row + j * to->pixel + o;
                if (to->rest) column[i] += vector_load(to->rest + at);
                vector_store(to->y + at, column[i] + bias);
            }
        }
    }
}

/* For `count` tiles from number `first` on, and channels o ... o + channels of O. */
static inline void write_output(const Values *m, Real *y, int O, int o, int channels,
                         const Grid *grid, int first, int count, const Addends *plus)
{
    for (int t = 0; t < count; t++) {
        Corner corner = corner_of(grid, first + t);
        int rows = grid->H - corner.row, width = grid->W - corner.column;
        size_t row0 = corner.image * (size_t)grid->H + (size_t)corner.row;
        size_t at = (row0 * (size_t)grid->W + (size_t)corner.column) * (size_t)O + o;
        Target to = {y + at, plus->rest ? plus->rest + at : NULL,
                     bias_of(plus, corner.image, O), grid->W * O, O, channels};
        if (to.bias) to.bias += o;
        if (rows >= OUT && width >= OUT)        /* constants: the loops are unrolled */
            write_tile(m, (size_t)t, &to, OUT, OUT);
        else
            write_tile(m, (size_t)t, &to, rows < OUT ? rows : OUT,
                       width < OUT ? width : OUT);
    }
}

static inline int smaller(int x, int y) { return x < y ? x : y; }

/* Few tiles and many filters, as deep in a U-Net?  Then the values of the filters, four
 * times as many numbers as they are, would be most of what is written and read; so a
 * thread makes, uses and forgets them a piece at a time in its cache. */
static inline bool are_few(int tiles, int O) { return tiles <= O && O >= 4 * NR; }

#endif
