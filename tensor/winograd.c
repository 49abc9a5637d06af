/* Convolution from values at points: see winograd.h. */
#include "tensor/winograd.h"

#include "tensor/bfloat16.h"
#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/memory.h"
#include "tensor/vector.h"

/* A tile of IN x IN numbers makes OUT x OUT outputs, by way of PLACES products.  Channels
 * come in whole vectors. */
enum { IN = 6, OUT = 4, TAPS = 3, PLACES = IN * IN };

bool winograd_fits(const Convolution *g)
{
    int rows = (g->H + OUT - 1) / OUT * OUT, columns = (g->W + OUT - 1) / OUT * OUT;
    return g->KH == TAPS && g->KW == TAPS && g->stride == 1 && g->top == 1 &&
           g->left == 1 && g->OH == g->H && g->OW == g->W && g->C % LANES == 0 &&
           g->O % LANES == 0 && rows * columns <= 2 * g->H * g->W;
}

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

static Grid make_grid(const Convolution *g)
{
    return (Grid){g->H, g->W, (g->H + OUT - 1) / OUT, (g->W + OUT - 1) / OUT};
}

/* Where in the batch's images [N, H, W] tile t begins. */
typedef struct { size_t image; int row, column; } Corner;

static Corner corner_of(const Grid *grid, int t)
{
    return (Corner){(size_t)(t / (grid->down * grid->across)),
                    t / grid->across % grid->down * OUT, t % grid->across * OUT};
}

/* Values of a block of tiles at the PLACES: number c of tile t at place k is at at[(k
 * tiles + t) width + c].  The width is a vector more than the channels, so that rows do
 * not fall on the same lines of the cache.  With `pairs` (bfloat16.h), c counts pairs of
 * channels. */
typedef struct {
    Real *at;
    size_t tiles, width;
    bool pairs;
    const Real *zeros;      /* [channels]: a pixel outside the image */
} Values;

static Real *values_at(const Values *v, size_t place)
{
    return v->at + place * v->tiles * v->width;
}

/* Room for whole strips of tiles: products with tiles beyond the last are thrown away. */
static Values new_values(int tiles, int channels, bool pairs)
{
    Values v = {.tiles = (size_t)(tiles + MR - 1) / MR * MR, .pairs = pairs,
                .width = (size_t)channels / (pairs ? 2 : 1) + LANES};
    v.at = arena_new(scratch(), Real, PLACES * v.tiles * v.width);
    v.zeros = arena_zeroed(scratch(), Real, (size_t)channels);
    return v;
}

/* The values of tile t from `size` x `size` numbers of x [N, H, W, C], the first of them
 * `before` rows and columns in front of the tile's corner; outside the image they are 0.
 * `transform` takes them to IN, along one axis. */
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
    size_t place = v->tiles * v->width;
    for (int c = 0; c < C; c += LANES) {
        Vector columns[IN][IN];                 /* [column][place along it] */
        Real *to = v->at + t * v->width;
#pragma GCC unroll 6
        for (int j = 0; j < size; j++) {
            Vector d[IN];
#pragma GCC unroll 6
            for (int i = 0; i < size; i++) d[i] = vector_load(pixel[j][i] + c);
            transform(d, 1, columns[j]);
        }
#pragma GCC unroll 6
        for (int i = 0; i < IN; i++) {
            Vector row[IN];
            transform(&columns[0][i], IN, row);
#pragma GCC unroll 6
            for (int j = 0; j < IN; j++, to += place)
                if (v->pairs) halves_store(to + c / 2, row[j]);
                else vector_store(to + c, row[j]);
        }
    }
}

/* v = B' d B for `count` tiles from number `first` on. */
static void read_image(const Values *v, const Real *x, int C, const Grid *grid, int first,
                       int count)
{
    for (int t = 0; t < count; t++)
        read_tile(v, (size_t)t, x, C, grid, corner_of(grid, first + t), IN, 1,
                  points_of_image);
}

/* m = A dy A'. */
static void read_output(const Values *m, const Real *dy, int O, const Grid *grid,
                        int first, int count)
{
    for (int t = 0; t < count; t++)
        read_tile(m, (size_t)t, dy, O, grid, corner_of(grid, first + t), OUT, 0,
                  points_of_output);
}

