/* drift pixels: the images of Sohl-Dickstein 2015, and K in bits a pixel (Table 1).
 *
 * What swissroll.c is for points, with the network that the paper has for images
 * (multiscale.h).  Three things are about images:
 *
 * Bytes are spread over their grey levels and brought to mean 0 and variance 1
 * (dequantise.h).  Then L_null, the K of N(0, I), is that of the best Gaussian that knows
 * no pixel from another.
 *
 * The first step back is not learned (gaussian_bound.h), or the edges of the cube of
 * bytes would be worth more and more.  beta_1 = 0.001, as in the code.
 *
 * Each image of a batch is at another t, evenly spread, where the code has one t for all
 * and multiplies by T what is a mean over T-1 steps.  The measurement has each t equally
 * often, so that the terms of Gaussian data cancel to 0 (--control).  The paper's bumps
 * in time want a network that changes slowly with t, so the schedule grows s/a by the
 * same factor each step: the code's, 1/T of the signal a step, has all small scales in
 * its first bump. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/dequantise.h"
#include "apps/support/image.h"
#include "apps/support/learning.h"
#include "apps/support/options.h"
#include "apps/support/png.h"
#include "diffusion/jarzynski.h"
#include "diffusion/readout.h"
#include "nn/multiscale.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

enum { BATCH = 16, ROUNDS = 64, T = 1 + BATCH * ROUNDS };    /* T-1 steps are learned */
enum { PASSES = 4, SHOWN = 16, COLUMNS = 8, WEIGHED = 4, MOST_PATHS = 1024 };
enum { TRAIN = 1, MEASURE, DRAW, WEIGH };       /* whose random numbers */

typedef struct {
    Dataset train, test;
    const Dataset *from;        /* of the two */
    bool control;               /* N(0, I) instead */
    Greys greys;
    int D;                      /* numbers in an image */
    Schedule schedule;
    Params params;
    Multiscale net;
    const Readout *readout;
    Tape tape;
    Arena arena;
} Model;

/* ---- data -------------------------------------------------------------------------- */

/* Any image, with its noise.  For the control only the moments up to the second matter,
 * and x0, eps = +-1 in all four pairings have them exactly. */
static void draw_image(const Model *m, Random row, double *x0, double *eps)
{
    uint64_t D = (uint64_t)m->D;
    uint32_t n = random_below(row, 2 * D, (uint32_t)m->from->count);
    dequantise(&m->greys, m->from->pixels + n * D, D, row, x0);
    random_normals(row, D, D, eps);
    for (int i = 0; m->control && i < m->D; i++)
        x0[i] = i & 1 ? 1 : -1, eps[i] = i & 2 ? 1 : -1;
}

/* ---- the bound --------------------------------------------------------------------- */

/* Mean and log variance of p(x_{t-1} | x_t), x [N, 1, D], image n at t[n]. */
static void step_back(const Model *m, Pass *pass, Var *x, const Levels *l,
                      const double t[], Var **mean, Var **log_variance)
{
    const MultiscaleConfig *c = &m->net.config;
    Tape *tape = pass->tape;
    int N = x->shape.dim[0], C = c->channels;
    Var *image = reshape(tape, x, SHAPE(N, c->height, c->width, C));
    Var *z = multiscale_forward(pass, &m->net, image, t);
    Var *z_mu = reshape(tape, slice(tape, z, 3, 0, C), x->shape);
    Var *z_sigma = reshape(tape, slice(tape, z, 3, C, C), x->shape);
    m->readout->read(tape, x, z_mu, z_sigma, l, mean, log_variance);
}

/* L_null - K of BATCH images in nats a number: T-1 times the mean KL, less the ends.
 * Image n is at t = 1 + (n + u) ROUNDS, rounded down. */
static Var *shortfall(Model *m, Pass *pass, Random r, double u)
{
    Tape *tape = pass->tape;
    size_t D = (size_t)m->D;
    Real *x0 = tape_save(tape, Real, BATCH * D), *xt = tape_save(tape, Real, BATCH * D);
    double *t = tape_save(tape, double, BATCH);
    double *numbers = tape_save(tape, double, 2 * BATCH * D);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < BATCH; n++) {
        Random row = {r.seed, r.stream + ((uint64_t)(n + 1) << 24)};
        double *clean = numbers + 2 * D * (size_t)n, *eps = clean + D;
        t[n] = 1 + (int)((n + u) * ROUNDS);
        Level l = schedule_level(&m->schedule, (int)t[n]);
        draw_image(m, row, clean, eps);
        for (size_t i = 0; i < D; i++) {
            x0[(size_t)n * D + i] = (Real)clean[i];
            xt[(size_t)n * D + i] = (Real)(l.a * clean[i] + l.s * eps[i]);
        }
    }
    Levels l = levels_at(tape, &m->schedule, t, BATCH);
    Shape shape = SHAPE(BATCH, 1, m->D);
    Var *x = tape_leaf(tape, "x_t", shape, xt, NULL), *mu, *log_variance;
    step_back(m, pass, x, &l, t, &mu, &log_variance);
    Var *clean = tape_leaf(tape, "x_0", shape, x0, NULL);
    Var *kl = mean(tape, posterior_kl(tape, clean, x, &l, mu, log_variance), ALL_AXES);
    return scale(tape, kl, T - 1, -gaussian_bound_ends(&m->schedule));
}

