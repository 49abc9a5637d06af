/* Vectors of Reals: the only machine-dependent facts of the fast kernels are how wide a vector
 * is and how many there are.  They are written with the vector types of gcc and clang, so the
 * same lines become AVX-512, AVX, SSE or NEON.
 *
 * A register tile is MR rows of two vectors: MR * 2 sums, 2 vectors of b and 1 of a fit the
 * registers, and enough sums are under way to hide the latency of a multiply-add. */
#ifndef TENSOR_VECTOR_H
#define TENSOR_VECTOR_H

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

#endif
