/* drift sample: a run folder in, pictures out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/image.h"
#include "apps/support/options.h"
#include "apps/support/png.h"
#include "apps/support/progress.h"
#include "apps/support/run.h"
#include "apps/support/sampling.h"
#include "apps/support/sheet.h"
#include "diffusion/guidance.h"
#include "tensor/error.h"
#include "tensor/npy.h"
#include "tensor/parallel.h"

/* What the command line says. */
typedef struct {
    const char *run, *variance, *out;
    int count, batch, label, columns, scale, threads;
    long seed;
    double guidance;
    Sampling sampling;
    bool show, live, compare;
} CommandLine;

enum { OPTIONS = 40 };

static void make_table(CommandLine *c, Option table[OPTIONS])
{
    const Option rows[] = {
        {"count", OPTION_INT, &c->count, "N", "images to draw; 10 to compare", 0},
        SAMPLING_OPTIONS(&c->sampling),
        {"variance", OPTION_TEXT, &c->variance, "NAME",
         "of ddpm: fixed_small or fixed_large [the model's]", 0},
        {"guidance", OPTION_REAL, &c->guidance, "W",
         "towards the class: none + W (class - none); 1: as the model is [2 for models "
         "trained with --label-dropout]", 0},
        {"class", OPTION_INT, &c->label, "K", "only this class [each in turn]", 0},
        {"seed", OPTION_LONG, &c->seed, "N", "of the noise", 0},
        {"compare", OPTION_FLAG, &c->compare, NULL,
         "the same noise under every sampler, few steps and many: a row each, as an SVG "
         "file", 0},
        {"out", OPTION_TEXT, &c->out, "PATH",
         "X.png: a grid, X.npy or X.npz: an array [N,H,W,C] of bytes, else a folder of "
         "PNGs [RUN/samples.png]", 0},
        {"columns", OPTION_INT, &c->columns, "N", "of the grid [one row a class]", 0},
        {"scale", OPTION_INT, &c->scale, "N", "enlarge each pixel of the grid N times",
         0},
        {"batch", OPTION_INT, &c->batch, "N",
         "images at a time; changes memory, not the images", 0},
        {"show", OPTION_FLAG, &c->show, NULL, "draw the grid in the terminal", 0},
        {"live-weights", OPTION_FLAG, &c->live, NULL,
         "the last weights instead of their average", 0},
        {"threads", OPTION_INT, &c->threads, "N", "0: one for each core", 0},
        {0},
    };
    _Static_assert(sizeof rows <= OPTIONS * sizeof *rows, "a larger OPTIONS is needed");
    memcpy(table, rows, sizeof rows);
}

static CommandLine parse_command_line(int argc, char **argv)
{
    Usage usage = {
        "drift sample RUN [options]",
        sampling_about(
            "Draws images with a trained model.  RUN is a run folder or a checkpoint.\n"
            "The same seed gives the same images for any --batch and any --threads."), 1};
    CommandLine c = {.count = 100, .batch = 50, .scale = 2, .sampling = {.name = "ddpm"}};
    Option options[OPTIONS];
    make_table(&c, options);
    if (options_parse(argc, argv, &usage, options, &c.run) != 1)
        fail_usage("which run?  usage: %s", usage.synopsis);
    if (c.compare &&
        (options_given(options, "sampler") || options_given(options, "sample-steps")))
        fail_usage("--compare takes all samplers; leave out --sampler and "
                   "--sample-steps");
    sampling_choose(&c.sampling, (uint64_t)c.seed);
    if (c.compare && !options_given(options, "count")) c.count = 10;
    if (c.count < 1 || c.batch < 1 || c.scale < 1)
        fail_usage("--count, --batch and --scale must be at least 1");
    if (!options_given(options, "class")) c.label = -1;
    if (!options_given(options, "guidance")) c.guidance = -1;
    return c;
}

/* ---- drawing ---------------------------------------------------------------------- */

typedef struct {
    Progress progress;
    int done, batch, total, steps;      /* images done before this batch, in it, in all */
} Watch;

