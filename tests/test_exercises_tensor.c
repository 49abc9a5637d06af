/* The exercises of tensor/README.md: what an answer must do (exercises.h). */
#include <string.h>

#include "tensor/memory.h"
#include "tests/check.h"
#include "tests/exercises.h"

static void median(void)
{
    enum { N = 201 };
    Real x[N], kept[N];
    fill_uniform(x, N, 1);
    memcpy(kept, x, sizeof x);
    for (size_t n = 1; n <= N; n += 50) {
        size_t mark = arena_mark(scratch()), below = 0, equal = 0;
        Real m = answer_median(x, n);
        check_int((long long)arena_mark(scratch()), (long long)mark);
        for (size_t i = 0; i < n; i++) below += x[i] < m, equal += x[i] == m;
        check(below <= n / 2 && below + equal > n / 2);
    }
    check(memcmp(x, kept, sizeof x) == 0);
}

static void chain_peak(void)
{
    enum { N = 12 };
    for (unsigned seed = 0; seed < 20; seed++) {
        Pool pool = pool_create();
        size_t bytes[N];
        void *before = NULL;
        for (int i = 0; i < N; i++) {
            bytes[i] = random_below(random_stream(seed, 0, 0), (uint64_t)i, 3000);
            void *now = pool_alloc(&pool, bytes[i]);
            pool_free(&pool, before);
            before = now;
        }
        check_int((long long)answer_chain_peak(bytes, N), (long long)pool.peak);
        pool_destroy(&pool);
    }
}

/* A filter of ones on an image of ones counts the taps inside. */
static void taps_inside(void)
{
    enum { MOST = 9 };
    Real ones[MOST * MOST], y[MOST * MOST];
    for (int i = 0; i < MOST * MOST; i++) ones[i] = 1;
    for (int H = 2; H <= MOST; H++)
        for (int W = 2; W <= MOST; W += 3) {
            Convolution g = {1, H, W, 1, H, W, 1, 3, 3, 1, 1, 1};
            double sum = 0;
            convolution(y, ones, ones, NULL, &g);
            for (int i = 0; i < H * W; i++) sum += (double)y[i];
            check_int(answer_taps_inside(H, W), (long long)sum);
        }
}

/* n = 3 * 2^30: random_below gives half of the values twice as often as the others, which
 * shows in the remainder modulo 3. */
static void below(void)
{
    enum { N = 30000 };
    int engine[3] = {0}, answer[3] = {0}, small[5] = {0};
    uint32_t n = 3u << 30;
    Random r = random_stream(5, 0, 0);
    for (uint64_t i = 0; i < N; i++) {
        uint32_t a = answer_below(r, i, n);
        if (a >= n) check(a < n);
        answer[a % 3]++, engine[random_below(r, i, n) % 3]++;
        small[answer_below(r, i, 5) % 5]++;
    }
    double sigma = 1 / sqrt(N / 3.0);
    for (int k = 0; k < 3; k++) check_close(answer[k] / (N / 3.0), 1, 4 * sigma);
    for (int k = 0; k < 5; k++) check_close(small[k] / (N / 5.0), 1, 4 / sqrt(N / 5.0));
    check(fabs(engine[0] / (N / 3.0) - 1) > 20 * sigma);        /* the bias is real */
    for (uint64_t i = 0; i < 10; i++)                       /* an address, not a river */
        check(answer_below(r, i, n) == answer_below(r, i, n));
    check_int(answer_below(r, 0, 1), 0);
}

static void careful_sum(void)
{
    enum { N = 1000000 };
    Arena a = arena_create();
    Real *x = arena_new(&a, Real, N), naive = 0, tenth = (Real)0.1;
    for (int i = 0; i < N; i++) x[i] = tenth, naive += x[i];
    double exact = (double)tenth * N, unit = sizeof(Real) == 4 ? 0x1p-24 : 0x1p-53;
    check(fabs((double)naive / exact - 1) > 50 * unit);     /* one by one it is worse */
    check(fabs((double)answer_sum(x, N) / exact - 1) <= 50 * unit);
    check_close(answer_sum(x, 3), 0.3, 1e-6);
    arena_destroy(&a);
}

/* A causal filter along a signal of 2 channels: y[i] = sum over k <= i of a[i - k]
 * x[k]. */
static void toeplitz(void)
{
    enum { MOST = 300, J = 2 };
    static Real a[MOST], x[MOST * J], y[MOST * J];
    fill_uniform(a, MOST, 1);
    fill_uniform(x, MOST * J, 2);
    for (int M = 1; M <= MOST; M += 23) {
        gemm(y, J, answer_toeplitz(a), gemm_b(x, J), M, J, M, NULL, false);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < J; j++) {
                double sum = 0;
                for (int k = 0; k <= i; k++)
                    sum += (double)a[i - k] * (double)x[k * J + j];
                check_close(y[i * J + j], sum, 2e-5);
            }
    }
}

/* The formula of convolution.h with the taps apart. */
static double dilated(const Real *x, const Real *w, const Convolution *g, int d, int at)
{
    int o = at % g->O, v = at / g->O % g->OW, h = at / g->O / g->OW;
    double sum = 0;
    for (int i = 0; i < g->KH; i++)
        for (int j = 0; j < g->KW; j++)
            for (int c = 0; c < g->C; c++) {
                int row = h * g->stride + i * d - g->top;
                int column = v * g->stride + j * d - g->left;
                if (row < 0 || row >= g->H || column < 0 || column >= g->W) continue;
                sum += (double)x[(row * g->W + column) * g->C + c] *
                       (double)w[((o * g->KH + i) * g->KW + j) * g->C + c];
            }
    return sum;
}

static void dilation(void)
{
    Real x[9 * 8 * 3], w[2 * 3 * 3 * 3], y[9 * 8 * 2];
    fill_uniform(x, NELEM(x), 1);
    fill_uniform(w, NELEM(w), 2);
    for (int d = 1; d <= 3; d++) {
        Convolution g = {1, 9, 8, 3, 9, 8, 2, 3, 3, 1, d, d};
        answer_dilated(y, x, w, &g, d);
        for (int at = 0; at < NELEM(y); at++)
            check_close(y[at], dilated(x, w, &g, d, at), 1e-5);
    }
}

static const Test tests[] = {
    T(median), T(chain_peak), T(taps_inside), T(below), T(careful_sum), T(toeplitz),
    T(dilation),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
