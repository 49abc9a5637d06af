/* Convolution: by hand, against the formula, each derivative as the map's adjoint. */
#include <string.h>

#include "tensor/convolution.h"
#include "tensor/direct.h"
#include "tensor/gemm.h"
#include "tensor/memory.h"
#include "tensor/winograd.h"
#include "tests/check.h"

static const double tolerance = sizeof(Real) == 4 ? 2e-5 : 1e-12;

/* 3x3 ones over 4x4 ones with a border of zeros count the neighbours. */
static void counts_neighbours(void)
{
    Convolution g = {.N = 1, .H = 4, .W = 4, .C = 1, .OH = 4, .OW = 4, .O = 1, .KH = 3,
                     .KW = 3, .stride = 1, .top = 1, .left = 1};
    Real x[16], w[9], y[16], b = 10;
    for (int i = 0; i < 16; i++) x[i] = 1;
    for (int i = 0; i < 9; i++) w[i] = 1;
    Real want[] = {14, 16, 16, 14, 16, 19, 19, 16, 16, 19, 19, 16, 14, 16, 16, 14};
    convolution(y, x, w, &(Addends){.bias = &b}, &g);
    check_reals(y, want, 16, 0);
    convolution_reference(y, x, w, &(Addends){.bias = &b}, &g);
    check_reals(y, want, 16, 0);
}

/* Stride 2 on a 4x4 ramp: padding all round and padding only below and right differ. */
static void strides_with_either_padding(void)
{
    Convolution g = {.N = 1, .H = 4, .W = 4, .C = 1, .OH = 2, .OW = 2, .O = 1, .KH = 3,
                     .KW = 3, .stride = 2, .top = 1, .left = 1};
    Real x[16], w[9] = {0, 0, 0, 0, 1, 0, 0, 0, 0}, y[4];
    for (int i = 0; i < 16; i++) x[i] = (Real)i;
    convolution(y, x, w, NULL, &g);
    check_reals(y, ((Real[]){0, 2, 8, 10}), 4, 0);
    g.top = g.left = 0;
    convolution(y, x, w, NULL, &g);
    check_reals(y, ((Real[]){5, 7, 13, 15}), 4, 0);
}

static const Convolution cases[] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0},     {2, 5, 7, 3, 5, 7, 4, 3, 3, 1, 1, 1},
    {3, 4, 4, 17, 4, 4, 33, 1, 1, 1, 0, 0},   {2, 8, 6, 5, 4, 3, 7, 3, 3, 2, 1, 1},
    {2, 8, 6, 5, 4, 3, 7, 3, 3, 2, 0, 0},     {1, 9, 9, 2, 7, 7, 3, 3, 3, 1, 0, 0},
    {2, 7, 7, 6, 4, 4, 5, 3, 3, 2, 1, 1},     {1, 6, 5, 4, 6, 5, 2, 5, 5, 1, 2, 2},
    {2, 3, 3, 65, 3, 3, 34, 3, 3, 1, 1, 1},   {4, 14, 14, 32, 14, 14, 32, 3, 3, 1, 1, 1},
    {3, 6, 6, 4, 3, 3, 4, 2, 2, 2, 0, 0},     {1, 5, 5, 1, 5, 5, 40, 3, 3, 1, 1, 1},
    {2, 13, 12, 5, 13, 12, 17, 3, 3, 1, 1, 1}, {3, 1, 29, 16, 1, 29, 16, 3, 3, 1, 1, 1},
    {1, 17, 14, 40, 17, 14, 3, 3, 3, 1, 1, 1},
    {2, 8, 8, 16, 8, 8, 48, 3, 3, 1, 1, 1},   {5, 7, 9, 32, 7, 9, 16, 3, 3, 1, 1, 1},
    {3, 4, 3, 64, 4, 3, 32, 3, 3, 1, 1, 1},   {1, 4, 4, 16, 4, 4, 16, 3, 3, 1, 1, 1},
    {9, 16, 16, 32, 16, 16, 6, 3, 3, 1, 1, 1}, {4, 16, 16, 20, 16, 16, 12, 3, 3, 1, 1, 1},
    {1, 28, 28, 16, 28, 28, 16, 3, 3, 1, 1, 1},
    {7, 16, 16, 32, 16, 16, 80, 3, 3, 1, 1, 1},
    {1, 4, 4, 8, 4, 4, 8, 3, 3, 1, 1, 1},
    {2, 8, 8, 80, 8, 8, 144, 3, 3, 1, 1, 1},  {3, 5, 4, 144, 5, 4, 128, 3, 3, 1, 1, 1},
    {2, 6, 9, 5, 6, 9, 17, 1, 7, 1, 0, 3},    {2, 9, 6, 16, 9, 6, 16, 7, 1, 1, 3, 0},
    {2, 9, 7, 32, 9, 7, 1, 3, 3, 1, 1, 1},    {2, 8, 8, 16, 8, 8, 3, 3, 3, 1, 1, 1},
    {1, 6, 7, 24, 6, 7, 2, 5, 3, 1, 2, 1},    {2, 7, 5, 40, 7, 5, 4, 2, 2, 1, 1, 0},
    {2, 6, 5, 16, 6, 5, 2, 1, 2, 1, 0, 0},    {1, 5, 6, 16, 5, 6, 2, 2, 1, 1, 1, 0},
    {1, 8, 8, 16, 8, 8, 16, 3, 1, 1, 1, 0},   {2, 7, 9, 3, 3, 4, 5, 2, 3, 2, 0, 1},
};

