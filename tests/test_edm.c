/* Karras 2022's design space against what can be known without any network: exact
 * denoisers, whose differential equation has a solution in closed form. */
#include <string.h>

#include "apps/support/sampling.h"
#include "diffusion/augment.h"
#include "tests/check.h"

static const double sigma_max = 80;

/* ---- preconditioning --------------------------------------------------------------- */

/* With data of variance 0.25 the network of prediction edm sees and gives numbers of
 * variance 1 at every level, and in every scale of x. */
static void the_network_sees_and_gives_variance_one(void)
{
    static const double sigmas[] = {0.002, 0.1, 0.5, 3, 80};
    const Prediction *p = prediction_find("edm");
    for (int k = 0; k < NELEM(sigmas); k++)
        for (double a = 1; a > 0.1; a -= 0.3) {
            Level l = conditioning_level(NULL, a, sigmas[k]);
            double of_x0 = p->target(1, 0, &l), of_eps = p->target(0, 1, &l);
            check_close(p->input(&l) * p->input(&l) * (0.25 * l.a * l.a + l.s * l.s), 1,
                        1e-12);
            check_close(0.25 * of_x0 * of_x0 + of_eps * of_eps, 1, 1e-12);
        }
}

/* Each network is told the same of a level whether a sampler is on the schedule or on a
 * path. */
static void a_network_recognises_its_levels(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 1000, 1e-4, 0.02);
    Conditioning c = conditioning_make(&a, "schedule", &s);
    for (int t = 0; t < 1000; t += 37) {
        Level l = schedule_level(&s, t),
              on_path = conditioning_level(&c, 1, l.s / l.a * 1.0001);
        check_close(on_path.t, t, 0);
        check_close(conditioning_round(&c, l.s / l.a * 1.0001), l.s / l.a, 0);
    }
    arena_destroy(&a);
}

/* A step of ddim is a step of euler in x/a and sigma = s/a. */
static void ddim_is_euler(void)
{
    Arena a = arena_create();
    Schedule s = schedule_make(&a, "linear", 100, 1e-3, 0.2);
    GaussianDenoiser d = gaussian_denoiser(1, 0.2, 0.1);
    Level now = schedule_level(&s, 60), next = schedule_level(&s, 50);
    SamplingOptions o = {.sampler = sampler_find("ddim"), .no_clip = true};
    double start = 0.7, x = start, x0, sigma = now.s / now.a, y = start / now.a;
    sample_move(&d.base, &o, now, next, (Crowd){0, 1, NULL}, &x, &x0);
    y += (next.s / next.a - sigma) * (y - x0) / sigma;
    check_close(x / next.a, y, 1e-14);
    arena_destroy(&a);
}

/* Karras 2022, eq. 8: lambda |D - x0|^2, summed over the pixels, lambda = 1 / c_out^2, is
 * the squared error of the network's own output. */
static void the_loss_is_weighted_by_c_out(void)
{
    double x0[4] = {0.3, -1, 0.8, 0}, eps[4] = {1.2, -0.4, 0.1, -2}, sigma = 0.7,
           want = 0;
    Real out[4] = {(Real)0.5, (Real)-0.25, 1, 0};
    Tape t = tape_create();
    Arena a = arena_create();
    Level l = conditioning_level(NULL, 1, sigma);
    Process p = {.schedule = schedule_make(&a, "linear", 10, 1e-4, 0.02),
                 .prediction = prediction_find("edm"),
                 .variance = variance_find("fixed_small"),
                 .loss = "mse_sum"};
    Batch b = {1, x0, eps, &l, NULL, NULL, NULL};
    Var *F = tape_leaf(&t, "F", SHAPE(1, 2, 2, 1), out, NULL);
    Var *loss = objective_losses(&t, &p, F, &b).total;
    double c_out = sigma * 0.5 / sqrt(sigma * sigma + 0.25);
    for (int i = 0; i < 4; i++) {
        double D = p.prediction->to_x0((double)out[i], x0[i] + sigma * eps[i], &l);
        want += pow((D - x0[i]) / c_out, 2);
    }
    check_close((double)loss->value[0], want, 1e-5);
    p.loss = "mse";
    check_close((double)objective_losses(&t, &p, F, &b).total->value[0], want / 4, 1e-5);
    tape_destroy(&t);
    arena_destroy(&a);
}

/* ---- the ideal denoiser ------------------------------------------------------------ */

