/* drift progress, drift fork, drift interpolate: how noise becomes an image, looked at on
 * its way (Ho 2020, figures 6 to 9). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/dataset.h"
#include "apps/support/image.h"
#include "apps/support/options.h"
#include "apps/support/png.h"
#include "apps/support/run.h"
#include "diffusion/guidance.h"
#include "diffusion/interpolate.h"
#include "diffusion/sampler.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

typedef struct {
    const char *run, *out, *sampler, *steps;
    double eta, temperature, guidance, at[MAX_LIST];
    int count, columns, label, from, to, threads;
    bool train;
    long seed;
} CommandLine;

/* A model ready for drawing, and the picture that is being made. */
typedef struct {
    const CommandLine *c;
    Arena arena;
    Model model;
    NetworkDenoiser network;
    ClassifierFree denoiser;
    Schedule schedule;
    SamplingOptions options;
    size_t size;                    /* numbers in an image */
    int rows, columns;
    uint8_t *pixels;                /* [rows, columns, size] */
} Studio;

static uint8_t *cell(const Studio *s, int row, int column)
{
    return s->pixels + ((size_t)row * (size_t)s->columns + (size_t)column) * s->size;
}

static void lay_out(Studio *s, int rows, int columns)
{
    s->rows = rows, s->columns = columns;
    s->pixels = arena_new(&s->arena, uint8_t, (size_t)(rows * columns) * s->size);
}

/* The step that a share of the way up the chain is. */
static int step_of(const Studio *s, double share)
{
    int t = (int)lround(share * s->schedule.T) - 1;
    if (t < 0 || t >= s->schedule.T)
        fail_usage("--at %g: want shares of the chain, above 0 and up to 1", share);
    return t;
}

static int count_places(const CommandLine *c)
{
    int n = 0;
    while (n < MAX_LIST && c->at[n] > 0) n++;
    if (n == 0) fail_usage("--at: want shares of the chain, above 0 and up to 1");
    return n;
}

/* The class that was asked for, or none, N times; NULL for a model without classes. */
static int *one_label(Studio *s, int N)
{
    if (!s->model.config.unet.classes) return NULL;
    if (s->c->label < 0 && s->model.config.label_dropout == 0)
        fail_usage("--class: which?  This model was not trained to draw without");
    int *labels = make_labels(&s->arena, s->model.config.unet.classes, N, s->c->label);
    for (int n = 0; n < N; n++) labels[n] = s->c->label;
    return labels;
}

/* ---- progress: images, each with x_t above and x0_hat below ------------------------ */

/* Column k is taken when this many steps are left. */
static int steps_left(const Studio *s, int k)
{
    int last = s->columns - 1;
    return (int)lround((double)(s->schedule.T - 1) * (last - k) / last);
}

static void record(void *context, const double *x, const double *x0, int left)
{
    Studio *s = context;
    for (int k = 0; k < s->columns; k++)
        for (int n = 0; left == steps_left(s, k) && n < s->c->count; n++) {
            to_bytes(cell(s, 2 * n, k), x + (size_t)n * s->size, s->size);
            to_bytes(cell(s, 2 * n + 1, k), x0 + (size_t)n * s->size, s->size);
        }
}

static void draw_progress(Studio *s)
{
    const CommandLine *c = s->c;
    double *x = arena_new(&s->arena, double, (size_t)c->count * s->size);
    int *labels = make_labels(&s->arena, s->model.config.unet.classes, c->count,
                              c->label);
    lay_out(s, 2 * c->count, c->columns);
    s->options.watch = record, s->options.context = s;
    sample(&s->denoiser.base, &s->schedule, &s->options, (Crowd){0, c->count, labels}, x);
}

/* ---- fork: a row an x_t of one way down, and images that share the way to it ------- */

static void draw_fork(Studio *s)
{
    const CommandLine *c = s->c;
    int rows = count_places(c);
    double *trunk = arena_new(&s->arena, double, s->size);
    double *x = arena_new(&s->arena, double, (size_t)c->count * s->size);
    int *labels = one_label(s, c->count);
    Denoiser *d = &s->denoiser.base;
    lay_out(s, rows, 1 + c->count);
    for (int k = 0; k < rows; k++) {
        Crowd one = {0, 1, labels}, others = {1, c->count, labels};
        int top = s->schedule.T - 1, t = step_of(s, c->at[k]);
        sample_noise(s->options.seed, one, s->size, 0, trunk);
        sample_between(d, &s->schedule, &s->options, top, t, one, trunk);
        for (int n = 0; n < c->count; n++)
            memcpy(x + (size_t)n * s->size, trunk, s->size * sizeof *x);
        sample_from(d, &s->schedule, &s->options, t, others, x);
        to_bytes(cell(s, k, 0), trunk, s->size);
        to_bytes(cell(s, k, 1), x, (size_t)c->count * s->size);
    }
}

