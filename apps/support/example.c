/* A training step to look at: see example.h. */
#include "apps/support/example.h"

#include <string.h>

#include "apps/support/training.h"
#include "diffusion/guidance.h"
#include "tensor/error.h"

/* Images of noise, times over the schedule, classes in turn: costs are equal. */
static void make_data(Example *e)
{
    const UNetConfig *c = &e->model.config.unet;
    if (!e->batch) e->batch = e->model.config.batch;
    int C = config_picture_channels(&e->model.config);
    size_t N = (size_t)e->batch, size = N * (size_t)(c->height * c->width * C);
    Arena *a = &e->model.arena;
    double *x0 = arena_new(a, double, size), *eps = arena_new(a, double, size);
    Level *level = arena_new(a, Level, N);
    int *label = arena_new(a, int, N);
    int classes = is_classifier(&e->model.config) ? c->out_channels : c->classes;
    random_normals(random_stream(0, 0, 0), 0, size, x0);
    random_normals(random_stream(0, 0, 1), 0, size, eps);
    for (size_t n = 0; n < N; n++) {
        int t = (int)(n * (size_t)e->model.config.diffusion_steps / N);
        level[n] = schedule_level(&e->model.process.schedule, t);
        label[n] = classes ? (int)n % classes : 0;
    }
    e->data = (Batch){.N = e->batch, .x0 = x0, .eps = eps, .level = level, .label = label,
                      .small = small_pictures(a, &e->model.config, C, x0, e->batch)};
}

void example_create(Example *e, const Config *c)
{
    model_create(&e->model, c);
    make_data(e);
}

/* As `drift train` and `drift classifier` make it for a data set of such images. */
Config example_config(const Example *e, const Preset *p, const Option options[])
{
    Config c = p->config;
    UNetConfig *u = &c.unet;
    int own = is_classifier(&c) ? u->out_channels : u->classes;
    int classes = options_given(options, "classes") ? e->classes : u->height ? own : 10;
    int size[] = {u->height ? u->height : 28, u->height ? u->width : 28,
                  u->height ? u->channels : 1};
    if (options_given(options, "size")) {
        if (e->size[2] < 1 || e->size[3]) fail_usage("--size: want three numbers, H,W,C");
        memcpy(size, e->size, sizeof size);
    }
    u->height = size[0], u->width = size[1];
    u->channels = size[2] * (c.upsample ? 2 : 1);
    u->out_channels = is_classifier(&c) ? classes
                    : size[2] * (variance_find(c.variance)->learned ? 2 : 1);
    u->classes = is_classifier(&c) ? 0 : classes;
    u->levels = unet_levels(u->mult);
    c.preset = p->name;
    c.dataset = "random images";
    return c;
}

static void create_from_preset(Example *e, const char *name, const Option options[])
{
    const Preset *p = presets;
    while (p->name && strcmp(p->name, name) != 0) p++;
    if (!p->name)
        fail_usage("there is no run, file or preset %s; the presets are %s", name,
                   preset_names());
    Config c = example_config(e, p, options);
    example_create(e, &c);
}

void example_open(Example *e, const char *what, const Option options[])
{
    if (!file_exists(what)) create_from_preset(e, what, options);
    else {
        if (options_given(options, "size") || options_given(options, "classes"))
            fail_usage("--size and --classes are for presets; %s has its own", what);
        model_load(&e->model, run_checkpoint(scratch(), what), MODEL_ANY, false);
        make_data(e);
    }
}

Var *example_loss(Example *e, Tape *t)
{
    Model *m = &e->model;
    Pass pass = pass_training(t, &m->params, random_stream(0, 0, 2));
    Var *losses = is_classifier(&m->config)
        ? cross_entropy(t, classifier_logits(&pass, &m->classifier, &e->data),
                        e->data.label)
        : objective_loss(&pass, &m->net, &m->process, &e->data);
    return mean(t, losses, ALL_AXES);
}

void example_close(Example *e) { model_destroy(&e->model); }
