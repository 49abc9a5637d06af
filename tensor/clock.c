/* The clock and the machine's peak: see clock.h. */
#include "tensor/clock.h"

#include <time.h>

#include "tensor/parallel.h"
#include "tensor/vector.h"

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Twelve chains of multiply-adds hide the latency of one. */
static double measure_peak(void)
{
    enum { CHAINS = 12, ROUNDS = 2000000 };
    double start = seconds_now();
#pragma omp parallel
    {
        Vector sum[CHAINS] = {{0}}, x = {0}, y = {0};
        for (int r = 0; r < ROUNDS; r++) {
            UNROLL(12)
            for (int c = 0; c < CHAINS; c++) {
                sum[c] = sum[c] * x + y;
                __asm__ volatile("" : "+x"(sum[c]));
            }
        }
    }
    double flops = 2.0 * CHAINS * ROUNDS * LANES * parallel_threads();
    return flops / (seconds_now() - start) * 1e-9;
}

/* The best of a few: threads that have just been made may share a core at first. */
double clock_peak(void)
{
    double best = 0;
    for (int i = 0; i < 3; i++) best = fmax(best, measure_peak());
    return best;
}
