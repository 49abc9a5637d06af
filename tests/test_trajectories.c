/* Sampling seen on its way: forks, shared noise, temperature, interpolation. */
#include <string.h>

#include "diffusion/interpolate.h"
#include "diffusion/sampler.h"
#include "tests/check.h"

enum { N = 3, D = 10 };

static Schedule make_schedule(Arena *a)
{
    return schedule_make(a, "linear", 60, 1e-3, 0.2);
}

static SamplingOptions ddpm(void)
{
    return (SamplingOptions){.sampler = sampler_find("ddpm"), .no_clip = true, .seed = 4};
}

/* A way interrupted at any step goes on as if it had not been; and so can others from
 * there. */
static void a_fork_shares_the_way_so_far(void)
{
    double whole[N * D], parts[N * D], other[N * D], trunk[N * D];
    Arena a = arena_create();
    Schedule s = make_schedule(&a);
    GaussianDenoiser d = gaussian_denoiser(D, 0.2, 0.1);
    SamplingOptions o = ddpm();
    Crowd c = {0, N, NULL}, strangers = {N, N, NULL};
    sample(&d.base, &s, &o, c, whole);
    static const int ends[] = {58, 3, 0};
    double apart[NELEM(ends)] = {0};
    for (int k = 0; k < NELEM(ends); k++) {
        sample_noise(o.seed, c, D, 0, trunk);
        sample_between(&d.base, &s, &o, s.T - 1, ends[k], c, trunk);
        memcpy(parts, trunk, sizeof parts);
        sample_from(&d.base, &s, &o, ends[k], c, parts);
        check(memcmp(parts, whole, sizeof parts) == 0);
        memcpy(other, trunk, sizeof other);
        sample_from(&d.base, &s, &o, ends[k], strangers, other);
        for (int i = 0; i < N * D; i++) apart[k] += fabs(other[i] - whole[i]) / (N * D);
    }
    check(apart[0] > 1.2 * apart[1] && apart[1] > 0.01);
    check(apart[2] == 0);               /* the last step draws nothing */
    arena_destroy(&a);
}

static void alike_means_the_noise_of_the_first(void)
{
    double x[N * D], one[D];
    Arena a = arena_create();
    Schedule s = make_schedule(&a);
    GaussianDenoiser d = gaussian_denoiser(D, 0.2, 0.1);
    SamplingOptions o = ddpm();
    sample(&d.base, &s, &o, (Crowd){7, N, NULL, .alike = true}, x);
    sample(&d.base, &s, &o, (Crowd){7, 1, NULL}, one);
    for (int i = 0; i < N * D; i++) check_close(x[i], one[i % D], 1e-14);
    arena_destroy(&a);
}

/* For Gaussian data every step is linear in x and its noise: scale the noise by T, and
 * the sample moves from where no noise leads it, T times as far. */
static void temperature_scales_the_noise(void)
{
    static const struct { const char *sampler; double eta; } rows[] = {
        {"ddpm", 0}, {"ddim", 0}, {"ddim", 0.7}};
    double cold[D], half[D], full[D];
    Arena a = arena_create();
    Schedule s = make_schedule(&a);
    GaussianDenoiser d = gaussian_denoiser(D, 0.2, 0.1);
    for (int k = 0; k < NELEM(rows); k++) {
        SamplingOptions o = ddpm();
        o.sampler = sampler_find(rows[k].sampler), o.eta = rows[k].eta;
        sample(&d.base, &s, &o, (Crowd){0, 1, NULL}, full);
        o.temperature = 0.5;
        sample(&d.base, &s, &o, (Crowd){0, 1, NULL}, half);
        o.temperature = 1e-300;
        sample(&d.base, &s, &o, (Crowd){0, 1, NULL}, cold);
        for (int i = 0; i < D; i++) {
            check_close(half[i], (cold[i] + full[i]) / 2, 1e-12);
            check_close(cold[i], cold[0], 1e-12);
            check(fabs(full[i] - cold[i]) > 1e-4);
        }
    }
    arena_destroy(&a);
}

/* On the unit circle from angle 0.3 to 1.5: at a quarter of the way, angle 0.6. */
static void slerp_walks_the_circle(void)
{
    const double a[] = {cos(0.3), sin(0.3)}, b[] = {cos(1.5), sin(1.5)};
    double x[2];
    static const double f[] = {0, 0.25, 1};
    for (int k = 0; k < 3; k++) {
        interpolate_slerp(a, b, f[k], 2, x);
        check_close(x[0], cos(0.3 + 1.2 * f[k]), 1e-14);
        check_close(x[1], sin(0.3 + 1.2 * f[k]), 1e-14);
    }
    interpolate_slerp(a, a, 0.5, 2, x);                 /* no angle between them */
    check_close(x[0], a[0], 1e-14);
    interpolate_linear(a, b, 0.25, 2, x);
    check_close(x[0], 0.75 * a[0] + 0.25 * b[0], 1e-15);
}

static const Test tests[] = {
    T(a_fork_shares_the_way_so_far), T(alike_means_the_noise_of_the_first),
    T(temperature_scales_the_noise), T(slerp_walks_the_circle),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
