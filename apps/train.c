/* drift train: data in, a run folder out.  Here are the options, the beginning of a run
 * and the way back into one; the loop is in apps/support/training.c. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/options.h"
#include "apps/support/training.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

/* What the command line says, before it is merged with a preset or a run.  The entries of
 * `change` are those of the preset that options may replace. */
typedef struct {
    const char *preset, *out, *data, *resume;
    long steps, seed;
    double minutes, save_seconds;
    int threads, classes, flip;
    Config change;
} CommandLine;

enum { OPTIONS = 40 };

static void make_table(CommandLine *c, Option table[OPTIONS])
{
    Config *k = &c->change;
    const Option rows[] = {
        {"preset", OPTION_TEXT, &c->preset, "NAME", "network and training: see above", 0},
        {"out", OPTION_TEXT, &c->out, "FOLDER",
         "the run's folder [runs/DATASET-PRESET]", 0},
        {"data", OPTION_TEXT, &c->data, "FOLDER", "where cifar10's batches are", 0},
        {"resume", OPTION_TEXT, &c->resume, "RUN",
         "go on with this run, with its own options", 0},
        {"steps", OPTION_LONG, &c->steps, "N", "stop after N steps in all *", 0},
        {"minutes", OPTION_REAL, &c->minutes, "M", "stop after M minutes of training in all", 0},
        {"save-seconds", OPTION_REAL, &c->save_seconds, "S", "from checkpoint to checkpoint", 0},
        {"batch", OPTION_INT, &k->batch, "N", "pictures a step *", 0},
        {"micro-batch", OPTION_INT, &k->micro_batch, "N",
         "in memory at once; 0: all; gradients are added up *", 0},
        {"lr", OPTION_REAL, &k->optimizer.rate.lr, "X",
         "learning rate, at its highest *", 0},
        {"lr-decay", OPTION_TEXT, &k->optimizer.rate.decay, "NAME",
         "constant, linear, cosine or exponential *", 0},
        {"lr-decay-steps", OPTION_LONG, &k->optimizer.rate.decay_steps, "N",
         "over N steps *", 0},
        {"warmup", OPTION_LONG, &k->optimizer.rate.warmup, "N",
         "steps of growing learning rate *", 0},
        {"optimizer", OPTION_TEXT, &k->optimizer.rule, "NAME",
         "adam, adam_hat, adamw, rmsprop or sgd *", 0},
        {"ema", OPTION_REAL, &k->ema, "X", "decay of the average weights *", 0},
        {"dropout", OPTION_REAL, &k->unet.style.dropout, "P", "in residual blocks *", 0},
        {"label-dropout", OPTION_REAL, &k->label_dropout, "P",
         "leave out the class so often, for --guidance *", 0},
        {"timesteps", OPTION_TEXT, &k->timesteps, "NAME",
         "uniform, stratified or loss_aware; vp, ve, edm or edm_coarse *", 0},
        {"flip", OPTION_INT, &c->flip, "0|1", "mirror half of the pictures *", 0},
        {"classes", OPTION_INT, &c->classes, "0|1",
         "tell the network the class, if known", 0},
        {"schedule", OPTION_TEXT, &k->schedule, "NAME",
         "linear, cosine, ...: diffusion/schedule.h *", 0},
        {"diffusion-steps", OPTION_INT, &k->diffusion_steps, "T", "its steps *", 0},
        {"prediction", OPTION_TEXT, &k->prediction, "NAME",
         "eps, x0, previous, v, score or edm *", 0},
        {"conditioning", OPTION_TEXT, &k->conditioning, "NAME",
         "the network is told the schedule's t, or sigma as vp, ve or edm do *", 0},
        {"augment", OPTION_REAL, &k->augment, "P",
         "move, turn and stretch pictures, each with chance P, and say so *", 0},
        {"variance", OPTION_TEXT, &k->variance, "NAME",
         "fixed_small, fixed_large, learned or learned_range *", 0},
        {"loss", OPTION_TEXT, &k->loss, "NAME",
         "mse, mse_sum, min_snr, rescaled_mse, kl or rescaled_kl *", 0},
        {"base", OPTION_INT, &k->unet.base, "N", "channels of the first level *", 0},
        {"mult", OPTION_REALS, k->unet.mult, "A,B,..",
         "channels of each level / base *", 0},
        {"blocks", OPTION_INT, &k->unet.blocks, "N", "residual blocks a level *", 0},
        {"attention", OPTION_INTS, k->unet.attention, "A,B,..",
         "heights with attention *", 0},
        {"patch", OPTION_INT, &k->unet.patch, "N", "work on patches of N x N *", 0},
        {"seed", OPTION_LONG, &c->seed, "N", "of every random number", 0},
        {"threads", OPTION_INT, &c->threads, "N", "0: one for each core", 0},
        {0},
    };
    _Static_assert(sizeof rows <= OPTIONS * sizeof *rows, "a larger OPTIONS is needed");
    memcpy(table, rows, sizeof rows);
}

