/* Philox4x32-10 and what is made of its bits: see random.h. */
#include "tensor/random.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"

void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

Random random_stream(uint64_t seed, unsigned purpose, uint64_t which)
{
    require(purpose < 65536 && which >> 48 == 0, "random_stream: purpose %u, which %llu",
            purpose, (unsigned long long)which);
    return (Random){seed, (uint64_t)purpose << 48 | which};
}

/* The four entries 4*block ... 4*block+3 of a row. */
static void evaluate(Random r, uint64_t block, uint32_t out[4])
{
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)r.stream,
                           (uint32_t)(r.stream >> 32)};
    uint32_t key[2] = {(uint32_t)r.seed, (uint32_t)(r.seed >> 32)};
    philox(counter, key, out);
}

uint32_t random_bits(Random r, uint64_t index)
{
    uint32_t u[4];
    evaluate(r, index / 4, u);
    return u[index % 4];
}

/* Side by side, so that the compiler makes vectors of them: ten rounds for MANY
 * blocks. */
enum { MANY = 32 };

static void evaluate_many(Random r, uint64_t block, uint32_t out[4 * MANY])
{
    uint32_t c[4][MANY], k0 = (uint32_t)r.seed, k1 = (uint32_t)(r.seed >> 32);
    for (int i = 0; i < MANY; i++) {
        c[0][i] = (uint32_t)(block + (uint64_t)i);
        c[1][i] = (uint32_t)((block + (uint64_t)i) >> 32);
        c[2][i] = (uint32_t)r.stream;
        c[3][i] = (uint32_t)(r.stream >> 32);
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int i = 0; i < MANY; i++) {
            uint64_t p0 = 0xD2511F53ull * c[0][i], p1 = 0xCD9E8D57ull * c[2][i];
            c[0][i] = (uint32_t)(p1 >> 32) ^ c[1][i] ^ k0;
            c[1][i] = (uint32_t)p1;
            c[2][i] = (uint32_t)(p0 >> 32) ^ c[3][i] ^ k1;
            c[3][i] = (uint32_t)p0;
        }
    for (int i = 0; i < MANY; i++)
        for (int word = 0; word < 4; word++) out[4 * i + word] = c[word][i];
}

void random_bits_run(Random r, uint64_t first, size_t n, uint32_t *out)
{
    uint32_t bits[4 * MANY];
    size_t skip = first % 4;
    for (uint64_t block = first / 4; n > 0; block += MANY, skip = 0) {
        size_t count = 4 * MANY - skip < n ? 4 * MANY - skip : n;
        evaluate_many(r, block, bits);
        memcpy(out, bits + skip, count * sizeof *out);
        out += count, n -= count;
    }
}

static double to_unit(uint32_t bits) { return (bits + 0.5) / 4294967296.0; }

double random_uniform(Random r, uint64_t index) { return to_unit(random_bits(r, index)); }

void random_uniforms(Random r, uint64_t first, size_t n, double *out)
{
    uint32_t bits[4 * MANY];
    for (size_t k = 0, count; k < n; k += count) {
        count = n - k < 4 * MANY ? n - k : 4 * MANY;
        random_bits_run(r, first + k, count, bits);
        for (size_t i = 0; i < count; i++) out[k + i] = to_unit(bits[i]);
    }
}

/* The high half of n * bits: each value within 1 in 2^32/n of equally likely. */
uint32_t random_below(Random r, uint64_t index, uint32_t n)
{
    return (uint32_t)((uint64_t)random_bits(r, index) * n >> 32);
}

/* Box and Muller 1958: with u, v uniform, sqrt(-2 ln u) (cos, sin)(2 pi v) are two
 * independent normals.  Two pairs from one evaluation. */
static void evaluate_normals(Random r, uint64_t block, double out[4])
{
    uint32_t u[4];
    evaluate(r, block, u);
    for (int pair = 0; pair < 4; pair += 2) {
        double radius = sqrt(-2 * log(to_unit(u[pair])));
        double angle = 6.283185307179586477 * to_unit(u[pair + 1]);
        out[pair] = radius * cos(angle);
        out[pair + 1] = radius * sin(angle);
    }
}

double random_normal(Random r, uint64_t index)
{
    double z[4];
    evaluate_normals(r, index / 4, z);
    return z[index % 4];
}

void random_normals(Random r, uint64_t first, size_t n, double *out)
{
    double z[4];
    for (size_t k = 0; k < n; k++) {
        if (k == 0 || (first + k) % 4 == 0) evaluate_normals(r, (first + k) / 4, z);
        out[k] = z[(first + k) % 4];
    }
}

/* Fisher and Yates, inside out: element i goes to a random place among the first i+1. */
void random_permutation(Random r, uint32_t n, uint32_t *out)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = random_below(r, i, i + 1);
        out[i] = out[j];
        out[j] = i;
    }
}
