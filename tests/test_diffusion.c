/* Schedules against the papers' numbers, samplers against closed forms. */
#include <string.h>

#include "diffusion/guidance.h"
#include "diffusion/likelihood.h"
#include "diffusion/sampler.h"
#include "diffusion/timesteps.h"
#include "tests/check.h"

/* From the official code, 1000 linear steps. */
static void the_linear_schedule_is_ddpms(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 1000, 1e-4, 0.02);
    check_close(s.alpha_bar[0] / 0.9999, 1, 1e-12);
    check_close(s.alpha_bar[500] / 0.077796658365, 1, 1e-10);
    check_close(s.alpha_bar[999] / 4.03582976538e-5, 1, 1e-10);
    Level l = schedule_level(&s, 500);
    check_close(l.a * l.a + l.s * l.s, 1, 1e-15);
    Level clean = schedule_level(&s, -1);
    check(clean.a == 1 && clean.s == 0);
    arena_destroy(&a);
}

/* space_timesteps(1000, "25") is 0, 42, 83, 125 ... 957, 999; alpha_bar is kept. */
static void respacing_keeps_the_marginals(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 1000, 1e-4, 0.02);
    Schedule r = schedule_respace(&a, &s, "25");
    static const int first[] = {0, 42, 83, 125};
    for (int i = 0; i < 4; i++) check_close(r.told[i], first[i], 0);
    check_close(r.told[23], 957, 0);
    check_close(r.told[24], 999, 0);
    double product = 1;
    for (int i = 0; i < r.T; i++) {
        product *= 1 - r.beta[i];
        check_close(product / s.alpha_bar[(int)r.told[i]], 1, 1e-12);
    }
    Schedule all = schedule_respace(&a, &s, "1000");
    for (int t = 0; t < 1000; t++) check_close(all.beta[t], s.beta[t], 1e-15);
    arena_destroy(&a);
}

/* T single steps have the mean and variance of the one jump. */
static void single_steps_add_up_to_the_jump(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 100, 1e-3, 0.2);
    double mean_factor = 1, variance = 0;
    for (int t = 0; t < s.T; t++) {
        mean_factor *= sqrt(1 - s.beta[t]);
        variance = (1 - s.beta[t]) * variance + s.beta[t];
        Level l = schedule_level(&s, t);
        check_close(l.a, mean_factor, 1e-14);
        check_close(l.s * l.s, variance, 1e-14);
    }
    arena_destroy(&a);
}

/* With the exact denoiser of N(0.2, 0.15^2) each sampler must give back that mean and
 * variance, within four standard errors and a discretisation error that shrinks with the
 * steps. */
static void samplers_reach_the_gaussian(void)
{
    enum { N = 64, D = 100 };
    static double x[N * D];
    static const struct Row {
        const char *sampler;
        double eta, bias;
        const char *steps;
    } rows[] = {
        {"ddpm", 0, 0.01, "1000"}, {"ddim", 0, 0.02, "1000"}, {"ddim", 1, 0.01, "1000"},
    };
    for (const struct Row *r = rows; r < rows + NELEM(rows); r++) {
        Arena a = arena_create();
        GaussianDenoiser d = gaussian_denoiser(D, 0.2, 0.15 * 0.15);
        Schedule full = schedule_make(&a, "linear", 1000, 1e-4, 0.02);
        Schedule s = schedule_respace(&a, &full, r->steps);
        SamplingOptions o = {.sampler = sampler_find(r->sampler), .eta = r->eta,
                             .seed = 3};
        sample(&d.base, &s, &o, (Crowd){0, N, NULL}, x);
        double sum = 0, square = 0;
        for (int i = 0; i < N * D; i++) sum += x[i], square += pow(x[i] - 0.2, 2);
        check_close(sum / (N * D), 0.2, (4 / sqrt(N * D) + r->bias) * 0.15);
        check_close(sqrt(square / (N * D)) / 0.15, 1, 4 / sqrt(2.0 * N * D) + r->bias);
        arena_destroy(&a);
    }
}

/* Sample number k is the same alone and in a batch. */
static void an_image_does_not_depend_on_its_batch(void)
{
    enum { D = 10 };
    double batch[4 * D], alone[D];
    Arena a = arena_create();
    GaussianDenoiser d = gaussian_denoiser(D, 0, 0.1);
    Schedule s = schedule_make(&a, "linear", 50, 1e-3, 0.2);
    SamplingOptions o = {.sampler = sampler_find("ddpm"), .seed = 1};
    sample(&d.base, &s, &o, (Crowd){5, 4, NULL}, batch);
    sample(&d.base, &s, &o, (Crowd){7, 1, NULL}, alone);
    check(memcmp(alone, batch + 2 * D, sizeof alone) == 0);
    o.seed = 2;
    sample(&d.base, &s, &o, (Crowd){7, 1, NULL}, batch);
    check(memcmp(alone, batch, sizeof alone) != 0);
    arena_destroy(&a);
}

