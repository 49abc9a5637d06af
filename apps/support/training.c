/* The training loop: see training.h.
 *
 * A resumed run cuts the log at its checkpoint's step and reads from the last line how
 * long it has trained.  So the log must not end before: it is synced to the disk first.
 * */
#include "apps/support/training.h"

#include <signal.h>
#include <stdio.h>

#include "apps/support/png.h"
#include "apps/support/progress.h"
#include "diffusion/augment.h"
#include "diffusion/guidance.h"
#include "diffusion/sampler.h"
#include "tensor/error.h"

/* Purposes of random numbers (tensor/random.h). */
enum { PURPOSE_ORDER = 2, PURPOSE_TIME = 3, PURPOSE_NOISE = 4, PURPOSE_FLIP = 5,
       PURPOSE_DROPOUT = 6, PURPOSE_LABEL = 7, PURPOSE_AUGMENT = 8 };

/* ---- a batch ----------------------------------------------------------------------- */

void training_open_dataset(Training *t)
{
    t->dataset = dataset_load(&t->arena, t->source, t->data, DATASET_TRAIN);
    t->order = arena_new(&t->arena, uint32_t, (size_t)t->dataset.count);
    t->epoch = -1;
}

/* Which picture stands at `place` in the endless sequence of shuffled epochs. */
static uint32_t picture_at(Training *t, uint64_t place)
{
    uint32_t count = (uint32_t)t->dataset.count;
    long epoch = (long)(place / count);
    if (epoch != t->epoch) {
        uint64_t seed = t->model.config.seed;
        random_permutation(random_stream(seed, PURPOSE_ORDER, (uint64_t)epoch), count,
                           t->order);
        t->epoch = epoch;
    }
    return t->order[place % count];
}

/* One picture as numbers in [-1, 1], mirrored or not. */
static void copy_picture(double *x0, const uint8_t *pixels, const UNetConfig *c,
                         bool mirror)
{
    for (int h = 0; h < c->height; h++)
        for (int w = 0; w < c->width; w++)
            for (int k = 0; k < c->channels; k++) {
                int from = mirror ? c->width - 1 - w : w;
                *x0++ = pixels[(h * c->width + from) * c->channels + k] / 127.5 - 1;
            }
}

/* Moves N pictures, number `first` of the step and on; returns their labels [N, augment]. */
static const double *augment_pictures(Training *t, double *x0, int N, int first)
{
    const Config *c = &t->model.config;
    const UNetConfig *u = &c->unet;
    if (c->augment == 0) return NULL;
    size_t D = (size_t)(u->height * u->width * u->channels);
    double *label = tape_save(&t->tape, double, (size_t)(N * u->augment));
    unsigned kinds = augment_kinds(augment_edm);
    Picture size = {u->height, u->width, u->channels};
    Random r = random_stream(c->seed, PURPOSE_AUGMENT, (uint64_t)t->model.optimizer.step);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < N; n++) {
        Augment a = augment_draw(kinds, c->augment, &size, r, (uint64_t)(first + n));
        augment_apply(kinds, &a, &size, x0 + (size_t)n * D, label + n * u->augment);
    }
    return label;
}

/* Samples first ... first+count-1 of the batch of the next step: a function of the seed
 * and the step alone.  Owned by the tape. */
