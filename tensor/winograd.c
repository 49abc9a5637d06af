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

/* v[t ...] = B' d B for `count` tiles from number `first` on. */
static void read_image(const Values *v, int t, const Real *x, int C, const Grid *grid,
                       int first, int count)
{
    for (int i = 0; i < count; i++)
        read_tile(v, (size_t)(t + i), x, C, grid, corner_of(grid, first + i), IN, 1,
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
    size_t place = m->tiles * m->width;
    for (int o = 0; o < to->channels; o += LANES) {
        const Real *from = m->at + t * m->width + o;
        Vector across[IN][OUT], bias = {0};
        if (to->bias) bias = vector_load(to->bias + o);
#pragma GCC unroll 6
        for (int i = 0; i < IN; i++) {
            Vector row[IN];
#pragma GCC unroll 6
            for (int j = 0; j < IN; j++)
                row[j] = vector_load(from + (size_t)(i * IN + j) * place);
            output_of_points(row, 1, across[i]);
        }
#pragma GCC unroll 4
        for (int j = 0; j < width; j++) {
            Vector column[OUT];
            output_of_points(&across[0][j], OUT, column);
#pragma GCC unroll 4
            for (int i = 0; i < rows; i++) {
                int at = i * to->row + j * to->pixel + o;
                if (to->rest) column[i] += vector_load(to->rest + at);
                vector_store(to->y + at, column[i] + bias);
            }
        }
    }
}

/* For `count` tiles from number `first` on, and channels o ... o + channels of O. */
static void write_output(const Values *m, Real *y, int O, int o, int channels,
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
        if (rows >= OUT && width >= OUT)        /* constants, which the loops unroll for */
            write_tile(m, (size_t)t, &to, OUT, OUT);
        else
            write_tile(m, (size_t)t, &to, rows < OUT ? rows : OUT,
                       width < OUT ? width : OUT);
    }
}

/* ---- forward: m[k] = v[k] u[k] ------------------------------------------------------
 * From C channels to O; back, these are the other two and the filter is turned round.
 * Filters at a place lie in panels [O / NR, up][rows][NR], where a row is a channel that
 * comes in, or a pair of them. */

typedef struct {
    const Convolution *g;
    const Real *w;
    bool back;
    int C, O;
    int each;               /* channels to a row */
    Grid grid;
    int tiles;
} Pass;

static Pass make_pass(const Convolution *g, const Real *w, bool back)
{
    require(winograd_fits(g), "not a convolution for Winograd");
    Grid grid = make_grid(g);
    return (Pass){g, w, back, back ? g->O : g->C, back ? g->C : g->O,
                  gemm_bfloat16() ? 2 : 1, grid, g->N * grid.down * grid.across};
}

/* u = G g G' of a filter [TAPS][TAPS] of vectors. */
static void filter_values(Vector g[TAPS * TAPS], Vector u[PLACES])
{
    Vector columns[TAPS][IN];
    for (int j = 0; j < TAPS; j++) points_of_filter(g + j, TAPS, columns[j]);
    for (int i = 0; i < IN; i++) points_of_filter(&columns[0][i], IN, u + i * IN);
}

/* The filters of LANES output channels from o on and as many input channels from c on, to
 * their corner of a panel, at each place.  The rows of a panel run along o.  So do, back,
 * the vectors of w; forwards those run along c, and are turned before there are four
 * times as many. */
static void pack_block(const Pass *p, Real *to, size_t place, int o, int c)
{
    enum { ALL = TAPS * TAPS };
    Real turned[ALL][LANES * LANES] __attribute__((aligned(VECTOR_BYTES)));
    size_t C = (size_t)p->g->C, filter = ALL * C;
    for (size_t t = 0; !p->back && t < ALL; t++)
        vector_transpose(p->w + (size_t)o * filter + t * C + c, filter, turned[t], LANES);
    Vector even[PLACES], u[PLACES];
    for (int i = 0; i < LANES; i++) {
        const Real *from = p->w + (size_t)(c + i) * filter + o;
        Vector taps[ALL];
        for (size_t t = 0; t < ALL; t++)
            taps[t] = vector_load(p->back ? from + (ALL - 1 - t) * C
                                          : turned[t] + i * LANES);
        filter_values(taps, u);
        if (p->each == 1)
            for (size_t k = 0; k < PLACES; k++) vector_store(to + k * place + i * NR, u[k]);
        else if (i % 2)
            for (size_t k = 0; k < PLACES; k++)
                pairs_store(to + k * place + i / 2 * NR, pair(even[k], u[k]));
        else memcpy(even, u, sizeof u);
    }
}