/* Each prediction's target leads back to x0. */
static void predictions_go_there_and_back(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 1000, 1e-4, 0.02);
    for (int t = 0; t < 1000; t += 111) {
        Level l = schedule_level(&s, t);
        double x0 = 0.7, eps = -1.3, x = l.a * x0 + l.s * eps;
        static const char *const names[] = {"eps", "x0", "previous", "v", "score", "edm"};
        for (int i = 0; i < NELEM(names); i++) {
            const Prediction *p = prediction_find(names[i]);
            check_close(p->to_x0(p->target(x0, eps, &l), x, &l), x0, 1e-9);
        }
        check_close(prediction_find("eps")->target(x0, eps, &l), eps, 0);
    }
    arena_destroy(&a);
}

/* A denoiser that says 1 for a class and 0.25 without one. */
static void two_answers(Denoiser *self, const double *x, const Level *l, const int *label,
                        int N, Answer *answer)
{
    (void)self, (void)x, (void)l;
    for (int n = 0; n < N; n++) answer->x0[n] = label[n] >= 0 ? 1 : 0.25;
}

static void guidance_goes_on_in_the_class_direction(void)
{
    Denoiser inner = {.size = 1, .predict = two_answers};
    static const struct { double w, x0; } rows[] = {
        {0, 0.25}, {1, 1}, {2, 1.75}, {0.5, 0.625}};
    for (int i = 0; i < NELEM(rows); i++) {
        double x = 0, x0;
        Level l = {.a = 1, .s = 1};
        ClassifierFree d = classifier_free(&inner, rows[i].w);
        d.base.predict(&d.base, &x, &l, (int[]){3}, 1, &(Answer){&x0, NULL, NULL});
        check_close(x0, rows[i].x0, 1e-15);
    }
}

/* From images up to their noise and down again: twice the steps, half the error. */
static void encoding_and_back_returns_the_image(void)
{
    enum { D = 50 };
    static const char *const steps[] = {"50", "100", "200", "400"};
    double error[NELEM(steps)];
    Arena a = arena_create();
    Schedule all = schedule_make(&a, "linear", 1000, 1e-4, 0.02);
    GaussianDenoiser d = gaussian_denoiser(D, 0.1, 0.2);
    for (int k = 0; k < NELEM(steps); k++) {
        Schedule s = schedule_respace(&a, &all, steps[k]);
        SamplingOptions o = {.sampler = sampler_find("ddim"), .no_clip = true};
        double x[D], image[D];
        for (int i = 0; i < D; i++) x[i] = image[i] = sin(i);
        Crowd one = {0, 1, NULL};
        encode(&d.base, &s, &o, one, x);
        sample_from(&d.base, &s, &o, s.T - 1, one, x);
        error[k] = 0;
        for (int i = 0; i < D; i++) error[k] = fmax(error[k], fabs(x[i] - image[i]));
    }
    for (int k = 1; k < NELEM(steps); k++) check_close(error[k - 1] / error[k], 2, 0.15);
    check(error[3] < 0.02);
    arena_destroy(&a);
}

/* Each kind of timestep draw gives every t its share of weight: E[weight 1(t)] = 1/T. */
static void timesteps_are_unbiased(void)
{
    enum { T = 7, N = 8, ROUNDS = 20000 };
    static const char *const kinds[] = {"uniform", "stratified", "loss_aware", "vp", "ve", "edm"};
    Arena a = arena_create();
    for (int k = 0; k < NELEM(kinds); k++) {
        Timesteps s = timesteps_create(&a, kinds[k], T, 2, 0.01);
        for (int t = 0; t < T; t++)
            for (int i = 0; i < 2; i++) timesteps_add(&s, t, 1 + t);
        double share[T] = {0}, weight[N], sigma[N];
        int time[N];
        for (int r = 0; r < ROUNDS; r++) {
            timesteps_draw(&s, random_stream(1, 2, (uint64_t)r), N, time, weight, sigma);
            for (int n = 0; n < N; n++) share[time[n]] += weight[n];
        }
        for (int t = 0; t < T; t++) check_close(T * share[t] / (N * ROUNDS), 1, 0.03);
    }
    arena_destroy(&a);
}

