/* Guidance: an exact classifier picks one of two Gaussians, and a network's gradient
 * is the slope of its answer. */
#include <math.h>
#include <string.h>

#include "diffusion/guidance.h"
#include "tests/check.h"

/* ---- an exact classifier ----------------------------------------------------------- */

enum { DRAWN = 2000 };
static const double half[] = {0.5, 0.5}, narrow[] = {0.1, 0.1}, apart[] = {-0.5, 0.5};

/* At a level the two are N(-+a/2, V), V = a^2 0.01 + s^2, so p(right | x) = 1/(1 +
 * e^-u) with u = a x / V, and d ln p / dx = (1 - p) a / V.  context: w. */
static void towards_the_right(void *context, const double *x, const Level *l, Crowd c,
                              double *g)
{
    double V = l->a * l->a * 0.01 + l->s * l->s, w = *(double *)context;
    for (int n = 0; n < c.N; n++) g[n] = w * l->a / V / (1 + exp(l->a * x[n] / V));
}

typedef struct { double mean, std, left; } Found;

static Found draw(double w, const char *sampler)
{
    static double x[DRAWN];
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 1000, 1e-4, 0.02);
    MixtureDenoiser two = mixture_denoiser(1, 2, half, narrow, apart);
    SamplingOptions o = {.sampler = sampler_find(sampler), .guide = towards_the_right,
                         .no_clip = true, .context = &w};
    sample(&two.base, &s, &o, (Crowd){0, DRAWN, NULL}, x);
    arena_destroy(&a);
    Found f = {0, 0, 0};
    for (int n = 0; n < DRAWN; n++) {
        f.mean += x[n] / DRAWN;
        f.left += (x[n] < 0) / (double)DRAWN;
    }
    for (int n = 0; n < DRAWN; n++) f.std += (x[n] - f.mean) * (x[n] - f.mean) / DRAWN;
    f.std = sqrt(f.std);
    return f;
}

/* With w = 1 the samples are those of the right one, N(0.5, 0.1^2): within four
 * standard errors, 0.0022 and 0.0016, and the first order of algorithm 1.  With w = 0
 * they are of both. */
static void one_times_an_exact_classifier_is_its_class(void)
{
    static const char *const samplers[] = {"ddpm", "ddim"};
    for (int i = 0; i < 2; i++) {
        Found f = draw(1, samplers[i]);
        check_close(f.mean, 0.5, 0.01);
        check_close(f.std, 0.1, 0.01);
        check_close(f.left, 0, 0.002);
        check_close(draw(0, samplers[i]).left, 0.5, 0.05);
    }
}

/* p(x) p(right | x)^w with large w: as far from the left one as w says, and narrower. */
static void a_larger_scale_goes_further(void)
{
    Found one = draw(1, "ddpm"), ten = draw(10, "ddpm");
    check(ten.mean > one.mean && ten.left == 0);
}

/* ---- a network --------------------------------------------------------------------- */

enum { SIZE = 8, N = 2, D = SIZE * SIZE };

typedef struct {
    Arena arena;
    Params params;
    Classifier net;
    Process process;
    double x[N * D];
} Small;

static Small small_classifier(void)
{
    Small s = {.arena = arena_create(), .params = params_create()};
    UNetConfig c = {.height = SIZE, .width = SIZE, .channels = 1, .out_channels = 3,
                    .base = 8, .levels = 2, .mult = {1, 2}, .blocks = 1, .attention = {4},
                    .style = {.groups = 4, .head_channels = 8, .scale_shift = true}};
    s.net = classifier_init(&s.params, &c, "attention");
    params_allocate(&s.params, 1);
    fill_uniform(s.params.value, s.params.size, 2);     /* no layer zero */
    for (size_t i = 0; i < s.params.size; i++) s.params.value[i] *= (Real)0.3;
    s.process.schedule = schedule_make(&s.arena, "linear", 1000, 1e-4, 0.02);
    s.process.conditioning = conditioning_make(&s.arena, "schedule", &s.process.schedule);
    random_normals(random_stream(1, 2, 3), 0, N * D, s.x);
    return s;
}

static ClassifierGuide guide_of(const Small *s, double w)
{
    return classifier_guide(&s->net, &s->params, s->params.value, &s->process, w);
}

static void small_destroy(Small *s)
{
    params_destroy(&s->params);
    arena_destroy(&s->arena);
}

