/* Random numbers with an address.
 *
 * A usual generator is a river: the hundredth number depends on how often it was asked
 * before, so results change with the batch size, the number of threads, or a restart.  A
 * counter-based generator is a table too large to write down: entry (seed, stream, index)
 * is a function of its address and of nothing else.  Resuming a run needs no saved state,
 * a dropout mask is recomputed rather than stored, and image 7 of seed 1 has its noise
 * however it is batched.
 *
 * The function is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1,
 * 2, 3", 2011): ten rounds of multiplying a 128-bit counter by constants and mixing in a
 * key.  The seed is the key; index and stream are the counter.
 *
 * Four entries share one evaluation, so reading a run of indices in order is cheapest
 * through the functions for runs.  Normals are made in double, so that the float and the
 * double build draw the same noise up to rounding. */
#ifndef TENSOR_RANDOM_H
#define TENSOR_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* One row of the table. */
typedef struct {
    uint64_t seed, stream;
} Random;

/* The row for a purpose (initial weights, noise, data order...: numbered by the caller,
 * below 65536) and a 48-bit number within it (a step, an image). */
Random random_stream(uint64_t seed, unsigned purpose, uint64_t which);

uint32_t random_bits(Random r, uint64_t index);
double random_uniform(Random r, uint64_t index);                    /* in (0, 1) */
uint32_t random_below(Random r, uint64_t index, uint32_t n);        /* 0 ... n-1 */
double random_normal(Random r, uint64_t index);                     /* N(0, 1) */

/* out[k] = random_bits(r, first + k) for k < n. */
void random_bits_run(Random r, uint64_t first, size_t n, uint32_t *out);

/* out[k] = random_uniform(r, first + k), or random_normal, for k < n. */
void random_uniforms(Random r, uint64_t first, size_t n, double *out);
void random_normals(Random r, uint64_t first, size_t n, double *out);

/* A permutation of 0 ... n-1, all equally likely. */
void random_permutation(Random r, uint32_t n, uint32_t *out);

/* The bare function: 128-bit counter and 64-bit key to 128 bits. */
void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
