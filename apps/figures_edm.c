/* The figures about Karras 2022: how errors fall with calls, what the best denoiser of
 * MNIST answers, and what augmentation does. */
#include <math.h>
#include <string.h>

#include "apps/figures.h"
#include "apps/support/dataset.h"
#include "apps/support/plot.h"
#include "apps/support/run.h"
#include "apps/support/sheet.h"
#include "apps/support/svg.h"
#include "diffusion/augment.h"
#include "diffusion/methods.h"

/* ---- errors of solvers ------------------------------------------------------------- */

enum { SAMPLES = 200, LENGTHS = 8 };

/* From one noise, on a mixture of three Gaussians of the line. */
static double draw_samples(SolverOptions o, double x[SAMPLES])
{
    static const double weight[] = {1, 2, 1}, std[] = {0.15, 0.1, 0.2},
                        mean[] = {-1, 0.2, 1};
    MixtureDenoiser d = mixture_denoiser(1, 3, weight, std, mean);
    o.seed = 7;
    return solve(&d.base, &o, (Crowd){0, SAMPLES, NULL}, x);
}

/* The root mean square distance to where very many steps lead, against the calls: lines
 * of slope -1 and -2 as the orders say. */
void figures_draw_orders(const Figures *f)
{
    static const char *const names[] = {"euler", "heun", "dpmpp", "ab2", "adaptive"};
    enum { NAMES = sizeof names / sizeof *names };
    double truth[SAMPLES], x[SAMPLES];
    draw_samples((SolverOptions){.solver = &solver_heun, .N = 4000}, truth);
    Curve curves[NAMES];
    for (int k = 0; k < NAMES; k++) {
        double *calls = arena_new(f->arena, double, LENGTHS);
        double *error = arena_new(f->arena, double, LENGTHS);
        const Solver *solver = solver_find(names[k]);
        for (int i = 0; i < LENGTHS; i++) {
            bool alone = solver_is_alone(solver);
            SolverOptions o = {.solver = solver, .N = alone ? 2 : 4 << i,
                               .tolerance = 0.2 * pow(4, -i)};
            double sum = 0;
            calls[i] = draw_samples(o, x);
            for (int n = 0; n < SAMPLES; n++)
                sum += (x[n] - truth[n]) * (x[n] - truth[n]);
            error[i] = sqrt(sum / SAMPLES);
        }
        curves[k] = (Curve){names[k], calls, error, LENGTHS};
    }
    plot_write(figures_path(f, "orders.svg"),
               &(Plot){"How far from the exact solution", "calls of the denoiser",
                       "error", true, true},
               curves, NAMES);
}

/* ---- ways in time ------------------------------------------------------------------ */

enum { WAYS = 13, STEPS = 160, WIDE = 270, HIGH = 220, PIXELS = 110 };

/* The line of Karras 2022, figure 3: two values, and noise up to sigma_max. */
static const double line_mean[] = {-1, 1}, line_std[] = {0.1, 0.1},
                    line_weight[] = {1, 1};
static const double line_sigma_min = 0.01, line_sigma_max = 3;

typedef struct {
    Svg *svg;
    Path path;
    const double *t;            /* [STEPS + 1] */
    double left, top, reach;    /* x from -reach to reach */
    Text line[WAYS];
    int step;
} Plane;

static double time_at(const Plane *p, double t)
{
    return p->left + (1 - t / p->t[0]) * WIDE;
}
static double place_at(const Plane *p, double x)
{
    return p->top + (1 - x / p->reach) / 2 * HIGH;
}

static void put_places(Plane *p, const double *x)
{
    double at = time_at(p, p->t[p->step]);
    for (int n = 0; n < WAYS; n++)
        if (fabs(x[n]) < p->reach)
            text_printf(&p->line[n], "%c%.1f %.1f", p->line[n].length ? 'L' : 'M', at,
                        place_at(p, x[n]));
    p->step++;
}

static void watch_places(void *context, const double *x, const double *x0, int left)
{
    (void)x0, (void)left;
    put_places(context, x);
}

/* Noise evenly spread, not drawn, so that the ways are easy to follow. */
static void spread(void *context, int k, double *z)
{
    (void)context, (void)k;
    for (int n = 0; n < WAYS; n++) z[n] = 2.2 * (2.0 * n / (WAYS - 1) - 1);
}

