/* How fast the heavy kernels run, as a share of what the machine can do at best.
 *
 *     build/<config>/bench/kernels [THREADS] [bf16]
 *
 * Each row: the plain version's rate, ours, the share of the peak, and by how much the
 * two differ, as a share of the largest number.  A row that differs too much has no
 * rate.  The peak is a loop of nothing but multiply-adds, run for the same number of
 * threads right before, because shared machines drift.  Operations are those of the
 * formula, whatever the kernel saves of them, so a share may exceed 1; the peak is that
 * of Reals with bf16 too.  The plain version gets one image, and never rounds to
 * halves. */
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

/* A kernel on its arrays: out = or += f(in, other). */
typedef struct Job Job;
struct Job {
    void (*run)(const Job *, Real *out), (*plain)(const Job *, Real *out);
    Convolution g;
    Operand a, b;               /* of a product M x N x K */
    int M, N, K;
    const Real *in, *other;
    size_t size;                /* of out */
    double flops;
};

static void forward(const Job *j, Real *y)
{
    convolution(y, j->in, j->other, NULL, &j->g);
}
static void backward_input(const Job *j, Real *dx)
{
    convolution_backward_input(dx, j->in, j->other, &j->g, false);
}
static void backward_weight(const Job *j, Real *dw)
{
    convolution_backward_weight(dw, j->in, j->other, &j->g);
}
static void product(const Job *j, Real *c)
{
    gemm(c, (size_t)j->N, j->a, j->b, j->M, j->N, j->K, NULL, false);
}

static void plain_forward(const Job *j, Real *y)
{
    convolution_reference(y, j->in, j->other, NULL, &j->g);
}
static void plain_backward_input(const Job *j, Real *dx)
{
    convolution_backward_input_reference(dx, j->in, j->other, &j->g, false);
}
static void plain_backward_weight(const Job *j, Real *dw)
{
    convolution_backward_weight_reference(dw, j->in, j->other, &j->g);
}
static void plain_product(const Job *j, Real *c)
{
    gemm_reference(c, (size_t)j->N, j->a, j->b, j->M, j->N, j->K, NULL, false);
}

/* The median time of a few runs, in seconds. */
static double median_time(const Job *job)
{
    enum { RUNS = 7 };
    double t[RUNS];
    Real *out = fill(job->size);
    job->run(job, out);
    for (int r = 0; r < RUNS; r++) {
        double start = seconds_now();
        job->run(job, out);
        t[r] = seconds_now() - start;
        for (int i = r; i > 0 && t[i] < t[i - 1]; i--) {
            double swap = t[i];
            t[i] = t[i - 1], t[i - 1] = swap;
        }
    }
    return t[RUNS / 2];
}

/* Runs both on a small job; returns their largest difference as a share of the largest
 * number, and sets *rate to the plain one's operations a second. */
static double compare(const Job *small, double *rate)
{
    Real *got = arena_zeroed(scratch(), Real, small->size);
    Real *want = arena_zeroed(scratch(), Real, small->size);
    small->run(small, got);
    double start = seconds_now(), most = 0, worst = 0;
    small->plain(small, want);
    *rate = small->flops / (seconds_now() - start);
    for (size_t i = 0; i < small->size; i++) {
        most = fmax(most, fabs((double)want[i]));
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
    }
    return worst / most;
}

static void print_row(const char *name, const Job *job, const Job *small)
{
    const double limit = gemm_bfloat16() ? 0.03 : sizeof(Real) == 4 ? 2e-5 : 1e-13;
    size_t mark = arena_mark(scratch());
    double plain, difference = compare(small, &plain), peak = clock_peak();
    printf("  %-16s plain %5.2f", name, plain * 1e-9);
    if (difference <= limit) {
        double rate = job->flops / median_time(job) * 1e-9;
        printf("   ours %6.1f GFLOP/s, %4.2f of the peak", rate, rate / peak);
    } else printf("   WRONG");
    printf("   difference %.0e\n", difference);
    arena_rewind(scratch(), mark);
}

