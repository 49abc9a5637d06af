/* The matrix product against its formula, on sizes that are awkward for the blocks. */
#include <stdlib.h>
#include <string.h>

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
    gemm_reference(want, ldc, A, B, M, N, K, add ? NULL : bias, add);
    check_reals(got, want, ldc * M, tolerance * sqrt(K));
    arena_rewind(s, mark);
}

static void equals_the_reference_on_awkward_sizes(void)
{
    static const int size[] = {1, 2, 7, 12, 13, 31, 33, 65, 127};
    for (int m = 0; m < NELEM(size); m++)
        for (int n = 0; n < NELEM(size); n++)
            for (int k = 0; k < NELEM(size); k++)
                compare(size[m], size[n], size[k], (m + 3 * n + 5 * k) % 8);
}

static void equals_the_reference_beyond_one_tile(void)
{
    compare(500, 530, 170, 0);
    compare(17, 70, 6000, 5);       /* k cut into parts */
    compare(1000, 3, 333, 2);
}

/* The sum over k has a fixed order, whatever the number of threads. */
static void has_the_same_bits_for_any_number_of_threads(void)
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

static const Test tests[] = {
    T(multiplies_by_hand), T(equals_the_reference_on_awkward_sizes),
    T(equals_the_reference_beyond_one_tile),
    T(has_the_same_bits_for_any_number_of_threads),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
