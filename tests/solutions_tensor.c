/* Solutions of the exercises of tensor/README.md.  Try first: see exercises.h. */
#include <string.h>

#include "tensor/memory.h"
#include "tests/exercises.h"

/* Insertion sort of a copy; what is taken from scratch() is given back. */
SOLUTION Real answer_median(const Real *x, size_t n)
{
    size_t mark = arena_mark(scratch());
    Real *sorted = arena_new(scratch(), Real, n);
    for (size_t i = 0; i < n; i++) {
        size_t place = i;
        for (; place > 0 && sorted[place - 1] > x[i]; place--)
            sorted[place] = sorted[place - 1];
        sorted[place] = x[i];
    }
    Real median = sorted[n / 2];
    arena_rewind(scratch(), mark);
    return median;
}

/* Two neighbours of the chain live at a time, each rounded up to a cache line. */
SOLUTION size_t answer_chain_peak(const size_t bytes[], int n)
{
    size_t peak = 0, before = 0;
    for (int i = 0; i < n; i++) {
        size_t now = ((bytes[i] ? bytes[i] : 1) + 63) / 64 * 64;
        if (before + now > peak) peak = before + now;
        before = now;
    }
    return peak;
}

/* Rows and columns are independent.  Tap i of row h is outside for (h, i) = (0, 0) and
 * (H - 1, 2) only. */
SOLUTION long answer_taps_inside(int H, int W) { return (3L * H - 2) * (3L * W - 2); }

/* Of the 2^32 values keep the first multiple of n; a value beyond it is thrown away
 * and the next is asked for.  The tries of index i are the entries of a row of their
 * own, whose key is made from the row and i, so nothing depends on how often other
 * indices were thrown away. */
SOLUTION uint32_t answer_below(Random r, uint64_t index, uint32_t n)
{
    uint64_t limit = ((uint64_t)1 << 32) / n * n;
    Random tries = {r.seed, (uint64_t)random_bits(r, 2 * index) << 32 |
                            random_bits(r, 2 * index + 1)};
    for (uint64_t k = 0;; k++) {
        uint32_t bits = random_bits(tries, k);
        if (bits < limit) return bits % n;
    }
}

/* Halves, quarters...: each number goes through log2(n) roundings instead of n. */
SOLUTION Real answer_sum(const Real *x, size_t n)
{
    if (n == 0) return 0;
    if (n == 1) return x[0];
    return answer_sum(x, n / 2) + answer_sum(x + n / 2, n - n / 2);
}

static void pack_toeplitz(const Operand *x, int o0, int no, int k0, int nk, Real *out,
                          int outer_step, int k_step)
{
    for (int o = 0; o < no; o++)
        for (int k = 0; k < nk; k++) {
            int lag = o0 + o - (k0 + k);
            out[o * outer_step + k * k_step] = lag >= 0 ? x->data[lag] : 0;
        }
}

SOLUTION Operand answer_toeplitz(const Real *a)
{
    return (Operand){.pack = pack_toeplitz, .data = a};
}

/* A filter with zeros between its taps.  (In convolution.c it costs nothing: `sign *
 * i` in source() becomes `sign * dilation * i`, and the same in triple().) */
SOLUTION void answer_dilated(Real *y, const Real *x, const Real *w, const Convolution *g,
                             int dilation)
{
    Convolution wide = *g;
    wide.KH = (g->KH - 1) * dilation + 1, wide.KW = (g->KW - 1) * dilation + 1;
    size_t mark = arena_mark(scratch()), C = (size_t)g->C;
    size_t size = (size_t)(g->O * wide.KH * wide.KW) * C;
    Real *spread = arena_new(scratch(), Real, size);
    memset(spread, 0, size * sizeof *spread);
    for (int o = 0; o < g->O; o++)
        for (int i = 0; i < g->KH; i++)
            for (int j = 0; j < g->KW; j++) {
                int to = (o * wide.KH + i * dilation) * wide.KW + j * dilation;
                int from = (o * g->KH + i) * g->KW + j;
                memcpy(spread + (size_t)to * C, w + (size_t)from * C, C * sizeof *w);
            }
    convolution(y, x, spread, NULL, &wide);
    arena_rewind(scratch(), mark);
}