static Job convolution_job(int N, int size, int in, int out, int K, int pass)
{
    Job j = {.g = {N, size, size, in, size, size, out, K, K, 1, K / 2, K / 2}};
    size_t pixels = (size_t)N * (size_t)(size * size), x = pixels * (size_t)in;
    size_t y = pixels * (size_t)out, w = (size_t)(out * K * K * in);
    j.run = (void (*[])(const Job *, Real *)){forward, backward_input,
                                              backward_weight}[pass];
    j.plain = (void (*[])(const Job *, Real *)){plain_forward, plain_backward_input,
                                                plain_backward_weight}[pass];
    j.in = fill(pass == 0 ? x : y);
    j.other = fill(pass == 2 ? x : w);
    j.size = pass == 0 ? y : pass == 1 ? x : w;
    j.flops = 2.0 * (double)pixels * in * out * K * K;
    return j;
}

static void time_convolution(int N, int size, int in, int out, int K)
{
    static const char *const names[] = {"forward", "backward input", "backward weight"};
    printf("convolution %dx%d, %d -> %d channels, %d images of %dx%d\n", K, K, in, out, N,
           size, size);
    for (int pass = 0; pass < 3; pass++) {
        size_t mark = arena_mark(scratch());
        Job job = convolution_job(N, size, in, out, K, pass);
        Job small = convolution_job(1, size, in, out, K, pass);
        print_row(names[pass], &job, &small);
        arena_rewind(scratch(), mark);
    }
}

/* 'n': both factors as they are; 'a', 'b': that one stored transposed. */
static Job product_job(int M, int N, int K, char kind)
{
    Job j = {.run = product, .plain = plain_product, .M = M, .N = N, .K = K,
             .size = (size_t)M * (size_t)N, .flops = 2.0 * M * N * K};
    Real *a = fill((size_t)M * (size_t)K), *b = fill((size_t)K * (size_t)N);
    j.a = kind == 'a' ? gemm_a_transposed(a, (size_t)M) : gemm_a(a, (size_t)K);
    j.b = kind == 'b' ? gemm_b_transposed(b, (size_t)K) : gemm_b(b, (size_t)N);
    return j;
}

static void time_product(int M, int N, int K, char kind)
{
    size_t mark = arena_mark(scratch());
    char name[64];
    snprintf(name, sizeof name, "%dx%dx%d %c", M, N, K, kind);
    Job job = product_job(M, N, K, kind);
    Job small = product_job(M < 64 ? M : 64, N < 600 ? N : 600, K < 2048 ? K : 2048,
                            kind);
    print_row(name, &job, &small);
    arena_rewind(scratch(), mark);
}

int main(int argc, char **argv)
{
    parallel_begin(argv);
    parallel_set_threads(argc > 1 ? atoi(argv[1]) : 0);
    gemm_set_bfloat16(argc > 2 && strcmp(argv[2], "bf16") == 0);
    printf("%s, %s, peak %.0f GFLOP/s\n", parallel_describe(), gemm_describe(),
           clock_peak());
    static const int shapes[][5] = {
        {64, 28, 16, 16, 3}, {64, 32, 32, 32, 3},   {64, 32, 64, 64, 3},
        {64, 14, 64, 64, 3}, {64, 7, 64, 64, 3},    {64, 16, 128, 128, 3},
        {64, 8, 256, 256, 3}, {64, 28, 1, 32, 3},   {64, 28, 32, 1, 3},
        {64, 14, 64, 192, 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int *s = shapes[i];
        time_convolution(s[0], s[1], s[2], s[3], s[4]);
    }
    printf("products; n: factors as stored, a, b: that one transposed\n");
    for (int n = 256; n <= 2048; n *= 2) time_product(n, n, n, 'n');
    time_product(65536, 64, 576, 'n');
    time_product(16384, 128, 1152, 'n');
    time_product(64, 576, 65536, 'a');
    time_product(4096, 256, 256, 'b');
    time_product(64, 256, 256, 'b');
    return 0;
}
