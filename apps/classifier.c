/* drift classifier: learns which class a picture shows, under any amount of noise, so
 * that its gradient can guide `drift sample` (Dhariwal & Nichol 2021, section 4).
 *
 * With --clean it sees no noise, and its last features are what `drift evaluate`
 * compares pictures by; the one that comes with the program was made by
 *
 *     drift classifier mnist --clean --weights apps/data/mnist-features.safetensors */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/begin.h"
#include "apps/support/classifying.h"
#include "tensor/error.h"

typedef struct {
    RunRequest request;
    const char *weights;
    bool clean;
} CommandLine;

enum { OPTIONS = 40 };

static void make_table(CommandLine *c, Option table[OPTIONS])
{
    Config *k = &c->request.change;
    const Option rows[] = {
        RUN_OPTIONS(&c->request),
        {"clean", OPTION_FLAG, &c->clean, NULL,
         "pictures without noise: the preset features, for drift evaluate", 0},
        {"weights", OPTION_TEXT, &c->weights, "FILE",
         "write the finished network alone, in half precision", 0},
        {"flip", OPTION_INT, &c->request.flip, "0|1",
         "mirror half of the pictures; wrong for digits and letters [1 for cifar10 and "
         "the papers' presets, else 0]", 0},
        {"crop", OPTION_INT, &c->request.crop, "0|1",
         "enlarge pictures by up to 5/4 and cut out a window [1]", 0},
        {"pool", OPTION_TEXT, &k->pool, "NAME",
         "adaptive, attention, spatial or spatial_v2: nn/classifier.h *", 0},
        {"weight-decay", OPTION_REAL, &k->optimizer.weight_decay, "X", "of adamw *", 0},
        CONFIG_OPTIONS(k),
        {0},
    };
    _Static_assert(sizeof rows <= OPTIONS * sizeof *rows, "a larger OPTIONS is needed");
    memcpy(table, rows, sizeof rows);
}

static Config make_config(const CommandLine *c, const Option options[], const Dataset *d)
{
    if (!d->labels) fail("%s has no classes to learn", d->name);
    const char *preset = c->clean && !options_given(options, "preset") ? "features"
                                                                      : c->request.preset;
    Config config = config_of_request(&c->request, options,
                                      classifier_preset_find(preset), d);
    config.clean |= c->clean;
    if (strcmp(d->name, "cifar10") == 0 && !options_given(options, "flip"))
        config.flip = true;
    if (options_given(options, "crop")) config.crop = c->request.crop != 0;
    config.unet.out_channels = d->classes;
    return config;
}

static const char *describe_presets(void)
{
    const char *text =
        "Trains a classifier of noisy pictures, for `drift sample RUN --guide`, and\n"
        "writes a run folder.  DATASET is as for `drift train`, with classes.\n\npresets:";
    for (const Preset *p = classifier_presets; p->name; p++)
        text = arena_printf(scratch(), "%s\n  %-10s %s", text, p->name, p->about);
    return arena_printf(scratch(),
                        "%s\n\nOptions marked * replace an entry of the preset.", text);
}

static void print_accuracy(Training *t)
{
    const Model *m = &t->model;
    bool whole = t->dataset.whole;
    Dataset test = dataset_load(&t->arena, t->source, t->data,
                                whole ? DATASET_TRAIN : DATASET_TEST);
    dataset_shrink(&t->arena, &test, m->config.shrink);
    const char *part = whole ? "training" : "test";
    double share[QUARTILES], mean = 0;
    classifier_test(m, &test, share);
    for (int q = 0; q < QUARTILES; q++) mean += share[q] / QUARTILES;
    if (m->config.clean) {
        printf("right on %.2f %% of %d %s pictures\n", 100 * mean, test.count, part);
        return;
    }
    printf("right on %.1f %% of %d noisy %s pictures; by quartile of t:", 100 * mean,
           test.count, part);
    for (int q = 0; q < QUARTILES; q++) printf(" %.1f", 100 * share[q]);
    printf("\n");
}

int classifier_main(int argc, char **argv)
{
    CommandLine c = {.request = RUN_REQUEST("classifier")};
    const RunRequest *r = &c.request;
    Option options[OPTIONS];
    const char *source = NULL;
    make_table(&c, options);
    Usage usage = {
        "drift classifier DATASET [options]  or  drift classifier --resume RUN",
        describe_presets(), 1};
    int words = options_parse(argc, argv, &usage, options, &source);
    if ((words == 1) == (r->resume != NULL))
        fail_usage("name a data set, or a run to --resume.  usage: %s", usage.synopsis);

    Training t = training_create(&classifying, r, options, source);
    if (!r->resume) {
        Config config = make_config(&c, options, &t.dataset);
        training_begin(&t, r, &config);
    }
    int number = training_command(&t, r, options);
    if (number) return 128 + number;
    print_accuracy(&t);
    if (c.weights) model_save_half(&t.model, c.weights);
    if (t.model.config.clean) return 0;
    printf("try next     drift sample RUN --guide %s --scale 0,1,2,5\n", t.folder);
    return 0;
}
