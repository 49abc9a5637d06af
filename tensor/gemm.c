/* The fast matrix product, after Goto & van de Geijn ("Anatomy of high-performance matrix
 * multiplication", 2008) and BLIS.
 *
 * A multiply-add unit is fed from registers; a register is loaded from the first cache,
 * that from the second, that from memory, each some times slower than the last.  So the
 * product is cut into blocks such that what is used most lies nearest:
 *
 *     C tile      TILE_M x TILE_N     one task of one thread, all k
 *     A block     TILE_M x KC         packed, stays in the second cache
 *     B panel     KC x NR             packed, stays in the first cache
 *     C register  MR x NR             summed in vector registers over KC values of k
 *
 *          k ->              NR                  for each (A strip, B panel):
 *     MR [ strip 0 ]      +-----+
 *     MR [ strip 1 ]  x k |panel|   ->  MR x NR      c[i] += a[i][k] * b[k][0..NR)
 *     MR [ strip 2 ]      +-----+
 *
 * Packing copies a factor into the order in which the innermost loop reads it, strips
 * row by row.  A factor that lies well already is read where it lies.
 *
 * When C has few tiles but k is long (the gradient of a weight), k too is cut into parts,
 * each summed on its own and then added in order. */
#include "tensor/gemm.h"

#include <string.h>

#include "tensor/bfloat16.h"
#include "tensor/error.h"
#include "tensor/memory.h"
#include "tensor/vector.h"

/* ---- operands ---------------------------------------------------------------------- */

/* out[k * k_step + o] = in[o * outer_stride + k], by blocks that fit the registers. */
static void pack_transposed(const Real *in, size_t outer_stride, int no, int nk,
                            Real *out, size_t k_step)
{
    int whole_o = no / LANES * LANES, whole_k = nk / LANES * LANES;
    for (int o = 0; o < whole_o; o += LANES)
        for (int k = 0; k < whole_k; k += LANES)
            vector_transpose(in + (size_t)o * outer_stride + k, outer_stride,
                             out + (size_t)k * k_step + o, k_step);
    for (int o = 0; o < no; o++)
        for (int k = o < whole_o ? whole_k : 0; k < nk; k++)
            out[(size_t)k * k_step + (size_t)o] =
                in[(size_t)o * outer_stride + (size_t)k];
}

static void pack_matrix(const Operand *x, int o0, int no, int k0, int nk,
                        Real *out, int outer_step, int k_step)
{
    const Real *in = x->data + (size_t)o0 * x->outer_stride + (size_t)k0 * x->k_stride;
    if (x->k_stride == 1 && k_step == 1) {
        for (int o = 0; o < no; o++)
            memcpy(out + o * outer_step, in + (size_t)o * x->outer_stride,
                   (size_t)nk * sizeof *out);
    } else if (x->outer_stride == 1 && outer_step == 1) {
        for (int k = 0; k < nk; k++)
            memcpy(out + k * k_step, in + (size_t)k * x->k_stride,
                   (size_t)no * sizeof *out);
    } else if (outer_step == 1) {
        pack_transposed(in, x->outer_stride, no, nk, out, (size_t)k_step);
    } else {
        pack_transposed(in, x->k_stride, nk, no, out, (size_t)outer_step);
    }
}

static Operand stored(const Real *data, size_t outer_stride, size_t k_stride)
{
    return (Operand){.pack = pack_matrix, .data = data, .outer_stride = outer_stride,
                     .k_stride = k_stride};
}

Operand gemm_a(const Real *data, size_t stride) { return stored(data, stride, 1); }
Operand gemm_a_transposed(const Real *data, size_t stride)
{
    return stored(data, 1, stride);
}
Operand gemm_b(const Real *data, size_t stride) { return stored(data, 1, stride); }
Operand gemm_b_transposed(const Real *data, size_t stride)
{
    return stored(data, stride, 1);
}

/* ---- the plain version ------------------------------------------------------------- */