static void watch(void *context, const double *x, const double *x0, int left)
{
    Watch *w = context;
    (void)x, (void)x0;
    double in_batch = (double)(w->steps - left) / w->steps;
    char details[48];
    snprintf(details, sizeof details, "%d steps each", w->steps);
    progress_show(&w->progress, w->done + (left ? 0 : w->batch), w->total,
                  (w->done + in_batch * w->batch) / w->total, details);
}

/* Draws c->count images, some at a time, as pixels of c->count * d->size bytes; returns
 * how often the network was called for each. */
static double draw(const CommandLine *c, Sampling s, Denoiser *d,
                   const Schedule *schedule, const int *labels, uint8_t *pixels)
{
    size_t mark = arena_mark(scratch());
    int batch = sampling_alone(&s) ? 1 : c->batch < c->count ? c->batch : c->count;
    double *x = arena_new(scratch(), double, (size_t)batch * d->size), calls = 0;
    Watch w = {progress_start("image"), 0, 0, c->count, sampling_steps(&s, schedule)};
    if (!c->compare) sampling_watch(&s, watch, &w);
    for (int i = 0; i < c->count; i += batch) {
        w.done = i, w.batch = c->count - i < batch ? c->count - i : batch;
        Crowd crowd = {(uint64_t)i, w.batch, labels ? labels + i : NULL};
        calls += sampling_run(&s, d, schedule, crowd, x) * w.batch;
        to_bytes(pixels + (size_t)i * d->size, x, (size_t)w.batch * d->size);
    }
    progress_break(&w.progress);
    arena_rewind(scratch(), mark);
    return calls / c->count * (c->guidance == 1 ? 1 : 2);
}

/* ---- comparing -------------------------------------------------------------------- */

/* Few steps and many of each sampler, such that the calls of different ones are alike. */
static const struct { const char *name, *steps[3]; } compared[] = {
    {"ddpm", {"10", "40", "160"}}, {"ddim", {"10", "20", "40"}},
    {"euler", {"10", "20", "40"}}, {"heun", {"5", "10", "20"}},
    {"dpmpp", {"10", "20", "40"}}, {"ab2", {"10", "20", "40"}},
    {"adaptive", {"2"}},
};
enum { METHODS = sizeof compared / sizeof *compared, MOST_ROWS = METHODS * 3 };

/* One row of pictures for each; the words beside them, and printed, tell the price. */
static void compare(Arena *a, const CommandLine *c, Denoiser *d, const Schedule *schedule,
                    const int *labels, Pictures p)
{
    const char *rows[MOST_ROWS], *notes[MOST_ROWS];
    size_t row = (size_t)c->count * d->size;
    int k = 0;
    p.pixels = arena_new(a, uint8_t, MOST_ROWS * row);
    for (int i = 0; i < MOST_ROWS; i++) {
        Sampling s = c->sampling;
        s.name = compared[i / 3].name, s.steps = compared[i / 3].steps[i % 3];
        if (!s.steps) continue;
        sampling_choose(&s, (uint64_t)c->seed);
        if (s.method->sampler && atoi(s.steps) > schedule->T) continue;
        double start = seconds_now();
        double calls = draw(c, s, d, schedule, labels, p.pixels + (size_t)k * row);
        double seconds = (seconds_now() - start) / c->count;
        rows[k] = sampling_alone(&s) ? s.name
                                     : arena_printf(a, "%s, %s steps", s.name, s.steps);
        notes[k] = arena_printf(a, "%.4g calls, %.3f s", calls, seconds);
        printf("%-18s %s an image\n", rows[k], notes[k]);
        k++;
    }
    p.count = k * c->count;
    sheet_write(c->out, &(Sheet){c->count, c->scale, NULL, rows, notes}, &p);
    printf("  %s\n", c->out);
}

/* ---- writing ---------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static void write_array(const char *path, const Pictures *p, const int *labels)
{
    int N = p->count;
    NpyArray images = {NPY_UINT8, 4, {N, p->height, p->width, p->channels}, p->pixels};
    if (ends_with(path, ".npy")) {
        npy_write(path, images);
        return;
    }
    int64_t *wide = arena_new(scratch(), int64_t, (size_t)N);
    for (int n = 0; labels && n < N; n++) wide[n] = labels[n];
    npz_write(path, (NpyArray[]){images, {NPY_INT64, 1, {N}, wide}}, labels ? 2 : 1);
}

/* One picture a file: FOLDER/00007.png, with the class in front if there is one. */
static void write_folder(const char *folder, const Pictures *p, const int *labels)
{
    folder_make(folder);
    Arena *a = scratch();
    for (int n = 0; n < p->count; n++) {
        size_t mark = arena_mark(a);
        const char *class_name = labels ? arena_printf(a, "%d_", labels[n]) : "";
        Image image = image_of(p, n);
        png_write(arena_printf(a, "%s/%s%05d.png", folder, class_name, n), &image);
        arena_rewind(a, mark);
    }
}