/* Sum over the samples of ln p(label | x) at step t. */
static double log_probability(Small *s, const double *x, int t, const int *label)
{
    Tape tape = tape_create();
    static const double zero[N * D];
    Level l = schedule_level(&s->process.schedule, t);
    Level as_is[] = {{.a = 1, .t = l.t}, {.a = 1, .t = l.t}};
    Pass pass = pass_inference(&tape, &s->params, s->params.value);
    Batch b = {.N = N, .x0 = x, .eps = zero, .level = as_is};
    Var *ce = cross_entropy(&tape, classifier_logits(&pass, &s->net, &b), label);
    double sum = -(double)ce->value[0] - (double)ce->value[1];
    tape_destroy(&tape);
    return sum;
}

static void the_gradient_is_the_slope(void)
{
    Small s = small_classifier();
    static const int label[N] = {2, 0};
    double g[N * D], h = sizeof(Real) == 4 ? 2e-2 : 1e-5;
    double tolerance = sizeof(Real) == 4 ? 1e-3 : 1e-8;
    enum { T = 300 };
    Level l = schedule_level(&s.process.schedule, T);
    ClassifierGuide guide = guide_of(&s, 3);
    classifier_gradient(&guide, s.x, &l, (Crowd){0, N, label}, g);
    for (int i = 0; i < N * D; i += 17) {
        double keep = s.x[i];
        s.x[i] = keep + h;
        double above = log_probability(&s, s.x, T, label);
        s.x[i] = keep - h;
        double below = log_probability(&s, s.x, T, label);
        s.x[i] = keep;
        check_close(g[i], 3 * (above - below) / (2 * h), 3 * tolerance);
    }
    classifier_guide_destroy(&guide);
    small_destroy(&s);
}

/* x / a at the level (1, s/a) is the same picture: its gradient is a times as large. */
static void the_scale_of_x_does_not_matter(void)
{
    Small s = small_classifier();
    static const int label[N] = {1, 1};
    double g[N * D], scaled[N * D];
    Level l = schedule_level(&s.process.schedule, 500), edm = {.a = 1, .s = l.s / l.a};
    ClassifierGuide guide = guide_of(&s, 1);
    classifier_gradient(&guide, s.x, &l, (Crowd){0, N, label}, g);
    for (int i = 0; i < N * D; i++) s.x[i] /= l.a;
    classifier_gradient(&guide, s.x, &edm, (Crowd){0, N, label}, scaled);
    for (int i = 0; i < N * D; i++)
        check_close(scaled[i], l.a * g[i], sizeof(Real) == 4 ? 1e-6 : 1e-14);
    classifier_guide_destroy(&guide);
    small_destroy(&s);
}

static ClassifierGuide *asked;

static void ask(void *context, const double *x, const Level *level, Crowd c, double *g)
{
    (void)context;
    classifier_gradient(asked, x, level, c, g);
}

/* eps_hat - s g and x0_hat + s^2 g / a are the same step of ddim. */
static void as_denoiser_or_as_guide_ddim_moves_alike(void)
{
    Small s = small_classifier();
    static const int label[N] = {0, 1};
    GaussianDenoiser inner = gaussian_denoiser(D, 0.1, 0.5);
    ClassifierGuide guide = guide_of(&s, 5);
    ClassifierGuided guided = classifier_guided(&inner.base, &guide);
    SamplingOptions o = {.sampler = sampler_find("ddim"), .no_clip = true}, hooked = o;
    hooked.guide = ask, asked = &guide;
    double x[N * D], y[N * D], x0[N * D];
    memcpy(x, s.x, sizeof x), memcpy(y, s.x, sizeof y);
    for (int t = 900; t > 100; t -= 400) {
        Level now = schedule_level(&s.process.schedule, t);
        Level next = schedule_level(&s.process.schedule, t - 400);
        sample_move(&guided.base, &o, now, next, (Crowd){0, N, label}, x, x0);
        sample_move(&inner.base, &hooked, now, next, (Crowd){0, N, label}, y, x0);
    }
    for (int i = 0; i < N * D; i++)
        check_close(x[i], y[i], sizeof(Real) == 4 ? 1e-4 : 1e-12);
    classifier_guide_destroy(&guide);
    small_destroy(&s);
}

static const Test tests[] = {
    T(one_times_an_exact_classifier_is_its_class), T(a_larger_scale_goes_further),
    T(the_gradient_is_the_slope), T(the_scale_of_x_does_not_matter),
    T(as_denoiser_or_as_guide_ddim_moves_alike),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