/* y = A' m A + what is to be added. */
static void write_output(const Values *m, Real *y, int O, const Grid *grid, int first,
                         int count, const Addends *plus)
{
    for (int t = 0; t < count; t++) {
        Corner corner = corner_of(grid, first + t);
        int rows = grid->H - corner.row < OUT ? grid->H - corner.row : OUT;
        int width = grid->W - corner.column < OUT ? grid->W - corner.column : OUT;
        size_t row0 = corner.image * (size_t)grid->H + (size_t)corner.row;
        size_t pixel = row0 * (size_t)grid->W + (size_t)corner.column;
        const Real *bias = bias_of(plus, corner.image, O), *rest = plus->rest;
        for (int o = 0; o < O; o += LANES) {
            const Real *from = m->at + (size_t)t * m->width + o;
            Vector across[IN][OUT], b = bias ? vector_load(bias + o) : (Vector){0};
            for (int i = 0; i < IN; i++) {
                Vector row[IN];
                for (int j = 0; j < IN; j++, from += m->tiles * m->width)
                    row[j] = vector_load(from);
                output_of_points(row, 1, across[i]);
            }
            for (int j = 0; j < width; j++) {
                Vector column[OUT];
                output_of_points(&across[0][j], OUT, column);
                for (int i = 0; i < rows; i++) {
                    size_t at = (pixel + (size_t)(i * grid->W + j)) * (size_t)O + o;
                    if (rest) column[i] += vector_load(rest + at);
                    vector_store(y + at, column[i] + b);
                }
            }
        }
    }
}

/* ---- forward: m[k] = v[k] u[k] ---------------------------------------------------- */

/* The filters at the PLACES, for products from C channels, or pairs of channels, to O:
 * [PLACES][O / NR, up][C][NR]. */
static size_t panel_size(int C) { return (size_t)C * NR; }
static size_t place_size(int C, int O)
{
    return (size_t)((O + NR - 1) / NR) * panel_size(C);
}

/* The sum over channels is one of sums of CHUNK: a long sum in float would lose more
 * digits than the transforms do. */
static void multiply_places(const Values *m, const Values *v, const Real *filters, int C,
                            int O)
{
    enum { CHUNK = 32 };
    for (size_t k = 0; k < PLACES; k++)
        for (int o = 0; o < O; o += NR) {
            const Real *panel =
                filters + k * place_size(C, O) + (size_t)(o / NR) * panel_size(C);
            for (int c = 0; c < C; c += CHUNK)
                gemm_panel(values_at(m, k) + o, m->width,
                           (Panel){values_at(v, k) + c, v->width, false, v->pairs},
                           (Panel){panel + c * NR, NR, false, v->pairs}, (int)v->tiles,
                           O - o < NR ? O - o : NR, C - c < CHUNK ? C - c : CHUNK, NULL,
                           c > 0);
        }
}

/* Tiles of a block: so many that a filter, once read, is used again, so few that the
 * values stay in the second cache and that there are enough blocks to share; a function
 * of the sizes alone. */
static int block_tiles(int tiles, int channels)
{
    enum { CACHE = (512 << 10) / (int)sizeof(Real), ENOUGH_BLOCKS = 8 };
    int strips = CACHE / (PLACES * MR * channels), most = tiles / (MR * ENOUGH_BLOCKS);
    if (strips < 2) strips = 2;
    if (strips > 4) strips = 4;
    if (strips > most) strips = most;
    return strips < 1 ? MR : strips * MR;
}

/* out = in [N, H, W, C] convolved with filters that make O channels. */
static void run(Real *out, const Real *in, const Real *filters, const Convolution *g,
                int C, int O, const Addends *plus)
{
    bool pairs = gemm_bfloat16();
    Grid grid = make_grid(g);
    int tiles = g->N * grid.down * grid.across, size = block_tiles(tiles, C + O);
#pragma omp parallel for schedule(dynamic)
    for (int first = 0; first < tiles; first += size) {
        size_t mark = arena_mark(scratch());
        int count = tiles - first < size ? tiles - first : size;
        Values v = new_values(count, C, pairs), m = new_values(count, O, false);
        read_image(&v, in, C, &grid, first, count);
        multiply_places(&m, &v, filters, pairs ? C / 2 : C, O);
        write_output(&m, out, O, &grid, first, count, plus);
        arena_rewind(scratch(), mark);
    }
}