enum { POINTS = 20, D = 3 };

static MixtureDenoiser data_set(double points[POINTS * D])
{
    static double weight[POINTS], none[POINTS];
    random_normals(random_stream(5, 0, 0), 0, POINTS * D, points);
    for (int k = 0; k < POINTS; k++) weight[k] = 1;
    return mixture_denoiser(D, POINTS, weight, none, points);
}

static void the_ideal_denoiser_goes_from_the_mean_to_the_nearest(void)
{
    double points[POINTS * D], x[D], x0[D];
    MixtureDenoiser d = data_set(points);
    for (int i = 0; i < D; i++) x[i] = points[7 * D + i] + 0.01;
    d.base.predict(&d.base, x, &(Level){.a = 1, .s = 0.02}, NULL, 1, &(Answer){.x0 = x0});
    for (int i = 0; i < D; i++) check_close(x0[i], points[7 * D + i], 1e-9);
    d.base.predict(&d.base, x, &(Level){.a = 1, .s = 1e5}, NULL, 1, &(Answer){.x0 = x0});
    for (int i = 0; i < D; i++) {
        double mean = 0;
        for (int k = 0; k < POINTS; k++) mean += points[k * D + i] / POINTS;
        check_close(x0[i], mean, 1e-6);
    }
}

/* Noise goes to points of the data set, and to most of them. */
static void samples_of_a_data_set_are_its_points(void)
{
    enum { N = 64 };
    double points[POINTS * D], x[N * D];
    MixtureDenoiser d = data_set(points);
    SolverOptions o = {.solver = solver_find("heun"), .N = 18, .seed = 1};
    check_int((int)solve(&d.base, &o, (Crowd){0, N, NULL}, x), 2 * 18 - 1);
    bool drawn[POINTS] = {false};
    for (int n = 0; n < N; n++) {
        double nearest = INFINITY;
        int which = 0;
        for (int k = 0; k < POINTS; k++) {
            double off = 0;
            for (int i = 0; i < D; i++) off += pow(x[n * D + i] - points[k * D + i], 2);
            if (off < nearest) nearest = off, which = k;
        }
        check_at_most(sqrt(nearest), 0.01, "the distance to the data set");
        drawn[which] = true;
    }
    int count = 0;
    for (int k = 0; k < POINTS; k++) count += drawn[k];
    check_at_most(POINTS - count, POINTS / 2, "the points never drawn");
}

/* ---- solvers ----------------------------------------------------------------------- */

/* For data N(m, v) the solution is x(sigma) = m + (x_0 - m) sqrt((v + sigma^2) / (v +
 * sigma_0^2)). */
static double error_of(SolverOptions o, int N)
{
    double mean = 0.2, v = 0.5 * 0.5, z, x;
    GaussianDenoiser d = gaussian_denoiser(1, mean, v);
    o.N = N, o.sigma_min = 1e-4, o.sigma_max = sigma_max, o.seed = 4;
    sample_noise(o.seed, (Crowd){0, 1, NULL}, 1, 0, &z);
    solve(&d.base, &o, (Crowd){0, 1, NULL}, &x);
    double start = z * sigma_max - mean;
    return fabs(x - mean - start * sqrt(v / (v + sigma_max * sigma_max)));
}

/* Twice as many steps: the error falls by 2^order.  (Of the midpoint rule, alpha = 1/2,
 * the leading error happens to cancel for Gaussian data.) */
static void each_solver_has_its_order(void)
{
    static const struct Row { const char *solver; double alpha, order;
    } rows[] = {
        {"euler", 0, 1},      {"heun", 1, 2},  {"heun", 0.5, 3},
        {"heun", 2 / 3.0, 2}, {"dpmpp", 0, 2}, {"ab2", 0, 2},
    };
    for (const struct Row *r = rows; r < rows + NELEM(rows); r++) {
        SolverOptions o = {.solver = solver_find(r->solver), .alpha = r->alpha};
        double order = log2(error_of(o, 128) / error_of(o, 256));
        check_close(order, r->order, 0.2);
    }
}

/* A tenth of the tolerance: a tenth of the error (heun's, of order 2), for which steps
 * need to be sqrt 10 times shorter (euler's error in a step falls with their square). */
