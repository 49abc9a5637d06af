/* Philox against its published vectors, the numbers made of it by their statistics, and
 * the inner-loop exponential against libm. */
#include <string.h>

#include "tensor/elementary.h"
#include "tensor/random.h"
#include "tests/check.h"

/* The known-answer vectors of the Random123 library. */
static void philox_gives_the_published_numbers(void)
{
    static const struct { uint32_t counter[4], key[2], want[4]; } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (int i = 0; i < NELEM(known); i++) {
        uint32_t out[4];
        philox(known[i].counter, known[i].key, out);
        check(memcmp(out, known[i].want, sizeof out) == 0);
    }
}

static void normals_have_their_moments(void)
{
    enum { N = 100000 };
    static double z[N];
    random_normals(random_stream(1, 2, 3), 0, N, z);
    double sum[5] = {0};
    for (int i = 0; i < N; i++)
        for (int k = 1; k <= 4; k++) sum[k] += pow(z[i], k) / N;
    check_close(sum[1], 0, 4 / sqrt(N));                /* four standard errors each */
    check_close(sum[2], 1, 4 * sqrt(2.0 / N));
    check_close(sum[3], 0, 4 * sqrt(15.0 / N));
    check_close(sum[4], 3, 4 * sqrt(96.0 / N));
}

static void an_entry_is_a_function_of_its_address(void)
{
    Random r = random_stream(7, 1, 9);
    double z[11];
    random_normals(r, 5, NELEM(z), z);
    for (int i = 0; i < NELEM(z); i++) check(z[i] == random_normal(r, 5 + (uint64_t)i));
    uint32_t bits[300];
    random_bits_run(r, 7, NELEM(bits), bits);
    for (int i = 0; i < NELEM(bits); i++)
        check(bits[i] == random_bits(r, 7 + (uint64_t)i));
    double u[300];
    random_uniforms(r, 7, NELEM(u), u);
    for (int i = 0; i < NELEM(u); i++) check(u[i] == random_uniform(r, 7 + (uint64_t)i));
    check(random_bits(r, 0) != random_bits(r, 1));
    check(random_bits(r, 0) != random_bits(random_stream(8, 1, 9), 0));
    check(random_bits(r, 0) != random_bits(random_stream(7, 2, 9), 0));
    check(random_bits(r, 0) != random_bits(random_stream(7, 1, 10), 0));
}

static void uniforms_and_permutations_are_even(void)
{
    int seen[10] = {0}, first[5] = {0};
    Random r = random_stream(1, 0, 0);
    for (int i = 0; i < 10000; i++) seen[random_below(r, (uint64_t)i, 10)]++;
    for (int i = 0; i < 10; i++) check_close(seen[i] / 1000.0, 1, 4 * 0.03);
    for (int i = 0; i < 5000; i++) {
        uint32_t order[5], mask = 0;
        random_permutation(random_stream(1, 1, (uint64_t)i), 5, order);
        for (int k = 0; k < 5; k++) mask |= 1u << order[k];
        check_int(mask, 31);
        first[order[0]]++;
    }
    for (int i = 0; i < 5; i++) check_close(first[i] / 1000.0, 1, 4 * 0.03);
}

static void the_exponential_is_as_close_as_stated(void)
{
    double bound = sizeof(Real) == 4 ? 2.5e-7 : 5e-16, worst = 0;
    double low = sizeof(Real) == 4 ? -87 : -700, high = -low;
    for (int i = 0; i <= 1000000; i++) {
        Real x = (Real)(low + (high - low) * i / 1000000);
        double want = exp((double)x);
        worst = fmax(worst, fabs((double)real_exp(x) / want - 1));
    }
    check(worst < bound);
    check(isnan(real_exp((Real)NAN)));
    check_close(real_exp(-1000), 0, 1e-37);
    check(real_exp(1000) > 1e38);
    check(real_exp(0) == 1);
    check(real_sigmoid(0) == (Real)0.5);
}

static const Test tests[] = {
    T(philox_gives_the_published_numbers), T(normals_have_their_moments),
    T(an_entry_is_a_function_of_its_address), T(uniforms_and_permutations_are_even),
    T(the_exponential_is_as_close_as_stated),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
