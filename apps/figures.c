/* drift figures: the pictures of the chapter on diffusion, drawn by the code that it
 * explains. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/figures.h"
#include "apps/support/dataset.h"
#include "apps/support/image.h"
#include "apps/support/options.h"
#include "apps/support/plot.h"
#include "apps/support/png.h"
#include "apps/support/run.h"
#include "diffusion/likelihood.h"
#include "tensor/error.h"
#include "tensor/random.h"

enum { T = 1000, COLUMNS = 11, SCHEDULES = 6 };

static const char *const schedules[SCHEDULES] = {"linear", "quadratic", "warmup10",
                                                 "cosine", "sqrt", "sigmoid"};

const char *figures_path(const Figures *f, const char *name)
{
    return arena_printf(f->arena, "%s/%s", f->folder, name);
}

static double *new_curve(const Figures *f) { return arena_new(f->arena, double, T); }

/* How much of the image is left at each step. */
static void draw_schedules(const Figures *f)
{
    Curve curves[SCHEDULES];
    for (int k = 0; k < SCHEDULES; k++) {
        Schedule s = schedule_make(f->arena, schedules[k], T, 1e-4, 0.02);
        curves[k] = (Curve){schedules[k], f->t, s.alpha_bar, T};
    }
    plot_write(figures_path(f, "schedules.svg"),
               &(Plot){"What is left of the image: alpha_bar", "t", "alpha_bar", false,
                       false},
               curves, SCHEDULES);
}

/* L_t is a weight times the squared error of eps: (c0 s / a)^2 / (2 sigma^2), which is
 * beta^2 / (2 sigma^2 alpha (1 - alpha_bar)) (Ho 2020, eq. 12).  L_simple takes 1. */
static void draw_weights(const Figures *f)
{
    static const char *const names[] = {"linear", "cosine"};
    static const char *const variances[] = {"fixed_small", "fixed_large"};
    Curve curves[5];
    int count = 0;
    for (int k = 0; k < 2; k++)
        for (int v = 0; v < 2; v++) {
            Schedule s = schedule_make(f->arena, names[k], T, 1e-4, 0.02);
            double *weight = new_curve(f);
            for (int t = 0; t < T; t++) {
                Level l = schedule_level(&s, t);
                double shift = l.c0 * l.s / l.a;
                double variance = variance_find(variances[v])->variance(0, &l);
                weight[t] = variance > 0 ? shift * shift / (2 * variance) : NAN;
            }
            curves[count++] =
                (Curve){arena_printf(f->arena, "%s, %s", names[k], variances[v]), f->t,
                        weight, T};
        }
    double *one = new_curve(f);
    for (int t = 0; t < T; t++) one[t] = 1;
    curves[count++] = (Curve){"L_simple", f->t, one, T};
    plot_write(figures_path(f, "weights.svg"),
               &(Plot){"The weight of the squared error in the bound", "t + 1", "", true,
                       true},
               curves, count);
}

/* How much more noise than the posterior's the larger of the two variances has. */
static void draw_variances(const Figures *f)
{
    static const int lengths[] = {100, 1000, 4000};
    Curve curves[3];
    for (int k = 0; k < 3; k++) {
        int n = lengths[k];
        Schedule s = schedule_make(f->arena, "cosine", n, 1e-4, 0.02);
        double *x = arena_new(f->arena, double, (size_t)n);
        double *y = arena_new(f->arena, double, (size_t)n);
        for (int t = 0; t < n; t++) {
            Level l = schedule_level(&s, t);
            x[t] = (t + 1.0) / n;
            y[t] = l.variance / exp(l.log_beta);
        }
        curves[k] = (Curve){arena_printf(f->arena, "%d steps", n), x, y, n};
    }
    plot_write(figures_path(f, "variances.svg"),
               &(Plot){"fixed_small / fixed_large", "(t + 1) / T", "", true, false},
               curves, 3);
}

/* The same image with the same noise, more and more of it: a row a schedule. */
static void draw_forward(const Figures *f)
{
    Dataset d = dataset_load(f->arena, "mnist", NULL, DATASET_TEST);
    size_t D = (size_t)(d.height * d.width * d.channels);
    double *eps = arena_new(f->arena, double, D), *x = arena_new(f->arena, double, D);
    uint8_t *pixels = arena_new(f->arena, uint8_t, SCHEDULES * COLUMNS * D), *to = pixels;
    random_normals((Random){1, 1}, 0, D, eps);
    for (int k = 0; k < SCHEDULES; k++) {
        Schedule s = schedule_make(f->arena, schedules[k], T, 1e-4, 0.02);
        for (int c = 0; c < COLUMNS; c++, to += D) {
            Level l = schedule_level(&s, c * T / (COLUMNS - 1) - 1);
            for (size_t i = 0; i < D; i++)
                x[i] = l.a * (d.pixels[(size_t)k * D + i] / 127.5 - 1) + l.s * eps[i];
            to_bytes(to, x, D);
        }
    }
    Pictures p = {SCHEDULES * COLUMNS, d.height, d.width, d.channels, pixels};
    Image grid = image_grid(f->arena, &p, COLUMNS, 2);
    png_write(figures_path(f, "forward.png"), &grid);
}

