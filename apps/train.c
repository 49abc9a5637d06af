/* drift train: data in, a run folder out.
 *
 * The whole of training is in train(): draw a batch, noise it, let the network guess the noise,
 * go back, step.  Around it: resuming, the log, pictures on the way, and leaving in order. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/dataset.h"
#include "apps/support/options.h"
#include "apps/support/png.h"
#include "apps/support/progress.h"
#include "apps/support/run.h"
#include "diffusion/sampler.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

/* Rows of the table of random numbers (tensor/random.h). */
enum { PURPOSE_ORDER = 2, PURPOSE_TIME = 3, PURPOSE_NOISE = 4, PURPOSE_FLIP = 5,
       PURPOSE_DROPOUT = 6 };

enum { QUARTILES = 4, PREVIEW_COLUMNS = 8, PREVIEW_STEPS = 25 };

typedef struct {
    const char *folder;                 /* of the run */
    const char *data;                   /* --data, or NULL */
    long steps;                         /* stop after so many in all, 0: no limit */
    double minutes;                     /* stop after so much training in all, 0: no limit */
    Dataset dataset;
    Model model;
    Tape tape;
    Arena arena;
    uint32_t *order;                    /* the permutation of epoch `epoch` */
    long epoch;
    double seconds;                     /* spent training, in this and earlier processes */
    double drawing;                     /* spent on pictures in this process */
    double loss_sum[QUARTILES], smooth;
    long loss_count[QUARTILES];
} Training;

static volatile sig_atomic_t interrupted;

static void on_signal(int signal_number) { interrupted = signal_number; }

/* ---- a batch ---------------------------------------------------------------------------- */

/* Which picture comes at place `place` of the endless sequence of shuffled epochs. */
static uint32_t picture_at(Training *t, uint64_t place)
{
    uint32_t count = (uint32_t)t->dataset.count;
    long epoch = (long)(place / count);
    if (epoch != t->epoch) {
        random_permutation(random_stream(t->model.config.seed, PURPOSE_ORDER, (uint64_t)epoch),
                           count, t->order);
        t->epoch = epoch;
    }
    return t->order[place % count];
}

/* One picture as numbers in [-1, 1], mirrored or not. */
static void copy_picture(double *x0, const uint8_t *pixels, const UNetConfig *c, bool mirror)
{
    for (int h = 0; h < c->height; h++)
        for (int w = 0; w < c->width; w++)
            for (int k = 0; k < c->channels; k++) {
                int from = mirror ? c->width - 1 - w : w;
                *x0++ = pixels[(h * c->width + from) * c->channels + k] / 127.5 - 1;
            }
}

/* The batch of step `step`: a function of the seed and the step alone.  Owned by the tape. */
static Batch make_batch(Training *t, long step)
{
    const Config *c = &t->model.config;
    uint64_t which = (uint64_t)step;
    size_t N = (size_t)c->batch;
    size_t D = (size_t)(c->unet.height * c->unet.width * c->unet.channels);
    double *x0 = tape_save(&t->tape, double, N * D), *eps = tape_save(&t->tape, double, N * D);
    int *time = tape_save(&t->tape, int, N), *label = tape_save(&t->tape, int, N);
    uint32_t *picture = tape_save(&t->tape, uint32_t, N);
    Random times = random_stream(c->seed, PURPOSE_TIME, which);
    Random flips = random_stream(c->seed, PURPOSE_FLIP, which);
    Random noise = random_stream(c->seed, PURPOSE_NOISE, which);
    for (size_t n = 0; n < N; n++) picture[n] = picture_at(t, which * N + n);
#pragma omp parallel for schedule(static)
    for (size_t n = 0; n < N; n++) {
        copy_picture(x0 + n * D, t->dataset.pixels + picture[n] * D, &c->unet,
                     c->flip && random_bits(flips, n) & 1);
        random_normals(noise, n * D, D, eps + n * D);
        time[n] = (int)random_below(times, n, (uint32_t)c->diffusion_steps);
        label[n] = c->unet.classes ? t->dataset.labels[picture[n]] : 0;
    }
    return (Batch){(int)N, x0, eps, time, c->unet.classes ? label : NULL};
}

/* ---- a step ----------------------------------------------------------------------------- */

