/* drift evaluate: how good is a model, in numbers.
 *
 * Of its pictures, beside what real pictures get: apps/support/quality.h.
 *
 * --nll: the variational bound on test images in bits per dimension, with its terms (Ho
 * 2020, tables 1 and 4; diffusion/likelihood.h), as a table, RUN/nll.json, RUN/nll.svg,
 * and the trade of bits against error in RUN/nll-rate.svg. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/dataset.h"
#include "apps/support/options.h"
#include "apps/support/plot.h"
#include "apps/support/progress.h"
#include "apps/support/quality.h"
#include "apps/support/run.h"
#include "diffusion/flow.h"
#include "diffusion/likelihood.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

enum { PURPOSE_EVALUATE = 11, OPTIONS = 40 };

typedef struct {
    const char *run, *on, *data, *part, *steps, *out;
    int count, batch, threads, ode, probes;
    long seed;
    bool nll;
    QualityRequest quality;
} CommandLine;

static void make_table(CommandLine *c, Option table[OPTIONS])
{
    const Option rows[] = {
        {"nll", OPTION_FLAG, &c->nll, NULL,
         "the bound on the negative log-likelihood", 0},
        {"count", OPTION_INT, &c->count, "N",
         "samples to draw [1000]; with --nll images, the first of the set [32]", 0},
        {"part", OPTION_TEXT, &c->part, "NAME", "with --nll: test or train", 0},
        {"on", OPTION_TEXT, &c->on, "DATASET",
         "with --nll: another data set than the run's", 0},
        {"data", OPTION_TEXT, &c->data, "FOLDER",
         "where it is [where the run found it]", 0},
        {"ode", OPTION_INT, &c->ode, "N",
         "with --nll: beside the bound, the likelihood by the flow over N levels", 0},
        {"probes", OPTION_INT, &c->probes, "N",
         "of --ode, to estimate the trace; 0: exact", 0},
        {"out", OPTION_TEXT, &c->out, "PREFIX",
         "begins the names of the files written [RUN/quality, RUN/nll]", 0},
        QUALITY_OPTIONS(&c->quality),
        {"threads", OPTION_INT, &c->threads, "N", "0: one for each core", 0},
        {0},
    };
    _Static_assert(sizeof rows <= OPTIONS * sizeof *rows, "a larger OPTIONS is needed");
    memcpy(table, rows, sizeof rows);
}

/* Sums over images: each term by t, and the totals with their squares. */
typedef struct {
    int T, images;
    double *bits, *x0_mse, *eps_mse;        /* [T] */
    double total, square, prior;
    double flow;        /* of what the flow takes in the place of prior and KL */
} Sums;

/* ---- computing --------------------------------------------------------------------- */

typedef struct { uint64_t seed, first; int N; size_t D; } Noise;

/* Image k's noise at step t depends on the seed, k and t alone. */
static void fill_noise(void *context, int t, double *eps)
{
    const Noise *n = context;
    for (int i = 0; i < n->N; i++)
        random_normals(random_stream(n->seed, PURPOSE_EVALUATE, n->first + (uint64_t)i),
                       (uint64_t)t * n->D, n->D, eps + (size_t)i * n->D);
}

static void add_bound(Sums *s, const Bound *b, int N)
{
    for (int n = 0; n < N; n++) {
        s->images++;
        s->total += b->total[n], s->square += b->total[n] * b->total[n];
        s->prior += b->prior[n];
        for (int t = 0; t < s->T; t++) {
            const BoundTerm *term = &b->term[n * s->T + t];
            s->bits[t] += term->bits;
            s->x0_mse[t] += term->x0_mse, s->eps_mse[t] += term->eps_mse;
        }
    }
}

/* The flow starts where the bound's last step begins, at the same noise. */
static double flow_sum(const CommandLine *c, Denoiser *d, const Process *p,
                       const double *x0, const int *label, Noise *noise)
{
    size_t N = (size_t)noise->N, mark = arena_mark(scratch());
    double *eps = arena_new(scratch(), double, N * d->size), sum = 0;
    double *bits = arena_new(scratch(), double, N);
    Level low = schedule_level(&p->schedule, 0);
    Level high = schedule_level(&p->schedule, p->schedule.T - 1);
    FlowOptions o = {.N = c->ode, .sigma_min = low.s / low.a,
                     .sigma_max = high.s / high.a, .probes = c->probes,
                     .seed = (uint64_t)c->seed};
    fill_noise(noise, 0, eps);
    flow_bits(d, &o, (Crowd){noise->first, noise->N, label}, x0, eps, bits);
    for (size_t i = 0; i < N; i++) sum += bits[i];
    arena_rewind(scratch(), mark);
    return sum;
}

