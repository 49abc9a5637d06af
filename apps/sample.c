/* drift sample: a run folder in, pictures out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/drawing.h"
#include "apps/support/image.h"
#include "apps/support/png.h"
#include "apps/support/sheet.h"
#include "tensor/error.h"
#include "tensor/npy.h"
#include "tensor/parallel.h"

/* What the command line says. */
typedef struct {
    const char *run, *out;
    int count, label, columns, enlarge, threads;
    bool show, compare;
    DrawRequest draw;
} CommandLine;

enum { OPTIONS = 40 };

static void make_table(CommandLine *c, Option table[OPTIONS])
{
    const Option rows[] = {
        {"count", OPTION_INT, &c->count, "N",
         "images to draw [100; 10 for each --scale, and to compare]", 0},
        {"class", OPTION_INT, &c->label, "K", "only this class [each in turn]", 0},
        DRAW_OPTIONS(&c->draw),
        {"compare", OPTION_FLAG, &c->compare, NULL,
         "the same noise under every sampler, few steps and many: a row each, as an SVG "
         "file", 0},
        {"out", OPTION_TEXT, &c->out, "PATH",
         "X.png: a grid, X.npy or X.npz: an array [N,H,W,C] of bytes, else a folder of "
         "PNGs [RUN/samples.png]", 0},
        {"columns", OPTION_INT, &c->columns, "N",
         "of the grid [one row a class, or a scale]", 0},
        {"enlarge", OPTION_INT, &c->enlarge, "N", "each pixel of the grid N times", 0},
        {"show", OPTION_FLAG, &c->show, NULL, "draw the grid in the terminal", 0},
        {"threads", OPTION_INT, &c->threads, "N", "0: one for each core", 0},
        {0},
    };
    _Static_assert(sizeof rows <= OPTIONS * sizeof *rows, "a larger OPTIONS is needed");
    memcpy(table, rows, sizeof rows);
}

static void parse_command_line(CommandLine *c, Option options[], int argc, char **argv)
{
    Usage usage = {
        "drift sample RUN [options]",
        sampling_about(
            "Draws images with a trained model.  RUN is a run folder or a checkpoint.\n"
            "The same seed gives the same images for any --batch and any --threads."), 1};
    make_table(c, options);
    if (options_parse(argc, argv, &usage, options, &c->run) != 1)
        fail_usage("which run?  usage: %s", usage.synopsis);
    if (!options_given(options, "count"))
        c->count = c->draw.guide || c->compare ? 10 : 100;
    if (c->compare && (options_given(options, "sampler") ||
                       options_given(options, "sample-steps") || c->draw.guide))
        fail_usage("--compare takes all samplers; leave out --sampler, --sample-steps "
                   "and --guide");
    if (c->count < 1 || c->enlarge < 1)
        fail_usage("--count and --enlarge must be at least 1");
    if (!options_given(options, "class")) c->label = -1;
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
        Image grid = image_grid(a, p, c->columns, c->enlarge);
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

/* For each scale the same number of pictures, of the same classes, from the same
 * noise. */
static Pictures draw(Arena *a, Drawing *d, const CommandLine *c, const int *labels)
{
    const Config *k = &d->model.config;
    const NumberList *scale = &c->draw.scale;
    size_t part = (size_t)c->count * d->free.base.size;
    uint8_t *pixels = arena_new(a, uint8_t, (size_t)scale->count * part);
    for (int i = 0; i < scale->count; i++) {
        Arena work = arena_create();
        memcpy(pixels + (size_t)i * part,
               drawing_make(d, &work, c->count, labels, scale->x[i]), part);
        arena_destroy(&work);
    }
    return (Pictures){scale->count * c->count, k->unet.height, k->unet.width,
                      config_picture_channels(k), pixels};
}

/* The labels of one scale's pictures, over and over. */
static int *repeat(Arena *a, const int *labels, int count, int times)
{
    if (!labels) return NULL;
    int *all = arena_new(a, int, (size_t)(count * times));
    for (int i = 0; i < count * times; i++) all[i] = labels[i % count];
    return all;
}

/* Draws, writes and says what it took. */
static void draw_all(Arena *a, const CommandLine *c, Drawing *d, const int *labels)
{
    double start = seconds_now();
    Pictures p = draw(a, d, c, labels);
    double seconds = seconds_now() - start;
    write_out(a, c, &p, repeat(a, labels, c->count, c->draw.scale.count));
    printf("%d images with %s, %s, %.4g network calls each, in %.1f s (%.1f images/s), "
           "peak memory %zu MB\n  %s\n", p.count, c->draw.sampling.name,
           sampling_alone(&c->draw.sampling) ? "steps as needed"
                                             : arena_printf(a, "%d steps", d->steps),
           d->calls, seconds, p.count / seconds, memory_resident_peak() >> 20, c->out);
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
static void compare(Arena *a, const CommandLine *c, Drawing *d, const int *labels)
{
    const char *rows[MOST_ROWS], *notes[MOST_ROWS];
    const Config *config = &d->model.config;
    size_t row = (size_t)c->count * d->free.base.size;
    Pictures p = {0, config->unet.height, config->unet.width,
                  config_picture_channels(config),
                  arena_new(a, uint8_t, MOST_ROWS * row)};
    int k = 0;
    d->quiet = true;
    for (int i = 0; i < MOST_ROWS; i++) {
        const char *name = compared[i / 3].name, *steps = compared[i / 3].steps[i % 3];
        if (!steps) continue;
        if (method_find(name)->sampler && atoi(steps) > d->model.process.schedule.T)
            continue;
        drawing_choose(d, name, steps);
        Arena work = arena_create();
        double start = seconds_now();
        memcpy(p.pixels + (size_t)k * row,
               drawing_make(d, &work, c->count, labels, 0), row);
        double seconds = (seconds_now() - start) / c->count;
        arena_destroy(&work);
        rows[k] = sampling_alone(&d->request->sampling)
                      ? name : arena_printf(a, "%s, %s steps", name, steps);
        notes[k] = arena_printf(a, "%.4g calls, %.3f s", d->calls, seconds);
        printf("%-18s %s an image\n", rows[k], notes[k]);
        k++;
    }
    p.count = k * c->count;
    sheet_write(c->out, &(Sheet){c->count, c->enlarge, NULL, rows, notes}, &p);
    printf("  %s\n", c->out);
}

int sample_main(int argc, char **argv)
{
    CommandLine c = {.count = 100, .enlarge = 2, .draw = DRAW_REQUEST};
    Option options[OPTIONS];
    parse_command_line(&c, options, argc, argv);
    parallel_set_threads(c.threads);
    Arena a = arena_create();
    Drawing d;
    drawing_open(&d, c.run, &c.draw, options);
    int classes = drawing_classes(&d);
    if (c.label >= 0 && !classes)
        fail_usage("--class: this model was trained without classes");
    if (!c.columns) c.columns = c.draw.scale.count > 1 ? c.count
                              : classes ? (c.count + classes - 1) / classes : 10;
    if (c.columns > c.count) c.columns = c.count;
    const char *name = c.compare ? "compare.svg" : "samples.png";
    if (!c.out) c.out = file_is_folder(c.run) ? run_path(&a, c.run, name) : name;

    int *labels = make_labels(&a, classes, c.count, c.label);
    if (c.compare) compare(&a, &c, &d, labels);
    else draw_all(&a, &c, &d, labels);
    drawing_close(&d);
    return 0;
}