/* L_t and the error of eps by step, for test digits and a network that needs no
 * training: the optimum for blurred copies of a few training digits (denoiser.h). */
enum { COPIES = 100, IMAGES = 4 };

static void fill_noise(void *context, int t, double *eps)
{
    random_normals((Random){2, (uint64_t)t}, 0, *(size_t *)context, eps);
}

static void draw_losses(const Figures *f)
{
    Dataset train = dataset_load(f->arena, "mnist", NULL, DATASET_TRAIN);
    Dataset test = dataset_load(f->arena, "mnist", NULL, DATASET_TEST);
    size_t D = (size_t)(test.height * test.width), n = IMAGES * D;
    double *mean = arena_new(f->arena, double, COPIES * D);
    double *x0 = arena_new(f->arena, double, n);
    double weight[COPIES], std[COPIES];
    for (size_t i = 0; i < COPIES * D; i++) mean[i] = train.pixels[i] / 127.5 - 1;
    for (size_t i = 0; i < n; i++) x0[i] = test.pixels[i] / 127.5 - 1;
    for (int k = 0; k < COPIES; k++) weight[k] = 1.0 / COPIES, std[k] = 0.3;
    MixtureDenoiser d = mixture_denoiser(D, COPIES, weight, std, mean);
    static const char *const names[] = {"linear", "cosine"};
    Curve curves[4];
    for (int k = 0; k < 2; k++) {
        Process p = {.schedule = schedule_make(f->arena, names[k], T, 1e-4, 0.02),
                     .variance = variance_find("fixed_small")};
        NoiseSource noise = {fill_noise, &n};
        Bound b = bound_of(f->arena, &d.base, &p, x0, IMAGES, NULL, noise);
        double *bits = new_curve(f), *eps = new_curve(f);
        for (int t = 0; t < T; t++) {
            bits[t] = eps[t] = 0;
            for (int i = 0; i < IMAGES; i++) {
                bits[t] += b.term[i * T + t].bits / IMAGES;
                eps[t] += b.term[i * T + t].eps_mse / IMAGES;
            }
        }
        const char *bits_of = arena_printf(f->arena, "L_t in bits/dim, %s", names[k]);
        const char *eps_of = arena_printf(f->arena, "eps mse, %s", names[k]);
        curves[k] = (Curve){bits_of, f->t, bits, T};
        curves[2 + k] = (Curve){eps_of, f->t, eps, T};
    }
    plot_write(figures_path(f, "losses.svg"),
               &(Plot){"The bound and the error of eps by step", "t + 1", "", true, true},
               curves, 4);
}

static const struct { const char *name; void (*draw)(const Figures *f); } figures[] = {
    {"forward.png", draw_forward},        {"schedules.svg", draw_schedules},
    {"weights.svg", draw_weights},        {"variances.svg", draw_variances},
    {"losses.svg", draw_losses},
    {"paths.svg", figures_draw_paths},    {"orders.svg", figures_draw_orders},
    {"ideal.svg", figures_draw_ideal},    {"augment.svg", figures_draw_augment},
};
enum { FIGURES = sizeof figures / sizeof *figures };

int figures_main(int argc, char **argv)
{
    const char *out = "diffusion/figures", *only = "";
    Option options[] = {
        {"out", OPTION_TEXT, &out, "FOLDER", "where to", 0},
        {"only", OPTION_TEXT, &only, "NAME", "the figures whose names hold it [all]", 0},
        {0},
    };
    Usage usage = {"drift figures [options]",
                   "Draws the figures of diffusion/README.md:", 0};
    for (int k = 0; k < FIGURES; k++)
        usage.about = arena_printf(scratch(), "%s\n  %s", usage.about, figures[k].name);
    options_parse(argc, argv, &usage, options, NULL);
    Arena a = arena_create();
    Figures f = {&a, out, arena_new(&a, double, T)};
    for (int t = 0; t < T; t++) f.t[t] = t + 1;
    folder_make(out);
    for (int k = 0; k < FIGURES; k++) {
        if (!strstr(figures[k].name, only)) continue;
        figures[k].draw(&f);
        printf("%s/%s\n", out, figures[k].name);
    }
    return 0;
}
