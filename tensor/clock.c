/* The clock and the machine's peak: see clock.h.  The vector's width is the machine's,
 * hence the #if. */
#include "tensor/clock.h"

#include <time.h>

#include "tensor/parallel.h"
#include "tensor/real.h"

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#ifdef __AVX512F__
enum { BYTES = 64 };
#elif defined(__AVX__)
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
typedef Real Lanes __attribute__((vector_size(BYTES)));

/* Twelve chains of multiply-adds hide the latency of one. */
double clock_peak(void)
{
    enum { CHAINS = 12, ROUNDS = 2000000 };
    double start = seconds_now();
#pragma omp parallel
    {
        Lanes sum[CHAINS] = {{0}}, x = {0}, y = {0};
        for (int r = 0; r < ROUNDS; r++) {
#pragma GCC unroll 12
            for (int c = 0; c < CHAINS; c++) {
                sum[c] = sum[c] * x + y;
                __asm__ volatile("" : "+x"(sum[c]));
            }
        }
    }
    double flops = 2.0 * CHAINS * ROUNDS * (BYTES / sizeof(Real)) * parallel_threads();
    return flops / (seconds_now() - start) * 1e-9;
}
