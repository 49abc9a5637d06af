/* The gradient of the filters, du[k] = dm[k]' v[k], dg = G' du G: see winograd.h. */
#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/winograd_tiles.h"

/* Pairs of tiles, in place. */
static void pair_tiles(const Values *v, int count, int channels)
{
    for (size_t k = 0; k < PLACES; k++)
        pair_rows(values_at(v, k), v->width, values_at(v, k), v->width, count, channels);
}

/* At place k: du [outs, in] = (or +=) the sum over `count` tiles of dm's channels from o
 * on times v's from c on; the rows of du are `row` apart. */
static void sum_products(Real *du, size_t row, const Values *dm, int o, const Values *v,
                         int c, size_t k, int outs, int in, int count, bool add)
{
    bool pairs = gemm_bfloat16();
    gemm_panel(du, row, (Panel){values_at(dm, k) + o, dm->width, true, pairs},
               (Panel){values_at(v, k) + c, v->width, false, pairs}, outs, in,
               pairs ? (count + 1) / 2 : count, NULL, add);
}

/* du [O, C] at the places, `place` apart, = (or +=) the part of tiles first ...
 * first+count-1. */
static void sum_tiles(Real *du, size_t place, const Real *dy, const Real *x,
                      const Convolution *g, int first, int count, bool add)
{
    size_t mark = arena_mark(scratch());
    Grid grid = make_grid(g);
    Values v = new_values(count, g->C, false), dm = new_values(count, g->O, false);
    read_image(&v, 0, x, g->C, &grid, first, count);
    read_output(&dm, 0, dy, g->O, &grid, first, count);
    if (gemm_bfloat16()) pair_tiles(&v, count, g->C), pair_tiles(&dm, count, g->O);
    for (size_t k = 0; k < PLACES; k++)
        for (int c = 0; c < g->C; c += NR)
            sum_products(du + k * place + c, (size_t)g->C, &dm, 0, &v, c, k, g->O,
                         smaller(NR, g->C - c), count, add);
    arena_rewind(scratch(), mark);
}

/* The filters' gradient at the places, of some filters: number (o, c) at place k is at
 * at[k place + o row + c], in each of `parts` that are to be added. */
typedef struct {
    const Real *at;
    size_t place, row, parts;
} Gradient;

/* dw += G' du G for filters o ... o+outs of channels c ... c+in, the first of which is
 * du's first. */
static void write_filters(Real *dw, const Convolution *g, const Gradient *du, int o,
                          int outs, int c, int in)
{
    size_t C = (size_t)g->C;
#pragma omp parallel for schedule(static)
    for (int j = 0; j < outs; j++)
        for (int i = 0; i < in; i += LANES) {
            Vector across[IN][TAPS];
            UNROLL(6)
            for (size_t k = 0; k < IN; k++) {
                const Real *from = du->at + k * IN * du->place + (size_t)j * du->row + i;
                Vector u[IN];
                UNROLL(6)
                for (size_t l = 0; l < IN; l++, from += du->place) {
                    u[l] = vector_load(from);
                    for (size_t p = 1; p < du->parts; p++)
                        u[l] += vector_load(from + p * PLACES * du->place);
                }
                filter_of_points(u, 1, across[k]);
            }
            Real *to = dw + (size_t)(o + j) * TAPS * TAPS * C + (size_t)(c + i);
            UNROLL(3)
            for (int column = 0; column < TAPS; column++) {
                Vector taps[TAPS];
                filter_of_points(&across[0][column], TAPS, taps);
                UNROLL(3)
                for (int row = 0; row < TAPS; row++) {
                    Real *tap = to + (size_t)(row * TAPS + column) * C;
                    vector_store(tap, vector_load(tap) + taps[row]);
                }
            }
        }
}

/* Many tiles: they are cut into parts, each summed by one thread: few enough that a part
 * is long beside the work of adding it, and that together they fit some megabytes.  A
 * part is summed by blocks of tiles, each of which reads and writes the sums once and its
 * own values once: best if the two are of like size. */
static void gradient_by_tiles(Real *dw, const Real *dy, const Real *x,
                              const Convolution *g, int tiles)
{
    enum { MOST = 8, LONG = 128, ROOM = 1 << 22, LEAST = 48 };
    size_t place = apart((size_t)g->O * (size_t)g->C), size = PLACES * place;
    int parts = MOST;
    while (parts > 2 && (tiles < parts * LONG || (size_t)parts * size > ROOM)) parts /= 2;
    if (parts > tiles) parts = tiles;
    int like = g->O * g->C / (g->O + g->C), block = like > LEAST ? like : LEAST;
    Real *du = arena_new(scratch(), Real, (size_t)parts * size);
#pragma omp parallel for schedule(dynamic)
    for (int p = 0; p < parts; p++) {
        int begin = (int)((long long)tiles * p / parts);
        int end = (int)((long long)tiles * (p + 1) / parts);
        for (int t = begin; t < end; t += block)
            sum_tiles(du + (size_t)p * size, place, dy, x, g, t, smaller(block, end - t),
                      t > begin);
    }
    Gradient all = {du, place, (size_t)g->C, (size_t)parts};
    write_filters(dw, g, &all, 0, g->O, 0, g->C);
}

/* Few tiles: the values of all of them are made first; then the gradients of ROWS x NR
 * filters are a thread's task. */
static void gradient_by_filters(Real *dw, const Real *dy, const Real *x,
                                const Convolution *g, int tiles)
{
    enum { ROWS = 4 * MR };
    bool pairs = gemm_bfloat16();
    size_t place = apart(ROWS * NR);
    Grid grid = make_grid(g);
    Values v = new_values(tiles, g->C, false), dm = new_values(tiles, g->O, false);
#pragma omp parallel for schedule(static)
    for (int t = 0; t < tiles; t++) {
        read_image(&v, t, x, g->C, &grid, t, 1);
        read_output(&dm, t, dy, g->O, &grid, t, 1);
    }
    if (pairs) pair_tiles(&v, tiles, g->C), pair_tiles(&dm, tiles, g->O);
    int down = (g->O + ROWS - 1) / ROWS, across = (g->C + NR - 1) / NR;
#pragma omp parallel for schedule(dynamic)
    for (int task = 0; task < down * across; task++) {
        size_t mark = arena_mark(scratch());
        int o = task / across * ROWS, c = task % across * NR;
        int outs = smaller(ROWS, g->O - o), in = smaller(NR, g->C - c);
        Real *at = arena_new(scratch(), Real, PLACES * place);
        for (size_t k = 0; k < PLACES; k++)
            sum_products(at + k * place, NR, &dm, o, &v, c, k, outs, in, tiles,
                         false);
        Gradient du = {at, place, NR, 1};
        write_filters(dw, g, &du, o, outs, c, in);
        arena_rewind(scratch(), mark);
    }
}

void winograd_backward_weight(Real *dw, const Real *dy, const Real *x,
                              const Convolution *g)
{
    require(winograd_fits(g), "not a convolution for Winograd");
    size_t mark = arena_mark(scratch());
    Grid grid = make_grid(g);
    int tiles = g->N * grid.down * grid.across;
    if (are_few(2 * tiles, g->O)) gradient_by_filters(dw, dy, x, g, tiles);
    else gradient_by_tiles(dw, dy, x, g, tiles);
    arena_rewind(scratch(), mark);
}