/* The same step again with every operation checked, to name the first that went wrong. */
static noreturn void report_not_finite(Training *t, long step)
{
    Model *m = &t->model;
    tape_reset(&t->tape);
    t->tape.check_finite = true;
    fprintf(stderr, "drift: step %ld gave a loss or gradient that is not finite; the checkpoint of "
                    "an earlier step is kept in %s.  A smaller --lr usually helps.\n", step, t->folder);
    Batch b = make_batch(t, step);
    Pass pass = pass_training(&t->tape, &m->params,
                              random_stream(m->config.seed, PURPOSE_DROPOUT, (uint64_t)step));
    backward(mean(&t->tape, objective_loss(&pass, &m->net, &objective_eps, &m->schedule, &b)));
    fail("every operation of step %ld is finite, but the norm of its gradients is not", step);
}

/* Adds the losses of the batch to the sums by quartile of t; returns their mean. */
static double count_losses(Training *t, const Batch *b, const Var *losses)
{
    double sum = 0;
    for (int n = 0; n < b->N; n++) {
        int quartile = QUARTILES * b->t[n] / t->model.config.diffusion_steps;
        t->loss_sum[quartile] += (double)losses->value[n];
        t->loss_count[quartile]++;
        sum += (double)losses->value[n];
    }
    return sum / b->N;
}

/* Returns the loss; *norm is the norm of the gradient before clipping. */
static double train_step(Training *t, double *norm)
{
    Model *m = &t->model;
    long step = m->adam.step;
    tape_reset(&t->tape);
    Batch b = make_batch(t, step);
    Pass pass = pass_training(&t->tape, &m->params,
                              random_stream(m->config.seed, PURPOSE_DROPOUT, (uint64_t)step));
    params_zero_grad(&m->params);
    Var *losses = objective_loss(&pass, &m->net, &objective_eps, &m->schedule, &b);
    double loss = count_losses(t, &b, losses);
    backward(mean(&t->tape, losses));
    *norm = adam_step(&m->adam, &m->params);
    if (!isfinite(loss) || !isfinite(*norm)) report_not_finite(t, step);
    t->smooth = t->smooth > 0 ? 0.99 * t->smooth + 0.01 * loss : loss;
    return loss;
}

/* ---- what is written on the way ------------------------------------------------------------- */

static void save(Training *t)
{
    size_t mark = arena_mark(scratch());
    model_save(&t->model, run_path(scratch(), t->folder, "checkpoint.safetensors"));
    arena_rewind(scratch(), mark);
}

/* Is this step one to log?  The first ten, then ever more rarely, at most every hundredth. */
static bool logs_at(long step) { return step <= 10 || step % (step < 500 ? 10 : 100) == 0; }

static void write_log(Training *t, FILE *log, double loss, double norm, double rate)
{
    size_t mark = arena_mark(scratch());
    Text line = {.arena = scratch()};
    json_open_object(&line, NULL);
    json_put_integer(&line, "step", t->model.adam.step);
    json_put_number(&line, "loss", loss);
    json_put_number(&line, "smoothed", t->smooth);
    json_open_array(&line, "quartiles");
    for (int q = 0; q < QUARTILES; q++) {
        if (t->loss_count[q]) json_put_number(&line, NULL, t->loss_sum[q] / (double)t->loss_count[q]);
        else json_put_null(&line, NULL);
        t->loss_sum[q] = 0, t->loss_count[q] = 0;
    }
    json_close(&line);
    json_put_number(&line, "lr", adam_lr(&t->model.adam));
    json_put_number(&line, "grad_norm", norm);
    json_put_number(&line, "images_per_s", rate);
    json_put_number(&line, "seconds", t->seconds);
    json_put_integer(&line, "memory_peak", (int64_t)memory_resident_peak());
    json_close(&line);
    fprintf(log, "%s\n", line.bytes);
    if (fflush(log) != 0) fail("cannot write %s/log.jsonl; is the disk full?", t->folder);
    arena_rewind(scratch(), mark);
}