/* ---- interpolate: a row a t; at its ends the two pictures -------------------------- */

/* Fills ends [2, size] with the two pictures, and the outer cells of each row. */
static void load_ends(Studio *s, double *ends)
{
    const char *source, *data;
    run_source(&s->arena, s->c->run, &source, &data);
    DatasetPart part = s->c->train ? DATASET_TRAIN : DATASET_TEST;
    Dataset d = dataset_load(&s->arena, source, data, part);
    for (int k = 0; k < 2; k++) {
        int n = k ? s->c->to : s->c->from;
        if (n >= d.count)
            fail_usage("--%s %d: %s has the pictures 0 to %d", k ? "to" : "from", n,
                       d.name, d.count - 1);
        const uint8_t *picture = d.pixels + (size_t)n * s->size;
        double *end = ends + (size_t)k * s->size;
        for (size_t i = 0; i < s->size; i++) end[i] = picture[i] / 127.5 - 1;
        for (int row = 0; row < s->rows; row++)
            memcpy(cell(s, row, k ? s->columns - 1 : 0), picture, s->size);
    }
}

/* The two pictures at step t: with ddim what it makes them from, else a draw from q. */
static void lift(Studio *s, int t, const int *labels, const double *ends, double *x)
{
    Crowd two = {0, 2, labels};
    size_t n = 2 * s->size;
    double *other = arena_new(&s->arena, double, n);
    memcpy(x, ends, n * sizeof *x);
    if (s->options.sampler == sampler_find("ddim")) {
        for (int up = 0; up < t; up++)
            encode_step(&s->denoiser.base, &s->schedule, &s->options, up, two, x, other);
        return;
    }
    Level l = schedule_level(&s->schedule, t);
    sample_noise(s->options.seed, two, s->size, 0, other);
    for (size_t i = 0; i < n; i++) x[i] = l.a * x[i] + l.s * other[i];
}

static void draw_interpolation(Studio *s)
{
    const CommandLine *c = s->c;
    int rows = count_places(c), N = c->count;
    if (N < 2) fail_usage("--count %d: want at least 2", N);
    size_t D = s->size;
    double *ends = arena_new(&s->arena, double, 2 * D);
    double *x = arena_new(&s->arena, double, 2 * D);
    double *between = arena_new(&s->arena, double, (size_t)N * D);
    int *labels = one_label(s, N);
    lay_out(s, rows, N + 2);
    load_ends(s, ends);
    bool ddim = s->options.sampler == sampler_find("ddim");
    for (int k = 0; k < rows; k++) {
        int t = step_of(s, c->at[k]);
        lift(s, t, labels, ends, x);
        for (int n = 0; n < N; n++) {
            double f = (double)n / (N - 1), *to = between + (size_t)n * D;
            if (ddim) interpolate_slerp(x, x + D, f, D, to);
            else interpolate_linear(x, x + D, f, D, to);
        }
        Crowd crowd = {0, N, labels, .alike = true};
        sample_from(&s->denoiser.base, &s->schedule, &s->options, t, crowd, between);
        to_bytes(cell(s, k, 1), between, (size_t)N * D);
    }
}

/* ---- the commands ------------------------------------------------------------------ */

static void open_studio(Studio *s, const CommandLine *c)
{
    *s = (Studio){.c = c, .arena = arena_create()};
    model_load(&s->model, run_checkpoint(&s->arena, c->run), MODEL_DENOISER, false);
    const Model *m = &s->model;
    const Schedule *all = &m->process.schedule;
    bool classes = m->config.unet.classes > 0, learned_none = m->config.label_dropout > 0;
    if (c->label >= 0 && !classes)
        fail_usage("--class: this model was trained without classes");
    if (c->guidance != 1 && !(classes && learned_none))
        fail_usage("--guidance: this model was not trained with --label-dropout");
    s->schedule = *all;
    if (strcmp(c->steps, "0") != 0)
        s->schedule = schedule_respace(&s->arena, all, c->steps);
    s->network = network_denoiser(&m->net, &m->params, m->ema.value[0], &m->process);
    s->denoiser = classifier_free(&s->network.base, c->guidance);
    s->size = s->network.base.size;
    s->options = (SamplingOptions){
        .sampler = sampler_find(c->sampler), .variance = m->process.variance,
        .eta = c->eta, .no_clip = m->config.no_clip, .temperature = c->temperature,
        .seed = (uint64_t)c->seed};
}