static void an_adaptive_step_is_as_long_as_the_error_allows(void)
{
    double error[2], calls[2], x;
    GaussianDenoiser d = gaussian_denoiser(1, 0.2, 0.25);
    for (int k = 0; k < 2; k++) {
        SolverOptions o = {.solver = solver_find("adaptive"), .N = 2, .seed = 4,
                           .tolerance = k ? 1e-7 : 1e-6, .sigma_min = 1e-4,
                           .sigma_max = sigma_max};
        error[k] = error_of(o, 2);
        calls[k] = solve(&d.base, &o, (Crowd){0, 1, NULL}, &x);
    }
    check_close(log10(error[0] / error[1]), 1, 0.15);
    check_close(calls[1] / calls[0], sqrt(10), 0.15);
    check_at_most(error[1], 2e-7, "the error with a tolerance of 1e-7");
}

/* N(0.2, 0.15^2), whatever the way: of 4000 numbers the mean is within four of its
 * standard errors, the deviation within four and what so many steps are off. */
static void every_row_of_the_table_draws_the_data(void)
{
    enum { N = 400, SIZE = 10 };
    static double x[N * SIZE];
    Arena a = arena_create();
    Schedule schedule = schedule_make(&a, "linear", 1000, 1e-4, 0.02);
    GaussianDenoiser d = gaussian_denoiser(SIZE, 0.2, 0.15 * 0.15);
    for (const Method *m = methods; m->name; m++) {
        Sampling s = {.name = m->name, .steps = m->solver ? "60" : "0"};
        sampling_choose(&s, 2);
        sampling_run(&s, &d.base, &schedule, (Crowd){0, N, NULL}, x);
        double sum = 0, square = 0, n = N * SIZE;
        for (int i = 0; i < N * SIZE; i++) sum += x[i], square += pow(x[i] - 0.2, 2);
        check_close(sum / n, 0.2, 4 * 0.15 / sqrt(n));
        check_close(sqrt(square / n) / 0.15, 1, 4 / sqrt(2 * n) + 0.05);
    }
    arena_destroy(&a);
}

static void ask_for_ddpm_on_a_path(void *unused) { (void)unused, solver_find("ddpm"); }
static void ask_for_heun_on_steps(void *unused) { (void)unused, sampler_find("heun"); }
static void ask_for_nonsense(void *unused) { (void)unused, method_find("heum"); }

static void a_name_of_the_other_kind_is_refused(void)
{
    check_stops(ask_for_ddpm_on_a_path, NULL, "not along a path");
    check_stops(ask_for_heun_on_steps, NULL, "heun goes along a path");
    check_stops(ask_for_nonsense, NULL, "the samplers are ddpm, ddim, euler, heun");
}

/* With the exact denoiser it does not matter how much noise is added on the way. */
static void churn_keeps_the_distribution(void)
{
    enum { N = 400, SIZE = 10 };
    static double x[N * SIZE];
    GaussianDenoiser d = gaussian_denoiser(SIZE, 0.2, 0.15 * 0.15);
    SolverOptions o = {.solver = solver_find("heun"),
                       .N = 100,
                       .churn = 40,
                       .s_min = 0.01,
                       .s_max = 50,
                       .seed = 2};
    solve(&d.base, &o, (Crowd){0, N, NULL}, x);
    double sum = 0, square = 0, n = N * SIZE;
    for (int i = 0; i < N * SIZE; i++) sum += x[i], square += pow(x[i] - 0.2, 2);
    check_close(sum / n, 0.2, 4 * 0.15 / sqrt(n));
    check_close(sqrt(square / n) / 0.15, 1, 4 / sqrt(2 * n) + 0.005);
}

/* From one noise every choice of stops, schedule and scaling leads to the same image,
 * sooner or later. */
static void all_paths_end_at_the_same_image(void)
{
    static const double weight[] = {1, 2, 1}, std[] = {0.3, 0.2, 0.3},
                        mean[] = {-1, 0.2, 1};
    static const char *const stops[] = {"edm", "vp", "ve"}, *const scalings[] = {"none",
                                                                                 "vp"};
    static const char *const paths[] = {"linear", "ve", "vp"};
    enum { N = 10 };
    double x[N], first[N];
    MixtureDenoiser d = mixture_denoiser(1, 3, weight, std, mean);
    for (int i = 0; i < 3 * 3 * 2; i++) {
        SolverOptions o = {.solver = solver_find("heun"),
                           .N = 1000,
                           .stops = stops[i / 6],
                           .schedule = paths[i / 2 % 3],
                           .scaling = scalings[i % 2],
                           .sigma_min = 0.02,
                           .sigma_max = sigma_max,
                           .seed = 3};
        solve(&d.base, &o, (Crowd){0, N, NULL}, x);
        if (i == 0) memcpy(first, x, sizeof x);
        for (int n = 0; n < N; n++) check_close(x[n], first[n], 2e-3);
    }
}