void gemm_reference(Real *c, size_t ldc, Operand a, Operand b, int M, int N, int K,
                    const Real *bias, bool accumulate)
{
    require(a.pack == pack_matrix && b.pack == pack_matrix, "stored matrices only");
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            const Real *ai = a.data + (size_t)i * a.outer_stride;
            const Real *bj = b.data + (size_t)j * b.outer_stride;
            double sum = bias ? bias[j] : 0;
            for (int k = 0; k < K; k++)
                sum += (double)ai[(size_t)k * a.k_stride] *
                       (double)bj[(size_t)k * b.k_stride];
            Real *out = c + (size_t)i * ldc + j;
            *out = (Real)(accumulate ? *out + sum : sum);
        }
}

/* ---- the fast version -------------------------------------------------------------- */

enum {
    KC = 1024 / (int)sizeof(Real),      /* a B panel is KC * NR reals, 32 KiB with 64-byte
                                           vectors, in a first cache of 48 */
    TILE_M = 40 * MR, TILE_N = 512,
    FEW = MR / 3,                       /* rows of the kernel for the rest of a tile */
    OFTEN = 12,                         /* B is packed if more strips use it */
    PAGE = 4096,                        /* bytes; numbers a whole number of pages apart
                                           compete for the same lines of the first cache */
    ENOUGH_TASKS = 8
};

static bool in_pairs;

void gemm_set_bfloat16(bool on) { in_pairs = on; }
bool gemm_bfloat16(void) { return in_pairs; }

const char *gemm_describe(void)
{
    if (!in_pairs) return REAL_NAME;
#ifdef HAVE_BFLOAT16_DOT
    return REAL_NAME ", products of bfloat16";
#else
    return REAL_NAME ", products of " HALF_NAME " (this processor has no instruction for "
           "them: slower, not faster)";
#endif
}

static int smaller(int x, int y) { return x < y ? x : y; }
static int divide_up(int x, int y) { return (x + y - 1) / y; }

/* sum + x b, where all lanes of x are *a; or with pairs the sum of both products. */
static inline __attribute__((always_inline)) Vector
add_product(bool pairs, Vector sum, const Real *a, Vector b)
{
    return pairs ? pair_dot(sum, pair_broadcast(a), (Pairs)b) : sum + *a * b;
}

/* C[rows][NR] (+)= A B (+ bias) over nk values of k.  The first four are constants in
 * every call; without `wide`, only the left vector of the columns.  A row of A comes from
 * far away when a strip is read for the first time, so the next strip is asked for along
 * with this one: a vector of each row, then the next of each. */
static inline __attribute__((always_inline)) void
multiply(int rows, bool rows_adjoin, bool wide, bool pairs, int nk, const Panel *A,
         const Panel *B, Real *c, size_t ldc, const Real *bias, bool accumulate)
{
    Vector c0[MR] = {{0}}, c1[MR] = {{0}};
    const Real *third[MR / 3 + 1], *b = B->at;      /* every third row: as many addresses
                                                       as there are registers for */
    for (int i = 0; i < divide_up(rows, 3); i++)
        third[i] = A->at + 3 * (size_t)i * A->step;
    const Real *a = A->at, *ahead = A->at + (size_t)rows * A->step;
    int ahead_row = 0;
    for (int k = 0; k < nk; k++, b += B->step, a += A->step) {
        if (!rows_adjoin) {
            __builtin_prefetch(ahead);
            ahead += A->step;
            if (++ahead_row == rows)
                ahead_row = 0, ahead += LANES - rows * (ptrdiff_t)A->step;
        }
        Vector b0 = vector_load(b), b1 = b0;
        if (wide) b1 = vector_load(b + LANES);
        UNROLL(12)
        for (int i = 0; i < rows; i++) {
            const Real *x = rows_adjoin ? a + i
                                        : third[i / 3] + k + (size_t)(i % 3) * A->step;
            c0[i] = add_product(pairs, c0[i], x, b0);
            if (wide) c1[i] = add_product(pairs, c1[i], x, b1);
        }
    }
    Vector add0 = {0}, add1 = {0};
    if (bias) add0 = vector_load(bias);
    if (bias && wide) add1 = vector_load(bias + LANES);
    const Real *old = c;
    UNROLL(12)
    for (int i = 0; i < rows; i++, old += ldc) {
        c0[i] += accumulate ? vector_load(old) : add0;
        if (wide) c1[i] += accumulate ? vector_load(old + LANES) : add1;
    }
    UNROLL(12)
    for (int i = 0; i < rows; i++, c += ldc) {
        vector_store(c, c0[i]);
        if (wide) vector_store(c + LANES, c1[i]);
    }
}

