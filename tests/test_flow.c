/* The likelihood by a flow against densities known in closed form; derivatives of
 * denoisers against slopes. */
#include <math.h>

#include "diffusion/flow.h"
#include "tests/check.h"

enum { D = 3, N = 4 };
static const double weight[] = {0.3, 0.7}, std[] = {0.4, 0.15};
static const double centre[] = {-0.5, 0.2, 0.1, 0.6, -0.3, 0.4};

static double log_normal(const double *x, const double *m, double variance)
{
    double square = 0;
    for (int i = 0; i < D; i++) square += pow(x[i] - (m ? m[i] : 0.2), 2);
    return -0.5 * (square / variance + D * log(2 * acos(-1) * variance));
}

static void fill(double *x)
{
    for (int i = 0; i < N * D; i++) x[i] = 0.8 * sin(1 + 2 * i);
}

/* N(0.2, 0.3) seen through noise of 0.01 is N(0.2, 0.3 + 0.01^2).  Twice the levels, a
 * quarter of the error. */
static void a_gaussian_has_its_density(void)
{
    GaussianDenoiser d = gaussian_denoiser(D, 0.2, 0.3);
    double x[N * D], log_p[N], worst[3] = {0};
    fill(x);
    for (int k = 0; k < 3; k++) {
        FlowOptions o = {(256 << k) + 1, .sigma_min = 0.01, .sigma_max = 1e6,
                         .probes = 1};
        flow_log_density(&d.base, &o, (Crowd){0, N, NULL}, x, log_p);
        for (int n = 0; n < N; n++)
            worst[k] =
                fmax(worst[k], fabs(log_p[n] - log_normal(x + n * D, NULL, 0.3001)));
    }
    check_at_most(worst[2], 2e-5, "error in nats");
  check_close(worst[0] / worst[1], 4, 0.1);
    check_close(worst[1] / worst[2], 4, 0.1);
}

static void a_mixture_has_its_density(void)
{
    MixtureDenoiser d = mixture_denoiser(D, 2, weight, std, centre);
    double x[N * D], log_p[N];
    fill(x);
    FlowOptions o = {.N = 2000, .sigma_min = 0.01, .sigma_max = 2000};
    flow_log_density(&d.base, &o, (Crowd){0, N, NULL}, x, log_p);
    for (int n = 0; n < N; n++) {
        double p = 0;
        for (int k = 0; k < 2; k++)
            p += weight[k] *
                 exp(log_normal(x + n * D, centre + k * D, std[k] * std[k] + 1e-4));
        check_close(log_p[n], log(p), 1e-4);
    }
}

/* Random signs give the trace on average: over many, within four standard errors. */
static void probes_estimate_the_trace(void)
{
    enum { PROBES = 256 };
    MixtureDenoiser d = mixture_denoiser(D, 2, weight, std, centre);
    double x[N * D], whole[N], guess, sum[N] = {0}, square[N] = {0};
    fill(x);
    FlowOptions o = {.N = 100, .sigma_min = 0.01, .sigma_max = 100};
    flow_log_density(&d.base, &o, (Crowd){0, N, NULL}, x, whole);
    o.probes = 1;
    for (int n = 0; n < N; n++) {
        for (int k = 0; k < PROBES; k++) {
            o.seed = (uint64_t)k;
            flow_log_density(&d.base, &o, (Crowd){0, 1, NULL}, x + n * D, &guess);
            sum[n] += guess / PROBES, square[n] += guess * guess / PROBES;
        }
        double error = sqrt((square[n] - sum[n] * sum[n]) / PROBES);
        check(error > 1e-6);
        check_close(sum[n], whole[n], 4 * error);
    }
}

/* -log2 p(x1) + log2 q(x1 | x0) for x1 = x0 + 0.01 eps, per number. */
static void bits_are_of_both_densities(void)
{
    GaussianDenoiser d = gaussian_denoiser(D, 0.2, 0.3);
    double x0[N * D], eps[N * D], bits[N];
    fill(x0);
    for (int i = 0; i < N * D; i++) eps[i] = 2 * cos(5 * i);
    FlowOptions o = {513, .sigma_min = 0.01, .sigma_max = 1e6, .probes = 1};
    flow_bits(&d.base, &o, (Crowd){0, N, NULL}, x0, eps, bits);
    for (int n = 0; n < N; n++) {
        double x1[D], q = 0;
        for (int i = 0; i < D; i++) {
            double e = eps[n * D + i];
            x1[i] = x0[n * D + i] + 0.01 * e;
            q -= 0.5 * e * e + log(0.01 * sqrt(2 * acos(-1)));
        }
        check_close(bits[n], (q - log_normal(x1, NULL, 0.3001)) / D / log(2), 1e-4);
    }
}