static Sums measure(Arena *a, const CommandLine *c, Denoiser *d, const Process *p,
                    const Dataset *set)
{
    size_t T = (size_t)p->schedule.T;
    Sums s = {.T = p->schedule.T, .bits = arena_new(a, double, T),
              .x0_mse = arena_new(a, double, T), .eps_mse = arena_new(a, double, T)};
    memset(s.bits, 0, T * sizeof(double));
    memset(s.x0_mse, 0, T * sizeof(double));
    memset(s.eps_mse, 0, T * sizeof(double));
    Progress progress = progress_start("image");
    for (int i = 0; i < c->count; i += c->batch) {
        Arena work = arena_create();
        int N = c->count - i < c->batch ? c->count - i : c->batch;
        double *x0 = arena_new(&work, double, (size_t)N * d->size);
        int *label = arena_new(&work, int, (size_t)N);
        for (size_t k = 0; k < (size_t)N * d->size; k++)
            x0[k] = set->pixels[(size_t)i * d->size + k] / 127.5 - 1;
        for (int n = 0; n < N; n++) label[n] = set->labels ? set->labels[i + n] : -1;
        Noise noise = {(uint64_t)c->seed, (uint64_t)i, N, d->size};
        Bound b = bound_of(&work, d, p, x0, N, label, (NoiseSource){fill_noise, &noise});
        add_bound(&s, &b, N);
        if (c->ode) s.flow += flow_sum(c, d, p, x0, label, &noise);
        arena_destroy(&work);
        progress_show(&progress, s.images, c->count, (double)s.images / c->count, "");
    }
    progress_break(&progress);
    for (int t = 0; t < s.T; t++)
        s.bits[t] /= s.images, s.x0_mse[t] /= s.images, s.eps_mse[t] /= s.images;
    s.total /= s.images, s.square /= s.images, s.prior /= s.images;
    s.flow /= s.images;
    return s;
}

/* Of the mean of two images or more. */
static double standard_error(const Sums *s)
{
    return sqrt(fmax(s->square - s->total * s->total, 0) / (s->images - 1));
}

/* ---- showing ----------------------------------------------------------------------- */

static double kl_sum(const Sums *s)
{
    double sum = 0;
    for (int t = 1; t < s->T; t++) sum += s->bits[t];
    return sum;
}

static void print_table(const Sums *s, const Schedule *schedule)
{
    printf("      t    bits/dim   bits above   x0 rmse (of 255)    eps mse\n");
    double above = s->prior;
    for (int t = s->T - 1, next = s->T - 1; t >= 0; t--) {
        if (t <= next || t == 0) {
            printf("%7.0f   %9.6f    %9.5f   %12.4f      %9.5f\n", schedule->told[t],
                   s->bits[t], above, 127.5 * sqrt(s->x0_mse[t]), s->eps_mse[t]);
            next = t > 10 ? (int)(t * 0.7) : t - 1;
        }
        above += s->bits[t];
    }
    printf("\n%.4f bits/dim", s->total);
    if (s->images > 1) printf(", standard error %.4f", standard_error(s));
    printf(", on %d image%s: prior %.5f + KL %.4f + decoder %.4f\n", s->images,
           s->images > 1 ? "s" : "", s->prior, kl_sum(s), s->bits[0]);
    if (s->flow == 0) return;
    printf("%.4f bits/dim by the flow: %.4f in the place of prior and KL\n",
           s->flow + s->bits[0], s->flow);
}

static void write_json(const char *path, const Sums *s)
{
    Arena a = arena_create();
    Text t = {.arena = &a};
    json_open_object(&t, NULL);
    json_put_integer(&t, "images", s->images);
    json_put_number(&t, "bits_per_dim", s->total);
    if (s->images > 1) json_put_number(&t, "standard_error", standard_error(s));
    json_put_number(&t, "prior", s->prior);
    json_put_number(&t, "kl", kl_sum(s));
    json_put_number(&t, "decoder", s->bits[0]);
    if (s->flow != 0) json_put_number(&t, "flow", s->flow);
    json_put_numbers(&t, "bits_by_t", s->bits, s->T);
    json_put_numbers(&t, "x0_mse_by_t", s->x0_mse, s->T);
    json_put_numbers(&t, "eps_mse_by_t", s->eps_mse, s->T);
    json_close(&t);
    text_printf(&t, "\n");
    file_write(path, t.bytes, t.length);
    arena_destroy(&a);
}

static void write_plot(Arena *a, const char *path, const Sums *s,
                       const Schedule *schedule)
{
    double *t = arena_new(a, double, (size_t)s->T);
    for (int i = 0; i < s->T; i++) t[i] = schedule->told[i] + 1;
    const Curve curves[] = {{"bits/dim", t, s->bits, s->T},
                            {"eps mse", t, s->eps_mse, s->T},
                            {"x0 mse", t, s->x0_mse, s->T}};
    plot_write(path, &(Plot){"The bound and the errors by step", "t + 1", "", true, true},
               curves, 3);
}

/* Stop the chain at t and show the x0 predicted there: how many bits were sent, and how
 * far off is the image (Ho 2020, figure 5)? */