/* multiply, for each combination of these. */
enum { WIDE = 1, ROWS_ADJOIN = 2, ALL_ROWS = 4, PAIRS = 8 };
typedef void Kernel(int nk, const Panel *A, const Panel *B, Real *c, size_t ldc,
                    const Real *bias, bool accumulate);
#define KERNEL(n)                                                                      \
    static void kernel_##n(int nk, const Panel *A, const Panel *B, Real *c, size_t ldc, \
                           const Real *bias, bool accumulate)                          \
    {                                                                                  \
        multiply(n & ALL_ROWS ? MR : FEW, n & ROWS_ADJOIN, n & WIDE, n & PAIRS, nk, A, \
                 B, c, ldc, bias, accumulate);                                         \
    }
KERNEL(0) KERNEL(1) KERNEL(2) KERNEL(3) KERNEL(4) KERNEL(5) KERNEL(6) KERNEL(7)
KERNEL(8) KERNEL(9) KERNEL(10) KERNEL(11) KERNEL(12) KERNEL(13) KERNEL(14) KERNEL(15)
static Kernel *const kernels[] = {
    kernel_0, kernel_1, kernel_2, kernel_3, kernel_4, kernel_5, kernel_6, kernel_7,
    kernel_8, kernel_9, kernel_10, kernel_11, kernel_12, kernel_13, kernel_14, kernel_15,
};

/* Moves the valid corner of a register tile to C. */
static void store_corner(Real *c, size_t ldc, const Real *tile, int ni, int nj,
                         const Real *bias, bool accumulate)
{
    for (int i = 0; i < ni; i++, c += ldc, tile += NR)
        for (int j = 0; j < nj; j++)
            c[j] = tile[j] + (accumulate ? c[j] : bias ? bias[j] : 0);
}

void gemm_panel(Real *c, size_t ldc, Panel A, Panel B, int ni, int nj, int nk,
                const Real *bias, bool accumulate)
{
    Real tile[MR * NR];
    for (int i = 0, rows; i < ni; i += rows, c += (size_t)rows * ldc) {
        rows = ni - i >= MR ? MR : FEW;
        bool whole = ni - i >= rows && nj % LANES == 0;
        int kind = (nj > LANES ? WIDE : 0) | (A.rows_adjoin ? ROWS_ADJOIN : 0) |
                   (rows == MR ? ALL_ROWS : 0) | (A.pairs ? PAIRS : 0);
        kernels[kind](nk, &A, &B, whole ? c : tile, whole ? ldc : NR,
                      whole ? bias : NULL, whole && accumulate);
        if (!whole)
            store_corner(c, ldc, tile, smaller(rows, ni - i), nj, bias, accumulate);
        A.at += (size_t)rows * (A.rows_adjoin ? 1 : A.step);
    }
}

/* The task of one thread: C[i0.., j0..] over k0 <= k < k1.  Both factors are packed here,
 * if at all, so tasks share nothing. */
typedef struct {
    Operand a, b;
    Real *c;                /* the corner of this task's tile */
    size_t ldc;
    int i0, ni, j0, nj, k0, k1;
    const Real *bias;       /* of column j0, or NULL */
    bool accumulate, pairs;
    Real *strips, *panel;   /* room for what is packed */
    Real *numbers;          /* ... and for what is to be made pairs of */
} Task;

static bool is_stored(const Operand *x) { return x->pack == pack_matrix; }