static Batch make_batch(Training *t, int first, int count)
{
    const Config *c = &t->model.config;
    uint64_t which = (uint64_t)t->model.optimizer.step;
    size_t N = (size_t)count, skip = (size_t)first;
    size_t D = (size_t)(c->unet.height * c->unet.width * c->unet.channels);
    double *x0 = tape_save(&t->tape, double, N * D);
    double *eps = tape_save(&t->tape, double, N * D);
    int *label = tape_save(&t->tape, int, N);
    uint32_t *picture = tape_save(&t->tape, uint32_t, N);
    Random unlabelled = random_stream(c->seed, PURPOSE_LABEL, which);
    Random flips = random_stream(c->seed, PURPOSE_FLIP, which);
    Random noise = random_stream(c->seed, PURPOSE_NOISE, which);
    uint64_t place = which * (uint64_t)c->batch + skip;
    for (size_t n = 0; n < N; n++) picture[n] = picture_at(t, place + n);
#pragma omp parallel for schedule(static)
    for (size_t n = 0; n < N; n++) {
        copy_picture(x0 + n * D, t->dataset.pixels + picture[n] * D, &c->unet,
                     c->flip && random_bits(flips, skip + n) & 1);
        random_normals(noise, (skip + n) * D, D, eps + n * D);
        label[n] = c->unet.classes ? t->dataset.labels[picture[n]] : 0;
        if (random_uniform(unlabelled, skip + n) < c->label_dropout) label[n] = -1;
    }
    return (Batch){count, x0, eps, t->levels + skip, c->unet.classes ? label : NULL,
                   augment_pictures(t, x0, count, first), t->weights + skip};
}

/* The noise levels of the whole batch. */
static void draw_levels(Training *t)
{
    const Model *m = &t->model;
    int N = m->config.batch;
    if (!t->times) {
        t->times = arena_new(&t->arena, int, (size_t)N);
        t->levels = arena_new(&t->arena, Level, (size_t)N);
        t->weights = arena_new(&t->arena, double, (size_t)N);
    }
    size_t mark = arena_mark(scratch());
    double *sigma = arena_new(scratch(), double, (size_t)N);
    timesteps_draw(&m->timesteps, random_stream(m->config.seed, PURPOSE_TIME,
                                                (uint64_t)m->optimizer.step),
                   N, t->times, t->weights, sigma);
    for (int n = 0; n < N; n++)
        t->levels[n] = sigma[n] > 0 ? conditioning_level(&m->process.conditioning, 1, sigma[n])
                                    : schedule_level(&m->process.schedule, t->times[n]);
    arena_rewind(scratch(), mark);
}

/* ---- a step ------------------------------------------------------------------------ */

/* Puts a part of the batch on the tape; returns the loss of each sample. */
static Var *put_on_tape(Training *t, int first, int count, Batch *b)
{
    Model *m = &t->model;
    tape_reset(&t->tape);
    *b = make_batch(t, first, count);
    Pass pass = pass_training(&t->tape, &m->params,
                              random_stream(m->config.seed, PURPOSE_DROPOUT,
                                            (uint64_t)m->optimizer.step));
    pass.first = (uint64_t)first;
    return objective_loss(&pass, &m->net, &m->process, b);
}

/* Adds the losses of samples first ... first+N-1, those that are finite, to the sums by
 * quartile of t; returns the sum of all. */
static double count_losses(Training *t, int first, int N, const Var *losses)
{
    double sum = 0;
    for (int n = 0; n < N; n++) {
        int time = t->times[first + n];
        int quartile = (int)((long)QUARTILES * time / t->model.config.diffusion_steps);
        double loss = (double)losses->value[n];
        sum += loss;
        if (!isfinite(loss)) continue;
        t->loss_sum[quartile] += loss;
        t->loss_count[quartile]++;
        timesteps_add(&t->model.timesteps, time, loss);
    }
    return sum;
}

/* The gradient of a mean is the mean of the samples' gradients.  So a batch may be taken
 * in parts, one after the other in memory for one, each sample adding its 1/N.  What is
 * drawn for a sample depends on its place in the whole batch: only the rounding of sums
 * differs. */
double training_gradient(Training *t)
{
    const Config *c = &t->model.config;
    int part = c->micro_batch ? c->micro_batch : c->batch;
    double total = 0;
    params_zero_grad(&t->model.params);
    draw_levels(t);
    for (int first = 0; first < c->batch; first += part) {
        Batch b;
        int count = c->batch - first < part ? c->batch - first : part;
        Var *losses = put_on_tape(t, first, count, &b);
        total += count_losses(t, first, count, losses);
        backward(scale(&t->tape, objective_sum(&t->tape, losses, &b), 1.0 / c->batch, 0));
    }
    return total / c->batch;
}

