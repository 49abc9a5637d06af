/* A training step to look at: see example.h. */
#include "apps/support/example.h"

#include <string.h>

#include "tensor/error.h"

/* Images of noise, times over the schedule, classes in turn: costs are equal. */
static void make_data(Example *e)
{
    const UNetConfig *c = &e->model.config.unet;
    if (!e->batch) e->batch = e->model.config.batch;
    size_t N = (size_t)e->batch, size = N * (size_t)(c->height * c->width * c->channels);
    Arena *a = &e->model.arena;
    double *x0 = arena_new(a, double, size), *eps = arena_new(a, double, size);
    Level *level = arena_new(a, Level, N);
    int *label = arena_new(a, int, N);
    random_normals(random_stream(0, 0, 0), 0, size, x0);
    random_normals(random_stream(0, 0, 1), 0, size, eps);
    for (size_t n = 0; n < N; n++) {
        int t = (int)(n * (size_t)e->model.config.diffusion_steps / N);
        level[n] = schedule_level(&e->model.process.schedule, t);
        label[n] = c->classes ? (int)n % c->classes : 0;
    }
    e->data = (Batch){e->batch, x0, eps, level, label, NULL, NULL};
}

void example_create(Example *e, const Config *c)
{
    model_create(&e->model, c);
    make_data(e);
}

/* As `drift train` makes it for a data set of such images. */
static void create_from_preset(Example *e, const char *name)
{
    const Preset *p = presets;
    while (p->name && strcmp(p->name, name) != 0) p++;
    if (!p->name)
        fail_usage("there is no run, file or preset %s; the presets are %s", name,
                   preset_names());
    if (e->size[2] < 1 || e->size[3]) fail_usage("--size: want three numbers, H,W,C");
    Config c = p->config;
    UNetConfig *u = &c.unet;
    u->height = e->size[0], u->width = e->size[1];
    u->channels = e->size[2];
    u->out_channels = e->size[2] * (variance_find(c.variance)->learned ? 2 : 1);
    u->classes = e->classes;
    c.preset = name;
    c.dataset = "random images";
    example_create(e, &c);
}

void example_open(Example *e, const char *what, const Option options[])
{
    if (!file_exists(what)) create_from_preset(e, what);
    else {
        if (options_given(options, "size") || options_given(options, "classes"))
            fail_usage("--size and --classes are for presets; %s has its own", what);
        model_load(&e->model, run_checkpoint(scratch(), what), false);
        make_data(e);
    }
}

Var *example_loss(Example *e, Tape *t)
{
    Model *m = &e->model;
    Pass pass = pass_training(t, &m->params, random_stream(0, 0, 2));
    return mean(t, objective_loss(&pass, &m->net, &m->process, &e->data), ALL_AXES);
}

void example_close(Example *e) { model_destroy(&e->model); }
