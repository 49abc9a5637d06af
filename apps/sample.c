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
#include "diffusion/guidance.h"
#include "diffusion/solver.h"
#include "tensor/error.h"
#include "tensor/npy.h"
#include "tensor/parallel.h"

/* What the command line says. */
typedef struct {
    const char *run, *sampler, *steps, *variance, *out;
    const Variance *kind;
    int count, batch, label, columns, scale, threads;
    long seed;
    double eta, guidance;
    SolverOptions solver;       /* solver.solver NULL: a sampler of steps */
    bool show, live, no_clip;
} CommandLine;

enum { OPTIONS = 32 };

static void make_table(CommandLine *c, Option table[OPTIONS])
{
    SolverOptions *s = &c->solver;
    const Option rows[] = {
        {"count", OPTION_INT, &c->count, "N", "images to draw", 0},
        {"sampler", OPTION_TEXT, &c->sampler, "NAME",
         "ddpm, or ddim: fewer steps, for well-trained models; euler, heun, dpmpp or ab2: on the "
         "path of Karras 2022", 0},
        {"sample-steps", OPTION_TEXT, &c->steps, "N",
         "of the model's steps, evenly spread; 10,20 from each half; ddim25 a whole stride; "
         "0: all [50; 18 on a path]", 0},
        {"stops", OPTION_TEXT, &s->stops, "NAME", "of a path: edm, vp, ve or iddpm [edm]", 0},
        {"path", OPTION_TEXT, &s->schedule, "NAME", "sigma(t): linear, vp or ve [linear]", 0},
        {"scaling", OPTION_TEXT, &s->scaling, "NAME", "s(t): none or vp [none]", 0},
        {"sigma-min", OPTION_REAL, &s->sigma_min, "X", "of a path; 0: that of the stops", 0},
        {"sigma-max", OPTION_REAL, &s->sigma_max, "X", "likewise", 0},
        {"rho", OPTION_REAL, &s->rho, "X", "of the stops edm; 0: 7", 0},
        {"alpha", OPTION_REAL, &s->alpha, "X", "of heun; 0: 1", 0},
        {"churn", OPTION_REAL, &s->churn, "S", "noise drawn on a path, S_churn of Karras 2022", 0},
        {"churn-min", OPTION_REAL, &s->s_min, "X", "only above this sigma", 0},
        {"churn-max", OPTION_REAL, &s->s_max, "X", "only below this sigma; 0: everywhere", 0},
        {"churn-noise", OPTION_REAL, &s->s_noise, "X", "its deviation; 0: 1", 0},
        {"variance", OPTION_TEXT, &c->variance, "NAME",
         "of ddpm: fixed_small or fixed_large [the model's]", 0},
        {"guidance", OPTION_REAL, &c->guidance, "W",
         "towards the class: none + W (class - none); 1: as the model is [2 for models trained "
         "with --label-dropout]", 0},
        {"eta", OPTION_REAL, &c->eta, "X", "noise of ddim: 0 none, 1 as much as ddpm", 0},
        {"class", OPTION_INT, &c->label, "K", "only this class [each in turn]", 0},
        {"seed", OPTION_LONG, &c->seed, "N", "of the noise", 0},
        {"out", OPTION_TEXT, &c->out, "PATH",
         "X.png: a grid, X.npy or X.npz: an array [N,H,W,C] of bytes, else a folder of "
         "PNGs [RUN/samples.png]", 0},
        {"columns", OPTION_INT, &c->columns, "N", "of the grid [one row a class]", 0},
        {"scale", OPTION_INT, &c->scale, "N",
         "enlarge each pixel of the grid N times", 0},
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
    static const Usage usage = {
        "drift sample RUN [options]",
        "Draws images with a trained model.  RUN is a run folder or a checkpoint.\n"
        "The same seed gives the same images for any --batch and any --threads.", 1};
    CommandLine c = {.sampler = "ddpm", .count = 100, .batch = 50,
                     .scale = 2};
    Option options[OPTIONS];
    make_table(&c, options);
    if (options_parse(argc, argv, &usage, options, &c.run) != 1)
        fail_usage("which run?  usage: %s", usage.synopsis);
    c.solver.solver = solver_find(c.sampler);
    if (!c.solver.solver) sampler_find(c.sampler);
    if (!c.steps) c.steps = c.solver.solver ? "18" : "50";
    c.solver.N = c.solver.solver ? (int)strtol(c.steps, NULL, 10) : 2;
    if (c.solver.N < 2) fail_usage("--sample-steps %s: want a number, 2 or more", c.steps);
    c.solver.seed = (uint64_t)c.seed;
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

/* Draws one batch; returns how often the denoiser was asked. */
static int draw_batch(const CommandLine *c, Denoiser *d, const Schedule *s, Watch *w, Crowd crowd,
                      double *x)
{
    if (c->solver.solver) {
        SolverOptions o = c->solver;
        o.watch = watch, o.context = w;
        return solve(d, &o, crowd, x);
    }
    SamplingOptions o = {.sampler = sampler_find(c->sampler), .variance = c->kind, .eta = c->eta,
                         .no_clip = c->no_clip,
                         .seed = (uint64_t)c->seed, .watch = watch, .context = w};
    sample(d, s, &o, crowd, x);
    return s->T;
}

/* Draws c->count images, c->batch at a time; returns their bytes, owned by the arena, and sets
 * *calls to the calls of the denoiser for each. */
static uint8_t *draw(Arena *a, const CommandLine *c, Denoiser *d, const Schedule *s,
                     const int *labels, int *calls)
{
    size_t mark = arena_mark(scratch());
    uint8_t *pixels = arena_new(a, uint8_t, (size_t)c->count * d->size);
    double *x = arena_new(scratch(), double, (size_t)c->batch * d->size);
    Watch w = {progress_start("image"), 0, 0, c->count, c->solver.solver ? c->solver.N : s->T};
    for (int i = 0; i < c->count; i += c->batch) {
        w.done = i, w.batch = c->count - i < c->batch ? c->count - i : c->batch;
        Crowd crowd = {(uint64_t)i, w.batch, labels ? labels + i : NULL};
        *calls = draw_batch(c, d, s, &w, crowd, x);
        to_bytes(pixels + (size_t)i * d->size, x, (size_t)w.batch * d->size);
    }
    progress_break(&w.progress);
    arena_rewind(scratch(), mark);
    return pixels;
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
    c->no_clip = model->no_clip;
    if (c->variance) {
        c->kind = variance_find(c->variance);
        if (c->kind->learned && strcmp(c->variance, model->variance) != 0)
            fail_usage("--variance %s: this model has learned none", c->variance);
    } else c->kind = variance_find(model->variance);
    if (c->guidance < 0) c->guidance = config_guidance(model);
    if (c->guidance != 1 && (!classes || model->label_dropout == 0))
        fail_usage("--guidance: this model was not trained with --label-dropout, so it knows "
                   "no answer without the class");
    if (c->label >= 0 && !classes)
        fail_usage("--class: this model was trained without classes");
    if (!c->columns) c->columns = classes ? (c->count + classes - 1) / classes : 10;
    if (c->columns > c->count) c->columns = c->count;
    const char *name = "samples.png";
    if (!c->out) c->out = file_is_folder(c->run) ? run_path(a, c->run, name) : name;
}

int sample_main(int argc, char **argv)
{
    CommandLine c = parse_command_line(argc, argv);
    parallel_set_threads(c.threads);
    Arena a = arena_create();
    Model m;
    model_load(&m, run_checkpoint(&a, c.run), MODEL_DENOISER, false);
    complete(&c, &a, &m.config);
    bool all = c.solver.solver || strcmp(c.steps, "0") == 0;
    Schedule schedule = all ? m.process.schedule
                            : schedule_respace(&a, &m.process.schedule, c.steps);
    int *labels = make_labels(&a, &m.config, c.count, c.label);
    const Real *weights = c.live ? m.params.value : m.ema.value[0];
    NetworkDenoiser d = network_denoiser(&m.net, &m.params, weights, &m.process);

    ClassifierFree guided = classifier_free(&d.base, c.guidance);
    double start = seconds_now();
    int calls = 0, steps = c.solver.solver ? c.solver.N : schedule.T;
    const UNetConfig *u = &m.config.unet;
    Pictures p = {c.count, u->height, u->width, u->channels,
                  draw(&a, &c, &guided.base, &schedule, labels, &calls)};
    double seconds = seconds_now() - start;
    write_out(&a, &c, &p, labels);
    printf("%d images with %s, %d steps, %d network calls each, in %.1f s (%.1f images/s), "
           "peak memory %zu MB\n  %s\n", c.count, c.sampler, steps,
           calls * (c.guidance == 1 ? 1 : 2), seconds, c.count / seconds,
           memory_resident_peak() >> 20, c.out);
    return 0;
}