/* The same step again with every operation checked, to name the first that went wrong. */
static noreturn void report_not_finite(Training *t)
{
    long step = t->model.optimizer.step;
    fprintf(stderr, "drift: %d steps in a row, up to step %ld, gave a loss or a gradient "
            "that is not finite; the last checkpoint in %s is kept.  A smaller --lr "
            "usually helps.\n", MOST_SKIPPED, step, t->folder);
    t->tape.check_finite = true;
    training_gradient(t);
    fail("all operations of step %ld are finite, but the norm of its gradients is not",
         step);
}

/* One bad batch need not end a run: the step is counted, and moves no weight. */
static void skip_step(Training *t)
{
    t->skipped++;
    if (++t->skipped_in_a_row == MOST_SKIPPED) report_not_finite(t);
    t->model.optimizer.step++;
}

/* How many standard deviations the loss stands above its running average: the worst since the
 * last line of the log is the line's "spike".  The deviation is learned anew in each process,
 * from the steps of the last hundred or so; before LEARN of them nothing is said. */
static void note_spike(Training *t, double loss)
{
    enum { LEARN = 50 };
    double above = loss - t->smooth;
    if (t->judged++ >= LEARN && t->variance > 0)
        t->spike = fmax(t->spike, above / sqrt(t->variance));
    t->variance += fmax(0.01, 1.0 / (double)t->judged) * (above * above - t->variance);
}

double training_step(Training *t, double *norm)
{
    Model *m = &t->model;
    long step = m->optimizer.step;
    double loss = training_gradient(t);
    bool usable = isfinite(loss) || m->config.optimizer.repair;
    *norm = usable ? optimizer_step(&m->optimizer, &m->params) : loss;
    if (!isfinite(*norm)) {
        skip_step(t);
        return loss;
    }
    t->skipped_in_a_row = 0;
    ema_update(&m->ema, &m->params, step);
    if (!isfinite(loss)) return loss;
    note_spike(t, loss);
    t->smooth += fmax(0.01, 1.0 / (double)m->optimizer.step) * (loss - t->smooth);
    return loss;
}

/* ---- what is written on the way ---------------------------------------------------- */

static void save(Training *t)
{
    log_sync(&t->log);
    size_t mark = arena_mark(scratch());
    model_save(&t->model, run_path(scratch(), t->folder, "checkpoint.safetensors"));
    arena_rewind(scratch(), mark);
}

/* The first ten steps, then every tenth, later every hundredth. */
static bool logs_at(long step)
{
    return step <= 10 || step % (step < 500 ? 10 : 100) == 0;
}

static void put_quartiles(Training *t, Text *line)
{
    json_open_array(line, "quartiles");
    for (int q = 0; q < QUARTILES; q++) {
        if (t->loss_count[q])
            json_put_number(line, NULL, t->loss_sum[q] / (double)t->loss_count[q]);
        else
            json_put_null(line, NULL);
        t->loss_sum[q] = 0, t->loss_count[q] = 0;
    }
    json_close(line);
}

static void write_log(Training *t, double loss, double norm, double rate)
{
    size_t mark = arena_mark(scratch());
    Text line = {.arena = scratch()};
    json_open_object(&line, NULL);
    json_put_integer(&line, "step", t->model.optimizer.step);
    json_put_number(&line, "loss", loss);
    json_put_number(&line, "smoothed", t->smooth);
    put_quartiles(t, &line);
    json_put_number(&line, "spike", t->spike);
    json_put_integer(&line, "skipped", t->skipped);
    t->spike = 0;
    json_put_number(&line, "lr", optimizer_lr(&t->model.optimizer));
    json_put_number(&line, "grad_norm", norm);
    if (t->model.config.optimizer.repair)
        json_put_integer(&line, "repaired", t->model.optimizer.repaired);
    json_put_number(&line, "images_per_s", rate);
    json_put_number(&line, "seconds", t->seconds);
    json_put_integer(&line, "memory_peak", (int64_t)memory_resident_peak());
    json_close(&line);
    text_printf(&line, "\n");
    log_write(&t->log, line.bytes, line.length);
    arena_rewind(scratch(), mark);
}