/* Draws the preview: the same noise every time, a row a class. */
static void draw(Training *t)
{
    const Config *c = &t->model.config;
    Arena a = arena_create();
    double start = seconds_now();
    int rows = c->unet.classes ? c->unet.classes : PREVIEW_COLUMNS, count = rows * PREVIEW_COLUMNS;
    if (rows > 16) rows = 16, count = rows * PREVIEW_COLUMNS;
    NetworkDenoiser d = network_denoiser(&t->model.net, &t->model.params, t->model.adam.ema,
                                         &objective_eps);
    Schedule s = schedule_respace(&a, &t->model.schedule,
                                  c->diffusion_steps < PREVIEW_STEPS ? c->diffusion_steps : PREVIEW_STEPS);
    SamplingOptions o = {.sampler = sampler_find("ddim"), .seed = 0};
    double *x = arena_new(&a, double, (size_t)count * d.base.size);
    uint8_t *bytes = arena_new(&a, uint8_t, (size_t)count * d.base.size);
    sample(&d.base, &s, &o, 0, count, make_labels(&a, c, count, -1), x);
    to_bytes(bytes, x, (size_t)count * d.base.size);
    Image grid = image_grid(&a, bytes, count, c->unet.height, c->unet.width, c->unet.channels,
                            PREVIEW_COLUMNS, 2);
    png_write(arena_printf(&a, "%s/samples/%06ld.png", t->folder, t->model.adam.step), &grid);
    network_denoiser_destroy(&d);
    arena_destroy(&a);
    t->drawing += seconds_now() - start;
}

/* ---- the loop -------------------------------------------------------------------------------- */

static double fraction_done(const Training *t)
{
    double by_step = t->steps ? (double)t->model.adam.step / (double)t->steps : 0;
    double by_time = t->minutes > 0 ? t->seconds / (60 * t->minutes) : 0;
    return fmin(fmax(by_step, by_time), 1);
}

static void train(Training *t, FILE *log)
{
    enum { SAVE_SECONDS = 60 };
    Progress progress = progress_start("step");
    double begin = seconds_now(), last_save = begin, last_log = begin, last_draw = 0;
    long next_draw = t->model.adam.step + 50, logged = t->model.adam.step;
    while (fraction_done(t) < 1 && !interrupted) {
        double start = seconds_now(), norm, loss = train_step(t, &norm), now = seconds_now();
        long step = t->model.adam.step;
        double rate = t->model.config.batch / (now - start);
        t->seconds += now - start;

        char details[96];
        snprintf(details, sizeof details, "loss %.4f  %.0f images/s", t->smooth, rate);
        progress_show(&progress, step, t->steps, fraction_done(t), details);
        if (logs_at(step)) {
            rate = (double)((step - logged) * t->model.config.batch) / (now - last_log);
            write_log(t, log, loss, norm, rate);
            last_log = now, logged = step;
        }
        /* Pictures at growing intervals, as long as they take no more than 1 part in 25. */
        if (step >= next_draw && 25 * (t->drawing + last_draw) < now - begin) {
            double before = t->drawing;
            draw(t);
            last_draw = t->drawing - before;
            next_draw = step + step / 3;
        }
        if (now - last_save > SAVE_SECONDS) {
            save(t);
            last_save = now;
        }
    }
    progress_break(&progress);
}

/* ---- beginning and resuming ---------------------------------------------------------------------- */

static void write_config(const Training *t)
{
    Arena a = arena_create();
    Bytes own = {"config", (const uint8_t *)config_text(&a, &t->model.config), 0};
    Text text = {.arena = &a};
    size_t length = strlen((const char *)own.data) - 1;         /* up to the closing brace */
    while (((const char *)own.data)[length - 1] == '\n') length--;
    text_printf(&text, "%.*s,\n  \"steps\": %ld,\n  \"minutes\": %g,\n  \"data\": ", (int)length,
                (const char *)own.data, t->steps, t->minutes);
    json_put_text(&text, NULL, t->data ? t->data : "");
    text_printf(&text, "\n}\n");
    file_write(run_path(&a, t->folder, "config.json"), text.bytes, text.length);
    arena_destroy(&a);
}

/* Keeps the lines of the log up to the checkpoint's step, and picks up the time spent and the
 * smoothed loss from the last of them. */
static void trim_log(Training *t)
{
    Arena a = arena_create();
    const char *path = run_path(&a, t->folder, "log.jsonl");
    if (file_exists(path)) {
        Bytes log = file_read(&a, path);
        size_t kept = 0;
        for (size_t begin = 0, end; begin < log.size; begin = end) {
            const uint8_t *newline = memchr(log.data + begin, '\n', log.size - begin);
            if (!newline) break;
            end = (size_t)(newline - log.data) + 1;
            const Json *line = json_parse(&a, (Bytes){path, log.data + begin, end - begin});
            if (json_integer(line, "step", path) > t->model.adam.step) break;
            t->seconds = json_number(line, "seconds", path);
            t->smooth = json_number(line, "smoothed", path);
            kept = end;
        }
        if (kept < log.size) file_write(path, log.data, kept);
    }
    arena_destroy(&a);
}