static Var *loss(void *m, Pass *pass, Random r)
{
    return shortfall(m, pass, r, random_uniform(r, 0));
}

/* A mean over passes and its standard error. */
typedef struct { double mean, error; } Estimate;

/* K - L_null in bits a pixel; a pass has an image at each t. */
static Estimate measure(Model *m)
{
    double sum = 0, squares = 0, bits = m->train.channels / log(2);
    for (uint64_t k = 0; k < PASSES; k++) {
        double nats = 0;
        for (uint64_t i = 0; i < ROUNDS; i++) {
            tape_reset(&m->tape);
            Pass pass = pass_inference(&m->tape, &m->params, m->params.value);
            Random r = random_stream(1, MEASURE, k * ROUNDS + i);
            nats -= (double)shortfall(m, &pass, r, (double)i / ROUNDS)->value[0] / ROUNDS;
        }
        sum += nats * bits, squares += nats * bits * nats * bits;
    }
    double mean = sum / PASSES, variance = fmax(squares / PASSES - mean * mean, 0);
    return (Estimate){mean, sqrt(variance / (PASSES - 1))};
}

/* ---- the chain --------------------------------------------------------------------- */

/* The way back at t of N images; at t = 0, the step that is not learned, the forward
 * kernel. */
typedef struct { Model *m; int N; } Images;

static void predict(void *context, int t, const double *x, double *mean,
                    double *log_variance)
{
    const Images *of = context;
    Model *m = of->m;
    size_t size = (size_t)of->N * (size_t)m->D;
    double beta = m->schedule.beta[t];
    tape_reset(&m->tape);
    Pass pass = pass_inference(&m->tape, &m->params, m->params.value);
    Real *in = tape_save(&m->tape, Real, size);
    double *times = tape_save(&m->tape, double, (size_t)of->N);
    for (size_t i = 0; i < size; i++) {
        in[i] = (Real)x[i];
        mean[i] = sqrt(1 - beta) * x[i], log_variance[i] = log(beta);
    }
    if (t == 0) return;
    for (int n = 0; n < of->N; n++) times[n] = t;
    Levels l = levels_at(&m->tape, &m->schedule, times, of->N);
    Shape shape = SHAPE(of->N, 1, m->D);
    Var *xt = tape_leaf(&m->tape, "x_t", shape, in, NULL), *mu, *log_of;
    step_back(m, &pass, xt, &l, times, &mu, &log_of);
    for (size_t i = 0; i < size; i++) {
        mean[i] = (double)mu->value[i];
        log_variance[i] = (double)log_of->value[i];
    }
}

/* Images of the test set above, samples below, down to x_1: the
 * last step would only add noise. */
static void draw_samples(Model *m, const char *path)
{
    size_t D = (size_t)m->D, size = SHOWN * D;
    double *x = arena_new(&m->arena, double, 4 * size), *mean = x + size;
    double *log_variance = mean + size, *z = log_variance + size;
    Images all = {m, SHOWN};
    random_normals(random_stream(1, DRAW, T), 0, size, x);
    for (int t = T - 1; t > 0; t--) {
        predict(&all, t, x, mean, log_variance);
        random_normals(random_stream(1, DRAW, (uint64_t)t), 0, size, z);
        for (size_t i = 0; i < size; i++)
            x[i] = mean[i] + exp(log_variance[i] / 2) * z[i];
    }
    uint8_t *bytes = arena_new(&m->arena, uint8_t, COLUMNS * D + size);
    memcpy(bytes, m->test.pixels, COLUMNS * D);
    quantise(&m->greys, x, size, bytes + COLUMNS * D);
    const Dataset *d = &m->test;
    Pictures p = {COLUMNS + SHOWN, d->height, d->width, d->channels, bytes};
    Image grid = image_grid(&m->arena, &p, COLUMNS, 2);
    png_write(path, &grid);
    printf("  %s\n", path);
}

/* log2 p(x_0) by paths to noise (jarzynski.h), in bits a pixel, of the first test images,
 * or of the control's x0. */
static void weigh(Model *m, int paths)
{
    Images all = {m, paths};
    size_t D = (size_t)m->D;
    double *x0 = arena_new(&m->arena, double, 2 * D);
    double bits = 1 / (log(2) * m->test.height * m->test.width);
    printf("test image    mean of log2 W   log2 of mean W   deviation of log2 W: bits a "
           "pixel, %d paths\n", paths);
    for (int n = 0; n < WEIGHED; n++) {
        Random row = random_stream(1, WEIGH, (uint64_t)n);
        if (m->control) draw_image(m, row, x0, x0 + D);
        else dequantise(&m->greys, m->test.pixels + (size_t)n * D, D, row, x0);
        Random noise = random_stream(2, WEIGH, (uint64_t)n);
        PathAverage w = path_average(&m->schedule, x0, D, paths, noise,
                                     (Backward){predict, &all});
        printf("%10d %17.4f %16.4f %21.4f\n", n, w.mean_log * bits, w.log_mean * bits,
               w.deviation * bits);
    }
}