/* Draws eight images of each class (eight rows, if there are no classes) from the same
 * noise every time, in a few DDIM steps. */
static void draw(Training *t)
{
    enum { COLUMNS = 8, MOST_ROWS = 16, STEPS = 25 };
    const Config *c = &t->model.config;
    Arena a = arena_create();
    double start = seconds_now();
    int rows = c->unet.classes ? c->unet.classes : COLUMNS;
    int count = COLUMNS * (rows < MOST_ROWS ? rows : MOST_ROWS);
    NetworkDenoiser d = network_denoiser(&t->model.net, &t->model.params,
                                         t->model.ema.value[0], &t->model.process);
    int steps = c->diffusion_steps < STEPS ? c->diffusion_steps : STEPS;
    Schedule s = schedule_respace(&a, &t->model.process.schedule,
                                  arena_printf(&a, "%d", steps));
    /* With eta 1 the noise on the way washes out what an untrained network gets wrong. */
    SamplingOptions o = {.sampler = sampler_find("ddim"), .eta = 1};
    ClassifierFree guided = classifier_free(&d.base, config_guidance(c));
    double *x = arena_new(&a, double, (size_t)count * d.base.size);
    uint8_t *bytes = arena_new(&a, uint8_t, (size_t)count * d.base.size);
    sample(&guided.base, &s, &o, (Crowd){0, count, make_labels(&a, c, count, -1)}, x);
    to_bytes(bytes, x, (size_t)count * d.base.size);
    Pictures drawn = {count, c->unet.height, c->unet.width, c->unet.channels, bytes};
    Image grid = image_grid(&a, &drawn, COLUMNS, 2);
    png_write(arena_printf(&a, "%s/samples/%06ld.png", t->folder,
                           t->model.optimizer.step), &grid);
    network_denoiser_destroy(&d);
    arena_destroy(&a);
    t->drawing += seconds_now() - start;
}

/* ---- the loop ---------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

/* The first signal asks for an end in order.  Some senders signal twice at once, so only
 * a third one ends the program on the spot. */
static void on_signal(int number)
{
    if (interrupted) signal(number, SIG_DFL);
    interrupted = number;
}

static double fraction_done(const Training *t)
{
    double by_step = t->steps ? (double)t->model.optimizer.step / (double)t->steps : 0;
    double by_time = t->minutes > 0 ? t->seconds / (60 * t->minutes) : 0;
    return fmin(fmax(by_step, by_time), 1);
}

int training_run(Training *t)
{
    enum { FIRST_DRAWING = 50 };
    t->log = log_open(run_path(&t->arena, t->folder, "log.jsonl"));
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);

    const Model *m = &t->model;
    Progress progress = progress_start("step");
    double begin = seconds_now(), last_save = begin, last_log = begin, last_drawing = 0;
    long next_drawing = m->optimizer.step + FIRST_DRAWING, logged = m->optimizer.step;
    while (fraction_done(t) < 1 && !interrupted) {
        double start = seconds_now(), norm, loss = training_step(t, &norm);
        double now = seconds_now();
        long step = m->optimizer.step;
        t->seconds += now - start;

        char details[64];
        snprintf(details, sizeof details, "loss %.4f  %.0f images/s", t->smooth,
                 m->config.batch / (now - start));
        progress_show(&progress, step, t->steps, fraction_done(t), details);
        if (logs_at(step)) {
            write_log(t, loss, norm,
                      (double)((step - logged) * m->config.batch) / (now - last_log));
            last_log = now, logged = step;
        }
        if (step >= next_drawing && 25 * (t->drawing + last_drawing) < now - begin) {
            double before = t->drawing;
            draw(t);
            last_drawing = t->drawing - before;
            next_drawing = step + step / 3;
        }
        if (now - last_save > t->save_seconds) {
            save(t);
            last_save = now;
        }
    }
    progress_break(&progress);
    save(t);
    log_close(&t->log);
    if (!interrupted) draw(t);
    return interrupted;
}