static void open_dataset(Training *t, const char *what)
{
    t->dataset = dataset_load(&t->arena, what, t->data, DATASET_TRAIN);
    t->order = arena_new(&t->arena, uint32_t, (size_t)t->dataset.count);
    t->epoch = -1;
}

static void check_dataset(const Training *t)
{
    const Dataset *d = &t->dataset;
    const UNetConfig *c = &t->model.config.unet;
    if (d->height != c->height || d->width != c->width || d->channels != c->channels ||
        (c->classes && d->classes != c->classes))
        fail("the run was trained on %dx%dx%d pictures with %d classes, the data set %s has %dx%dx%d "
             "and %d classes", c->height, c->width, c->channels, c->classes, d->name, d->height,
             d->width, d->channels, d->classes);
}

static int finish(Training *t)
{
    save(t);
    draw(t);
    printf("%s at step %ld, loss %.4f, %.0f s of training, peak memory %zu MB\n"
           "  checkpoint  %s/checkpoint.safetensors\n  pictures    %s/samples/\n",
           interrupted ? "stopped" : "done", t->model.adam.step, t->smooth, t->seconds,
           memory_resident_peak() >> 20, t->folder, t->folder);
    if (interrupted) {
        printf("go on with   drift train --resume %s\n", t->folder);
        return 128 + interrupted;
    }
    printf("next: drift sample %s --count 100 --show\n", t->folder);
    return 0;
}

static void say_hello(const Training *t)
{
    const Config *c = &t->model.config;
    printf("%s: %d pictures of %dx%dx%d, %d classes; preset %s, %zu parameters%s; %s, %s\n",
           c->dataset, t->dataset.count, c->unet.height, c->unet.width, c->unet.channels,
           t->dataset.classes, c->preset, t->model.params.size,
           c->unet.classes ? ", told the class" : "", parallel_describe(), REAL_NAME);
}