/* The exact mean and variance of the step down for data N(0, variance): x_{t-1} is
 * c0 x0 + ct x_t and noise, and x0 given x_t has the variance v s^2 / (a^2 v + s^2). */
typedef struct { Denoiser base; GaussianDenoiser mean; } Exact;

static void exact_predict(Denoiser *self, const double *x, const Level *l,
                          const int *label, int N, Answer *answer)
{
    Exact *d = (Exact *)self;
    double v = d->mean.variance, rest = v * l->s * l->s / (l->a * l->a * v + l->s * l->s);
    d->mean.base.predict(&d->mean.base, x, l, label, N, answer);
    for (size_t i = 0; i < (size_t)N * self->size; i++)
        answer->v[i] = log(l->variance + l->c0 * l->c0 * rest);
}

/* Then the bound is the entropy, but for the 256 grey levels. */
static void fill(void *context, int t, double *eps)
{
    random_normals((Random){7, (uint64_t)t}, 0, *(size_t *)context, eps);
}

static void the_bound_is_above_the_entropy_and_near_it(void)
{
    enum { D = 10000 };
    static double x0[D];
    size_t n = D;
    Arena a = arena_create();
    double deviation = 0.2;
    double entropy = log(deviation * sqrt(2 * 3.14159265 * exp(1.0)) * 127.5);
    random_normals((Random){5, 5}, 0, D, x0);
    for (int i = 0; i < D; i++)
        x0[i] = (round((x0[i] * deviation + 1) * 127.5)) / 127.5 - 1;
    Process p = {.schedule = schedule_make(&a, "linear", 1000, 1e-4, 0.02),
                 .variance = variance_find("learned")};
    Exact d = {{.size = D, .gives_v = true, .predict = exact_predict},
               gaussian_denoiser(D, 0, deviation * deviation)};
    Bound b = bound_of(&a, &d.base, &p, x0, 1, NULL, (NoiseSource){fill, &n});
    double bits = entropy / log(2.0);
    check_close(b.total[0] / bits, 1, 0.003);
    p.variance = variance_find("fixed_small");          /* a wrong variance costs bits */
    check(bound_of(&a, &d.mean.base, &p, x0, 1, NULL, (NoiseSource){fill, &n}).total[0] >
          bits + 0.1);
    arena_destroy(&a);
}

/* From x_t on the line from x0 without noise, the way back stays on it; and the noise
 * that is left of x_t's with that of the step makes up x_{t-1}'s:
 *     c0 + ct a_t = a_{t-1},     ct^2 s_t^2 + variance = s_{t-1}^2. */
static void the_posterior_fits_the_marginals(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 100, 1e-3, 0.2);
    for (int t = 0; t < s.T; t++) {
        Level l = schedule_level(&s, t), before = schedule_level(&s, t - 1);
        check_close(l.c0 + l.ct * l.a, before.a, 1e-12);
        check_close(l.ct * l.ct * l.s * l.s + l.variance, before.s * before.s, 1e-12);
    }
    arena_destroy(&a);
}

/* Steps with large losses are drawn more often and weigh less: the weighted mean of
 * anything stays what it is for equally likely steps. */
static void weights_undo_the_choice_of_steps(void)
{
    enum { T = 4, N = 20000 };
    static int t[N];
    static double weight[N], sigma[N];
    Arena a = arena_create();
    Timesteps s = timesteps_create(&a, "loss_aware", T, 1, 0.01);
    for (int i = 0; i < T; i++) timesteps_add(&s, i, 1 + i);
    timesteps_draw(&s, random_stream(1, 2, 3), N, t, weight, sigma);
    double often[T] = {0}, share[T] = {0};
    for (int n = 0; n < N; n++) often[t[n]]++, share[t[n]] += weight[n] / N;
    for (int i = 0; i < T; i++) check_close(share[i], 1.0 / T, 4 / sqrt(N));
    check_close(often[3] / often[0], 4, 0.4);
    arena_destroy(&a);
}

static const Test tests[] = {
    T(the_linear_schedule_is_ddpms), T(respacing_keeps_the_marginals),
    T(single_steps_add_up_to_the_jump), T(samplers_reach_the_gaussian),
    T(an_image_does_not_depend_on_its_batch), T(predictions_go_there_and_back),
    T(guidance_goes_on_in_the_class_direction), T(encoding_and_back_returns_the_image),
    T(timesteps_are_unbiased), T(the_posterior_fits_the_marginals),
    T(weights_undo_the_choice_of_steps), T(the_bound_is_above_the_entropy_and_near_it),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
