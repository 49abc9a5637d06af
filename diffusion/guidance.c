/* Guidance: see guidance.h. */
#include "diffusion/guidance.h"

#include <string.h>

#include "tensor/error.h"

/* A denoiser around another one, which knows the same levels and as much of the
 * variance. */
static Denoiser around(const Denoiser *inner,
                       void (*predict)(Denoiser *self, const double *x,
                                       const Level *level, const int *label, int N,
                                       Answer *answer))
{
    return (Denoiser){.size = inner->size, .gives_v = inner->gives_v, .predict = predict,
                      .conditioning = inner->conditioning};
}

/* ---- by a classifier --------------------------------------------------------------- */

static Shape picture_shape(const Classifier *net, int N)
{
    const UNetConfig *c = &net->encoder.config;
    return SHAPE(N, c->height, c->width, c->channels);
}

Var *classifier_logits(Pass *pass, const Classifier *net, const Batch *b)
{
    Shape shape = picture_shape(net, b->N);
    size_t size = shape_size(shape), D = size / (size_t)b->N;
    Real *x = tape_save(pass->tape, Real, size);
    double *told = tape_save(pass->tape, double, (size_t)b->N);
    for (size_t i = 0; i < size; i++) {
        const Level *l = &b->level[i / D];
        x[i] = (Real)(l->a * b->x0[i] + l->s * b->eps[i]);
    }
    for (int n = 0; n < b->N; n++) told[n] = b->level[n].t;
    return classifier_forward(pass, net, tape_leaf(pass->tape, "x_t", shape, x, NULL),
                              &(Condition){.t = told});
}

ClassifierGuide classifier_guide(const Classifier *net, const Params *params,
                                 const Real *weights, const Process *process, double w)
{
    return (ClassifierGuide){net, params, weights, process, w, tape_create()};
}

void classifier_guide_destroy(ClassifierGuide *guide) { tape_destroy(&guide->tape); }

static void check_labels(const ClassifierGuide *guide, Crowd c)
{
    int classes = guide->net->encoder.config.out_channels;
    for (int n = 0; n < c.N; n++) {
        int label = c.label ? c.label[n] : -1;
        if (label < 0 || label >= classes)
            fail("a classifier of %d classes cannot guide to class %d", classes, label);
    }
}

/* The classifier's own x has a^2 + s^2 = 1 and is `scale` times the sampler's. */
void classifier_gradient(ClassifierGuide *guide, const double *x, const Level *level,
                         Crowd c, double *g)
{
    Tape *t = &guide->tape;
    Shape shape = picture_shape(guide->net, c.N);
    size_t size = shape_size(shape);
    check_labels(guide, c);
    tape_reset(t);
    Real *in = tape_save(t, Real, size), *grad = tape_save(t, Real, size);
    double *told = tape_save(t, double, (size_t)c.N);
    const Conditioning *known = &guide->process->conditioning;
    double sigma = level->s / level->a, scale = 1 / sqrt(1 + sigma * sigma) / level->a;
    for (int n = 0; n < c.N; n++) told[n] = known->told(known, sigma);
    for (size_t i = 0; i < size; i++) in[i] = (Real)(scale * x[i]);
    memset(grad, 0, size * sizeof *grad);

    Pass pass = pass_inference(t, guide->params, guide->weights);
    Var *image = tape_leaf(t, "x_t", shape, in, grad);
    Var *logits = classifier_forward(&pass, guide->net, image, &(Condition){.t = told});
    backward(neg(t, sum(t, cross_entropy(t, logits, c.label), ALL_AXES)));
    for (size_t i = 0; i < size; i++) g[i] = guide->w * scale * (double)grad[i];
}

static void classifier_predict(Denoiser *self, const double *x, const Level *level,
                               const int *label, int N, Answer *answer)
{
    const ClassifierGuided *d = (const ClassifierGuided *)self;
    d->inner->predict(d->inner, x, level, label, N, answer);
    size_t n = (size_t)N * self->size, mark = arena_mark(scratch());
    double *g = arena_new(scratch(), double, n);
    classifier_gradient(d->guide, x, level, (Crowd){0, N, label}, g);
    for (size_t i = 0; i < n; i++) answer->x0[i] += level->s * level->s / level->a * g[i];
    arena_rewind(scratch(), mark);
}

ClassifierGuided classifier_guided(Denoiser *inner, ClassifierGuide *guide)
{
    return (ClassifierGuided){around(inner, classifier_predict), inner, guide};
}

/* ---- free of one ------------------------------------------------------------------- */

static void free_predict(Denoiser *self, const double *x, const Level *level,
                         const int *label, int N, Answer *answer)
{
    const ClassifierFree *d = (const ClassifierFree *)self;
    if (d->w == 1) {
        d->inner->predict(d->inner, x, level, label, N, answer);
        return;
    }
    size_t n = (size_t)N * self->size, mark = arena_mark(scratch());
    int *none = arena_new(scratch(), int, (size_t)N);
    Answer without = {arena_new(scratch(), double, n), NULL, NULL};
    for (int i = 0; i < N; i++) none[i] = -1;
    d->inner->predict(d->inner, x, level, none, N, &without);
    d->inner->predict(d->inner, x, level, label, N, answer);
    for (size_t i = 0; i < n; i++)
        answer->x0[i] = without.x0[i] + d->w * (answer->x0[i] - without.x0[i]);
    arena_rewind(scratch(), mark);
}

ClassifierFree classifier_free(Denoiser *inner, double w)
{
    return (ClassifierFree){around(inner, free_predict), inner, w};
}
