/* What a training step learns from: see training.h.
 *
 * Everything drawn for a sample depends on the seed, the step and its place in the
 * batch. */
#include <math.h>
#include <string.h>

#include "apps/support/training.h"
#include "diffusion/augment.h"

/* Purposes of random numbers (tensor/random.h). */
enum { PURPOSE_ORDER = 2, PURPOSE_TIME = 3, PURPOSE_NOISE = 4, PURPOSE_FLIP = 5,
       PURPOSE_LABEL = 7, PURPOSE_AUGMENT = 8, PURPOSE_CROP = 9 };

void training_open_dataset(Training *t, int shrink)
{
    t->dataset = dataset_load(&t->arena, t->source, t->data, DATASET_TRAIN);
    dataset_shrink(&t->arena, &t->dataset, shrink);
    t->order = arena_new(&t->arena, uint32_t, (size_t)t->dataset.count);
    t->epoch = -1;
}

/* Which picture stands at `place` in the endless sequence of shuffled epochs. */
static uint32_t picture_at(Training *t, uint64_t place)
{
    uint32_t count = (uint32_t)t->dataset.count;
    long epoch = (long)(place / count);
    if (epoch != t->epoch) {
        uint64_t seed = t->model.config.seed;
        random_permutation(random_stream(seed, PURPOSE_ORDER, (uint64_t)epoch), count,
                           t->order);
        t->epoch = epoch;
    }
    return t->order[place % count];
}

/* What part of a picture is taken, and how: see cut_window. */
typedef struct { double zoom; int top, left; bool mirror; } Window;

/* The papers' crop: the smaller side S is enlarged to one of S ... 5S/4, and a window
 * of the picture's own size is cut out somewhere (Dhariwal & Nichol 2021, their
 * image_datasets.py). */
static Window draw_window(const Config *c, Random flips, Random crops, uint64_t n)
{
    const UNetConfig *u = &c->unet;
    Window w = {1, 0, 0, c->flip && random_bits(flips, n) & 1};
    if (!c->crop) return w;
    int small = u->height < u->width ? u->height : u->width;
    int most = (small * 5 + 3) / 4;
    w.zoom = (small + floor(random_uniform(crops, 3 * n) * (most - small + 1))) / small;
    int room_h = (int)lround(w.zoom * u->height) - u->height;
    int room_w = (int)lround(w.zoom * u->width) - u->width;
    w.top = (int)(random_uniform(crops, 3 * n + 1) * (room_h + 1));
    w.left = (int)(random_uniform(crops, 3 * n + 2) * (room_w + 1));
    return w;
}

/* A window's place p as one between two places of the picture, as in
 * autograd/resize.c. */
typedef struct { int at[2]; double share; } Between;

static Between look(int p, int offset, double zoom, int size)
{
    double u = fmin(fmax((p + offset + 0.5) / zoom - 0.5, 0), size - 1);
    int i = (int)u;
    return (Between){{i, i + 1 < size ? i + 1 : i}, u - i};
}

/* The window of one picture as numbers in [-1, 1]. */
static void cut_window(double *x0, const uint8_t *pixels, const UNetConfig *u, int C,
                       Window window)
{
    for (int h = 0; h < u->height; h++)
        for (int w = 0; w < u->width; w++) {
            int from = window.mirror ? u->width - 1 - w : w;
            Between y = look(h, window.top, window.zoom, u->height);
            Between x = look(from, window.left, window.zoom, u->width);
            for (int k = 0; k < C; k++) {
                double row[2];
                for (int i = 0; i < 2; i++) {
                    const uint8_t *line = pixels + (size_t)(y.at[i] * u->width * C + k);
                    row[i] = line[x.at[0] * C] + x.share * (line[x.at[1] * C] -
                                                            line[x.at[0] * C]);
                }
                *x0++ = (row[0] + y.share * (row[1] - row[0])) / 127.5 - 1;
            }
        }
}

/* Moves N pictures, number `first` of the step and on; returns their labels [N,
 * augment]. */