static void write_rate_distortion(Arena *a, const char *path, const Sums *s)
{
    double *rate = arena_new(a, double, (size_t)s->T);
    double *rmse = arena_new(a, double, (size_t)s->T);
    double sent = s->prior;
    for (int t = s->T - 1, i = 0; t >= 0; sent += s->bits[t--], i++)
        rate[i] = sent, rmse[i] = 127.5 * sqrt(s->x0_mse[t]);
    Curve curve = {"x0 predicted at t", rate, rmse, s->T};
    plot_write(path, &(Plot){"Rate and distortion", "bits/dim sent", "rmse of 255"},
               &curve, 1);
}

/* ---- the command ------------------------------------------------------------------ */

static void parse_command_line(CommandLine *c, Option options[], int argc, char **argv)
{
    static const Usage usage = {
        "drift evaluate RUN [--count N]  or  drift evaluate RUN --nll [options]",
        "Measures a model by its samples, or on images it was not trained on.\n\n"
        "Samples and the training and test set, each picture known by the features of a\n"
        "small network: how far apart (Frechet distance, of whole pictures and of places in\n"
        "them), how many samples are like real pictures (precision), how many real ones are\n"
        "like samples (recall).  Beside each number: what as many real pictures get.  With\n"
        "--guide and --scale a block a scale, and a plot.  The sampler's options are those\n"
        "of drift sample.\n\n"
        "--nll: bits per dimension that the model needs for an image, at most: the "
        "variational\n"
        "bound, term by term.  The row of t says what the step down from t costs, what "
        "all steps\n"
        "above it cost (the rate), and how far x0 predicted there is off (the "
        "distortion).", 1};
    *c = (CommandLine){.part = "test", .probes = 1, .quality = QUALITY_REQUEST};
    make_table(c, options);
    if (options_parse(argc, argv, &usage, options, &c->run) != 1)
        fail_usage("which run?  usage: %s", usage.synopsis);
    if (!options_given(options, "count")) c->count = c->nll ? 32 : 1000;
    const DrawRequest *draw = &c->quality.draw;
    c->steps = draw->sampling.steps ? draw->sampling.steps : "0";
    c->batch = draw->batch, c->seed = draw->seed;
    if (strcmp(c->part, "test") != 0 && strcmp(c->part, "train") != 0)
        fail_usage("--part %s: want test or train", c->part);
    if (c->ode == 1) fail_usage("--ode 1: want at least 2 noise levels");
    if (c->count < 1 || c->batch < 1)
        fail_usage("--count and --batch must be at least 1");
}

static Dataset load_images(Arena *a, CommandLine *c, const UNetConfig *u)
{
    if (!c->on) run_source(a, c->run, &c->on, c->data ? NULL : &c->data);
    Dataset d = dataset_load(a, c->on, c->data,
                             strcmp(c->part, "test") == 0 ? DATASET_TEST : DATASET_TRAIN);
    if (d.height != u->height || d.width != u->width || d.channels != u->channels)
        fail("%s has pictures of %dx%dx%d, but the model draws %dx%dx%d", c->on, d.height,
             d.width, d.channels, u->height, u->width, u->channels);
    if (c->count > d.count) c->count = d.count;
    return d;
}

static int evaluate_bound(CommandLine c)
{
    Arena a = arena_create();
    Model m;
    model_load(&m, run_checkpoint(&a, c.run), MODEL_DENOISER, false);
    Dataset set = load_images(&a, &c, &m.config.unet);
    Process p = m.process;
    if (strcmp(c.steps, "0") != 0)
        p.schedule = schedule_respace(&a, &p.schedule, c.steps);
    NetworkDenoiser d = network_denoiser(&m.net, &m.params, m.ema.value[0], &p);
    if (!c.out) c.out = file_is_folder(c.run) ? run_path(&a, c.run, "nll") : "nll";

    Sums s = measure(&a, &c, &d.base, &p, &set);
    print_table(&s, &p.schedule);
    write_json(arena_printf(&a, "%s.json", c.out), &s);
    write_plot(&a, arena_printf(&a, "%s.svg", c.out), &s, &p.schedule);
    write_rate_distortion(&a, arena_printf(&a, "%s-rate.svg", c.out), &s);
    printf("  %s.json\n  %s.svg\n  %s-rate.svg\n", c.out, c.out, c.out);
    return 0;
}

int evaluate_main(int argc, char **argv)
{
    CommandLine c;
    Option options[OPTIONS];
    parse_command_line(&c, options, argc, argv);
    parallel_set_threads(c.threads);
    if (c.nll) return evaluate_bound(c);
    QualityRequest *q = &c.quality;
    q->count = c.count, q->data = c.data, q->out = c.out;
    if (!q->out)
        q->out = file_is_folder(c.run) ? run_path(scratch(), c.run, "quality")
                                       : "quality";
    quality_report(q, c.run, options);
    return 0;
}
