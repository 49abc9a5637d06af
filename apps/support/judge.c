/* Feature networks: see judge.h. */
#include "apps/support/judge.h"

#include <string.h>

#include "apps/support/dataset.h"
#include "tensor/error.h"

enum { BATCH = 10, MAP_CHANNELS = 7 };

/* ---- two kinds of network ---------------------------------------------------------- */

/* Pictures first ... first+n-1 as numbers a x + b, with at least so many channels: gray
 * is as much of each colour. */
static Var *leaf_of(Tape *t, const Pictures *p, int first, int n, int channels, double a,
                    double b)
{
    size_t pixels = (size_t)(n * p->height * p->width), C = (size_t)channels;
    size_t from = (size_t)p->channels;
    const uint8_t *bytes = p->pixels + (size_t)first * pixels / (size_t)n * from;
    Real *x = tape_save(t, Real, pixels * C);
    for (size_t i = 0; i < pixels * C; i++)
        x[i] = (Real)(a * bytes[i / C * from + (from > 1 ? i % C : 0)] + b);
    return tape_leaf(t, "x", SHAPE(n, p->height, p->width, channels), x, NULL);
}

static Glance look_by_classifier(const Judge *j, Tape *t, const Pictures *p, int first,
                                 int n)
{
    const Model *m = &j->model;
    double *told = tape_save(t, double, (size_t)n);
    memset(told, 0, (size_t)n * sizeof *told);
    Pass pass = pass_inference(t, &m->params, m->ema.value[0]);
    Var *x = leaf_of(t, p, first, n, p->channels, 1 / 127.5, -1);
    ClassifierAnswer answer =
        classifier_answer(&pass, &m->classifier, x, &(Condition){.t = told});
    return (Glance){answer.features, slice(t, answer.map, 3, 0, MAP_CHANNELS),
                    softmax(t, answer.logits)};
}

static Glance look_by_inception(const Judge *j, Tape *t, const Pictures *p, int first,
                                int n)
{
    const Inception *net = &j->inception;
    Pass pass = pass_inference(t, &net->params, net->params.value);
    InceptionAnswer answer =
        inception_answer(&pass, net, leaf_of(t, p, first, n, 3, 1, 0));
    return (Glance){answer.features, answer.map, answer.probability};
}

static void open_classifier(Judge *j, const Pictures *like)
{
    model_load(&j->model, j->path, MODEL_CLASSIFIER, false);
    const Config *c = &j->model.config;
    const UNetConfig *u = &c->unet;
    j->look = look_by_classifier;
    if (!c->clean)
        fail("%s was trained with noise, to guide; features come from `drift classifier "
             "--clean`", j->path);
    if (u->height != like->height || u->width != like->width ||
        u->channels != like->channels)
        fail("%s knows pictures of %dx%dx%d, but these are %dx%dx%d", j->path, u->height,
             u->width, u->channels, like->height, like->width, like->channels);
    if (j->model.classifier.encoder.channels < MAP_CHANNELS)
        fail("%s has %d channels at its bottom; spatial features are %d of them", j->path,
             j->model.classifier.encoder.channels, MAP_CHANNELS);
}

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
    *j = (Judge){.path = run_checkpoint(a, path)};
    Arena work = arena_create();
    Bytes bytes = file_read(&work, j->path);
    j->sum = crc32(0, bytes.data, bytes.size);
    SafeTensors file = safetensors_parse(&work, bytes);
    if (inception_recognise(&file)) {
        file.path = j->path;
        j->inception = inception_load(&file);
        j->look = look_by_inception;
    } else {
        open_classifier(j, like);
    }
    arena_destroy(&work);
}

void judge_close(Judge *j)
{
    if (j->look == look_by_inception) inception_destroy(&j->inception);
    else model_destroy(&j->model);
}

/* ---- looking ----------------------------------------------------------------------- */

Seen judge_look(const Judge *j, Arena *a, const Pictures *p)
{
    enum { PARTS = 3 };
    double *x[PARTS] = {NULL};
    Features f[PARTS] = {{0}};
    Tape t = tape_create();
    t.recording = false;
    for (int first = 0; first < p->count; first += BATCH) {
        int n = p->count - first < BATCH ? p->count - first : BATCH;
        tape_reset(&t);
        Glance g = j->look(j, &t, p, first, n);
        const Var *y[PARTS] = {g.pool, g.map, g.probability};
        for (int k = 0; k < PARTS; k++) {
            size_t D = y[k]->size / (size_t)n;
            if (first == 0) {
                x[k] = arena_new(a, double, (size_t)p->count * D);
                f[k] = (Features){p->count, (int)D, x[k]};
            }
            for (size_t i = 0; i < y[k]->size; i++)
                x[k][(size_t)first * D + i] = (double)y[k]->value[i];
        }
    }
    tape_destroy(&t);
    return (Seen){f[0], f[1], f[2]};
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