typedef struct { size_t nx, ny, nw; Real *x, *y, *w, *b, *want; } Arrays;

static Arrays make_arrays(const Convolution *g)
{
    Arena *s = scratch();
    Arrays a = {.nx = (size_t)g->N * g->H * g->W * g->C,
                .ny = (size_t)g->N * g->OH * g->OW * g->O,
                .nw = (size_t)g->O * g->KH * g->KW * g->C};
    size_t most = a.nx + a.ny + a.nw;
    a.x = arena_new(s, Real, a.nx), a.y = arena_new(s, Real, a.ny);
    a.w = arena_new(s, Real, a.nw), a.b = arena_new(s, Real, g->N * g->O);
    a.want = arena_new(s, Real, most);
    fill_uniform(a.x, a.nx, 1), fill_uniform(a.w, a.nw, 2);
    fill_uniform(a.b, g->N * g->O, 3), fill_uniform(a.y, a.ny, 4);
    return a;
}

static void equals_the_reference(void)
{
    for (int i = 0; i < NELEM(cases); i++) {
        const Convolution *g = &cases[i];
        size_t mark = arena_mark(scratch());
        Arrays a = make_arrays(g);
        Real *got = arena_new(scratch(), Real, a.nx + a.ny + a.nw);
        const Addends plus[] = {{0}, {a.b, false, NULL}, {a.b, true, a.y},
                                {NULL, false, a.y}};
        for (int p = 0; p < NELEM(plus); p++) {
            convolution(got, a.x, a.w, &plus[p], g);
            convolution_reference(a.want, a.x, a.w, &plus[p], g);
            check_reals(got, a.want, a.ny, tolerance * 10);
        }

        for (int add = 0; add < 2; add++) {
            fill_uniform(got, a.nx, 5), fill_uniform(a.want, a.nx, 5);
            convolution_backward_input(got, a.y, a.w, g, add);
            convolution_backward_input_reference(a.want, a.y, a.w, g, add);
            check_reals(got, a.want, a.nx, tolerance * 10);
        }

        fill_uniform(got, a.nw, 6), fill_uniform(a.want, a.nw, 6);
        convolution_backward_weight(got, a.y, a.x, g);
        convolution_backward_weight_reference(a.want, a.y, a.x, g);
        check_reals(got, a.want, a.nw, tolerance * 20);
        arena_rewind(scratch(), mark);
    }
}

/* The root mean square of got - want, as a share of want's. */
static double error_of(const Real *got, const Real *want, size_t n)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        error += pow((double)got[i] - (double)want[i], 2);
        size += pow((double)want[i], 2);
    }
    return sqrt(error / size);
}

