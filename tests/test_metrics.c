/* Measures of samples on numbers that can be checked by hand, and eigenvalues. */
#include <math.h>
#include <stdlib.h>

#include "diffusion/metrics.h"
#include "tensor/linear.h"
#include "tests/check.h"

/* [[2, 1], [1, 2]] has 1 and 3; a matrix of ones has zeros and n; a chain of springs,
 * 2 on the diagonal and -1 beside it, has 2 - 2 cos(pi k / (n + 1)). */
static void eigenvalues_by_hand(void)
{
    enum { N = 100 };
    static double a[N * N], value[N];
    double two[] = {2, 1, 1, 2};
    symmetric_values(value, two, 2);
    check_close(value[0], 1, 2e-15);
    check_close(value[1], 3, 2e-15);
    for (int i = 0; i < 25; i++) a[i] = 1;
    symmetric_values(value, a, 5);
    for (int i = 0; i < 5; i++) check_close(value[i], i == 4 ? 5 : 0, 1e-14);
    for (int i = 0; i < N * N; i++) {
        int off = abs(i / N - i % N);
        a[i] = off == 0 ? 2 : off == 1 ? -1 : 0;
    }
    symmetric_values(value, a, N);
    for (int i = 0; i < N; i++)
        check_close(value[i], 2 - 2 * cos(3.14159265358979323846 * (i + 1) / (N + 1)),
                    1e-14);
}

/* x' x is l l' with as many columns as x has rows, up to D; the sum of its eigenvalues is
 * the trace, that of their squares the sum of the squares of its entries. */
static void factors_multiply_back(void)
{
    enum { D = 17 };
    for (int N = 1; N <= 33; N += 8) {
        Real x[33 * D];
        double a[D * D] = {0}, l[D * D], turned[D * D], back[D * D], value[D];
        fill_uniform(x, (size_t)(N * D), (unsigned)N);
        for (int n = 0; n < N; n++)
            for (int i = 0; i < D * D; i++)
                a[i] += (double)x[n * D + i / D] * (double)x[n * D + i % D];
        check_int(cholesky(l, a, D), N < D ? N : D);
        for (int i = 0; i < D * D; i++) turned[i % D * D + i / D] = l[i];
        matrix_multiply(back, l, turned, D);
        double trace = 0, squares = 0;
        for (int i = 0; i < D * D; i++) {
            check_close(back[i], a[i], 1e-12);
            trace += i % (D + 1) ? 0 : a[i];
            squares += a[i] * a[i];
        }
        symmetric_values(value, a, D);
        for (int i = 0; i < D; i++) trace -= value[i], squares -= value[i] * value[i];
        check_close(trace, 0, 1e-12);
        check_close(squares, 0, 1e-10);
    }
}

/* One feature, means 0 and 3, deviations 1 and 2: 3^2 + (1 - 2)^2 = 10. */
static void frechet_by_hand(void)
{
    Moments p = {1, (double[]){0}, (double[]){1}}, q = {1, (double[]){3}, (double[]){4}};
    check_close(frechet_distance(&p, &q), 10, 1e-14);
    check_close(frechet_distance(&q, &p), 10, 1e-14);
    Moments zero = {1, (double[]){3}, (double[]){0}};
    check_close(frechet_distance(&zero, &q), 4, 1e-14);
}

/* Sure of each of K classes in turn: K.  Always the same answer: 1. */
static void scores_by_hand(void)
{
    static const double sure[] = {1, 0, 0, 0, 1, 0, 0, 0, 1},
                        same[] = {0.5, 0.5, 0.5, 0.5};
    check_close(inception_score((Features){3, 3, sure}, 3), 3, 1e-14);
    check_close(inception_score((Features){2, 2, same}, 2), 1, 1e-14);
    check_close(inception_score((Features){3, 3, sure}, 2), (2 + 1) / 2.0, 1e-14);
}

/* On a line: 0 1 3, each with a ball to its nearest neighbour. */
static void neighbours_by_hand(void)
{
    static const double set[] = {0, 1, 3}, points[] = {-1, 2.5, 5.5, 1.5};
    double radius[3];
    neighbour_radii(radius, (Features){3, 1, set}, 1);
    check_close(radius[0], 1, 0);
    check_close(radius[1], 1, 0);
    check_close(radius[2], 4, 0);
    Features three = {3, 1, set};
    check_close(share_inside((Features){4, 1, points}, three, radius), 0.75, 0);
    neighbour_radii(radius, (Features){3, 1, set}, 2);
    check_close(radius[0], 9, 0);
}

/* Two centres at 0 and 4 of width 1 on a line, seen from 1: the mean of N(1), N(3).  Far
 * away the nearest one alone matters, and nothing underflows. */
static void parzen_window_by_hand(void)
{
    const double density = 1 / sqrt(2 * 3.14159265358979323846);
    double near[] = {1, 9}, far[] = {1e6, 4e6};
    check_close(parzen_log_density(near, 2, 1, 1),
                log(density * (exp(-0.5) + exp(-4.5)) / 2), 1e-13);
    check_close(parzen_log_density(far, 2, 1, 2),
                log(density / 2) - log(2) - 1e6 / 8, 1e-13);
    check_close(parzen_log_density(near, 2, 3, 1) - parzen_log_density(near, 2, 1, 1),
                2 * log(density), 1e-13);
}

static const Test tests[] = {
    T(parzen_window_by_hand), T(eigenvalues_by_hand), T(factors_multiply_back),
    T(frechet_by_hand),       T(scores_by_hand),      T(neighbours_by_hand),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