/* The preset's configuration with the changes and the data set's size. */
static Config make_config(const CommandLine *c, const Option options[], const Dataset *d)
{
    Config config = preset_find(c->preset)->config;
    for (const Option *o = options; o->name; o++) {
        size_t offset = (size_t)((const char *)o->value - (const char *)&c->change);
        bool replaces = (const char *)o->value >= (const char *)&c->change &&
                        (const char *)o->value < (const char *)(&c->change + 1);
        static const size_t size[] = {[OPTION_INT] = sizeof(int),
                                      [OPTION_LONG] = sizeof(long),
                                      [OPTION_REAL] = sizeof(double),
                                      [OPTION_TEXT] = sizeof(char *),
                                      [OPTION_INTS] = MAX_LIST * sizeof(int),
                                      [OPTION_REALS] = MAX_LIST * sizeof(double)};
        if (o->given && replaces)
            memcpy((char *)&config + offset, o->value, size[o->kind]);
    }
    UNetConfig *u = &config.unet;
    u->levels = unet_levels(u->mult);
    u->height = d->height, u->width = d->width;
    u->channels = d->channels;
    u->out_channels = d->channels * (variance_find(config.variance)->learned ? 2 : 1);
    u->classes = c->classes ? d->classes : 0;
    if (options_given(options, "flip")) config.flip = c->flip != 0;
    *u = unet_defaults(*u);
    config.preset = c->preset;
    config.dataset = d->name;
    config.seed = (uint64_t)c->seed;
    bool bound = variance_find(config.variance)->learned || strstr(config.loss, "kl");
    if (noise_draw_find(config.timesteps) && bound)
        fail_usage("--timesteps %s has no steps, so no bound: use --loss mse and a fixed --variance",
                   config.timesteps);
    if (config.batch < 1 || u->patch < 1 || u->base < 1 || u->blocks < 1)
        fail_usage("--batch, --patch, --base and --blocks must be at least 1");
    if (u->style.dropout >= 1 || config.ema >= 1 || config.label_dropout >= 1)
        fail_usage("--dropout, --label-dropout and --ema must be below 1");
    return config;
}

static void begin_run(Training *t, const CommandLine *c, const Option options[], const char *source)
{
    t->source = source;
    t->data = c->data;
    training_open_dataset(t);
    Config config = make_config(c, options, &t->dataset);
    t->folder = c->out ? c->out
                       : arena_printf(&t->arena, "runs/%s-%s", config.dataset,
                                      config.preset);
    if (file_exists(run_path(&t->arena, t->folder, "checkpoint.safetensors")))
        fail("%s holds a run already; go on with `drift train --resume %s`, or choose "
             "another folder with --out", t->folder, t->folder);
    model_create(&t->model, &config);
    t->steps = config.steps;
    folder_make(run_path(&t->arena, t->folder, "samples"));
    run_lock(t->folder);
    file_write(run_path(&t->arena, t->folder, "log.jsonl"), "", 0);
}

/* Keeps the lines of the log up to the checkpoint's step, and picks up the time spent and
 * the smoothed loss from the last of them. */
static void trim_log(Training *t)
{
    const char *path = run_path(&t->arena, t->folder, "log.jsonl");
    if (!file_exists(path)) return;
    Bytes log = file_read(&t->arena, path);
    size_t kept = 0;
    while (kept < log.size) {
        const uint8_t *newline = memchr(log.data + kept, '\n', log.size - kept);
        if (!newline) break;
        size_t end = (size_t)(newline - log.data) + 1;
        const Json *line = json_parse(&t->arena,
                                      (Bytes){path, log.data + kept, end - kept});
        if (json_integer(line, "step", path) > t->model.optimizer.step) break;
        t->seconds = json_number(line, "seconds", path);
        t->smooth = json_number(line, "smoothed", path);
        kept = end;
    }
    if (kept < log.size) file_write(path, log.data, kept);
}