int train_main(int argc, char **argv)
{
    const char *preset_name = "mini", *out = NULL, *data = NULL, *resume = NULL, *words[1] = {NULL};
    int threads = 0;
    long steps = 0, seed = 0, batch = 0, classes = 1, base = 0, blocks = 0, patch = 0, flip = 0;
    double minutes = 0, lr = 0, ema = 0, dropout_rate = 0;
    int mult[MAX_INTS] = {0}, attention[MAX_INTS] = {0};
    Option options[] = {
        {"preset", OPTION_TEXT, &preset_name, "NAME", "network and training, see above", 0},
        {"out", OPTION_TEXT, &out, "FOLDER", "the run's folder [runs/DATASET-PRESET]", 0},
        {"data", OPTION_TEXT, &data, "FOLDER", "where cifar10's batches are", 0},
        {"resume", OPTION_TEXT, &resume, "RUN", "go on with this run, with its own options", 0},
        {"steps", OPTION_LONG, &steps, "N", "stop after N steps in all [the preset's]", 0},
        {"minutes", OPTION_REAL, &minutes, "M", "stop after M minutes of training in all", 0},
        {"batch", OPTION_LONG, &batch, "N", "pictures a step [the preset's]", 0},
        {"lr", OPTION_REAL, &lr, "X", "learning rate of Adam [the preset's]", 0},
        {"ema", OPTION_REAL, &ema, "X", "decay of the average of weights [the preset's]", 0},
        {"dropout", OPTION_REAL, &dropout_rate, "P", "dropout in residual blocks [the preset's]", 0},
        {"flip", OPTION_LONG, &flip, "0|1", "mirror half of the pictures [the preset's]", 0},
        {"classes", OPTION_LONG, &classes, "0|1", "tell the network the class, if there is one", 0},
        {"base", OPTION_LONG, &base, "N", "channels of the first level [the preset's]", 0},
        {"mult", OPTION_INTS, mult, "A,B,...", "channels of each level, times base [the preset's]", 0},
        {"blocks", OPTION_LONG, &blocks, "N", "residual blocks a level [the preset's]", 0},
        {"attention", OPTION_INTS, attention, "A,B,...", "heights with attention [the preset's]", 0},
        {"patch", OPTION_LONG, &patch, "N", "work on patches of NxN pixels [the preset's]", 0},
        {"seed", OPTION_LONG, &seed, "N", "of every random number", 0},
        {"threads", OPTION_INT, &threads, "N", "0: one for each core", 0},
        {0},
    };
    const char *about = "Trains a denoising diffusion model (Ho 2020) and writes a run folder.\n\n"
                        "DATASET is mnist (bundled), cifar10 (with --data), or a folder with IDX files, CIFAR\n"
                        "batches or PNG pictures.\n\npresets:";
    for (const Preset *p = presets; p->name; p++)
        about = arena_printf(scratch(), "%s\n  %-8s %s", about, p->name, p->about);
    Usage usage = {"drift train DATASET [options]  or  drift train --resume RUN [--steps N]", about, 1};
    int n = options_parse(argc, argv, &usage, options, words);
    if ((n == 1) == (resume != NULL))
        fail_usage("name a data set, or a run to --resume.  usage: %s", usage.synopsis);
    parallel_set_threads(threads);

    Training t = {.data = data, .arena = arena_create(), .tape = tape_create()};
    if (resume) {
        static const char *const allowed[] = {"resume", "steps", "minutes", "threads", "data"};
        for (const Option *o = options; o->name; o++) {
            bool ok = !o->given;
            for (int i = 0; i < 5; i++) ok |= strcmp(o->name, allowed[i]) == 0;
            if (!ok) fail_usage("--%s cannot be changed when a run goes on", o->name);
        }
        t.folder = resume;
        if (!file_is_folder(resume)) fail("there is no run folder %s to resume", resume);
        model_load(&t.model, run_checkpoint(&t.arena, resume), true);
        Bytes text = file_read(&t.arena, run_path(&t.arena, resume, "config.json"));
        const Json *config = json_parse(&t.arena, text);
        t.steps = json_integer(config, "steps", text.path);
        t.minutes = json_number(config, "minutes", text.path);
        const char *kept = json_text(config, "data", text.path);
        if (!data && kept[0]) t.data = kept;
        open_dataset(&t, t.data && strcmp(t.model.config.dataset, "cifar10") ? t.data
                                                                            : t.model.config.dataset);
        check_dataset(&t);
        trim_log(&t);
    } else {
        Config c = preset_find(preset_name)->config;
        c.preset = preset_name;
        if (file_is_folder(words[0])) {
            t.data = NULL;
            open_dataset(&t, words[0]);
            t.data = words[0];
        } else {
            open_dataset(&t, words[0]);
        }
        c.dataset = t.dataset.name;
        c.seed = (uint64_t)seed;
        c.unet.height = t.dataset.height, c.unet.width = t.dataset.width;
        c.unet.channels = c.unet.out_channels = t.dataset.channels;
        c.unet.classes = classes ? t.dataset.classes : 0;
        if (batch) c.batch = (int)batch;
        if (lr > 0) c.adam.lr = lr;
        if (options_given(options, "ema")) c.adam.ema_decay = ema;
        if (options_given(options, "dropout")) c.unet.dropout = dropout_rate;
        if (options_given(options, "flip")) c.flip = flip != 0;
        if (base) c.unet.base = (int)base;
        if (blocks) c.unet.blocks = (int)blocks;
        if (patch) c.unet.patch = (int)patch;
        if (mult[0]) memcpy(c.unet.mult, mult, sizeof mult);
        if (attention[0]) memcpy(c.unet.attention, attention, sizeof attention);
        for (c.unet.levels = 0; c.unet.levels < MAX_LEVELS && c.unet.mult[c.unet.levels];) c.unet.levels++;
        t.folder = out ? out : arena_printf(&t.arena, "runs/%s-%s", c.dataset, preset_name);
        if (file_exists(run_path(&t.arena, t.folder, "checkpoint.safetensors")))
            fail("%s holds a run already; go on with `drift train --resume %s`, or choose another "
                 "folder with --out", t.folder, t.folder);
        model_create(&t.model, &c);
        t.steps = c.steps;
        folder_make(run_path(&t.arena, t.folder, "samples"));
    }
    if (options_given(options, "minutes")) t.minutes = minutes, t.steps = 0;
    if (options_given(options, "steps")) t.steps = steps;
    write_config(&t);

    const char *log_path = run_path(&t.arena, t.folder, "log.jsonl");
    FILE *log = fopen(log_path, resume ? "a" : "w");
    if (!log) fail("cannot write %s", log_path);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    say_hello(&t);
    train(&t, log);
    fclose(log);
    return finish(&t);
}
