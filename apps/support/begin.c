/* The beginning of a run and the way back into one: see begin.h. */
#include "apps/support/begin.h"

#include <stdio.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/parallel.h"

/* Copies into config what options changed. */
static void replace_entries(Config *config, const RunRequest *r, const Option options[])
{
    static const size_t size[] = {[OPTION_FLAG] = sizeof(bool),
                                  [OPTION_INT] = sizeof(int),
                                  [OPTION_LONG] = sizeof(long),
                                  [OPTION_REAL] = sizeof(double),
                                  [OPTION_TEXT] = sizeof(char *),
                                  [OPTION_INTS] = MAX_LIST * sizeof(int),
                                  [OPTION_REALS] = MAX_LIST * sizeof(double)};
    const char *first = (const char *)&r->change, *end = (const char *)(&r->change + 1);
    for (const Option *o = options; o->name; o++) {
        const char *value = o->value;
        if (o->given && value >= first && value < end)
            memcpy((char *)config + (value - first), value, size[o->kind]);
    }
}

Config config_of_request(const RunRequest *r, const Option options[],
                         const Preset *preset, const Dataset *d)
{
    Config config = preset->config;
    replace_entries(&config, r, options);
    UNetConfig *u = &config.unet;
    u->levels = unet_levels(u->mult);
    u->height = d->height, u->width = d->width;
    u->channels = d->channels;
    *u = unet_defaults(*u);
    if (options_given(options, "flip")) config.flip = r->flip != 0;
    config.preset = preset->name;
    config.dataset = d->name;
    config.seed = (uint64_t)r->seed;
    if (config.batch < 1 || u->patch < 1 || u->base < 1 || u->blocks < 1)
        fail_usage("--batch, --patch, --base and --blocks must be at least 1");
    if (u->style.dropout >= 1 || config.ema >= 1 || config.label_dropout >= 1)
        fail_usage("--dropout, --label-dropout and --ema must be below 1");
    return config;
}

/* ---- a new run --------------------------------------------------------------------- */

void training_begin(Training *t, const RunRequest *r, const Config *config)
{
    t->folder = r->out ? r->out
                       : arena_printf(&t->arena, "runs/%s-%s", config->dataset,
                                      config->preset);
    if (file_exists(run_path(&t->arena, t->folder, "checkpoint.safetensors")))
        fail("%s holds a run already; go on with `drift %s --resume %s`, or choose "
             "another folder with --out", t->folder, t->task->command, t->folder);
    model_create(&t->model, config);
    t->steps = config->steps;
    folder_make(run_path(&t->arena, t->folder, "samples"));
    run_lock(t->folder);
    file_write(run_path(&t->arena, t->folder, "log.jsonl"), "", 0);
}

/* ---- an old one -------------------------------------------------------------------- */

/* Keeps the lines of the log up to the checkpoint's step, and picks up the time spent and
 * the smoothed loss from the last of them. */
static void trim_log(Training *t)
{
    const char *path = run_path(&t->arena, t->folder, "log.jsonl");
    if (!file_exists(path)) return;
    Bytes log = file_read(&t->arena, path);
    size_t kept = 0, at = 0;
    for (const Json *line; (line = log_line(&t->arena, log, &at)); kept = at) {
        if (json_integer(line, "step", path) > t->model.optimizer.step) break;
        t->seconds = json_number(line, "seconds", path);
        t->smooth = json_number(line, "smoothed", path);
    }
    if (kept < log.size) file_write(path, log.data, kept);
}

static void check_options(const Option options[])
{
    static const char *const allowed[] = {"resume", "steps", "minutes", "save-seconds",
                                          "threads", "data", "weights"};
    enum { ALLOWED = sizeof allowed / sizeof *allowed };
    for (const Option *o = options; o->name; o++) {
        bool ok = !o->given;
        for (int i = 0; i < ALLOWED; i++) ok |= strcmp(o->name, allowed[i]) == 0;
        if (!ok) fail_usage("--%s cannot be changed when a run goes on", o->name);
    }
}

static void check_dataset(const Training *t)
{
    const Dataset *d = &t->dataset;
    const Config *c = &t->model.config;
    int classes = is_classifier(c) ? c->unet.out_channels : c->unet.classes;
    int channels = config_picture_channels(c);
    if (d->height != c->unet.height || d->width != c->unet.width ||
        d->channels != channels || (classes && d->classes != classes))
        fail("%s was trained on pictures of %dx%dx%d with %d classes, but the data set "
             "%s has %dx%dx%d with %d", t->folder, c->unet.height, c->unet.width,
             channels, classes, d->name, d->height, d->width, d->channels, d->classes);
}

static void resume_run(Training *t, const RunRequest *r, const Option options[])
{
    check_options(options);
    if (!file_is_folder(r->resume))
        fail("there is no run folder %s to resume", r->resume);
    t->folder = r->resume;
    run_lock(t->folder);
    model_load(&t->model, run_checkpoint(&t->arena, t->folder), t->task->kind, true);

    Bytes text = file_read(&t->arena, run_path(&t->arena, t->folder, "config.json"));
    const Json *config = json_parse(&t->arena, text);
    t->steps = json_integer(config, "steps", text.path);
    t->minutes = json_number(config, "minutes", text.path);
    run_source(&t->arena, t->folder, &t->source, &t->data);
    if (r->data) t->data = r->data;
    training_open_dataset(t, t->model.config.shrink);
    check_dataset(t);
    trim_log(t);
}

/* ---- both -------------------------------------------------------------------------- */

Training training_create(const Task *task, const RunRequest *r, const Option options[],
                         const char *source)
{
    parallel_set_threads(r->threads);
    Training t = {.task = task, .arena = arena_create(), .tape = tape_create(),
                  .save_seconds = r->save_seconds, .source = source, .data = r->data};
    if (r->resume) resume_run(&t, r, options);
    else training_open_dataset(&t, r->change.shrink);
    return t;
}

int training_command(Training *t, const RunRequest *r, const Option options[])
{
    if (options_given(options, "minutes")) t->minutes = r->minutes, t->steps = 0;
    if (options_given(options, "steps")) t->steps = r->steps;
    run_write_config(t->folder, &(RunPlan){t->source, t->data, t->steps, t->minutes},
                     &t->model.config);

    const Config *k = &t->model.config;
    gemm_set_bfloat16(k->bfloat16);
    printf("%s: %d pictures of %dx%dx%d%s; preset %s, %zu parameters; %s, %s\n",
           k->dataset, t->dataset.count, t->dataset.height, t->dataset.width,
           t->dataset.channels,
           k->unet.classes || is_classifier(k) ? ", with their classes" : "", k->preset,
           t->model.params.size, parallel_describe(), gemm_describe());
    int number = training_run(t);
    printf("%s at step %ld: loss %.4f, %.0f s of training, peak memory %zu MB\n"
           "  checkpoint  %s/checkpoint.safetensors\n",
           number ? "stopped" : "done", t->model.optimizer.step, t->smooth, t->seconds,
           memory_resident_peak() >> 20, t->folder);
    if (t->task->draw) printf("  pictures    %s/samples/\n", t->folder);
    if (number)
        printf("go on with   drift %s --resume %s\n", t->task->command, t->folder);
    return number;
}
