/* DDPM where the best network is known: Gaussian mixtures and data sets of a few
 * points. */
#include <math.h>
#include <string.h>

#include "diffusion/likelihood.h"
#include "diffusion/objective.h"
#include "diffusion/sampler.h"
#include "tests/check.h"

enum { N = 2000, D = 2 };
static double x[N * D], other[N * D];

static Schedule make_schedule(Arena *a, int T)
{
    return schedule_make(a, "linear_scaled", T, 1e-4, 0.02);
}

/* Mean and covariance of x. */
static void find_moments(double mean_[D], double covariance[D][D])
{
    memset(mean_, 0, D * sizeof(double));
    memset(covariance, 0, D * D * sizeof(double));
    for (int i = 0; i < N * D; i++) mean_[i % D] += x[i] / N;
    for (int n = 0; n < N; n++)
        for (int i = 0; i < D; i++)
            for (int j = 0; j < D; j++)
                covariance[i][j] +=
                    (x[n * D + i] - mean_[i]) * (x[n * D + j] - mean_[j]) / N;
}

/* Two Gaussians on a slope: the mean is sum w m, the covariance sum w (m m' + s^2) -
 * mean mean'. */
static void ancestral_sampling_reaches_mean_and_covariance(void)
{
    static const double w[] = {0.3, 0.7}, std[] = {0.2, 0.1};
    static const double m[] = {-0.5, -0.3, 0.4, 0.2};
    static const char *const kinds[] = {"fixed_small", "fixed_large"};
    Arena a = arena_create();
    Schedule s = make_schedule(&a, 250);
    MixtureDenoiser d = mixture_denoiser(D, 2, w, std, m);
    double want[D] = {0}, spread[D][D] = {{0}}, got[D], covariance[D][D];
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < D; i++) {
            want[i] += w[k] * m[k * D + i];
            for (int j = 0; j < D; j++)
                spread[i][j] += w[k] * (m[k * D + i] * m[k * D + j] +
                                        (i == j ? std[k] * std[k] : 0));
        }
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) spread[i][j] -= want[i] * want[j];
    for (int k = 0; k < NELEM(kinds); k++) {
        SamplingOptions o = {.sampler = sampler_find("ddpm"), .seed = 1, .no_clip = true,
                             .variance = variance_find(kinds[k])};
        sample(&d.base, &s, &o, (Crowd){0, N, NULL}, x);
        find_moments(got, covariance);
        for (int i = 0; i < D; i++) {
            check_close(got[i], want[i], 4 * sqrt(spread[i][i] / N) + 0.01);
            for (int j = 0; j < D; j++)
                check_close(covariance[i][j], spread[i][j], 0.02);
        }
    }
    arena_destroy(&a);
}

/* A data set of three points, one of them twice: only they are drawn, as often as they
 * occur. */
static void a_data_set_is_drawn_as_it_is(void)
{
    static const double w[] = {0.5, 0.25, 0.25}, std[] = {0, 0, 0};
    static const double points[] = {0.8, 0.1, -0.6, 0.7, -0.2, -0.9};
    Arena a = arena_create();
    Schedule s = make_schedule(&a, 250);
    MixtureDenoiser d = mixture_denoiser(D, 3, w, std, points);
    SamplingOptions o = {.sampler = sampler_find("ddpm"), .seed = 2,
                         .variance = variance_find("fixed_small")};
    sample(&d.base, &s, &o, (Crowd){0, N, NULL}, x);
    double count[3] = {0};
    for (int n = 0; n < N; n++)
        for (int k = 0; k < 3; k++) {
            const double *p = points + k * D, *y = x + n * D;
            count[k] += hypot(y[0] - p[0], y[1] - p[1]) < 1e-6;
        }
    for (int k = 0; k < 3; k++)
        check_close(count[k] / N, w[k], 4 * sqrt(w[k] * (1 - w[k]) / N));
    check_close(count[0] + count[1] + count[2], N, 0);
    arena_destroy(&a);
}

/* With all steps and eta = 1, ddim's step is ddpm's with fixed_small: the same numbers.
 * */
static void ddim_with_eta_one_is_ddpm(void)
{
    static const double w[] = {0.3, 0.7}, std[] = {0.2, 0.1};
    static const double m[] = {-0.5, -0.3, 0.4, 0.2};
    Arena a = arena_create();
    Schedule s = make_schedule(&a, 250);
    MixtureDenoiser d = mixture_denoiser(D, 2, w, std, m);
    SamplingOptions o = {.sampler = sampler_find("ddpm"), .seed = 3, .eta = 1,
                         .variance = variance_find("fixed_small")};
    sample(&d.base, &s, &o, (Crowd){0, 50, NULL}, x);
    o.sampler = sampler_find("ddim");
    sample(&d.base, &s, &o, (Crowd){0, 50, NULL}, other);
    for (int i = 0; i < 50 * D; i++) check_close(other[i], x[i], 1e-8);
    o.eta = 0;
    sample(&d.base, &s, &o, (Crowd){0, 50, NULL}, other);
    check(fabs(other[0] - x[0]) > 1e-3);
    arena_destroy(&a);
}

