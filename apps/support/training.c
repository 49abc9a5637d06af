/* The training loop: see training.h.
 *
 * A resumed run cuts the log at its checkpoint's step and reads from the last line how
 * long it has trained.  So the log must not end before: it is synced to the disk
 * first. */
#include "apps/support/training.h"

#include <signal.h>
#include <stdio.h>

#include "apps/support/progress.h"
#include "tensor/error.h"

enum { PURPOSE_DROPOUT = 6 };       /* of random numbers (tensor/random.h) */

/* ---- a step ------------------------------------------------------------------------ */

/* Puts a part of the batch on the tape; returns the loss of each sample. */
static Var *put_on_tape(Training *t, int first, int count, Batch *b)
{
    Model *m = &t->model;
    tape_reset(&t->tape);
    *b = training_batch(t, first, count);
    Pass pass = pass_training(&t->tape, &m->params,
                              random_stream(m->config.seed, PURPOSE_DROPOUT,
                                            (uint64_t)m->optimizer.step));
    pass.first = (uint64_t)first;
    return t->task->losses(t, &pass, b, first);
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
    training_draw_levels(t);
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

/* How many standard deviations the loss stands above its running average: the worst since
 * the last line of the log is the line's "spike".  The deviation is learned anew in each
 * process, from the steps of the last hundred or so; before LEARN of them nothing is
 * said. */
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

/* Sums since the last line, by quartile of t, as means. */
static void put_quartiles(const Training *t, Text *line, const char *key,
                          const double sum[])
{
    json_open_array(line, key);
    for (int q = 0; q < QUARTILES; q++) {
        if (t->loss_count[q])
            json_put_number(line, NULL, sum[q] / (double)t->loss_count[q]);
        else json_put_null(line, NULL);
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
    put_quartiles(t, &line, "quartiles", t->loss_sum);
    if (is_classifier(&t->model.config)) put_quartiles(t, &line, "accuracy", t->right);
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
    for (int q = 0; q < QUARTILES; q++)
        t->loss_sum[q] = t->right[q] = t->loss_count[q] = 0;
    arena_rewind(scratch(), mark);
}

/* Seconds that the task's pictures took. */
static double draw(Training *t)
{
    double start = seconds_now();
    if (t->task->draw) t->task->draw(t);
    double took = seconds_now() - start;
    t->drawing += took;
    return took;
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

        size_t mark = arena_mark(scratch());
        progress_show(&progress, step, t->steps, fraction_done(t),
                      arena_printf(scratch(), "%s  %.0f images/s", t->task->describe(t),
                                   m->config.batch / (now - start)));
        arena_rewind(scratch(), mark);
        if (logs_at(step)) {
            write_log(t, loss, norm,
                      (double)((step - logged) * m->config.batch) / (now - last_log));
            last_log = now, logged = step;
        }
        if (step >= next_drawing && 25 * (t->drawing + last_drawing) < now - begin) {
            last_drawing = draw(t);
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