static const double *augment_pictures(Training *t, double *x0, int N, int first)
{
    const Config *c = &t->model.config;
    const UNetConfig *u = &c->unet;
    if (c->augment == 0) return NULL;
    int C = t->dataset.channels;
    size_t D = (size_t)(u->height * u->width * C);
    double *label = tape_save(&t->tape, double, (size_t)(N * u->augment));
    unsigned kinds = augment_kinds(augment_edm);
    Picture size = {u->height, u->width, C};
    Random r = random_stream(c->seed, PURPOSE_AUGMENT, (uint64_t)t->model.optimizer.step);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < N; n++) {
        Augment a = augment_draw(kinds, c->augment, &size, r, (uint64_t)(first + n));
        augment_apply(kinds, &a, &size, x0 + (size_t)n * D, label + n * u->augment);
    }
    return label;
}

/* Averages over upsample x upsample pixels. */
SmallPictures small_pictures(Arena *a, const Config *c, int C, const double *x, int N)
{
    int n = c->upsample;
    if (!n) return (SmallPictures){0};
    int h = c->unet.height / n, w = c->unet.width / n, line = c->unet.width * C;
    double *small = arena_new(a, double, (size_t)(N * h * w * C));
    for (int k = 0; k < N * h; k++)
        for (int i = 0; i < w * C; i++) {
            const double *block = x + (size_t)k * (size_t)(n * line) +
                                  i / C * n * C + i % C;
            double sum = 0;
            for (int p = 0; p < n; p++)
                for (int q = 0; q < n; q++) sum += block[p * line + q * C];
            small[k * w * C + i] = sum / (n * n);
        }
    return (SmallPictures){h, w, small};
}

Batch training_batch(Training *t, int first, int count)
{
    const Config *c = &t->model.config;
    uint64_t which = (uint64_t)t->model.optimizer.step;
    bool told = c->unet.classes || is_classifier(c);
    size_t N = (size_t)count, skip = (size_t)first;
    size_t D = (size_t)(c->unet.height * c->unet.width * t->dataset.channels);
    double *x0 = tape_save(&t->tape, double, N * D);
    double *eps = tape_save(&t->tape, double, N * D);
    int *label = tape_save(&t->tape, int, N);
    uint32_t *picture = tape_save(&t->tape, uint32_t, N);
    Random unlabelled = random_stream(c->seed, PURPOSE_LABEL, which);
    Random flips = random_stream(c->seed, PURPOSE_FLIP, which);
    Random crops = random_stream(c->seed, PURPOSE_CROP, which);
    Random noise = random_stream(c->seed, PURPOSE_NOISE, which);
    uint64_t place = which * (uint64_t)c->batch + skip;
    for (size_t n = 0; n < N; n++) picture[n] = picture_at(t, place + n);
#pragma omp parallel for schedule(static)
    for (size_t n = 0; n < N; n++) {
        cut_window(x0 + n * D, t->dataset.pixels + picture[n] * D, &c->unet,
                   t->dataset.channels, draw_window(c, flips, crops, skip + n));
        random_normals(noise, (skip + n) * D, D, eps + n * D);
        label[n] = told ? t->dataset.labels[picture[n]] : 0;
        if (random_uniform(unlabelled, skip + n) < c->label_dropout) label[n] = -1;
    }
    const double *moved = augment_pictures(t, x0, count, first);
    return (Batch){count, x0, eps, t->levels + skip, told ? label : NULL, moved,
                   t->weights + skip,
                   small_pictures(&t->tape.records, c, t->dataset.channels, x0, count)};
}

void training_draw_levels(Training *t)
{
    const Model *m = &t->model;
    int N = m->config.batch;
    if (!t->times) {
        t->times = arena_new(&t->arena, int, (size_t)N);
        memset(t->times, 0, (size_t)N * sizeof *t->times);
        t->levels = arena_new(&t->arena, Level, (size_t)N);
        t->weights = arena_new(&t->arena, double, (size_t)N);
    }
    if (m->config.clean) {
        for (int n = 0; n < N; n++) t->levels[n] = (Level){.a = 1}, t->weights[n] = 1;
        return;
    }
    size_t mark = arena_mark(scratch());
    double *sigma = arena_new(scratch(), double, (size_t)N);
    timesteps_draw(&m->timesteps, random_stream(m->config.seed, PURPOSE_TIME,
                                                (uint64_t)m->optimizer.step),
                   N, t->times, t->weights, sigma);
    const Process *p = &m->process;
    for (int n = 0; n < N; n++)
        t->levels[n] = sigma[n] > 0 ? conditioning_level(&p->conditioning, 1, sigma[n])
                                    : schedule_level(&p->schedule, t->times[n]);
    arena_rewind(scratch(), mark);
}