/* pull against central differences. */
static void check_pull(Denoiser *d, int size, double h, double tolerance)
{
    Level l = {.a = 0.8, .s = 0.6, .t = 3, .c0 = 0.5, .ct = 0.4};
    double x[size], e[size], x0[size], g[size];
    for (int i = 0; i < size; i++) x[i] = 0.8 * sin(1 + 2 * i), e[i] = cos(3 * i);
    d->pull(d, x, &l, NULL, 1, e, x0, g);
    for (int j = 0; j < size; j++) {
        double kept = x[j], slope = 0, side[size];
        for (int sign = -1; sign <= 1; sign += 2) {
            x[j] = kept + sign * h;
            d->predict(d, x, &l, NULL, 1, &(Answer){side, NULL, NULL});
            for (int i = 0; i < size; i++) slope += sign * e[i] * side[i] / (2 * h);
        }
        x[j] = kept;
        check_close(g[j], slope, tolerance);
    }
    d->predict(d, x, &l, NULL, 1, &(Answer){x, NULL, NULL});
    for (int i = 0; i < size; i++) check_close(x0[i], x[i], 1e-12);
}

static void denoisers_know_their_derivatives(void)
{
    GaussianDenoiser one = gaussian_denoiser(D, 0.2, 0.3);
    MixtureDenoiser two = mixture_denoiser(D, 2, weight, std, centre);
    check_pull(&one.base, D, 1e-4, 1e-8);
    check_pull(&two.base, D, 1e-4, 1e-7);
}

/* A small U-Net with random weights, for some predictions; with a learned variance, whose
 * channels must stay out of it. */
static void networks_know_their_derivatives(void)
{
    static const char *const predictions[] = {"eps", "v", "edm", "previous"};
    UNetConfig c = unet_defaults((UNetConfig){
        .height = 4, .width = 4, .channels = 1, .out_channels = 2, .base = 4, .levels = 2,
        .mult = {1, 2}, .blocks = 1, .style = {.heads = 1, .groups = 2}});
    Params params = params_create();
    UNet net = unet_init(&params, &c);
    params_allocate(&params, 1);
    fill_uniform(params.value, params.size, 3);
    for (size_t i = 0; i < params.size; i++) params.value[i] *= (Real)0.3;
    for (int k = 0; k < NELEM(predictions); k++) {
        Process p = {.prediction = prediction_find(predictions[k]),
                     .variance = variance_find("learned_range")};
        NetworkDenoiser d = network_denoiser(&net, &params, params.value, &p);
        d.base.conditioning = NULL;
        bool single = sizeof(Real) == 4;
        check_pull(&d.base, 16, single ? 1e-2 : 1e-5, single ? 2e-2 : 1e-7);
        network_denoiser_destroy(&d);
    }
    params_destroy(&params);
}

/* So many samples that the network sees them in parts: each answer, its x0, v and mean,
 * is to the bit that of the sample by itself, with its own label. */
static void many_samples_are_asked_about_in_parts(void)
{
    enum { MANY = 65, SIDE = 32, SIZE = SIDE * SIDE };
    UNetConfig c = unet_defaults((UNetConfig){
        .height = SIDE, .width = SIDE, .channels = 1, .out_channels = 2, .base = 8,
        .levels = 1, .mult = {1}, .blocks = 1, .classes = 3, .no_middle_attention = true,
        .style = {.heads = 1, .groups = 2}});
    Params params = params_create();
    UNet net = unet_init(&params, &c);
    params_allocate(&params, 1);
    fill_uniform(params.value, params.size, 3);
    Process p = {.prediction = prediction_find("previous"),
                 .variance = variance_find("learned_range")};
    NetworkDenoiser d = network_denoiser(&net, &params, params.value, &p);
    Level l = {.a = 0.8, .s = 0.6, .t = 3, .c0 = 0.5, .ct = 0.4};
    double *x = arena_new(&params.arena, double, 4 * MANY * SIZE);
    double *alone = arena_new(&params.arena, double, 3 * SIZE);
    int label[MANY];
    for (int i = 0; i < MANY * SIZE; i++) x[i] = 0.8 * sin(1 + 2 * i);
    for (int i = 0; i < MANY; i++) label[i] = i % 3;
    Answer all = {x + MANY * SIZE, x + 2 * MANY * SIZE, x + 3 * MANY * SIZE};
    d.base.predict(&d.base, x, &l, label, MANY, &all);
    for (int i = 0; i < MANY; i += 16) {
        Answer one = {alone, alone + SIZE, alone + 2 * SIZE};
        d.base.predict(&d.base, x + i * SIZE, &l, label + i, 1, &one);
        for (int k = 0; k < SIZE; k++) {
            check_close(all.x0[i * SIZE + k], one.x0[k], 0);
            check_close(all.v[i * SIZE + k], one.v[k], 0);
            check_close(all.mean[i * SIZE + k], one.mean[k], 0);
        }
    }
    network_denoiser_destroy(&d);
    params_destroy(&params);
}

static const Test tests[] = {
    T(a_gaussian_has_its_density), T(a_mixture_has_its_density),
    T(probes_estimate_the_trace), T(bits_are_of_both_densities),
    T(denoisers_know_their_derivatives),
    T(networks_know_their_derivatives), T(many_samples_are_asked_about_in_parts),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