/* p(x; t), each time's column scaled to its own largest. */
static void draw_time_density(Plane *p)
{
    Image image = {PIXELS, PIXELS, 3,
                   arena_new(&p->svg->arena, uint8_t, 3 * PIXELS * PIXELS)};
    for (int c = 0; c < PIXELS; c++) {
        Point q = path_point(&p->path, p->t[0] * (1 - (c + 0.5) / PIXELS));
        double density[PIXELS], most = 0, v = 0.01 + q.sigma * q.sigma;
        for (int r = 0; r < PIXELS; r++) {
            double x = p->reach * (1 - (2 * r + 1.0) / PIXELS) / q.s;
            density[r] = exp(-0.5 * (x - 1) * (x - 1) / v) +
                         exp(-0.5 * (x + 1) * (x + 1) / v);
            most = fmax(most, density[r]);
        }
        for (int i = 0; i < 3 * PIXELS; i++) {
            static const double pale[] = {252, 253, 255}, blue[] = {165, 198, 230};
            double f = density[i / 3] / most;
            image.pixels[(i / 3 * PIXELS + c) * 3 + i % 3] =
                (uint8_t)(pale[i % 3] + f * (blue[i % 3] - pale[i % 3]));
        }
    }
    svg_image(p->svg, (Box){p->left, p->top, WIDE, HIGH}, "", &image);
}

static void draw_plane(Svg *svg, double left, const char *path, const char *scaling,
                       const char *words)
{
    double t[STEPS + 1], x[WAYS];
    MixtureDenoiser d = mixture_denoiser(1, 2, line_weight, line_std, line_mean);
    SolverOptions o = {.solver = &solver_heun, .N = STEPS, .schedule = path,
                       .scaling = scaling, .sigma_min = line_sigma_min,
                       .sigma_max = line_sigma_max, .noise = spread,
                       .watch = watch_places};
    Plane p = {.svg = svg, .path = solver_times(&o, NULL, t), .t = t, .left = left,
               .top = 40};
    Point first = path_point(&p.path, t[0]);
    p.reach = 2.3 * fmax(first.s * first.sigma, 1);
    for (int n = 0; n < WAYS; n++) p.line[n] = (Text){.arena = &svg->arena};
    draw_time_density(&p);
    o.context = &p;
    spread(NULL, 0, x);
    for (int n = 0; n < WAYS; n++) x[n] *= first.s * first.sigma;
    put_places(&p, x);
    solve(&d.base, &o, (Crowd){0, WAYS, NULL}, x);
    for (int n = 0; n < WAYS; n++)
        svg_path(svg, "stroke='#1f6fb4' stroke-width='1.2'", p.line[n].bytes);
    svg_rect(svg, (Box){left, p.top, WIDE, HIGH}, "fill='none' stroke='#99a'");
    svg_text(svg, left, 26, "font-size='13' font-weight='bold' fill='#223'", words);
    svg_text(svg, left, p.top + HIGH + 16, "font-size='12' fill='#334'",
             arena_printf(&svg->arena, "t = %.3g", t[0]));
    svg_text(svg, left + WIDE, p.top + HIGH + 16,
             "font-size='12' fill='#334' text-anchor='end'", "0");
}

/* The same ways to the same images in each; a straight one needs few steps. */
void figures_draw_paths(const Figures *f)
{
    Svg svg = {.arena = arena_create()};
    svg_begin(&svg, 3 * (WIDE + 20) + 20, HIGH + 70);
    draw_plane(&svg, 20, "vp", "vp", "--path vp --scaling vp");
    draw_plane(&svg, 40 + WIDE, "ve", "none", "--path ve");
    draw_plane(&svg, 60 + 2 * WIDE, "linear", "none", "--path linear");
    svg_end(&svg, figures_path(f, "paths.svg"));
}

/* ---- the best denoiser of a data set ----------------------------------------------- */

/* The exact answer for 5000 images of MNIST, two of them under more and more noise. */
void figures_draw_ideal(const Figures *f)
{
    enum { K = 5000, LEVELS = 10, SHOWN = 2 };
    static const double sigma[LEVELS] = {0.2, 0.5, 1, 2, 3, 5, 7, 10, 20, 50};
    Arena *a = f->arena;
    Dataset set = dataset_load(a, "mnist", NULL, DATASET_TRAIN);
    size_t D = (size_t)(set.height * set.width);
    double *mean = arena_new(a, double, K * D), *ones = arena_new(a, double, K);
    double *zeros = arena_new(a, double, K), *eps = arena_new(a, double, D);
    double *x = arena_new(a, double, D), *x0 = arena_new(a, double, D);
    for (size_t i = 0; i < K * D; i++) mean[i] = set.pixels[i] / 127.5 - 1;
    for (int k = 0; k < K; k++) ones[k] = 1, zeros[k] = 0;
    MixtureDenoiser d = mixture_denoiser(D, K, ones, zeros, mean);

    uint8_t *pixels = arena_new(a, uint8_t, 2 * SHOWN * LEVELS * D);
    const char *heads[LEVELS];
    for (int l = 0; l < LEVELS; l++) heads[l] = arena_printf(a, "%g", sigma[l]);
    for (int s = 0; s < SHOWN; s++) {
        random_normals(random_stream(3, 0, (uint64_t)s), 0, D, eps);
        for (int l = 0; l < LEVELS; l++) {
            for (size_t i = 0; i < D; i++)
                x[i] = mean[(size_t)s * D + i] + sigma[l] * eps[i];
            d.base.predict(&d.base, x, &(Level){.a = 1, .s = sigma[l]}, NULL, 1,
                           &(Answer){.x0 = x0});
            /* Noise is drawn as large as black and white allow. */
            for (size_t i = 0; i < D; i++) x[i] /= sqrt(1 + sigma[l] * sigma[l]);
            to_bytes(pixels + ((size_t)(2 * s) * LEVELS + (size_t)l) * D, x, D);
            to_bytes(pixels + ((size_t)(2 * s + 1) * LEVELS + (size_t)l) * D, x0, D);
        }
    }
    static const char *const rows[] = {"x", "D(x; sigma)", "x", "D(x; sigma)"};
    Pictures p = {2 * SHOWN * LEVELS, set.height, set.width, 1, pixels};
    sheet_write(figures_path(f, "ideal.svg"), &(Sheet){LEVELS, 2, heads, rows, NULL}, &p);
}