/* In the form that the path's end asks for; shows the grid too, if that was asked for. */
static void write_out(Arena *a, const CommandLine *c, const Pictures *p,
                      const int *labels)
{
    if (ends_with(c->out, ".png")) {
        Image grid = image_grid(a, p, c->columns, c->scale);
        png_write(c->out, &grid);
    } else if (ends_with(c->out, ".npy") || ends_with(c->out, ".npz")) {
        write_array(c->out, p, labels);
    } else {
        write_folder(c->out, p, labels);
    }
    if (!c->show) return;
    Image small = image_grid(a, p, c->columns, 1);
    image_show(&small, stdout);
}

/* ---- the command ------------------------------------------------------------------ */

/* Checks the options against the model and fills in those that depend on it. */
static void complete(CommandLine *c, Arena *a, const Config *model)
{
    int classes = model->unet.classes;
    SamplingOptions *o = &c->sampling.by_steps;
    o->no_clip = model->no_clip;
    o->variance = variance_find(c->variance ? c->variance : model->variance);
    if (c->variance && o->variance->learned && strcmp(c->variance, model->variance) != 0)
        fail_usage("--variance %s: this model has learned none", c->variance);
    if (c->guidance < 0) c->guidance = config_guidance(model);
    if (c->guidance != 1 && (!classes || model->label_dropout == 0))
        fail_usage("--guidance: this model was not trained with --label-dropout, so it knows "
                   "no answer without the class");
    if (c->label >= 0 && !classes)
        fail_usage("--class: this model was trained without classes");
    if (!c->columns) c->columns = classes ? (c->count + classes - 1) / classes : 10;
    if (c->columns > c->count) c->columns = c->count;
    const char *name = c->compare ? "compare.svg" : "samples.png";
    if (!c->out) c->out = file_is_folder(c->run) ? run_path(a, c->run, name) : name;
}

/* Draws, writes and says what it took. */
static void draw_all(Arena *a, const CommandLine *c, Denoiser *d,
                     const Schedule *schedule, const int *labels, Pictures p)
{
    double start = seconds_now();
    p.pixels = arena_new(a, uint8_t, (size_t)c->count * d->size);
    double calls = draw(c, c->sampling, d, schedule, labels, p.pixels);
    double seconds = seconds_now() - start;
    write_out(a, c, &p, labels);
    printf("%d images with %s, %s, %.4g network calls each, in %.1f s (%.1f images/s), "
           "peak memory %zu MB\n  %s\n", c->count, c->sampling.name,
           sampling_alone(&c->sampling) ? "steps as needed"
               : arena_printf(a, "%d steps", sampling_steps(&c->sampling, schedule)),
           calls, seconds, c->count / seconds, memory_resident_peak() >> 20, c->out);
}

int sample_main(int argc, char **argv)
{
    CommandLine c = parse_command_line(argc, argv);
    parallel_set_threads(c.threads);
    Arena a = arena_create();
    Model m;
    model_load(&m, run_checkpoint(&a, c.run), false);
    complete(&c, &a, &m.config);
    int *labels = make_labels(&a, &m.config, c.count, c.label);
    const Real *weights = c.live ? m.params.value : m.ema.value[0];
    NetworkDenoiser d = network_denoiser(&m.net, &m.params, weights, &m.process);
    ClassifierFree guided = classifier_free(&d.base, c.guidance);
    const UNetConfig *u = &m.config.unet;
    Pictures p = {c.count, u->height, u->width, u->channels, NULL};
    if (c.compare) compare(&a, &c, &guided.base, &m.process.schedule, labels, p);
    else draw_all(&a, &c, &guided.base, &m.process.schedule, labels, p);
    return 0;
}
