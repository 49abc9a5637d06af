/* drift sample: a run folder in, pictures out. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/image.h"
#include "apps/support/options.h"
#include "apps/support/png.h"
#include "apps/support/progress.h"
#include "apps/support/run.h"
#include "diffusion/sampler.h"
#include "tensor/error.h"
#include "tensor/npy.h"
#include "tensor/parallel.h"

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

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static void write_array(const char *path, const UNetConfig *c, int count, const uint8_t *pixels,
                        const int *labels)
{
    NpyArray images = {NPY_UINT8, 4, {count, c->height, c->width, c->channels}, pixels};
    if (ends_with(path, ".npy")) {
        npy_write(path, images);
        return;
    }
    int64_t *wide = arena_new(scratch(), int64_t, (size_t)count);
    for (int i = 0; labels && i < count; i++) wide[i] = labels[i];
    npz_write(path, (NpyArray[]){images, {NPY_INT64, 1, {count}, wide}}, labels ? 2 : 1);
}

/* One picture a file: FOLDER/00007.png, with the class in front if there is one. */
static void write_folder(const char *folder, const UNetConfig *c, int count, uint8_t *pixels,
                         const int *labels)
{
    size_t size = (size_t)(c->height * c->width * c->channels);
    folder_make(folder);
    for (int i = 0; i < count; i++) {
        size_t mark = arena_mark(scratch());
        const char *class_name = labels ? arena_printf(scratch(), "%d_", labels[i]) : "";
        Image image = {c->height, c->width, c->channels, pixels + (size_t)i * size};
        png_write(arena_printf(scratch(), "%s/%s%05d.png", folder, class_name, i), &image);
        arena_rewind(scratch(), mark);
    }
}

static void write_out(const char *out, const UNetConfig *c, int count, uint8_t *pixels,
                      const int *labels, const Image *grid)
{
    if (ends_with(out, ".png")) png_write(out, grid);
    else if (ends_with(out, ".npy") || ends_with(out, ".npz"))
        write_array(out, c, count, pixels, labels);
    else write_folder(out, c, count, pixels, labels);
}

/* Fills pixels [count, H, W, C], `batch` images at a time. */
static void draw_batches(Denoiser *d, const Schedule *schedule, SamplingOptions o, int count,
                         int batch, const int *labels, uint8_t *pixels)
{
    size_t mark = arena_mark(scratch());
    double *x = arena_new(scratch(), double, (size_t)batch * d->size);
    Watch w = {progress_start("image"), 0, 0, count, schedule->T};
    o.watch = watch, o.context = &w;
    for (int i = 0; i < count; i += batch) {
        w.done = i, w.batch = count - i < batch ? count - i : batch;
        sample(d, schedule, &o, (uint64_t)i, w.batch, labels ? labels + i : NULL, x);
        to_bytes(pixels + (size_t)i * d->size, x, (size_t)w.batch * d->size);
    }
    progress_break(&w.progress);
    arena_rewind(scratch(), mark);
}

int sample_main(int argc, char **argv)
{
    const char *words[1], *sampler = "ddpm", *out = NULL;
    int count = 100, steps = 100, batch = 50, label = 0, columns = 0, scale = 2, threads = 0;
    long seed = 0;
    double eta = 0;
    bool show = false, live = false;
    Option options[] = {
        {"count", OPTION_INT, &count, "N", "images to draw", 0},
        {"sampler", OPTION_TEXT, &sampler, "NAME", "ddpm, or ddim: fewer steps, for well-trained models", 0},
        {"sample-steps", OPTION_INT, &steps, "N", "of the model's steps, evenly spread; 0: all", 0},
        {"eta", OPTION_REAL, &eta, "X", "noise of ddim: 0 none, 1 as much as ddpm", 0},
        {"class", OPTION_INT, &label, "K", "only this class [each in turn]", 0},
        {"seed", OPTION_LONG, &seed, "N", "of the noise", 0},
        {"out", OPTION_TEXT, &out, "PATH", "X.png: a grid, X.npy or X.npz: an array [N,H,W,C] "
         "of bytes, else a folder of PNGs [RUN/samples.png]", 0},
        {"columns", OPTION_INT, &columns, "N", "of the grid [one row a class]", 0},
        {"scale", OPTION_INT, &scale, "N", "enlarge each pixel of the grid N times", 0},
        {"batch", OPTION_INT, &batch, "N", "images at a time; changes memory, not the images", 0},
        {"show", OPTION_FLAG, &show, NULL, "draw the grid in the terminal", 0},
        {"live-weights", OPTION_FLAG, &live, NULL, "the last weights instead of their average", 0},
        {"threads", OPTION_INT, &threads, "N", "0: one for each core", 0},
        {0},
    };
    Usage usage = {"drift sample RUN [options]",
                   "Draws images with a trained model.  RUN is a run folder or a checkpoint.\n"
                   "The same seed gives the same images for any --batch and any --threads.", 1};
    if (options_parse(argc, argv, &usage, options, words) != 1)
        fail_usage("which run?  usage: %s", usage.synopsis);
    const Sampler *s = sampler_find(sampler);
    if (!s) fail_usage("there is no sampler %s; there are ddpm and ddim", sampler);
    if (count < 1 || batch < 1 || scale < 1)
        fail_usage("--count, --batch and --scale must be at least 1");
    parallel_set_threads(threads);

    Arena a = arena_create();
    Model m;
    model_load(&m, run_checkpoint(&a, words[0]), false);
    const UNetConfig *c = &m.config.unet;
    if (steps > m.config.diffusion_steps)
        fail_usage("--sample-steps %d: this model has %d", steps, m.config.diffusion_steps);
    Schedule schedule = steps ? schedule_respace(&a, &m.schedule, steps) : m.schedule;
    if (options_given(options, "class") && !c->classes)
        fail_usage("--class: this model was trained without classes");
    int *labels = make_labels(&a, &m.config, count, options_given(options, "class") ? label : -1);

    NetworkDenoiser d = network_denoiser(&m.net, &m.params, live ? m.params.value : m.ema.value[0],
                                         &objective_eps);
    uint8_t *pixels = arena_new(&a, uint8_t, (size_t)count * d.base.size);
    SamplingOptions o = {.sampler = s, .eta = eta, .seed = (uint64_t)seed};
    double start = seconds_now();
    draw_batches(&d.base, &schedule, o, count, batch, labels, pixels);
    double seconds = seconds_now() - start;

    if (!columns) columns = c->classes ? (count + c->classes - 1) / c->classes : 10;
    if (columns > count) columns = count;
    Image grid = image_grid(&a, pixels, count, c->height, c->width, c->channels, columns, scale);
    if (!out) out = file_is_folder(words[0]) ? run_path(&a, words[0], "samples.png") : "samples.png";
    write_out(out, c, count, pixels, labels, &grid);
    if (show) {
        Image small = image_grid(&a, pixels, count, c->height, c->width, c->channels, columns, 1);
        image_show(&small, stdout);
    }
    printf("%d images with %s, %d steps, in %.1f s (%.1f images/s), peak memory %zu MB\n  %s\n",
           count, s->name, schedule.T, seconds, count / seconds, memory_resident_peak() >> 20, out);
    return 0;
}