/* u = G g G' of a filter [TAPS][TAPS] of vectors. */
static void filter_values(Vector g[TAPS * TAPS], Vector u[PLACES])
{
    Vector columns[TAPS][IN];
    for (int j = 0; j < TAPS; j++) points_of_filter(g + j, TAPS, columns[j]);
    for (int i = 0; i < IN; i++) points_of_filter(&columns[0][i], IN, u + i * IN);
}

/* The filters of LANES output channels from o on and as many input channels from c on, to
 * their corner of a panel, at each place.  Forwards a vector of w runs along c, the rows
 * of a panel along o; so they are turned while they are in the cache. */
static void pack_block(Real *to, size_t place, const Real *w, const Convolution *g,
                       bool back, bool pairs, int o, int c)
{
    Real values[PLACES][LANES * LANES] __attribute__((aligned(VECTOR_BYTES)));
    size_t C = (size_t)g->C, filter = TAPS * TAPS * C;
    for (int i = 0; i < LANES; i++) {
        const Real *from = back ? w + (size_t)(c + i) * filter + (size_t)o
                                : w + (size_t)(o + i) * filter + (size_t)c;
        Vector taps[TAPS * TAPS], u[PLACES];
        for (size_t t = 0; t < TAPS * TAPS; t++)
            taps[t] = vector_load(from + (back ? TAPS * TAPS - 1 - t : t) * C);
        filter_values(taps, u);
        for (int k = 0; k < PLACES; k++) vector_store(values[k] + i * LANES, u[k]);
    }
    for (int k = 0; k < PLACES; k++, to += place) {
        if (!back) vector_transpose(values[k], LANES, values[k], LANES);
        if (pairs) pair_rows(to, NR, values[k], LANES, LANES, LANES);
        else for (int i = 0; i < LANES; i++)
            vector_store(to + i * NR, vector_load(values[k] + i * LANES));
    }
}

/* Owned by scratch.  Forward, channel c comes in and o goes out; back it is the other
 * way, and the filter is turned round. */
static Real *pack_filters(const Real *w, const Convolution *g, bool back)
{
    int C = back ? g->O : g->C, O = back ? g->C : g->O;
    int each = gemm_bfloat16() ? 2 : 1;         /* channels to a row of a panel */
    size_t place = place_size(C / each, O);
    Real *filters = arena_new(scratch(), Real, PLACES * place);
#pragma omp parallel for schedule(static)
    for (int block = 0; block < O / LANES * (C / LANES); block++) {
        int o = block / (C / LANES) * LANES, c = block % (C / LANES) * LANES;
        Real *panel = filters + (size_t)(o / NR) * panel_size(C / each);
        pack_block(panel + c / each * NR + o % NR, place, w, g, back, each == 2, o, c);
    }
    return filters;
}

void winograd_forward(Real *y, const Real *x, const Real *w, const Addends *plus,
                      const Convolution *g)
{
    require(winograd_fits(g), "not a convolution for Winograd");
    size_t mark = arena_mark(scratch());
    run(y, x, pack_filters(w, g, false), g, g->C, g->O, plus);
    arena_rewind(scratch(), mark);
}

void winograd_backward_input(Real *dx, const Real *dy, const Real *w,
                             const Convolution *g, bool add)
{
    require(winograd_fits(g), "not a convolution for Winograd");
    size_t mark = arena_mark(scratch());
    run(dx, dy, pack_filters(w, g, true), g, g->O, g->C,
        &(Addends){.rest = add ? dx : NULL});
    arena_rewind(scratch(), mark);
}

/* ---- the gradient of the filters: du[k] = dm[k]' v[k] ----------------------------- */

