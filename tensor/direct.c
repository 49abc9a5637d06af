/* Convolution from a framed image: see direct.h. */
#include "tensor/direct.h"

#include <string.h>

#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/memory.h"
#include "tensor/vector.h"

bool direct_fits(const Convolution *g)
{
    return g->KH == 3 && g->KW == 3 && g->stride == 1 && g->top == 1 && g->left == 1 &&
           g->OH == g->H && g->OW == g->W && g->W >= 12;
}

static int columns_at(int j, int O) { return O - j < NR ? O - j : NR; }

/* Rows first ... first+rows-1 of an image [H, W, C], those outside being 0, with `left`
 * pixels of 0 before each row and 2 - left after it; from scratch.  There is room for
 * what is read beyond the end. */
static Real *make_frame(const Real *image, int H, int W, int C, int first, int rows,
                        int left)
{
    size_t row = (size_t)(W + 2) * (size_t)C, size = (size_t)W * (size_t)C;
    size_t room = (size_t)(MR + 2) * (size_t)C + 2 * NR;
    Real *frame = arena_zeroed(scratch(), Real, (size_t)rows * row + room);
    for (int r = 0; r < rows; r++) {
        int h = first + r;
        if (h < 0 || h >= H) continue;
        memcpy(frame + (size_t)r * row + left * C, image + (size_t)h * size,
               size * sizeof *frame);
    }
    return frame;
}

/* ---- forward, and the gradient of the image ---------------------------------------- */

/* out [N, H, W, O] = (or +=) 3x3 patches of in [N, H, W, C] times filters. */
typedef struct {
    int N, H, W, C, O;
    const Real *in, *bias;
    Real *out;
    bool add;
    const Real *panels;         /* [O / NR, rounded up][9 C][NR]: the filters, packed */
} Product;

/* Rows h0 ... of image n.  Row i of the filter reaches 3 C neighbouring numbers, in the
 * row i of the frame below. */
static void run_rows(const Product *p, int n, int h0, int rows)
{
    size_t mark = arena_mark(scratch()), C = (size_t)p->C, W = (size_t)p->W;
    size_t image = (size_t)n * (size_t)p->H * W;
    const Real *frame =
        make_frame(p->in + image * C, p->H, p->W, p->C, h0 - 1, rows + 2, 1);
    for (int j = 0; j < p->O; j += NR)
        for (int h = 0; h < rows; h++) {
            Real *out = p->out + (image + (size_t)(h0 + h) * W) * (size_t)p->O + j;
            for (int i = 0; i < 3; i++) {
                Panel A = {frame + (size_t)(h + i) * (W + 2) * C, C, false};
                Panel B = {p->panels + (size_t)(j * 9 + i * 3 * NR) * C, NR, false};
                gemm_panel(out, (size_t)p->O, A, B, p->W, columns_at(j, p->O), 3 * p->C,
                           p->bias && i == 0 ? p->bias + j : NULL, p->add || i > 0);
            }
        }
    arena_rewind(scratch(), mark);
}

/* The pieces depend on the sizes alone. */
static void run(const Product *p)
{
    enum { TASKS = 16 };
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

void direct_forward(Real *y, const Real *x, const Real *w, const Real *bias,
                    const Convolution *g, bool add)
{
    size_t mark = arena_mark(scratch());
    require(direct_fits(g), "not a direct convolution");
    run(&(Product){g->N, g->H, g->W, g->C, g->O, x, bias, y, add,
                   pack_filters(w, g, g->C, g->O, forward_place)});
    arena_rewind(scratch(), mark);
}

void direct_backward_input(Real *dx, const Real *dy, const Real *w, const Convolution *g,
                           bool add)
{
    size_t mark = arena_mark(scratch());
    require(direct_fits(g), "not a direct convolution");
    run(&(Product){g->N, g->H, g->W, g->O, g->C, dy, NULL, dx, add,
                   pack_filters(w, g, g->O, g->C, backward_place)});
    arena_rewind(scratch(), mark);
}

/* ---- the gradient of the filters --------------------------------------------------- */

/* sum [O, 9, C] += one image's part. */
static void add_image(Real *sum, const Real *dy, const Real *x, const Convolution *g)
{
    size_t mark = arena_mark(scratch()), C = (size_t)g->C, width = (size_t)g->W + 2;
    const Real *fx = make_frame(x, g->H, g->W, g->C, -1, g->H + 2, 1);
    const Real *fy = make_frame(dy, g->H, g->W, g->O, 0, g->H, 0);
    int pixels = g->H * (g->W + 2) - 2;
    for (size_t tap = 0; tap < 9; tap++) {
        const Real *moved = fx + (tap / 3 * width + tap % 3) * C;
        for (int c = 0; c < g->C; c += NR)
            gemm_panel(sum + tap * C + c, 9 * C, (Panel){fy, (size_t)g->O, true},
                       (Panel){moved + c, C, false}, g->O, columns_at(c, g->C), pixels,
                       NULL, true);
    }
    arena_rewind(scratch(), mark);
}

/* The images are cut into PARTS, each summed by one thread; then the parts are added in
 * order. */
void direct_backward_weight(Real *dw, const Real *dy, const Real *x, const Convolution *g)
{
    enum { PARTS = 8 };
    require(direct_fits(g), "not a direct convolution");
    size_t mark = arena_mark(scratch()), size = 9 * (size_t)g->O * (size_t)g->C;
    size_t pixels = (size_t)(g->H * g->W);
    Real *sums = arena_zeroed(scratch(), Real, PARTS * size);
#pragma omp parallel for schedule(static)
    for (int part = 0; part < PARTS; part++)
        for (int n = g->N * part / PARTS; n < g->N * (part + 1) / PARTS; n++)
            add_image(sums + (size_t)part * size, dy + (size_t)n * pixels * (size_t)g->O,
                      x + (size_t)n * pixels * (size_t)g->C, g);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < size; i++)
        for (size_t part = 0; part < PARTS; part++) dw[i] += sums[part * size + i];
    arena_rewind(scratch(), mark);
}