static void resume_run(Training *t, const CommandLine *c, const Option options[])
{
    static const char *const allowed[] = {"resume", "steps", "minutes", "save-seconds",
                                          "threads", "data"};
    for (const Option *o = options; o->name; o++) {
        bool ok = !o->given;
        for (int i = 0; i < 6; i++) ok |= strcmp(o->name, allowed[i]) == 0;
        if (!ok) fail_usage("--%s cannot be changed when a run goes on", o->name);
    }
    if (!file_is_folder(c->resume))
        fail("there is no run folder %s to resume", c->resume);
    t->folder = c->resume;
    run_lock(t->folder);
    model_load(&t->model, run_checkpoint(&t->arena, c->resume), true);

    Bytes text = file_read(&t->arena, run_path(&t->arena, c->resume, "config.json"));
    const Json *config = json_parse(&t->arena, text);
    t->steps = json_integer(config, "steps", text.path);
    t->minutes = json_number(config, "minutes", text.path);
    run_source(&t->arena, c->resume, &t->source, &t->data);
    if (c->data) t->data = c->data;
    training_open_dataset(t);

    const Dataset *d = &t->dataset;
    const UNetConfig *u = &t->model.config.unet;
    if (d->height != u->height || d->width != u->width || d->channels != u->channels ||
        (u->classes && d->classes != u->classes))
        fail("%s was trained on pictures of %dx%dx%d with %d classes, but the data set "
             "%s has %dx%dx%d with %d", c->resume, u->height, u->width, u->channels,
             u->classes, d->name, d->height, d->width, d->channels, d->classes);
    trim_log(t);
}

static const char *describe_presets(void)
{
    const char *text =
        "Trains a denoising diffusion model (Ho 2020) and writes a run folder.\n"
        "DATASET is mnist (bundled), cifar10 (with --data), or a folder with IDX files,\n"
        "CIFAR-10 batches or PNG pictures of one size.\n\npresets:";
    for (const Preset *p = presets; p->name; p++)
        text = arena_printf(scratch(), "%s\n  %-8s %s", text, p->name, p->about);
    return arena_printf(scratch(),
                        "%s\n\nOptions marked * replace an entry of the preset.", text);
}

static int say_goodbye(const Training *t, int signal_number)
{
    printf("%s at step %ld: loss %.4f, %.0f s of training, peak memory %zu MB\n"
           "  checkpoint  %s/checkpoint.safetensors\n  pictures    %s/samples/\n",
           signal_number ? "stopped" : "done", t->model.optimizer.step, t->smooth,
           t->seconds, memory_resident_peak() >> 20, t->folder, t->folder);
    if (signal_number) printf("go on with   drift train --resume %s\n", t->folder);
    else printf("try next     drift sample %s --count 100 --show\n", t->folder);
    return signal_number ? 128 + signal_number : 0;
}

int train_main(int argc, char **argv)
{
    CommandLine c = {.preset = "mini", .classes = 1, .save_seconds = 60};
    Option options[OPTIONS];
    const char *source;
    make_table(&c, options);
    Usage usage = {
        "drift train DATASET [options]  or  drift train --resume RUN [--steps N]",
        describe_presets(), 1};
    int words = options_parse(argc, argv, &usage, options, &source);
    if ((words == 1) == (c.resume != NULL))
        fail_usage("name a data set, or a run to --resume.  usage: %s", usage.synopsis);
    parallel_set_threads(c.threads);

    Training t = {.arena = arena_create(), .tape = tape_create(), .save_seconds = c.save_seconds};
    if (c.resume) resume_run(&t, &c, options);
    else begin_run(&t, &c, options, source);
    if (options_given(options, "minutes")) t.minutes = c.minutes, t.steps = 0;
    if (options_given(options, "steps")) t.steps = c.steps;
    run_write_config(t.folder, &(RunPlan){t.source, t.data, t.steps, t.minutes},
                     &t.model.config);

    const Config *k = &t.model.config;
    printf("%s: %d pictures of %dx%dx%d%s; preset %s, %zu parameters; %s, %s\n",
           k->dataset, t.dataset.count, k->unet.height, k->unet.width, k->unet.channels,
           k->unet.classes ? ", with their classes" : "", k->preset, t.model.params.size,
           parallel_describe(), REAL_NAME);
    return say_goodbye(&t, training_run(&t));
}