#define DEFAULTS .sampler = "ddpm", .steps = "100", .guidance = 1, .temperature = 1
#define COMMON_OPTIONS(c)                                                                \
    {"sampler", OPTION_TEXT, &(c)->sampler, "NAME", "ddpm or ddim", 0},                  \
    {"sample-steps", OPTION_TEXT, &(c)->steps, "N", "of the model's steps; 0: all", 0},  \
    {"eta", OPTION_REAL, &(c)->eta, "X", "noise of ddim: 0 none, 1 as much as ddpm", 0}, \
    {"temperature", OPTION_REAL, &(c)->temperature, "X", "multiplies all noise", 0},     \
    {"guidance", OPTION_REAL, &(c)->guidance, "W", "towards the class; 1: none", 0},     \
    {"seed", OPTION_LONG, &(c)->seed, "N", "of the noise", 0},                           \
    {"out", OPTION_TEXT, &(c)->out, "X.png", "the picture", 0},                          \
    {"threads", OPTION_INT, &(c)->threads, "N", "0: one for each core", 0}, {0}

static int run(int argc, char **argv, CommandLine *c, Option options[],
               const Usage *usage, void (*draw)(Studio *s))
{
    if (options_parse(argc, argv, usage, options, &c->run) != 1)
        fail_usage("which run?  usage: %s", usage->synopsis);
    if (!options_given(options, "class")) c->label = -1;
    if (c->count < 1 || c->columns < 2)
        fail_usage("--count must be at least 1, --columns at least 2");
    parallel_set_threads(c->threads);
    Studio s;
    open_studio(&s, c);
    draw(&s);
    const UNetConfig *u = &s.model.config.unet;
    Pictures p = {s.rows * s.columns, u->height, u->width, u->channels, s.pixels};
    Image grid = image_grid(&s.arena, &p, s.columns, 2);
    png_write(c->out, &grid);
    printf("%d rows of %d pictures: %s\n", s.rows, s.columns, c->out);
    return 0;
}

int progress_main(int argc, char **argv)
{
    CommandLine c = {.count = 4, .columns = 12, .out = "progress.png", DEFAULTS};
    Option options[] = {
        {"count", OPTION_INT, &c.count, "N", "images", 0},
        {"columns", OPTION_INT, &c.columns, "N", "times, evenly spread", 0},
        {"class", OPTION_INT, &c.label, "K", "only this class [each in turn]", 0},
        COMMON_OPTIONS(&c),
    };
    return run(argc, argv, &c, options, &(Usage){"drift progress RUN [options]",
               "Draws images on their way: x above, the x0 expected there below.", 1},
               draw_progress);
}

int fork_main(int argc, char **argv)
{
    CommandLine c = {.count = 8, .columns = 2, .at = {1, 0.75, 0.5, 0.25},
                     .out = "fork.png", DEFAULTS};
    Option options[] = {
        {"at", OPTION_REALS, c.at, "A,B,..", "shares of the chain: a row each", 0},
        {"count", OPTION_INT, &c.count, "N", "images of a row", 0},
        {"class", OPTION_INT, &c.label, "K", "of this class [none]", 0},
        COMMON_OPTIONS(&c),
    };
    return run(argc, argv, &c, options, &(Usage){"drift fork RUN [options]",
               "Draws images that share their way down to some x_t, the first of each\n"
               "row.  What they have in common was decided above it.", 1}, draw_fork);
}

int interpolate_main(int argc, char **argv)
{
    CommandLine c = {.count = 11, .columns = 2, .at = {0.25, 0.5, 0.75, 1}, .to = 1,
                     .out = "interpolate.png", DEFAULTS};
    Option options[] = {
        {"from", OPTION_INT, &c.from, "N", "test picture at the left", 0},
        {"to", OPTION_INT, &c.to, "N", "and at the right", 0},
        {"train", OPTION_FLAG, &c.train, NULL, "training pictures instead", 0},
        {"at", OPTION_REALS, c.at, "A,B,..", "shares of the chain: a row each", 0},
        {"count", OPTION_INT, &c.count, "N", "images between", 0},
        {"class", OPTION_INT, &c.label, "K", "of this class [none]", 0},
        COMMON_OPTIONS(&c),
    };
    return run(argc, argv, &c, options, &(Usage){"drift interpolate RUN [options]",
               "Mixes two test pictures at some x_t and draws images from the mixtures,\n"
               "all with the same noise: with ddpm linearly, with ddim along the circle\n"
               "between the noises that it makes them from.", 1}, draw_interpolation);
}