static const Real *stored_at(const Operand *x, int o, int k)
{
    return x->data + (size_t)o * x->outer_stride + (size_t)k * x->k_stride;
}

/* Both factors in pairs, of k and k + 1; a last k without another is one with 0.  They
 * are packed as they are, some at a time, and then turned. */
static Panel pairs_of_a(const Task *t, int k0, int nk)
{
    size_t row = (size_t)divide_up(nk, LANES) * LANES, pairs = row / 2;
    for (int i = 0; i < t->ni; i += MR) {
        int rows = smaller(MR, t->ni - i);
        t->a.pack(&t->a, t->i0 + i, rows, k0, nk, t->numbers, (int)row, 1);
        for (int r = 0; r < rows; r++) {
            Real *from = t->numbers + (size_t)r * row;
            Real *to = t->strips + (size_t)(i + r) * pairs;
            for (size_t k = (size_t)nk; k < row; k++) from[k] = 0;
            for (size_t k = 0; k < row; k += LANES)
                halves_store(to + k / 2, vector_load(from + k));
        }
    }
    return (Panel){t->strips, pairs, false, true};
}

static Panel pairs_of_b(const Task *t, int j, int columns, int k0, int nk)
{
    t->b.pack(&t->b, t->j0 + j, columns, k0, nk, t->numbers, 1, NR);
    pair_rows(t->panel, NR, t->numbers, NR, nk, NR);
    return (Panel){t->panel, NR, false, true};
}

/* The task's rows of A.  The kernel reads FEW rows at a time, so a number of rows that
 * they do not divide is packed: what the kernel reads beyond is thrown away. */
static Panel rows_of_a(const Task *t, int k0, int nk)
{
    if (t->pairs) return pairs_of_a(t, k0, nk);
    bool whole = t->ni % FEW == 0;
    if (is_stored(&t->a) && whole && t->a.outer_stride == 1)
        return (Panel){stored_at(&t->a, t->i0, k0), t->a.k_stride, true};
    if (is_stored(&t->a) && whole && t->a.k_stride == 1 &&
        (t->nj <= OFTEN / 2 * NR || t->a.outer_stride * sizeof(Real) % PAGE != 0))
        return (Panel){stored_at(&t->a, t->i0, k0), t->a.outer_stride, false};
    t->a.pack(&t->a, t->i0, t->ni, k0, nk, t->strips, nk, 1);
    return (Panel){t->strips, (size_t)nk, false};
}

/* Columns j ... j+columns of B. */
static Panel columns_of_b(const Task *t, int j, int columns, int k0, int nk)
{
    if (t->pairs) return pairs_of_b(t, j, columns, k0, nk);
    bool whole = columns % LANES == 0;
    if (is_stored(&t->b) && whole && t->b.outer_stride == 1 && t->ni <= OFTEN * MR)
        return (Panel){stored_at(&t->b, t->j0 + j, k0), t->b.k_stride, false};
    t->b.pack(&t->b, t->j0 + j, columns, k0, nk, t->panel, 1, NR);
    return (Panel){t->panel, NR, false};
}

static void run_task(Task t)
{
    Arena *arena = scratch();
    size_t mark = arena_mark(arena);
    int most = t.pairs ? 2 * KC : KC;
    t.strips = arena_new(arena, Real, (size_t)divide_up(t.ni, MR) * MR * KC);
    t.panel = arena_new(arena, Real, (size_t)KC * NR);
    if (t.pairs) t.numbers = arena_new(arena, Real, (size_t)most * NR);

    /* Equal blocks of k rather than full ones and a rest. */
    int blocks = divide_up(t.k1 - t.k0, most), step = divide_up(t.k1 - t.k0, blocks);
    for (int k = t.k0; k < t.k1; k += step) {
        int nk = smaller(step, t.k1 - k);
        Panel A = rows_of_a(&t, k, nk);
        for (int j = 0; j < t.nj; j += NR) {
            int columns = smaller(NR, t.nj - j);
            bool first = k == t.k0;
            gemm_panel(t.c + j, t.ldc, A, columns_of_b(&t, j, columns, k, nk), t.ni,
                       columns, t.pairs ? divide_up(nk, 2) : nk,
                       first && t.bias ? t.bias + j : NULL, t.accumulate || !first);
        }
    }
    arena_rewind(arena, mark);
}

