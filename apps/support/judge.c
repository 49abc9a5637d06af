/* Feature networks: see judge.h. */
#include "apps/support/judge.h"

#include <string.h>

#include "apps/support/dataset.h"
#include "tensor/error.h"

enum { BATCH = 50, MAP_CHANNELS = 3 };

void judge_open(Judge *j, Arena *a, const char *path, const char *dataset,
                const Pictures *like)
{
    if (!path) {
        path = dataset_bundled(a, arena_printf(a, "%s-features.safetensors", dataset));
        if (!path)
            fail("no feature network for %s comes with the program; make one with "
                 "`drift classifier %s --clean`, then say --features RUN", dataset,
                 dataset);
    }
    j->path = run_checkpoint(a, path);
    model_load(&j->model, j->path, MODEL_CLASSIFIER, false);
    Bytes file = file_read(a, j->path);
    j->sum = crc32(0, file.data, file.size);
    const UNetConfig *u = &j->model.config.unet;
    if (!j->model.config.clean)
        fail("%s was trained with noise, to guide; features come from `drift classifier "
             "--clean`", j->path);
    if (u->height != like->height || u->width != like->width ||
        u->channels != like->channels)
        fail("%s knows pictures of %dx%dx%d, but these are %dx%dx%d", j->path, u->height,
             u->width, u->channels, like->height, like->width, like->channels);
}

void judge_close(Judge *j) { model_destroy(&j->model); }

/* ---- looking ----------------------------------------------------------------------- */

/* y [N, width] to the rows of x from `first` on. */
static void copy_rows(double *x, const Var *y, int N, int width, int first)
{
    x += (size_t)first * (size_t)width;
    for (int i = 0; i < N * width; i++) x[i] = (double)y->value[i];
}

Seen judge_look(const Judge *j, Arena *a, const Pictures *p)
{
    const Encoder *e = &j->model.classifier.encoder;
    size_t N = (size_t)p->count, size = (size_t)(p->height * p->width * p->channels);
    int D = 0, M = e->height * e->width * MAP_CHANNELS;
    int K = j->model.config.unet.out_channels;
    double *pool = NULL, *map = arena_new(a, double, N * (size_t)M);
    double *probability = arena_new(a, double, N * (size_t)K);
    Tape t = tape_create();
    t.recording = false;
    for (int first = 0; first < p->count; first += BATCH) {
        int n = p->count - first < BATCH ? p->count - first : BATCH;
        tape_reset(&t);
        Real *x = tape_save(&t, Real, (size_t)n * size);
        double *told = tape_save(&t, double, (size_t)n);
        memset(told, 0, (size_t)n * sizeof *told);
        for (size_t i = 0; i < (size_t)n * size; i++)
            x[i] = (Real)(p->pixels[(size_t)first * size + i] / 127.5 - 1);
        Pass pass = pass_inference(&t, &j->model.params, j->model.ema.value[0]);
        Shape shape = SHAPE(n, p->height, p->width, p->channels);
        Var *image = tape_leaf(&t, "x", shape, x, NULL);
        ClassifierAnswer answer = classifier_answer(&pass, &j->model.classifier, image,
                                                    &(Condition){.t = told});
        if (!pool) {
            D = shape_last(answer.features->shape);
            pool = arena_new(a, double, N * (size_t)D);
        }
        copy_rows(pool, answer.features, n, D, first);
        copy_rows(map, slice(&t, answer.map, 3, 0, MAP_CHANNELS), n, M, first);
        copy_rows(probability, softmax(&t, answer.logits), n, K, first);
    }
    tape_destroy(&t);
    return (Seen){{p->count, D, pool}, {p->count, M, map}, {p->count, K, probability}};
}

/* ---- comparing --------------------------------------------------------------------- */

Known judge_know(Arena *a, Seen s, int k)
{
    Known known = {s, feature_moments(a, s.pool), feature_moments(a, s.map),
                   arena_new(a, double, (size_t)s.pool.N)};
    neighbour_radii(known.radius, s.pool, k);
    return known;
}

Likeness judge_compare(const Known *x, const Known *ref)
{
    return (Likeness){frechet_distance(&x->pool, &ref->pool),
                      frechet_distance(&x->map, &ref->map),
                      share_inside(x->seen.pool, ref->seen.pool, ref->radius),
                      share_inside(ref->seen.pool, x->seen.pool, x->radius)};
}