/* Pairs of tiles, in place. */
static void pair_tiles(const Values *v, int count, int channels)
{
    for (size_t k = 0; k < PLACES; k++)
        pair_rows(values_at(v, k), v->width, values_at(v, k), v->width, count, channels);
}

/* du [PLACES, O, C] = (or +=) the part of tiles first ... first+count-1. */
static void sum_tiles(Real *du, const Real *dy, const Real *x, const Convolution *g,
                      int first, int count, bool add)
{
    bool pairs = gemm_bfloat16();
    size_t mark = arena_mark(scratch()), C = (size_t)g->C, O = (size_t)g->O;
    Grid grid = make_grid(g);
    Values v = new_values(count, g->C, false), dm = new_values(count, g->O, false);
    read_image(&v, x, g->C, &grid, first, count);
    read_output(&dm, dy, g->O, &grid, first, count);
    if (pairs) pair_tiles(&v, count, g->C), pair_tiles(&dm, count, g->O);
    for (size_t k = 0; k < PLACES; k++)
        for (size_t c = 0; c < C; c += NR)
            gemm_panel(du + k * O * C + c, C,
                       (Panel){values_at(&dm, k), dm.width, true, pairs},
                       (Panel){values_at(&v, k) + c, v.width, false, pairs}, g->O,
                       C - c < NR ? (int)(C - c) : NR, pairs ? (count + 1) / 2 : count,
                       NULL, add);
    arena_rewind(scratch(), mark);
}

/* dw += G' du G, where du is the sum of `parts`, taken in order. */
static void write_filters(Real *dw, const Real *du, size_t parts, const Convolution *g)
{
    size_t C = (size_t)g->C, place = (size_t)g->O * C;
#pragma omp parallel for schedule(static)
    for (int o = 0; o < g->O; o++)
        for (size_t c = 0; c < C; c += LANES) {
            Vector u[PLACES], across[IN][TAPS];
            for (size_t k = 0; k < PLACES; k++) {
                const Real *from = du + k * place + (size_t)o * C + c;
                u[k] = vector_load(from);
                for (size_t p = 1; p < parts; p++)
                    u[k] += vector_load(from + p * PLACES * place);
            }
            for (int i = 0; i < IN; i++) filter_of_points(u + i * IN, 1, across[i]);
            for (int j = 0; j < TAPS; j++) {
                Vector column[TAPS];
                filter_of_points(&across[0][j], TAPS, column);
                for (int i = 0; i < TAPS; i++) {
                    Real *to = dw + ((size_t)o * 9 + (size_t)(i * TAPS + j)) * C + c;
                    vector_store(to, vector_load(to) + column[i]);
                }
            }
        }
}

/* The tiles are cut into parts, each summed by one thread: few enough that a part is
 * long beside the work of adding it, and that together they fit some megabytes.  A part
 * is summed by blocks of tiles, each of which reads and writes the sums once and its own
 * values once: best if the two are of like size. */
void winograd_backward_weight(Real *dw, const Real *dy, const Real *x,
                              const Convolution *g)
{
    enum { MOST = 8, LONG = 128, ROOM = 1 << 22, LEAST = 48 };
    require(winograd_fits(g), "not a convolution for Winograd");
    size_t mark = arena_mark(scratch()), size = PLACES * (size_t)g->O * (size_t)g->C;
    Grid grid = make_grid(g);
    int tiles = g->N * grid.down * grid.across, parts = MOST;
    while (parts > 2 && (tiles < parts * LONG || (size_t)parts * size > ROOM)) parts /= 2;
    if (parts > tiles) parts = tiles;
    int like = g->O * g->C / (g->O + g->C), block = like > LEAST ? like : LEAST;
    Real *du = arena_new(scratch(), Real, (size_t)parts * size);
#pragma omp parallel for schedule(dynamic)
    for (int p = 0; p < parts; p++) {
        int begin = (int)((long long)tiles * p / parts);
        int end = (int)((long long)tiles * (p + 1) / parts);
        for (int t = begin; t < end; t += block)
            sum_tiles(du + (size_t)p * size, dy, x, g, t,
                      end - t < block ? end - t : block, t > begin);
    }
    write_filters(dw, du, (size_t)parts, g);
    arena_rewind(scratch(), mark);
}