/* Fewer multiplications must not cost digits.  The plain sum's error grows with the
 * channels from 5 roundings to 14.  Winograd's stops at 14, or 15 on a machine that rounds
 * between multiplying and adding; with Lavin & Gray's points and one long sum it would be
 * 17 to 44. */
static void no_digits_lost(void)
{
    const double rounding = sizeof(Real) == 4 ? 0x1p-24 : 0x1p-53;
    for (int C = 32; C <= 256; C *= 2) {
        Convolution g = {1, 16, 16, C, 16, 16, 32, 3, 3, 1, 1, 1};
        size_t mark = arena_mark(scratch());
        Arrays a = make_arrays(&g);
        convolution_reference(a.want, a.x, a.w, &(Addends){.bias = a.b}, &g);
        winograd_forward(a.y, a.x, a.w, &(Addends){.bias = a.b}, &g);
        check_at_most(error_of(a.y, a.want, a.ny) / rounding, 15, "roundings");
        arena_rewind(scratch(), mark);
    }
}

/* In halves a plain sum is off by half a rounding, as each product is by that of two
 * factors.  Winograd's transforms back make 3 of it. */
static void few_digits_of_halves_lost(void)
{
    const double rounding = sizeof(Real) == 4 ? 0x1p-8 : 0x1p-21;
    gemm_set_bfloat16(true);
    for (int i = 0; i < NELEM(cases); i++) {
        const Convolution *g = &cases[i];
        double most = winograd_fits(g) ? 4 : 1;
        size_t mark = arena_mark(scratch());
        Arrays a = make_arrays(g);
        Real *got = arena_zeroed(scratch(), Real, a.nx + a.ny + a.nw);
        convolution(got, a.x, a.w, NULL, g);
        convolution_reference(a.want, a.x, a.w, NULL, g);
        check_at_most(error_of(got, a.want, a.ny) / rounding, most, "roundings");
        convolution_backward_input(got, a.y, a.w, g, false);
        convolution_backward_input_reference(a.want, a.y, a.w, g, false);
        check_at_most(error_of(got, a.want, a.nx) / rounding, most, "roundings");
        memset(got, 0, a.nw * sizeof *got), memset(a.want, 0, a.nw * sizeof *got);
        convolution_backward_weight(got, a.y, a.x, g);
        convolution_backward_weight_reference(a.want, a.y, a.x, g);
        check_at_most(error_of(got, a.want, a.nw) / rounding, most, "roundings");
        arena_rewind(scratch(), mark);
    }
    gemm_set_bfloat16(false);
}

static double dot(const Real *p, const Real *q, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)p[i] * (double)q[i];
    return sum;
}

/* The map is linear in x and in w, so <conv(x, w), y> = <x, dx(y)> = <w, dw(y)>. */
static void derivatives_are_adjoints(void)
{
    for (int i = 0; i < NELEM(cases); i++) {
        const Convolution *g = &cases[i];
        size_t mark = arena_mark(scratch());
        Arrays a = make_arrays(g);
        Real *out = arena_new(scratch(), Real, a.ny);
        Real *dx = arena_new(scratch(), Real, a.nx);
        Real *dw = arena_new(scratch(), Real, a.nw);
        memset(dw, 0, a.nw * sizeof *dw);
        convolution(out, a.x, a.w, NULL, g);
        convolution_backward_input(dx, a.y, a.w, g, false);
        convolution_backward_weight(dw, a.y, a.x, g);
        double value = dot(out, a.y, a.ny), room = tolerance * 10 * sqrt((double)a.ny);
        check_close(dot(a.x, dx, a.nx), value, room);
        check_close(dot(a.w, dw, a.nw), value, room);
        arena_rewind(scratch(), mark);
    }
}

static const Test tests[] = {
    T(counts_neighbours), T(strides_with_either_padding), T(equals_the_reference),
    T(no_digits_lost), T(few_digits_of_halves_lost), T(derivatives_are_adjoints),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
