/* Convolution from values at points, forwards and back to the image: see winograd.h. */
#include "tensor/winograd.h"

#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/winograd_tiles.h"

bool winograd_fits(const Convolution *g)
{
    int rows = (g->H + OUT - 1) / OUT * OUT, columns = (g->W + OUT - 1) / OUT * OUT;
    return g->KH == TAPS && g->KW == TAPS && g->stride == 1 && g->top == 1 &&
           g->left == 1 && g->OH == g->H && g->OW == g->W && g->C % LANES == 0 &&
           g->O % LANES == 0 && rows * columns <= 2 * g->H * g->W;
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
            for (size_t k = 0; k < PLACES; k++)
                vector_store(to + k * place + i * NR, u[k]);
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
 * thread's task. */
static void run_by_tiles(const Pass *p, Real *out, const Real *in, const Addends *plus)
{
    int rows = p->C / p->each, size = block_tiles(p->tiles, p->C + p->O);
    size_t panel = (size_t)rows * NR;
    size_t place = apart((size_t)((p->O + NR - 1) / NR) * panel);
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

/* Few tiles: the values of all of them are made first; then NR channels that go out are a
 * thread's task, and the filters for them are made a chunk at a time. */
static void run_by_filters(const Pass *p, Real *out, const Real *in, const Addends *plus)
{
    int rows = p->C / p->each;
    size_t place = apart(CHUNK * NR);
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
    if (are_few(p->tiles, p->O)) run_by_filters(p, out, in, plus);
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
