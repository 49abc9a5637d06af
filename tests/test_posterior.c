/* Posterior sampling against closed forms: Gaussian data, seen through noise or in
 * part. */
#include <string.h>

#include "diffusion/posterior.h"
#include "tests/check.h"

enum { N = 400, D = 20 };
static double x[N * D], y[N * D];
static bool known[N * D];

static void look_through(Observation o, const char *sampler, Schedule s)
{
    GaussianDenoiser d = gaussian_denoiser(D, 0.1, 0.04);
    SamplingOptions options = {.sampler = sampler_find(sampler), .seed = 3};
    sample_posterior(&d.base, &s, &options, (Crowd){0, N, NULL}, &o, x);
}

/* Known numbers come back to the last bit, in each of the ways; unknown ones, which do
 * not depend on them, have the data's mean and variance. */
static void what_is_seen_is_kept(void)
{
    static const struct { const char *sampler; bool as_noisy; int repeats; } rows[] = {
        {"ddpm", false, 1}, {"ddpm", true, 1}, {"ddpm", true, 3}, {"ddim", false, 1},
    };
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 200, 5e-4, 0.1);
    for (int i = 0; i < N * D; i++) y[i] = sin(i), known[i] = i % 2;
    for (int k = 0; k < NELEM(rows); k++) {
        look_through((Observation){y, known, 0, rows[k].as_noisy, rows[k].repeats},
                     rows[k].sampler, s);
        double sum = 0, square = 0;
        for (int i = 0; i < N * D; i++) {
            if (known[i]) check(memcmp(&x[i], &y[i], sizeof *x) == 0);
            else sum += x[i], square += (x[i] - 0.1) * (x[i] - 0.1);
        }
        check_close(sum / (N * D / 2), 0.1, 0.01);
        check_close(square / (N * D / 2) / 0.04, 1, 0.15);
    }
    arena_destroy(&a);
}

/* The product of N(mu, s^2) and N(x; y, S^2): precisions add, the mean is their
 * average. */
static void a_step_is_multiplied(void)
{
    double seen = 0.7, mean = 0.1, sigma = 0.5;
    Observation o = {.y = &seen, .noise = 0.25, .repeats = 1};
    posterior_multiply(&o, NULL, 0, &mean, &sigma);
    check_close(1 / (sigma * sigma), 4 + 16, 1e-12);
    check_close(mean, (0.1 * 4 + 0.7 * 16) / 20, 1e-15);
    o.noise = 0;
    posterior_multiply(&o, NULL, 0, &mean, &sigma);
    check(mean == 0.7 && sigma == 0);
}

static const Test tests[] = {T(what_is_seen_is_kept), T(a_step_is_multiplied)};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
