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
 * Packing copies each factor once into the order in which the innermost loop reads it.  A
 * strip keeps its rows KC apart, a constant: one register addresses all MR rows.
 *
 * When C has few tiles but k is long (the gradient of a weight), k too is cut into parts,
 * each summed on its own and then added in order. */
#include "tensor/gemm.h"

#include <string.h>

#include "tensor/error.h"
#include "tensor/memory.h"
#include "tensor/vector.h"

/* ---- operands ---------------------------------------------------------------------- */

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
    } else {
        for (int o = 0; o < no; o++)
            for (int k = 0; k < nk; k++)
                out[o * outer_step + k * k_step] =
                    in[(size_t)o * x->outer_stride + (size_t)k * x->k_stride];
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

/* ---- the fast version -------------------------------------------------------------------- */

enum {
    KC = 640 / (int)sizeof(Real),           /* a B panel: KC * NR reals, 20 KiB with 64-byte
                                               vectors, leaves room in a 32 KiB first cache */
    TILE_M = 40 * MR, TILE_N = 512,
    ENOUGH_TASKS = 8
};

/* tile[MR][NR] = strip x panel over nk values of k.  `wide` is a constant in every call:
 * with false only the left half of the panel, one vector, is used. */
static inline __attribute__((always_inline)) void
multiply(int nk, const Real *a, const Real *b, Real *tile, bool wide)
{
    Vector c0[MR] = {{0}}, c1[MR] = {{0}};
    for (int k = 0; k < nk; k++) {
        Vector b0 = *(const Vector *)(b + k * NR), b1 = b0;
        if (wide) b1 = *(const Vector *)(b + k * NR + LANES);
#pragma GCC unroll 12
        for (int i = 0; i < MR; i++) {
            c0[i] += a[i * KC + k] * b0;
            if (wide) c1[i] += a[i * KC + k] * b1;
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < MR; i++) {
        *(Vector *)(tile + i * NR) = c0[i];
        if (wide) *(Vector *)(tile + i * NR + LANES) = c1[i];
    }
}

static void multiply_wide(int nk, const Real *a, const Real *b, Real *tile)
{
    multiply(nk, a, b, tile, true);
}

static void multiply_narrow(int nk, const Real *a, const Real *b, Real *tile)
{
    multiply(nk, a, b, tile, false);
}

/* Moves the valid corner of a register tile to C. */
static void store(Real *c, size_t ldc, const Real *tile, int ni, int nj, const Real *bias,
                  bool accumulate)
{
    for (int i = 0; i < ni; i++, c += ldc, tile += NR) {
        if (accumulate) for (int j = 0; j < nj; j++) c[j] += tile[j];
        else if (bias) for (int j = 0; j < nj; j++) c[j] = tile[j] + bias[j];
        else for (int j = 0; j < nj; j++) c[j] = tile[j];
    }
}

static int smaller(int x, int y) { return x < y ? x : y; }
static int divide_up(int x, int y) { return (x + y - 1) / y; }

/* The task of one thread: C[i0.., j0..] over k0 <= k < k1.  Both factors are packed here,
 * so tasks share nothing. */
typedef struct {
    Operand a, b;
    Real *c;                /* the corner of this task's tile */
    size_t ldc;
    int i0, ni, j0, nj, k0, k1;
    const Real *bias;       /* of column j0, or NULL */
    bool accumulate;
} Task;

static void pack_strips(const Task *t, int k0, int nk, Real *strips)
{
    for (int i = 0; i < t->ni; i += MR) {
        int rows = smaller(MR, t->ni - i);
        Real *strip = strips + (size_t)i * KC;
        t->a.pack(&t->a, t->i0 + i, rows, k0, nk, strip, KC, 1);
        if (rows < MR)
            memset(strip + rows * KC, 0, (size_t)(MR - rows) * KC * sizeof *strip);
    }
}

static void pack_panel(const Task *t, int j, int k0, int nk, Real *panel)
{
    int columns = smaller(NR, t->nj - j);
    if (columns < NR) memset(panel, 0, (size_t)nk * NR * sizeof *panel);
    t->b.pack(&t->b, t->j0 + j, columns, k0, nk, panel, 1, NR);
}

static void run_task(const Task *t)
{
    Arena *arena = scratch();
    size_t mark = arena_mark(arena);
    Real *strips = arena_new(arena, Real, (size_t)divide_up(t->ni, MR) * MR * KC);
    Real *panel = arena_new(arena, Real, (size_t)KC * NR);
    Real *tile = arena_new(arena, Real, MR * NR);

    /* Equal blocks of k rather than full ones and a rest. */
    int blocks = divide_up(t->k1 - t->k0, KC), step = divide_up(t->k1 - t->k0, blocks);
    for (int k = t->k0; k < t->k1; k += step) {
        int nk = smaller(step, t->k1 - k);
        bool first = k == t->k0;
        pack_strips(t, k, nk, strips);
        for (int j = 0; j < t->nj; j += NR) {
            int columns = smaller(NR, t->nj - j);
            pack_panel(t, j, k, nk, panel);
            for (int i = 0; i < t->ni; i += MR) {
                (columns > LANES ? multiply_wide : multiply_narrow)(
                    nk, strips + (size_t)i * KC, panel, tile);
                store(t->c + (size_t)i * t->ldc + j, t->ldc, tile, smaller(MR, t->ni - i),
                      columns, first && t->bias ? t->bias + j : NULL,
                      t->accumulate || !first);
            }
        }
    }
    arena_rewind(arena, mark);
}

/* How C and k are cut, by the sizes alone. */
typedef struct { int tile_m, tile_n, parts; } Plan;

static Plan make_plan(int M, int N, int K)
{
    Plan p = {smaller(TILE_M, divide_up(M, MR) * MR),
              smaller(TILE_N, divide_up(N, NR) * NR), 1};
    int tiles = divide_up(M, p.tile_m) * divide_up(N, p.tile_n);
    if (tiles < ENOUGH_TASKS)
        p.parts = smaller(divide_up(ENOUGH_TASKS, tiles), K / (8 * KC));
    if (p.parts < 1) p.parts = 1;
    while (tiles * p.parts < ENOUGH_TASKS && p.tile_m > 4 * MR) {
        p.tile_m = divide_up(p.tile_m / 2, MR) * MR;
        tiles = divide_up(M, p.tile_m) * divide_up(N, p.tile_n);
    }
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
        run_task(&t);
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
    if (a.pack == pack_matrix && b.pack == pack_matrix) {
        gemm_reference(c, ldc, a, b, M, N, K, bias, accumulate);
        return;
    }
#endif
    gemm_fast(c, ldc, a, b, M, N, K, bias, accumulate);
}