static void fill(void *context, int t, double *eps)
{
    random_normals((Random){9, (uint64_t)t}, 0, *(size_t *)context, eps);
}

/* What the chain above t = 0 tells of one of three points is which: 1.5 bits for
 * weights 1/2, 1/4, 1/4.  The bound's prior and KL are that at least, and with many
 * steps hardly more. */
static void the_chain_tells_a_point_in_its_entropy(void)
{
    static const double w[] = {0.5, 0.25, 0.25}, std[] = {0, 0, 0};
    static const double points[] = {0.8, 0.1, -0.6, 0.7, -0.2, -0.9};
    static const int row[] = {0, 0, 1, 2};
    enum { ROWS = 500 };
    size_t n = ROWS * D;
    Arena a = arena_create();
    Process p = {.schedule = make_schedule(&a, 1000),
                 .variance = variance_find("fixed_small")};
    MixtureDenoiser d = mixture_denoiser(D, 3, w, std, points);
    for (int i = 0; i < ROWS * D; i++) x[i] = points[row[i / D % 4] * D + i % D];
    Bound b = bound_of(&a, &d.base, &p, x, ROWS, NULL, (NoiseSource){fill, &n});
    double bits = 0;
    for (int k = 0; k < ROWS; k++) {
        bits += b.prior[k] * D / ROWS;
        for (int t = 1; t < p.schedule.T; t++)
            bits += b.term[k * p.schedule.T + t].bits * D / ROWS;
    }
    check_at_most(1.5 - 0.01, bits, "bits of entropy, against those of the chain");
    check_at_most(bits, 1.5 + 0.05, "bits of the chain");
    arena_destroy(&a);
}

/* v = -1 the smaller, 1 the larger, 0 their geometric mean; at t = 0 from beta~_1 to
 * beta_0. */
static void a_learned_range_has_its_ends(void)
{
    Arena a = arena_create();
    Schedule s = make_schedule(&a, 250);
    const Variance *range = variance_find("learned_range");
    static const int times[] = {0, 1, 100, 249};
    for (int k = 0; k < NELEM(times); k++) {
        Level l = schedule_level(&s, times[k]);
        double small = l.variance > 0 ? l.variance : schedule_level(&s, 1).variance;
        check_close(range->variance(-1, &l) / small, 1, 1e-12);
        check_close(range->variance(1, &l) / s.beta[times[k]], 1, 1e-12);
        check_close(range->variance(0, &l) / sqrt(small * s.beta[times[k]]), 1, 1e-12);
    }
    arena_destroy(&a);
}

/* The weight of the squared error of eps, x0 and v, from that of x0: min(SNR, 5). */
static void min_snr_weighs_by_signal_to_noise(void)
{
    static const struct { const char *prediction; double high, low; } rows[] = {
        {"eps", 5 / 9.0, 1}, {"x0", 5, 0.25}, {"v", 5 / 10.0, 0.25 / 1.25}};
    const Level level[2] = {{.a = sqrt(0.9), .s = sqrt(0.1)},      /* SNR 9 and 1/4 */
                            {.a = sqrt(0.2), .s = sqrt(0.8)}};
    static const double x0[] = {0.5, -0.25}, eps[] = {1, 2};
    for (int k = 0; k < NELEM(rows); k++) {
        Tape t = tape_create();
        Process p = {.prediction = prediction_find(rows[k].prediction),
                     .variance = variance_find("fixed_small"), .loss = "mse"};
        Real out[] = {(Real)0.25, (Real)0.75};
        Var *leaf = tape_leaf(&t, "out", SHAPE(2, 1, 1, 1), out, NULL);
        Batch b = {.N = 2, .x0 = x0, .eps = eps, .level = level};
        Var *plain = objective_losses(&t, &p, leaf, &b).total;
        p.loss = "min_snr";
        Var *weighed = objective_losses(&t, &p, leaf, &b).total;
        check_close(weighed->value[0] / plain->value[0], rows[k].high, 1e-6);
        check_close(weighed->value[1] / plain->value[1], rows[k].low, 1e-6);
        tape_destroy(&t);
    }
}

static const Test tests[] = {
    T(ancestral_sampling_reaches_mean_and_covariance), T(a_data_set_is_drawn_as_it_is),
    T(ddim_with_eta_one_is_ddpm), T(the_chain_tells_a_point_in_its_entropy),
    T(a_learned_range_has_its_ends), T(min_snr_weighs_by_signal_to_noise),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
