/* Training a denoiser: its loss, and the pictures drawn on the way.  See training.h. */
#include <math.h>

#include "apps/support/png.h"
#include "apps/support/training.h"
#include "diffusion/guidance.h"

static Var *find_losses(Training *t, Pass *pass, const Batch *b, int first)
{
    (void)first;
    return objective_loss(pass, &t->model.net, &t->model.process, b);
}

/* Draws eight images of each class (eight rows, if there are no classes) from the same
 * noise every time, in a few DDIM steps. */
static void draw(Training *t)
{
    enum { COLUMNS = 8, MOST_ROWS = 16, STEPS = 25 };
    const Config *c = &t->model.config;
    Arena a = arena_create();
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
    sample(&guided.base, &s, &o, (Crowd){0, count, make_labels(&a, c->unet.classes, count, -1)}, x);
    to_bytes(bytes, x, (size_t)count * d.base.size);
    Pictures drawn = {count, c->unet.height, c->unet.width, c->unet.channels, bytes};
    Image grid = image_grid(&a, &drawn, COLUMNS, 2);
    png_write(arena_printf(&a, "%s/samples/%06ld.png", t->folder,
                           t->model.optimizer.step), &grid);
    network_denoiser_destroy(&d);
    arena_destroy(&a);
}

static const char *describe(const Training *t)
{
    return arena_printf(scratch(), "loss %.4f", t->smooth);
}

const Task denoising = {"train", MODEL_DENOISER, find_losses, draw, describe};