/* ---- augmentation ------------------------------------------------------------------ */

enum { STRENGTHS = 5 };

/* A digit in orange on blue: colours show the colour transforms. */
static double *colour_digit(const Figures *f, const Dataset *set, int n)
{
    static const double ink[] = {1, 0.3, -0.6}, paper[] = {-0.7, -0.5, -0.1};
    size_t D = (size_t)(set->height * set->width);
    double *x = arena_new(f->arena, double, 3 * D);
    for (size_t i = 0; i < 3 * D; i++) {
        double grey = set->pixels[(size_t)n * D + i / 3] / 255.0;
        x[i] = paper[i % 3] + grey * (ink[i % 3] - paper[i % 3]);
    }
    return x;
}

void figures_draw_augment(const Figures *f)
{
    static const struct {
        const char *kind;
        double w[STRENGTHS][2];
    } kinds[AUGMENTATIONS] = {
        {"xflip", {{0}, {1}, {0}, {1}, {0}}},
        {"yflip", {{0}, {1}, {0}, {1}, {0}}},
        {"scale", {{-2}, {-1}, {0}, {1}, {2}}},
        {"rotate_frac", {{-1.6}, {-0.8}, {0}, {0.8}, {1.6}}},
        {"aniso", {{-2, 0}, {2, 0}, {0}, {2, 0.8}, {-2, 0.8}}},
        {"translate_frac", {{-1.5, 0}, {1.5, 0}, {0}, {0, 1.5}, {1, -1}}},
        {"rotate_int", {{1}, {2}, {0}, {3}, {1}}},
        {"translate_int", {{-3, 0}, {3, 0}, {0}, {0, 3}, {2, -2}}},
        {"brightness", {{-2}, {-1}, {0}, {1}, {2}}},
        {"contrast", {{-2}, {-1}, {0}, {1}, {2}}},
        {"lumaflip", {{0}, {1}, {0}, {1}, {0}}},
        {"hue", {{-2.4}, {-1.2}, {0}, {1.2}, {2.4}}},
        {"saturation", {{-3}, {-1.5}, {0}, {1}, {2}}},
    };
    Dataset set = dataset_load(f->arena, "mnist", NULL, DATASET_TEST);
    size_t D = 3 * (size_t)(set.height * set.width);
    uint8_t *pixels = arena_new(f->arena, uint8_t, AUGMENTATIONS * STRENGTHS * D);
    const char *rows[AUGMENTATIONS], *notes[AUGMENTATIONS];
    for (int k = 0; k < AUGMENTATIONS; k++) {
        unsigned bit = augment_kinds(kinds[k].kind);
        Text note = {.arena = f->arena};
        for (int s = 0; s < STRENGTHS; s++) {
            Augment all = {0};
            double label[MAX_AUGMENT_LABELS], *x = colour_digit(f, &set, 0);
            const double *w = kinds[k].w[s];
            for (int i = 0; i < AUGMENTATIONS; i++)
                if (bit >> i & 1) memcpy(all.w[i], w, sizeof all.w[i]);
            augment_apply(bit, &all, &(Picture){set.height, set.width, 3}, x, label);
            to_bytes(pixels + (size_t)(k * STRENGTHS + s) * D, x, D);
            text_printf(&note, w[1] ? "%s(%g %g)" : "%s%g", s ? ", " : "w = ", w[0],
                        w[1]);
        }
        rows[k] = kinds[k].kind, notes[k] = note.bytes;
    }
    Pictures p = {AUGMENTATIONS * STRENGTHS, set.height, set.width, 3, pixels};
    sheet_write(figures_path(f, "augment.svg"), &(Sheet){STRENGTHS, 2, NULL, rows, notes},
                &p);
}
