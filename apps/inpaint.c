/* drift inpaint and drift denoise: a model's samples that fit what is seen of a test
 * picture. Both are diffusion/posterior.h; they differ in what is seen.
 *
 * The answers are draws from p(x_0 | what is seen), so they differ from each other and
 * from the picture that was hidden; their mean is what has the least squared error, and
 * is blurred.  The last column shows it, and the numbers compare both with a guess that
 * needs no model: the average training picture, or what is seen itself. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/dataset.h"
#include "apps/support/image.h"
#include "apps/support/options.h"
#include "apps/support/png.h"
#include "apps/support/progress.h"
#include "apps/support/run.h"
#include "diffusion/posterior.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/parallel.h"

/* What is hidden, at (h, w) of a picture. */
static bool left(int h, int w, int H, int W) { return (void)h, (void)H, w < W / 2; }
static bool right(int h, int w, int H, int W) { return (void)h, (void)H, w >= W / 2; }

static bool box(int h, int w, int H, int W)
{
    return h >= H / 4 && h < H - H / 4 && w >= W / 4 && w < W - W / 4;
}

static const struct {
    const char *name;
    bool (*hides)(int h, int w, int H, int W);
} masks[] = {{"left", left}, {"right", right}, {"box", box}};

typedef struct {
    const char *run, *out, *steps, *mask;
    double noise;
    int count, draws, repeats, threads;
    bool as_noisy, train;
    long seed;
} Restoring;

/* Sums of squared errors where the picture is not known. */
typedef struct { double guess, answer, mean; size_t numbers; } Errors;

/* Which of [H, W, C] is seen; of a PNG file, where it is bright. */
static bool *find_known(Arena *a, const char *mask, const UNetConfig *u)
{
    size_t k = 0, count = sizeof masks / sizeof *masks;
    size_t size = (size_t)(u->height * u->width * u->channels);
    while (k < count && strcmp(masks[k].name, mask) != 0) k++;
    if (k == count && !file_exists(mask))
        fail_usage("%s is neither a mask (left, right, box) nor a PNG file", mask);
    Image file = k < count ? (Image){0} : png_read(a, mask);
    if (k == count && (file.height != u->height || file.width != u->width))
        fail("%s is %dx%d, the model's pictures %dx%d", mask, file.height, file.width,
             u->height, u->width);
    bool *known = arena_new(a, bool, size);
    for (size_t i = 0; i < size; i++) {
        int pixel = (int)i / u->channels;
        known[i] = k < count ? !masks[k].hides(pixel / u->width, pixel % u->width,
                                               u->height, u->width)
                             : file.pixels[pixel * file.channels] >= 128;
    }
    return known;
}

static Dataset load_pictures(Arena *a, const Restoring *r, const UNetConfig *u)
{
    const char *source, *data;
    run_source(a, r->run, &source, &data);
    Dataset d = dataset_load(a, source, data, r->train ? DATASET_TRAIN : DATASET_TEST);
    if (d.height != u->height || d.width != u->width || d.channels != u->channels)
        fail("the pictures of %s are %dx%dx%d, the model's %dx%dx%d", d.name, d.height,
             d.width, d.channels, u->height, u->width, u->channels);
    if (r->count > d.count) fail("%s has only %d pictures", d.name, d.count);
    return d;
}

/* The mean of the training pictures, D numbers. */
static double *find_average(Arena *a, const Restoring *r, size_t D)
{
    const char *source, *data;
    run_source(a, r->run, &source, &data);
    Dataset d = dataset_load(a, source, data, DATASET_TRAIN);
    double *average = arena_new(a, double, D);
    memset(average, 0, D * sizeof *average);
    for (size_t i = 0; i < D * (size_t)d.count; i++) average[i % D] += d.pixels[i];
    for (size_t i = 0; i < D; i++) average[i] = average[i] / d.count / 127.5 - 1;
    return average;
}

/* N answers x [N, D] to a picture; leaves their mean in `mean`. */
static void add_errors(Errors *e, const uint8_t *picture, const bool *mask,
                       const double *guess, const double *x, int N, size_t D,
                       double *mean)
{
    for (size_t i = 0; i < D; i++) {
        double truth = picture[i] / 127.5 - 1, answer = 0;
        mean[i] = 0;
        for (int n = 0; n < N; n++) {
            double y = x[(size_t)n * D + i];
            mean[i] += y / N, answer += (y - truth) * (y - truth) / N;
        }
        if (mask && mask[i]) continue;
        e->guess += (guess[i] - truth) * (guess[i] - truth);
        e->mean += (mean[i] - truth) * (mean[i] - truth);
        e->answer += answer, e->numbers++;
    }
}

/* A row: the picture, what is seen of it, the answers and their mean.  Hidden parts are
 * seen as grey. */
