/* Products of numbers of half the bits.
 *
 * bfloat16 is the upper half of a float: its sign, all 8 bits of its exponent and the
 * first 7 of its fraction.  Two of them, numbers k and k + 1 of a sum, fill the place of
 * one float, and processors made for networks multiply and add both at once, in float:
 *
 *     sum + a[k+1] b[k+1] + a[k] b[k]          pair_dot, one instruction
 *
 * So a matrix of pairs is a matrix of Reals with half as many k, and the loops that
 * multiply Reals (gemm.c) multiply pairs.  A number keeps 2 to 3 digits; a sum keeps the
 * 7 of a float, and its error averages out.
 *
 * The lower half of a Real holds the even k, the upper the odd one.  In the double build
 * a half has 32 bits, so that there the same code is proved.
 *
 * This is the one file with instructions of a certain processor.  Below each is what it
 * does in plain C, for the others; they differ where a number is smaller than the normal
 * numbers of its type, which the instruction takes for 0. */
#ifndef TENSOR_BFLOAT16_H
#define TENSOR_BFLOAT16_H

#include <stdint.h>
#include <string.h>

#include "tensor/vector.h"

#if defined(__AVX512BF16__) && REAL_BYTES == 4
#include <immintrin.h>
#define HAVE_BFLOAT16_DOT 1
#endif

#if REAL_BYTES == 4
typedef uint32_t Word;
#define HALF_NAME "bfloat16"
#else
typedef uint64_t Word;
#define HALF_NAME "half a double"
#endif
/* The bits of a Vector of Reals, each of which is a pair. */
typedef Word Pairs __attribute__((vector_size(VECTOR_BYTES)));

enum { HALF_BITS = REAL_BYTES * 4 };
#define UPPER_HALF ((Word)-1 << HALF_BITS)

/* The bits of x rounded to half of them, to the even one of two that are as near; NaN
 * stays NaN.  What is added carries into the upper half if the lower is more than half of
 * its unit. */
static inline Word half_of(Real x)
{
    Real nan = (Real)NAN;
    Word bits;
    memcpy(&bits, x == x ? &x : &nan, sizeof bits);
    bits += ((Word)1 << (HALF_BITS - 1)) - 1 + (bits >> HALF_BITS & 1);
    return bits & UPPER_HALF;
}

static inline Word pair_of(Real even, Real odd)
{
    return half_of(even) >> HALF_BITS | half_of(odd);
}

/* The halves of even and odd, lane by lane. */
static inline Pairs pair(Vector even, Vector odd)
{
#ifdef HAVE_BFLOAT16_DOT
    __m256i lower = (__m256i)_mm512_cvtneps_pbh((__m512)even);
    __m256i upper = (__m256i)_mm512_cvtneps_pbh((__m512)odd);
    return (Pairs)_mm512_or_si512(_mm512_cvtepu16_epi32(lower),
                                  _mm512_slli_epi32(_mm512_cvtepu16_epi32(upper), 16));
#else
    Pairs p;
    for (int i = 0; i < LANES; i++) p[i] = pair_of(even[i], odd[i]);
    return p;
#endif
}

/* to = the halves of x side by side: LANES / 2 pairs, of 0 with 1, 2 with 3 ... */
static inline void halves_store(Real *to, Vector x)
{
#ifdef HAVE_BFLOAT16_DOT
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh((__m512)x));
#else
    for (int i = 0; i < LANES; i += 2) {
        Word p = pair_of(x[i], x[i + 1]);
        memcpy(to + i / 2, &p, sizeof p);
    }
#endif
}

static inline void pairs_store(Real *at, Pairs p) { memcpy(at, &p, sizeof p); }

/* Row k of `to` = the pairs of rows 2 k and 2 k + 1 of `from`, or of the last row and 0;
 * whole vectors of columns.  In place if both are the same. */
static inline void pair_rows(Real *to, size_t to_step, const Real *from,
                             size_t from_step, int rows, int columns)
{
    for (int k = 0; k < rows; k += 2, to += to_step, from += 2 * from_step)
        for (int c = 0; c < columns; c += LANES) {
            Vector odd = {0};
            if (k + 1 < rows) odd = vector_load(from + from_step + c);
            pairs_store(to + c, pair(vector_load(from + c), odd));
        }
}

/* One pair in all lanes. */
static inline Pairs pair_broadcast(const Real *at)
{
    Word bits;
    memcpy(&bits, at, sizeof bits);
    return bits + (Pairs){0};
}

/* sum + the products of a's and b's numbers, the odd ones first. */
static inline Vector pair_dot(Vector sum, Pairs a, Pairs b)
{
#ifdef HAVE_BFLOAT16_DOT
    return (Vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    sum += (Vector)(a & UPPER_HALF) * (Vector)(b & UPPER_HALF);
    return sum + (Vector)(a << HALF_BITS) * (Vector)(b << HALF_BITS);
#endif
}

#endif
