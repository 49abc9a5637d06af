/* Vectors of Reals: the only machine-dependent facts of the fast kernels are how wide a
 * vector is and how many there are.  They are written with the vector types of gcc and
 * clang, so the same lines become AVX-512, AVX, SSE or NEON.
 *
 * A register tile is MR rows of two vectors: MR * 2 sums, 2 vectors of b and 1 of a fit
 * the registers, and enough sums are under way to hide the latency of a multiply-add. */
#ifndef TENSOR_VECTOR_H
#define TENSOR_VECTOR_H

#include <string.h>

#include "tensor/real.h"

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define MR 12                   /* 12 x 2 sums, 2 of b and 1 of a: 27 of 32 registers */
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define MR 6                    /* 6 x 2 + 2 + 1 of 16 */
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define MR 12
#else
#define VECTOR_BYTES 16
#define MR 6
#endif

typedef Real Vector __attribute__((vector_size(VECTOR_BYTES)));

enum { LANES = VECTOR_BYTES / (int)sizeof(Real), NR = 2 * LANES };

/* Vectors of numbers that lie anywhere, not only where a vector would. */
static inline Vector vector_load(const Real *x)
{
    Vector v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline void vector_store(Real *x, Vector v) { memcpy(x, &v, sizeof v); }

/* Before a loop that runs at most n times: all of it in a row, so that an array which it
 * goes through can live in registers. */
#define PRAGMA(text) _Pragma(#text)
#ifdef __clang__
#define UNROLL(n) PRAGMA(clang loop unroll(full))
#else
#define UNROLL(n) PRAGMA(GCC unroll n)
#endif

/* The numbers of x and y in turn, x[f] y[f] x[f+1] y[f+1] ..., LANES of them. */
#define ZIP_PAIR(f, i) (f) + (i), (f) + (i) + LANES
#if VECTOR_BYTES / REAL_BYTES == 16
#define ZIP_LIST(f) ZIP_PAIR(f, 0), ZIP_PAIR(f, 1), ZIP_PAIR(f, 2), ZIP_PAIR(f, 3), \
                    ZIP_PAIR(f, 4), ZIP_PAIR(f, 5), ZIP_PAIR(f, 6), ZIP_PAIR(f, 7)
#elif VECTOR_BYTES / REAL_BYTES == 8
#define ZIP_LIST(f) ZIP_PAIR(f, 0), ZIP_PAIR(f, 1), ZIP_PAIR(f, 2), ZIP_PAIR(f, 3)
#elif VECTOR_BYTES / REAL_BYTES == 4
#define ZIP_LIST(f) ZIP_PAIR(f, 0), ZIP_PAIR(f, 1)
#else
#define ZIP_LIST(f) ZIP_PAIR(f, 0)
#endif
#define vector_zip(x, y, f) __builtin_shufflevector(x, y, ZIP_LIST(f))

/* out[j][i] = in[i][j], LANES x LANES.  Zipping row i with row i + LANES/2 takes the
 * upper bit of a row's number and makes it the lowest of the column's; when each bit has
 * moved, rows are columns. */
static inline void vector_transpose(const Real *in, size_t in_step, Real *out,
                                    size_t out_step)
{
    Vector now[LANES], next[LANES];
    for (int i = 0; i < LANES; i++) now[i] = vector_load(in + (size_t)i * in_step);
    for (int bit = 1; bit < LANES; bit *= 2) {
        for (int i = 0; i < LANES / 2; i++) {
            next[2 * i] = vector_zip(now[i], now[i + LANES / 2], 0);
            next[2 * i + 1] = vector_zip(now[i], now[i + LANES / 2], LANES / 2);
        }
        memcpy(now, next, sizeof now);
    }
    for (int i = 0; i < LANES; i++) vector_store(out + (size_t)i * out_step, now[i]);
}

#endif