/* How C and k are cut, by the sizes alone: k into parts if there is not enough of C, and C
 * into tiles of equal height, so many that few threads get equally many. */
typedef struct { int tile_m, tile_n, parts; } Plan;

static Plan make_plan(int M, int N, int K)
{
    Plan p = {.tile_n = smaller(TILE_N, divide_up(N, NR) * NR), .parts = 1};
    int across = divide_up(N, p.tile_n), down = divide_up(M, TILE_M);
    if (down * across < ENOUGH_TASKS)
        p.parts = smaller(divide_up(ENOUGH_TASKS, down * across), K / (8 * KC));
    if (p.parts < 1) p.parts = 1;
    int tasks = divide_up(down * across * p.parts, ENOUGH_TASKS) * ENOUGH_TASKS;
    p.tile_m = divide_up(divide_up(M, divide_up(tasks, across * p.parts)), MR) * MR;
    if (p.tile_m < 4 * MR) p.tile_m = 4 * MR;
    return p;
}

/* c += the sum of the parts, in order. */
static void add_parts(Real *c, size_t ldc, const Real *parts, int count, int M, int N)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < M; i++)
        for (int p = 0; p < count; p++) {
            const Real *row = parts + ((size_t)p * (size_t)M + (size_t)i) * (size_t)N;
            for (int j = 0; j < N; j++) c[(size_t)i * ldc + j] += row[j];
        }
}

static void gemm_fast(Real *c, size_t ldc, Operand a, Operand b, int M, int N, int K,
                      const Real *bias, bool accumulate)
{
    Plan p = make_plan(M, N, K);
    int down = divide_up(M, p.tile_m), across = divide_up(N, p.tile_n);
    Arena *arena = scratch();
    size_t mark = arena_mark(arena);
    /* The first part goes straight to C, the others to sums of their own. */
    Real *sums = p.parts > 1
        ? arena_new(arena, Real, (size_t)(p.parts - 1) * (size_t)M * (size_t)N) : NULL;

#pragma omp parallel for schedule(dynamic) if (down * across * p.parts > 1)
    for (int task = 0; task < down * across * p.parts; task++) {
        int part = task % p.parts, tile = task / p.parts;
        int i0 = tile / across * p.tile_m, j0 = tile % across * p.tile_n;
        Task t = {.a = a, .b = b, .c = c, .ldc = ldc, .i0 = i0, .j0 = j0,
                  .pairs = in_pairs,
                  .ni = smaller(p.tile_m, M - i0), .nj = smaller(p.tile_n, N - j0),
                  .k0 = (int)((long long)K * part / p.parts),
                  .k1 = (int)((long long)K * (part + 1) / p.parts)};
        if (part > 0) {
            t.c = sums + (size_t)(part - 1) * (size_t)M * (size_t)N;
            t.ldc = (size_t)N;
        } else {
            t.bias = bias ? bias + j0 : NULL;
            t.accumulate = accumulate;
        }
        t.c += (size_t)i0 * t.ldc + j0;
        run_task(t);
    }
    if (sums) add_parts(c, ldc, sums, p.parts - 1, M, N);
    arena_rewind(arena, mark);
}

void gemm(Real *c, size_t ldc, Operand a, Operand b, int M, int N, int K,
          const Real *bias, bool accumulate)
{
    require(M >= 0 && N >= 0 && K > 0, "gemm of %d x %d x %d", M, N, K);
    require(!bias || !accumulate, "gemm: a bias is for a result that is overwritten");
#ifdef REFERENCE
    if (!in_pairs && a.pack == pack_matrix && b.pack == pack_matrix) {
        gemm_reference(c, ldc, a, b, M, N, K, bias, accumulate);
        return;
    }
#endif
    gemm_fast(c, ldc, a, b, M, N, K, bias, accumulate);
}
