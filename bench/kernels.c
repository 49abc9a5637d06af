/* How fast the heavy kernels run, as a share of what the machine can do at best.
 *
 * Each row is timed beside the peak: a loop of nothing but independent multiply-adds, run
 * for the same number of threads right before, because shared machines drift.  A row
 * whose result differs too much from the plain version prints the difference, no time.
 *
 *     build/<config>/bench/kernels [threads] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/clock.h"
#include "tensor/convolution.h"
#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/memory.h"
#include "tensor/parallel.h"

static Real *fill(size_t n)
{
    Real *x = arena_new(scratch(), Real, n);
    unsigned state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (Real)(state >> 8) / (1 << 23) - 1;
    }
    return x;
}

typedef struct { const Convolution *g; Real *x, *y, *w; } Job;

static void forward(Job *j) { convolution(j->y, j->x, j->w, NULL, j->g); }
static void backward_input(Job *j) { convolution_backward_input(j->x, j->y, j->w, j->g); }
static void backward_weight(Job *j)
{
    convolution_backward_weight(j->w, j->y, j->x, j->g);
}

static const struct { const char *name; void (*run)(Job *); } passes[] = {
    {"forward", forward}, {"backward input", backward_input},
    {"backward weight", backward_weight},
};

/* The median time of a few runs, in seconds. */
static double median_time(void (*run)(Job *), Job *job)
{
    enum { RUNS = 7 };
    double t[RUNS];
    run(job);
    for (int r = 0; r < RUNS; r++) {
        double start = seconds_now();
        run(job);
        t[r] = seconds_now() - start;
        for (int i = r; i > 0 && t[i] < t[i - 1]; i--) {
            double swap = t[i];
            t[i] = t[i - 1], t[i - 1] = swap;
        }
    }
    return t[RUNS / 2];
}

static void time_convolution(int N, int size, int in, int out, int K)
{
    Convolution g = {N, size, size, in, size, size, out, K, 1, K / 2};
    size_t mark = arena_mark(scratch()), pixels = (size_t)N * (size_t)(size * size);
    Job job = {&g, fill(pixels * (size_t)in), fill(pixels * (size_t)out),
               fill((size_t)(out * K * K * in))};
    double flops = 2.0 * (double)pixels * in * out * K * K;
    printf("%4d x %2dx%-2d  %3d -> %-3d  %dx%d", N, size, size, in, out, K, K);
    for (int p = 0; p < 3; p++) {
        double peak = clock_peak();
        double rate = flops / median_time(passes[p].run, &job) * 1e-9;
        printf("   %s %6.1f GFLOP/s %3.0f%%", passes[p].name, rate, 100 * rate / peak);
    }
    printf("\n");
    arena_rewind(scratch(), mark);
}

int main(int argc, char **argv)
{
    parallel_set_threads(argc > 1 ? atoi(argv[1]) : 0);
    printf("%s, %s, peak %.0f GFLOP/s\n", parallel_describe(), REAL_NAME, clock_peak());
    time_convolution(64, 28, 1, 32, 3);
    time_convolution(64, 28, 32, 1, 3);
    time_convolution(64, 28, 16, 16, 3);
    time_convolution(64, 28, 32, 32, 3);
    time_convolution(64, 14, 64, 64, 3);
    time_convolution(64, 32, 64, 64, 3);
    time_convolution(64, 16, 128, 128, 3);
    time_convolution(64, 8, 256, 256, 3);
    time_convolution(64, 7, 128, 128, 3);
    time_convolution(64, 14, 64, 192, 1);
    time_convolution(1, 64, 256, 256, 1);
    return 0;
}