/* The filters from channels c ... c+in to o ... o+outs. */
static void pack_filters(const Pass *p, Real *to, size_t place, int o, int outs, int c,
                         int in)
{
    int rows = in / p->each;
#pragma omp parallel for schedule(static)
    for (int block = 0; block < outs / LANES * (in / LANES); block++) {
        int j = block / (in / LANES) * LANES, i = block % (in / LANES) * LANES;
        Real *panel = to + (size_t)(j / NR * rows * NR);
        pack_block(p, panel + i / p->each * NR + j % NR, place, o + j, c + i);
    }
}

/* The sum over channels is one of sums of CHUNK rows: a long sum in float would lose more
 * digits than the transforms do. */
enum { CHUNK = 64 };

/* At place k: m's channels from o on = (or, after the first chunk, +=) v's rows from c on
 * times a panel of `rows` x `outs`. */
static void multiply(const Values *m, int o, const Values *v, int c, size_t k,
                     const Real *panel, int outs, int rows)
{
    gemm_panel(values_at(m, k) + o, m->width,
               (Panel){values_at(v, k) + c, v->width, false, v->pairs},
               (Panel){panel, NR, false, v->pairs}, (int)v->tiles, outs, rows, NULL,
               c > 0);
}

static int smaller(int x, int y) { return x < y ? x : y; }

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

/* Many tiles: the values of all filters are made first; then a block of tiles is a
 * thread's task.  From place to place is a row more than there is, so that they do not
 * fall on the same lines of the cache. */
static void run_by_tiles(const Pass *p, Real *out, const Real *in, const Addends *plus)
{
    int rows = p->C / p->each, size = block_tiles(p->tiles, p->C + p->O);
    size_t panel = (size_t)rows * NR, place = (size_t)((p->O + NR - 1) / NR) * panel + NR;
    Real *filters = arena_new(scratch(), Real, PLACES * place);
    pack_filters(p, filters, place, 0, p->O, 0, p->C);
#pragma omp parallel for schedule(dynamic)
    for (int first = 0; first < p->tiles; first += size) {
        size_t mark = arena_mark(scratch());
        int count = smaller(size, p->tiles - first);
        Values v = new_values(count, p->C, p->each == 2);
        Values m = new_values(count, p->O, false);
        read_image(&v, 0, in, p->C, &p->grid, first, count);
        for (size_t k = 0; k < PLACES; k++)
            for (int o = 0; o < p->O; o += NR)
                for (int c = 0; c < rows; c += CHUNK)
                    multiply(&m, o, &v, c, k,
                             filters + k * place + (size_t)(o / NR) * panel + c * NR,
                             smaller(NR, p->O - o), smaller(CHUNK, rows - c));
        write_output(&m, out, p->O, 0, p->O, &p->grid, first, count, plus);
        arena_rewind(scratch(), mark);
    }
}

/* Few tiles and many channels, as deep in a U-Net: the filters' values, four times as
 * many as the filters have, would be most of what is written and read.  So the values of
 * all tiles are made first; then NR channels that go out are a thread's task, and the
 * filters for them are made a chunk at a time, in its cache. */
static void run_by_filters(const Pass *p, Real *out, const Real *in, const Addends *plus)
{
    int rows = p->C / p->each;
    size_t place = (CHUNK + 1) * NR;
    Values v = new_values(p->tiles, p->C, p->each == 2);
#pragma omp parallel for schedule(static)
    for (int t = 0; t < p->tiles; t++) read_image(&v, t, in, p->C, &p->grid, t, 1);
#pragma omp parallel for schedule(dynamic)
    for (int o = 0; o < p->O; o += NR) {
        size_t mark = arena_mark(scratch());
        int outs = smaller(NR, p->O - o);
        Values m = new_values(p->tiles, NR, false);
        Real *filters = arena_new(scratch(), Real, PLACES * place);
        for (int c = 0; c < rows; c += CHUNK) {
            int n = smaller(CHUNK, rows - c);
            pack_filters(p, filters, place, o, outs, c * p->each, n * p->each);
            for (size_t k = 0; k < PLACES; k++)
                multiply(&m, 0, &v, c, k, filters + k * place, outs, n);
        }
        write_output(&m, out, p->O, o, outs, &p->grid, 0, p->tiles, plus);
        arena_rewind(scratch(), mark);
    }
}

static void run(Real *out, const Real *in, const Pass *p, const Addends *plus)
{
    size_t mark = arena_mark(scratch());
    if (p->tiles <= p->O && p->O >= 4 * NR) run_by_filters(p, out, in, plus);
    else run_by_tiles(p, out, in, plus);
    arena_rewind(scratch(), mark);
}

void winograd_forward(Real *y, const Real *x, const Real *w, const Addends *plus,
                      const Convolution *g)
{
    Pass p = make_pass(g, w, false);
    run(y, x, &p, plus);
}

void winograd_backward_input(Real *dx, const Real *dy, const Real *w,
                             const Convolution *g, bool add)
{
    Pass p = make_pass(g, w, true);
    run(dx, dy, &p, &(Addends){.rest = add ? dx : NULL});
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
    read_image(&v, 0, x, g->C, &grid, first, count);
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