/* ---- the command ------------------------------------------------------------------- */

static void report(Model *m)
{
    int C = m->train.channels;
    double null = -0.5 * C * log2(2 * 3.14159265358979323846 * exp(1));
    m->from = &m->test;
    Estimate gain = measure(m);
    double K = null + gain.mean, deviation = m->greys.deviation;
    printf("K         %8.4f bits a pixel, +- %.4f   [paper: dead leaves 1.489]\n"
           "L_null    %8.4f\n"
           "K - L_null%8.4f   what has been learned    [paper: dead leaves 3.536]\n"
           "bits/dim  %8.4f   of the bytes: log2 %.2f - K%s\n", K, gain.error, null,
           gain.mean, log2(deviation) - K / C, deviation, C > 1 ? " / channels" : "");
}

static void make_network(Model *m, int scales, bool dense)
{
    const Dataset *d = &m->train;
    if ((d->height | d->width) % (1 << (scales - 1)))
        fail_usage("%d scales halve the sides %d times, which %dx%d pixels do not allow; "
                   "try --scales 1", scales, scales - 1, d->height, d->width);
    m->net = multiscale_init(&m->params, "net", &(MultiscaleConfig){
        .height = d->height, .width = d->width, .channels = d->channels, .scales = scales,
        .layers = 4, .filters = 20, .dense_layers = dense ? 4 : 0, .dense_units = 500,
        .dense_out = 2, .pixel_layers = 2, .pixel_units = 20, .basis = {T, 10, 1}});
    params_allocate(&m->params, 1);
}

int pixels_main(int argc, char **argv)
{
    const char *data = NULL, *readout = "velocity", *out = "runs/pixels", *set;
    long steps = 1500;
    int scales = 3, paths = 0, threads = 0;
    bool no_dense = false, control = false;
    Option options[] = {
        {"data", OPTION_TEXT, &data, "FOLDER", "where the set is [it comes along]", 0},
        {"steps", OPTION_LONG, &steps, "N", "of training, 16 images each", 0},
        {"scales", OPTION_INT, &scales, "N", "of the convolutions, 1 to 5", 0},
        {"no-dense", OPTION_FLAG, &no_dense, NULL, "no layers over the whole image", 0},
        {"readout", OPTION_TEXT, &readout, "NAME", "of readout.h: paper, code ...", 0},
        {"importance", OPTION_INT, &paths, "N",
         "log p(x_0) of 4 images by N paths to noise, beside K; 0: not", 0},
        {"control", OPTION_FLAG, &control, NULL,
         "data N(0, I) and a silent network: K - L_null must be 0", 0},
        {"out", OPTION_TEXT, &out, "FOLDER", "where the samples go", 0},
        {"threads", OPTION_INT, &threads, "N", "0: one for each core", 0},
        {0},
    };
    Usage usage = {"drift pixels DATASET [options]",
                   "Learns images (mnist, leaves, or as in `drift train`) with the\n"
                   "network of Sohl-Dickstein 2015, measures K in bits a pixel and\n"
                   "draws samples.", 1};
    if (options_parse(argc, argv, &usage, options, &set) != 1)
        fail_usage("drift pixels wants a data set: mnist, leaves, or a folder");
    if (scales < 1 || scales > MOST_SCALES)
        fail_usage("--scales must be from 1 to %d", MOST_SCALES);
    if (paths > MOST_PATHS) fail_usage("--importance must be at most %d", MOST_PATHS);
    parallel_set_threads(threads);
    Model m = {.control = control, .params = params_create(), .tape = tape_create(),
               .arena = arena_create(), .readout = readout_find(readout)};
    m.schedule = schedule_make(&m.arena, "geometric", T, 0.001, 0.96);
    m.train = dataset_load(&m.arena, set, data, DATASET_TRAIN);
    m.test = dataset_load(&m.arena, set, data, DATASET_TEST);
    if (m.test.count < COLUMNS)
        fail("%s has %d pictures to test with; want at least %d", set, m.test.count,
             COLUMNS);
    m.from = &m.train, m.D = m.train.height * m.train.width * m.train.channels;
    m.greys = greys_of(&m.train);
    make_network(&m, scales, !no_dense);
    if (!control)
        learn(&m.params, &m.tape, &(Learning){2e-3, 0.99, 1, TRAIN}, steps,
              (Loss){loss, &m});
    report(&m);
    if (paths) weigh(&m, paths);
    if (control) return 0;
    folder_make(out);
    draw_samples(&m, arena_printf(&m.arena, "%s/%s.png", out, m.train.name));
    return 0;
}
