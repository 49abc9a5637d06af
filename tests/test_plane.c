/* Points of the plane: moments, and the entropy under noise where it is known. */
#include <math.h>

#include "apps/support/plane.h"
#include "tests/check.h"

static const char *const names[] = {"roll", "moons", "mixture"};
static const double pi = 3.14159265358979323846;

/* Mean 0, E |x|^2 = 2: from 20000 points, whose means are known to a hundredth. */
static void data_are_standardised(void)
{
    enum { N = 20000 };
    static double x[2 * N];
    for (int k = 0; k < NELEM(names); k++) {
        Plane p = plane_find(names[k]);
        plane_draw(&p, random_stream(1, 1, 1), N, x);
        double sum[2] = {0}, square = 0;
        for (int i = 0; i < 2 * N; i++) sum[i % 2] += x[i], square += x[i] * x[i];
        check_close(sum[0] / N, 0, 0.03);
        check_close(sum[1] / N, 0, 0.03);
        check_close(square / N, 2, 0.01);
    }
}

/* Noise alone is N(0, 0.25 I), of entropy log2(2 pi e 0.25); far apart, eight Gaussians
 * of variance v have 3 bits more than one. */
static void entropies_that_are_known(void)
{
    Random r = random_stream(1, 1, 2);
    for (int k = 0; k < NELEM(names); k++) {
        Plane p = plane_find(names[k]);
        check_close(plane_entropy(&p, 0, 0.5, r, 4000), log2(2 * pi * exp(1) / 4), 0.05);
    }
    Plane p = plane_find("mixture");
    p.width = 0.02;
    double v = 0.25 * p.width * p.width + 0.01 * 0.01;
    check_close(plane_entropy(&p, 0.5, 0.01, r, 4000), 3 + log2(2 * pi * exp(1) * v),
                0.05);
}

/* Of a curve: the mean logarithm of its speed, and a Gaussian across.  Here 3 pi long in
 * angle, of speed sqrt(1 + angle^2). */
static void entropy_of_a_curve(void)
{
    enum { N = 1000 };
    Plane p = plane_find("roll");
    double along = 0, s = 0.005;
    for (int i = 0; i < N; i++) {
        double angle = 1.5 * pi * (1 + 2 * (i + 0.5) / N);
        along += log2(3 * pi * sqrt(1 + angle * angle) / p.scale) / N;
    }
    check_close(plane_entropy(&p, 1, s, random_stream(1, 1, 3), 4000),
                along + 0.5 * log2(2 * pi * exp(1) * s * s), 0.05);
}

static void find_sun(void *unused) { (void)unused, plane_find("sun"); }

static void unknown_data_stop_with_the_list(void)
{
    check_stops(find_sun, NULL, "no data sun; there are roll, moons and mixture");
}

static const Test tests[] = {
    T(data_are_standardised), T(entropies_that_are_known), T(entropy_of_a_curve),
    T(unknown_data_stop_with_the_list),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
