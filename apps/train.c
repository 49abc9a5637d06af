/* drift train: data in, a run folder out.  Here are the options; the beginning of a
 * run and the way back into one are in apps/support/begin.c, the loop in training.c. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/begin.h"
#include "tensor/error.h"

/* What the command line says; unmarked options of --help are those of support/begin.h. */
typedef struct {
    RunRequest request;
    const char *upsample;
    int classes;
} CommandLine;

enum { OPTIONS = 48 };

static void make_table(CommandLine *c, Option table[OPTIONS])
{
    Config *k = &c->request.change;
    const Option rows[] = {
        RUN_OPTIONS(&c->request),
        CONFIG_OPTIONS(k),
        {"label-dropout", OPTION_REAL, &k->label_dropout, "P",
         "leave out the class so often, for --guidance *", 0},
        {"timesteps", OPTION_TEXT, &k->timesteps, "NAME",
         "uniform, stratified or loss_aware; vp, ve, edm or edm_coarse *", 0},
        {"flip", OPTION_INT, &c->request.flip, "0|1", "mirror half of the pictures *", 0},
        {"classes", OPTION_INT, &c->classes, "0|1",
         "tell the network the class, if known", 0},
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
        {"upsample", OPTION_TEXT, &c->upsample, "2x|4x",
         "learn to enlarge: the network is shown the picture at 1/2 or 1/4 of its size "
         "*", 0},
        {0},
    };
    _Static_assert(sizeof rows <= OPTIONS * sizeof *rows, "a larger OPTIONS is needed");
    memcpy(table, rows, sizeof rows);
}

static int upsampling_factor(const char *text)
{
    static const char *const known[] = {"2x", "4x"};
    for (int i = 0; i < 2; i++)
        if (strcmp(text, known[i]) == 0) return 2 << i;
    fail_usage("--upsample %s: want 2x or 4x", text);
}

/* The preset's configuration with the changes and the data set's size. */
static Config make_config(const CommandLine *c, const Option options[], const Dataset *d)
{
    Config config = config_of_request(&c->request, options,
                                      preset_find(c->request.preset), d);
    UNetConfig *u = &config.unet;
    if (c->upsample) config.upsample = upsampling_factor(c->upsample);
    if (config.upsample) {
        u->channels = 2 * d->channels;
        if (u->height % config.upsample || u->width % config.upsample)
            fail_usage("--upsample %dx: %d does not divide pictures of %dx%d",
                       config.upsample, config.upsample, u->height, u->width);
    }
    u->out_channels = d->channels * (variance_find(config.variance)->learned ? 2 : 1);
    u->classes = c->classes ? d->classes : 0;
    bool bound = variance_find(config.variance)->learned || strstr(config.loss, "kl");
    if (noise_draw_find(config.timesteps) && bound)
        fail_usage("--timesteps %s has no steps, so no bound: use --loss mse and a fixed "
                   "--variance", config.timesteps);
    return config;
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

int train_main(int argc, char **argv)
{
    CommandLine c = {.request = RUN_REQUEST("mini"), .classes = 1};
    const RunRequest *r = &c.request;
    Option options[OPTIONS];
    const char *source = NULL;
    make_table(&c, options);
    Usage usage = {
        "drift train DATASET [options]  or  drift train --resume RUN [--steps N]",
        describe_presets(), 1};
    int words = options_parse(argc, argv, &usage, options, &source);
    if ((words == 1) == (r->resume != NULL))
        fail_usage("name a data set, or a run to --resume.  usage: %s", usage.synopsis);

    Training t = training_create(&denoising, r, options, source);
    if (!r->resume) {
        Config config = make_config(&c, options, &t.dataset);
        training_begin(&t, r, &config);
    }
    int number = training_command(&t, r, options);
    if (!number) printf("try next     drift sample %s --count 100 --show\n", t.folder);
    return number ? 128 + number : 0;
}
