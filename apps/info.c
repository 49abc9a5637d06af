/* drift info: what is in a run, a .safetensors file or a preset. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/example.h"
#include "apps/support/graph.h"
#include "apps/support/pickle.h"
#include "apps/support/statistics.h"
#include "tensor/error.h"
#include "tensor/npy.h"

/* By block: parameters, memory and work of a training step. */
static void describe_model(Example *e)
{
    Arena a = arena_create();
    Tape t = tape_create();
    const UNetConfig *c = &e->model.config.unet;
    Var *loss = example_loss(e, &t);
    Graph g = graph_create(&a, &t);
    printf("a training step, %d x %dx%dx%d:\n\n", e->batch, c->height, c->width,
           c->channels);
    graph_print_blocks(&g, stdout);
    backward(loss);
    printf("\nparameters      %zu in %d arrays\n", e->model.params.size,
           e->model.params.count);
    printf("work            %.3f GFLOP an image to sample, about three times that to "
           "train\n", g.total.flops * 1e-9 / e->batch);
    printf("peak memory     %.1f MB of values and gradients in a training step\n",
           (double)t.pool.peak / 1e6);
    tape_destroy(&t);
    arena_destroy(&a);
}

/* The part of the network that a parameter belongs to: a level, "down.0" of
 * "down.0.1.conv1.bias", or what comes before the first point. */
static int part_length(const char *name)
{
    size_t first = strcspn(name, ".");
    bool level = strncmp(name, "down.", 5) == 0 || strncmp(name, "up.", 3) == 0;
    return (int)(level ? first + 1 + strcspn(name + first + 1, ".") : first);
}

/* Declares the network and adds up its parameters; nothing is allocated for them. */
static void count_parameters(const Config *c, const char *what)
{
    enum { KEPT = 5 };      /* value, gradient, two moments, average */
    const UNetConfig *u = &c->unet;
    Params p = params_create();
    if (is_classifier(c)) classifier_init(&p, u, c->pool);
    else unet_init(&p, u);
    printf("%s %s, %dx%dx%d%s:\n\n", what, c->preset, u->height, u->width,
           config_picture_channels(c), c->upsample ? " from a smaller picture" : "");
    for (int i = 0, end; i < p.count; i = end) {
        const char *name = p.list[i].name;
        int length = part_length(name);
        size_t size = 0;
        for (end = i; end < p.count && part_length(p.list[end].name) == length &&
                      strncmp(p.list[end].name, name, (size_t)length) == 0; end++)
            size += p.list[end].size;
        printf("  %-12.*s %12zu\n", length, name, size);
    }
    printf("\nparameters      %zu in %d arrays, %.2f GB\n", p.size, p.count,
           (double)(p.size * sizeof(Real)) * 1e-9);
    printf("to train        %.2f GB: gradient, two moments and an average as well\n",
           (double)(KEPT * p.size * sizeof(Real)) * 1e-9);
    params_destroy(&p);
}

/* Of a preset of either kind, or of both if both have one of that name. */
static void describe_preset(const Example *e, const char *name, const Option options[])
{
    int found = 0;
    for (const Preset *p = presets; p->name; p++)
        if (strcmp(p->name, name) == 0) {
            Config c = example_config(e, p, options);
            count_parameters(&c, "network");
            found++;
        }
    for (const Preset *p = classifier_presets; p->name; p++)
        if (strcmp(p->name, name) == 0) {
            Config c = example_config(e, p, options);
            if (found) printf("\n");
            count_parameters(&c, "classifier");
            found++;
        }
    if (!found)
        fail_usage("there is no preset %s; the presets are %s; of classifiers %s", name,
                   preset_names(), classifier_preset_names());
}

static void print_metadata(const SafeTensors *f)
{
    if (!f->metadata) return;
    for (const Json *m = f->metadata->child; m; m = m->next)
        printf("%-15s %s\n", m->name, m->text);
}

int info_main(int argc, char **argv)
{
    const char *words[1], *preset = NULL;
    bool tensors = false;
    Example e = EXAMPLE;
    Option options[] = {
        {"tensors", OPTION_FLAG, &tensors, NULL, "list the arrays of a run too", 0},
        {"preset", OPTION_TEXT, &preset, "NAME",
         "count the parameters of a preset, however large, without making them", 0},
        EXAMPLE_OPTIONS(&e),
        {0},
    };
    Usage usage = {
        "drift info RUN|FILE|PRESET [options]  or  drift info --preset NAME",
        "Tells what a run folder or a preset holds: for a model what each block\n"
        "costs.  Of another .safetensors, .npy or .npz file it lists the arrays,\n"
        "with the range and mean of their numbers.", 1};
    int count = options_parse(argc, argv, &usage, options, words);
    if (preset && count == 0) return describe_preset(&e, preset, options), 0;
    if (preset || count != 1)
        fail_usage("which run, file or preset?  usage: %s", usage.synopsis);

    Arena a = arena_create();
    SafeTensors f = {0};
    const char *config = NULL;
    if (file_exists(words[0])) {
        Bytes b = file_read(&a, run_checkpoint(&a, words[0]));
        pickle_refuse(b);
        f = npy_is(b) ? npy_parse(&a, b) : safetensors_parse(&a, b);
        if (safetensors_metadata(&f, "format") &&
            strncmp(safetensors_metadata(&f, "format"), "drift", 5) == 0)
            config = safetensors_metadata(&f, "config");
        printf("%s: %d arrays\n", f.path, f.count);
        print_metadata(&f);
    }
    if (config || !f.path) {
        example_open(&e, words[0], options);
        describe_model(&e);
        example_close(&e);
    }
    if (f.path && (tensors || !config)) statistics_print(&f);
    return 0;
}