static void an_image_does_not_depend_on_its_batch(void)
{
    double batch[4 * 2], alone[2];
    GaussianDenoiser d = gaussian_denoiser(2, 0, 0.1);
    for (const Method *m = methods; m->name; m++) {
        if (!m->solver) continue;
        SolverOptions o = {.solver = m->solver, .N = 8, .churn = 4, .seed = 1};
        solve(&d.base, &o, (Crowd){5, 4, NULL}, batch);
        solve(&d.base, &o, (Crowd){7, 1, NULL}, alone);
        check(memcmp(alone, batch + 4, sizeof alone) == 0);
    }
}

/* ---- augmentation ------------------------------------------------------------------ */

enum { SIDE = 16 };

static void draw_hill(double x[SIDE * SIDE], double row, double column)
{
    for (int i = 0; i < SIDE * SIDE; i++)
        x[i] = exp(-(pow(i / SIDE - row, 2) + pow(i % SIDE - column, 2)) / 8);
}

/* A hill moved by a fraction of a pixel, and turned by a quarter, is where it should
 * be. */
static void pictures_move_as_told(void)
{
    static const struct Row { const char *kind; double w[2], row, column; } rows[] = {
        {"translate_frac", {0.4, 0}, 6, 9.8}, {"translate_frac", {0, -0.4}, 5.2, 9},
        {"xflip", {1, 0}, 6, 6}, {"translate_int", {2, 0}, 6, 11},
        {"rotate_frac", {0, 0}, 6, 9}, {"scale", {0, 0}, 6, 9},
    };
    Picture size = {SIDE, SIDE, 1};
    for (const struct Row *r = rows; r < rows + NELEM(rows); r++) {
        double x[SIDE * SIDE], want[SIDE * SIDE], label[MAX_AUGMENT_LABELS], worst = 0;
        unsigned kinds = augment_kinds(r->kind);
        Augment a = {0};
        for (int k = 0; k < AUGMENTATIONS; k++)
            if (kinds >> k & 1) memcpy(a.w[k], r->w, sizeof r->w);
        draw_hill(x, 6, 9), draw_hill(want, r->row, r->column);
        augment_apply(kinds, &a, &size, x, label);
        for (int i = 0; i < SIDE * SIDE; i++) worst = fmax(worst, fabs(x[i] - want[i]));
        check_at_most(worst, 0.02, r->kind);
    }
}

static void augmentations_come_as_often_as_told(void)
{
    enum { N = 2000 };
    unsigned kinds = augment_kinds(augment_edm);
    Picture size = {SIDE, SIDE, 1};
    int used[AUGMENTATIONS] = {0};
    for (int n = 0; n < N; n++) {
        Augment a = augment_draw(kinds, 0.2, &size, random_stream(1, 0, 0), (uint64_t)n);
        for (int k = 0; k < AUGMENTATIONS; k++) used[k] += a.w[k][0] != 0;
    }
    check_int(augment_label_count(kinds), 9);
    check_close(used[0], 0.5 * N, 90);          /* xflip: a coin, always thrown */
    check_close(used[1], 0.1 * N, 55);          /* yflip: a coin, sometimes */
    check_close(used[4], 0.2 * N, 75);          /* scale */
    check_int(used[8], 0);
}

static const Test tests[] = {
    T(the_network_sees_and_gives_variance_one), T(a_network_recognises_its_levels),
    T(ddim_is_euler), T(the_loss_is_weighted_by_c_out),
    T(the_ideal_denoiser_goes_from_the_mean_to_the_nearest),
    T(samples_of_a_data_set_are_its_points), T(each_solver_has_its_order),
    T(an_adaptive_step_is_as_long_as_the_error_allows),
    T(every_row_of_the_table_draws_the_data), T(a_name_of_the_other_kind_is_refused),
    T(churn_keeps_the_distribution), T(all_paths_end_at_the_same_image),
    T(an_image_does_not_depend_on_its_batch), T(pictures_move_as_told),
    T(augmentations_come_as_often_as_told),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
