/* Training a denoiser: its loss, and the pictures drawn on the way.  See training.h. */
#include <string.h>

#include "apps/support/png.h"
#include "apps/support/training.h"
#include "diffusion/guidance.h"

static Var *find_losses(Training *t, Pass *pass, const Batch *b, int first)
{
    (void)first;
    return objective_loss(pass, &t->model.net, &t->model.process, b);
}

enum { COLUMNS = 8, MOST_ROWS = 16, STEPS = 25 };

/* [count, H, W, C] bytes from the same noise every time, in a few DDIM steps. */
static uint8_t *draw_bytes(Training *t, Arena *a, int count, const int *labels,
                           SmallPictures small)
{
    const Config *c = &t->model.config;
    NetworkDenoiser d = network_denoiser(&t->model.net, &t->model.params,
                                         t->model.ema.value[0], &t->model.process);
    d.small = small;
    int steps = c->diffusion_steps < STEPS ? c->diffusion_steps : STEPS;
    Schedule s = schedule_respace(a, &t->model.process.schedule,
                                  arena_printf(a, "%d", steps));
    /* With eta 1 the noise on the way washes out what an untrained network gets wrong. */
    SamplingOptions o = {.sampler = sampler_find("ddim"), .eta = 1};
    ClassifierFree guided = classifier_free(&d.base, config_guidance(c));
    double *x = arena_new(a, double, (size_t)count * d.base.size);
    uint8_t *bytes = arena_new(a, uint8_t, (size_t)count * d.base.size);
    sample(&guided.base, &s, &o, (Crowd){0, count, labels}, x);
    to_bytes(bytes, x, (size_t)count * d.base.size);
    network_denoiser_destroy(&d);
    return bytes;
}

/* Eight images of each class, or eight rows, if there are no classes. */
static Pictures draw_classes(Training *t, Arena *a)
{
    const Config *c = &t->model.config;
    int rows = c->unet.classes ? c->unet.classes : COLUMNS;
    int count = COLUMNS * (rows < MOST_ROWS ? rows : MOST_ROWS);
    int *labels = make_labels(a, c->unet.classes, count, -1);
    return (Pictures){count, c->unet.height, c->unet.width, c->unet.channels,
                      draw_bytes(t, a, count, labels, (SmallPictures){0})};
}

/* Three rows: what the network is shown of eight training pictures, what it makes of
 * them, and they themselves. */
static Pictures draw_enlarged(Training *t, Arena *a)
{
    const Config *c = &t->model.config;
    int H = c->unet.height, W = c->unet.width, C = t->dataset.channels, n = c->upsample;
    size_t size = COLUMNS * (size_t)(H * W * C);
    double *x0 = arena_new(a, double, size);
    int labels[COLUMNS];
    for (int k = 0; k < COLUMNS; k++)
        labels[k] = t->dataset.labels ? t->dataset.labels[k % t->dataset.count] : 0;
    for (size_t i = 0; i < size; i++) {
        size_t all = (size_t)t->dataset.count * (size_t)(H * W * C);
        x0[i] = t->dataset.pixels[i % all] / 127.5 - 1;
    }
    SmallPictures small = small_pictures(a, c, C, x0, COLUMNS);
    uint8_t *rows = arena_new(a, uint8_t, 3 * size);
    for (size_t i = 0; i < size; i++) {                 /* each small pixel n x n times */
        size_t k = i / (size_t)(W * C), w = i / (size_t)C % (size_t)W / (size_t)n;
        size_t from = (k / (size_t)n * (size_t)(W / n) + w) * (size_t)C + i % (size_t)C;
        to_bytes(rows + i, small.x + from, 1);
    }
    memcpy(rows + size, draw_bytes(t, a, COLUMNS, labels, small), size);
    to_bytes(rows + 2 * size, x0, size);
    return (Pictures){3 * COLUMNS, H, W, C, rows};
}

static void draw(Training *t)
{
    Arena a = arena_create();
    Pictures drawn = t->model.config.upsample ? draw_enlarged(t, &a)
                                              : draw_classes(t, &a);
    Image grid = image_grid(&a, &drawn, COLUMNS, 2);
    png_write(arena_printf(&a, "%s/samples/%06ld.png", t->folder,
                           t->model.optimizer.step), &grid);
    arena_destroy(&a);
}

static const char *describe(const Training *t)
{
    return arena_printf(scratch(), "loss %.4f", t->smooth);
}

const Task denoising = {"train", MODEL_DENOISER, find_losses, draw, describe};
