/* The matrix product against its formula, on sizes that are awkward for the blocks. */
#include <stdlib.h>
#include <string.h>

#include "tensor/bfloat16.h"
#include "tensor/gemm.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"
#include "tests/check.h"

static const double tolerance = sizeof(Real) == 4 ? 2e-5 : 1e-13;

static void multiplies_by_hand(void)
{
    Real a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, bias[] = {100, 200}, c[4];
    gemm(c, 2, gemm_a(a, 2), gemm_b(b, 2), 2, 2, 2, NULL, false);
    check_reals(c, ((Real[]){19, 22, 43, 50}), 4, 0);
    gemm(c, 2, gemm_a_transposed(a, 2), gemm_b(b, 2), 2, 2, 2, bias, false);
    check_reals(c, ((Real[]){126, 230, 138, 244}), 4, 0);
    gemm(c, 2, gemm_a(a, 2), gemm_b_transposed(b, 2), 2, 2, 2, NULL, true);
    check_reals(c, ((Real[]){143, 253, 177, 297}), 4, 0);
}

/* The nearest number of half the bits. */
static Real half(Real x)
{
    Word bits = half_of(x);
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* With its switch on, a product is that of the factors' halves, summed in Reals. */
static void compare(int M, int N, int K, int kind)
{
    Arena *s = scratch();
    size_t mark = arena_mark(s), ldc = (size_t)N + 3;
    Real *a = arena_new(s, Real, (size_t)M * K), *b = arena_new(s, Real, (size_t)K * N);
    Real *got = arena_new(s, Real, ldc * M), *want = arena_new(s, Real, ldc * M);
    Real *bias = arena_new(s, Real, N);
    fill_uniform(a, (size_t)M * K, 1);
    fill_uniform(b, (size_t)K * N, 2);
    fill_uniform(got, ldc * M, 3);
    fill_uniform(bias, N, 4);
    memcpy(want, got, ldc * M * sizeof *got);
    Operand A = kind & 1 ? gemm_a_transposed(a, M) : gemm_a(a, K);
    Operand B = kind & 2 ? gemm_b_transposed(b, K) : gemm_b(b, N);
    bool add = kind & 4;
    gemm(got, ldc, A, B, M, N, K, add ? NULL : bias, add);
    if (gemm_bfloat16()) {
        for (size_t i = 0; i < (size_t)M * K; i++) a[i] = half(a[i]);
        for (size_t i = 0; i < (size_t)K * N; i++) b[i] = half(b[i]);
    }
    gemm_reference(want, ldc, A, B, M, N, K, add ? NULL : bias, add);
    check_reals(got, want, ldc * M, tolerance * sqrt(K));
    arena_rewind(s, mark);
}

static void awkward_sizes(void)
{
    static const int size[] = {1, 2, 7, 12, 13, 31, 33, 65, 127};
    for (int m = 0; m < NELEM(size); m++)
        for (int n = 0; n < NELEM(size); n++)
            for (int k = 0; k < NELEM(size); k++)
                compare(size[m], size[n], size[k], (m + 3 * n + 5 * k) % 8);
}

static void beyond_one_tile(void)
{
    compare(500, 530, 170, 0);
    compare(17, 70, 6000, 5);       /* k cut into parts */
    compare(1000, 3, 333, 2);
}

static void equals_the_reference(void)
{
    awkward_sizes();
    beyond_one_tile();
}

static void equals_the_reference_in_halves(void)
{
    gemm_set_bfloat16(true);
    awkward_sizes();
    beyond_one_tile();
    gemm_set_bfloat16(false);
}

/* A half keeps 7 bits of the fraction of a float, 20 of a double's. */
static void rounds_to_the_nearest_half(void)
{
    const Real unit = sizeof(Real) == 4 ? (Real)0x1p-7 : (Real)0x1p-20;
    const Real more = unit / 2 + unit / 64;
    check_reals(((Real[]){half(1 + unit / 2), half(1 + unit + unit / 2), half(1 + more),
                          half(-1 - more), half(2 - unit / 2), half(0)}),
                ((Real[]){1, 1 + 2 * unit, 1 + unit, -1 - unit, 2, 0}), 6, 0);
    check(half(-REAL_MAX) == (Real)-INFINITY);
    Word bits = half_of((Real)INFINITY) | 1;        /* a NaN by its last bit alone */
    Real nan;
    memcpy(&nan, &bits, sizeof nan);
    check(isnan(half(nan)));
}

/* An instruction, where there is one, does what the header says in C.  A product of
 * halves has no more digits than a Real, so there is one result, to the bit. */
static void pairs_are_multiplied_as_in_c(void)
{
    Real even[LANES], odd[LANES], sum[LANES], got[LANES], want[LANES], row[LANES / 2];
    for (unsigned seed = 1; seed < 200; seed += 3) {
        fill_uniform(even, LANES, seed), fill_uniform(odd, LANES, seed + 1);
        fill_uniform(sum, LANES, seed + 2);
        Pairs p = pair(vector_load(even), vector_load(odd));
        halves_store(row, vector_load(even));
        for (int i = 0; i < LANES; i++) check(p[i] == pair_of(even[i], odd[i]));
        for (int i = 0; i < LANES / 2; i++) {
            Word both;
            memcpy(&both, row + i, sizeof both);
            check(both == pair_of(even[2 * i], even[2 * i + 1]));
        }
        Pairs first = pair_broadcast(row);
        vector_store(got, pair_dot(vector_load(sum), first, p));
        for (int i = 0; i < LANES; i++) {
            want[i] = sum[i] + half(even[1]) * half(odd[i]);
            want[i] += half(even[0]) * half(even[i]);
        }
        check(memcmp(got, want, sizeof got) == 0);
    }
}

/* The sum over k has a fixed order, whatever the number of threads. */
static void same_bits(void)
{
    enum { M = 70, N = 90, K = 9000 };
    static Real a[M * K], b[K * N], one[M * N], many[M * N];
    fill_uniform(a, M * K, 1);
    fill_uniform(b, K * N, 2);
    parallel_set_threads(1);
    gemm(one, N, gemm_a(a, K), gemm_b(b, N), M, N, K, NULL, false);
    for (int threads = 2; threads <= 8; threads++) {
        parallel_set_threads(threads);
        gemm(many, N, gemm_a(a, K), gemm_b(b, N), M, N, K, NULL, false);
        check(memcmp(one, many, sizeof one) == 0);
    }
    parallel_set_threads(0);
}

static void has_the_same_bits_for_any_number_of_threads(void)
{
    same_bits();
    gemm_set_bfloat16(true);
    same_bits();
    gemm_set_bfloat16(false);
}

static const Test tests[] = {
    T(multiplies_by_hand), T(equals_the_reference), T(equals_the_reference_in_halves),
    T(rounds_to_the_nearest_half), T(pairs_are_multiplied_as_in_c),
    T(has_the_same_bits_for_any_number_of_threads),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