static Errors restore(Arena *a, const Restoring *r, Model *m)
{
    const UNetConfig *u = &m->config.unet;
    Dataset set = load_pictures(a, r, u);
    Schedule s = m->process.schedule;
    if (strcmp(r->steps, "0") != 0) s = schedule_respace(a, &s, r->steps);
    NetworkDenoiser d = network_denoiser(&m->net, &m->params, m->ema.value[0],
                                         &m->process);
    SamplingOptions o = {.sampler = sampler_find("ddpm"), .variance = m->process.variance,
                         .seed = (uint64_t)r->seed};
    int columns = 3 + r->draws, N = r->draws;
    size_t D = d.base.size, n = D * (size_t)N;
    uint8_t *pixels = arena_new(a, uint8_t, (size_t)(r->count * columns) * D);
    double *y = arena_new(a, double, n), *x = arena_new(a, double, n + D);
    double *seen = arena_new(a, double, D), *noise = arena_new(a, double, D);
    bool *known = arena_new(a, bool, n), *mask = NULL;
    if (r->mask) mask = find_known(a, r->mask, u);
    const double *guess = mask ? find_average(a, r, D) : seen;
    int *label = arena_new(a, int, (size_t)N);
    Errors errors = {0};
    Progress progress = progress_start("picture");
    for (int k = 0; k < r->count; k++) {
        const uint8_t *picture = set.pixels + (size_t)k * D;
        uint8_t *to = pixels + (size_t)(k * columns) * D;
        random_normals(random_stream((uint64_t)r->seed, 12, (uint64_t)k), 0, D, noise);
        for (size_t i = 0; i < n; i++) {
            y[i] = picture[i % D] / 127.5 - 1 + r->noise * noise[i % D];
            known[i] = !mask || mask[i % D];
            if (i < D) seen[i] = known[i] ? y[i] : 0;
        }
        for (int i = 0; i < N; i++) label[i] = set.labels ? set.labels[k] : 0;
        Observation see = {y, known, r->noise, r->as_noisy || r->repeats > 1, r->repeats};
        Crowd crowd = {(uint64_t)(k * N), N, u->classes ? label : NULL};
        sample_posterior(&d.base, &s, &o, crowd, &see, x);
        add_errors(&errors, picture, mask, guess, x, N, D, x + n);
        memcpy(to, picture, D);
        to_bytes(to + D, seen, D);
        to_bytes(to + 2 * D, x, n + D);
        progress_show(&progress, k + 1, r->count, (k + 1.0) / r->count, "");
    }
    progress_break(&progress);
    Pictures p = {r->count * columns, u->height, u->width, u->channels, pixels};
    Image grid = image_grid(a, &p, columns, 2);
    png_write(r->out, &grid);
    network_denoiser_destroy(&d);
    return errors;
}

/* Of numbers from -1 to 1, in decibels. */
static double signal_to_noise(double sum, const Errors *e)
{
    return 10 * log10(4 * (double)e->numbers / sum);
}

/* The command: its own option is the first row of the table. */
static int run(int argc, char **argv, Restoring r, Option own, const Usage *usage)
{
    Option options[] = {
        own,
        {"count", OPTION_INT, &r.count, "N", "test pictures", 0},
        {"draws", OPTION_INT, &r.draws, "N", "answers for each", 0},
        {"sample-steps", OPTION_TEXT, &r.steps, "N", "of the model's steps; 0: all", 0},
        {"as-noisy", OPTION_FLAG, &r.as_noisy, NULL, "noise what is seen, too", 0},
        {"repeats", OPTION_INT, &r.repeats, "N", "of each step, with one forward after "
         "it; above 1 implies --as-noisy (RePaint)", 0},
        {"train", OPTION_FLAG, &r.train, NULL, "training pictures instead", 0},
        {"seed", OPTION_LONG, &r.seed, "N", "of the noise", 0},
        {"out", OPTION_TEXT, &r.out, "X.png", "rows: picture, what is seen, answers, "
         "their mean", 0},
        {"threads", OPTION_INT, &r.threads, "N", "0: one for each core", 0},
        {0},
    };
    options[0].value = own.kind == OPTION_TEXT ? (void *)&r.mask : (void *)&r.noise;
    if (options_parse(argc, argv, usage, options, &r.run) != 1)
        fail_usage("which run?  usage: %s", usage->synopsis);
    if (r.count < 1 || r.draws < 1 || r.repeats < 1)
        fail_usage("--count, --draws and --repeats must be at least 1");
    if (!r.mask && (r.as_noisy || r.repeats > 1))
        fail_usage("--as-noisy and --repeats are for inpaint: what is seen must be "
                   "exact");
    parallel_set_threads(r.threads);
    Arena a = arena_create();
    Model m;
    model_load(&m, run_checkpoint(&a, r.run), MODEL_DENOISER, false);
    Errors e = restore(&a, &r, &m);
    if (e.numbers)
        printf("peak signal to noise %s: %.1f dB for %s,\n"
               "%.1f dB for an answer, %.1f dB for the mean of a picture's answers\n",
               r.mask ? "where it is hidden" : "everywhere", signal_to_noise(e.guess, &e),
               r.mask ? "the average training picture" : "what is seen",
               signal_to_noise(e.answer, &e), signal_to_noise(e.mean, &e));
    printf("%d pictures, %d answers each: %s\n", r.count, r.draws, r.out);
    return 0;
}

int inpaint_main(int argc, char **argv)
{
    Restoring r = {.mask = "left", .steps = "100", .count = 8, .draws = 6, .repeats = 1,
                   .out = "inpaint.png"};
    return run(argc, argv, r,
               (Option){"mask", OPTION_TEXT, NULL, "NAME", "what is hidden: left, right, "
                        "box, or the dark part of a PNG file", 0},
               &(Usage){"drift inpaint RUN [options]",
                        "Hides a part of test pictures; the model fills it in.", 1});
}

int denoise_main(int argc, char **argv)
{
    Restoring r = {.noise = 1, .steps = "100", .count = 8, .draws = 6, .repeats = 1,
                   .out = "denoise.png"};
    return run(argc, argv, r,
               (Option){"noise", OPTION_REAL, NULL, "S", "deviation; pixels: [-1, 1]", 0},
               &(Usage){"drift denoise RUN [options]",
                        "Adds noise to test pictures; the model takes it off.", 1});
}
