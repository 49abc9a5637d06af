/* Drawing pictures with a trained model: see drawing.h. */
#include "apps/support/drawing.h"

#include <stdio.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/gemm.h"

/* ---- opening ----------------------------------------------------------------------- */

static void complete_sampler(Drawing *d, DrawRequest *r)
{
    const Config *c = &d->model.config;
    const Schedule *own = &d->model.process.schedule;
    SamplingOptions *o = &r->sampling.by_steps;
    if (!r->sampling.steps && method_find(r->sampling.name)->sampler && own->T < 50)
        r->sampling.steps = "0";
    sampling_choose(&r->sampling, (uint64_t)r->seed);
    d->steps = sampling_steps(&r->sampling, own);
    if (r->batch < 1) fail_usage("--batch must be at least 1");
    o->variance = variance_find(r->variance ? r->variance : c->variance);
    if (r->variance && o->variance->learned && strcmp(r->variance, c->variance) != 0)
        fail_usage("--variance %s: this model has learned none", r->variance);
    o->no_clip = c->no_clip;
}

void drawing_choose(Drawing *d, const char *name, const char *steps)
{
    Sampling *s = &d->request->sampling;
    s->name = name, s->steps = steps;
    sampling_choose(s, (uint64_t)d->request->seed);
    d->steps = sampling_steps(s, &d->model.process.schedule);
}

static void open_classifier(Drawing *d, DrawRequest *r)
{
    Model *m = &d->classifier;
    model_load(m, run_checkpoint(&d->arena, r->guide), MODEL_CLASSIFIER, false);
    const UNetConfig *u = &d->model.config.unet, *v = &m->config.unet;
    if (m->config.clean)
        fail("%s has never seen noise (--clean), so its gradient is no guide", r->guide);
    if (v->height != u->height || v->width != u->width ||
        v->channels != config_picture_channels(&d->model.config))
        fail("%s classifies pictures of %dx%dx%d, but the model draws %dx%dx%d", r->guide,
             v->height, v->width, v->channels, u->height, u->width,
             config_picture_channels(&d->model.config));
    d->guide = classifier_guide(&m->classifier, &m->params, m->ema.value[0],
                                &m->process, 1);
    if (!r->scale.count) r->scale = (NumberList){4, {0, 1, 2, 5}};
}

static void complete_guidance(Drawing *d, DrawRequest *r, const Option options[])
{
    const Config *c = &d->model.config;
    if (!options_given(options, "guidance"))
        r->guidance = r->guide ? 1 : config_guidance(c);
    if (r->guidance != 1 && (!c->unet.classes || c->label_dropout == 0))
        fail_usage("--guidance: this model was not trained with --label-dropout, so it "
                   "knows no answer without the class");
    if (r->guide) open_classifier(d, r);
    else if (r->scale.count)
        fail_usage("--scale: of which classifier's gradient?  --guide names it");
    else r->scale.count = 1;
}

/* The guide belongs to the small pictures (Dhariwal & Nichol 2021, section 4.4 and
 * table 6): what class it is, is decided there. */
static void open_low(Drawing *d, DrawRequest *r, const Option options[])
{
    const Config *c = &d->model.config;
    if (!c->upsample && !r->low) return;
    if (!c->upsample)
        fail_usage("--low: this model was not trained with --upsample, it starts from "
                   "nothing");
    if (!r->low)
        fail_usage("this model enlarges pictures; say with --low which run draws them");
    d->low_request = *r;
    d->low_request.low = NULL;
    d->low = arena_new(&d->arena, Drawing, 1);
    drawing_open(d->low, r->low, &d->low_request, options);
    const Config *k = &d->low->model.config;
    if (k->unet.height * c->upsample != c->unet.height ||
        k->unet.width * c->upsample != c->unet.width ||
        config_picture_channels(k) != config_picture_channels(c))
        fail("%s draws %dx%dx%d, but the model enlarges pictures of %dx%dx%d", r->low,
             k->unet.height, k->unet.width, config_picture_channels(k),
             c->unet.height / c->upsample, c->unet.width / c->upsample,
             config_picture_channels(c));
    r->scale = d->low_request.scale;
    r->guide = NULL, r->guidance = 1;
}

void drawing_open(Drawing *d, const char *run, DrawRequest *r, const Option options[])
{
    *d = (Drawing){.request = r, .arena = arena_create()};
    Model *m = &d->model;
    model_load(m, run_checkpoint(&d->arena, run), MODEL_DENOISER, false);
    complete_sampler(d, r);
    open_low(d, r, options);
    if (!d->low) complete_guidance(d, r, options);
    const Real *weights = r->live ? m->params.value : m->ema.value[0];
    d->network = network_denoiser(&m->net, &m->params, weights, &m->process);
    d->free = classifier_free(&d->network.base, r->guidance);
    d->guided = classifier_guided(&d->free.base, &d->guide);
}

void drawing_close(Drawing *d)
{
    if (d->low) drawing_close(d->low);
    network_denoiser_destroy(&d->network);
    model_destroy(&d->model);
    if (d->request->guide) {
        classifier_guide_destroy(&d->guide);
        model_destroy(&d->classifier);
    }
    arena_destroy(&d->arena);
}

int drawing_classes(const Drawing *d)
{
    if (d->low) return drawing_classes(d->low);
    return d->request->guide ? d->classifier.config.unet.out_channels
                             : d->model.config.unet.classes;
}

/* ---- drawing ----------------------------------------------------------------------- */

static void watch(void *context, const double *x, const double *x0, int left)
{
    Drawing *d = context;
    (void)x, (void)x0;
    double in_batch = (double)(d->steps - left) / d->steps;
    char details[48];
    snprintf(details, sizeof details, "%d steps each", d->steps);
    progress_show(&d->progress, d->done + (left ? 0 : d->batch), d->total,
                  (d->done + in_batch * d->batch) / d->total, details);
}

static void guide(void *context, const double *x, const Level *level, Crowd c, double *g)
{
    classifier_gradient(&((Drawing *)context)->guide, x, level, c, g);
}

/* Draws one batch; returns how often the network was asked. */
static double draw_batch(Drawing *d, Crowd crowd, bool guided, double *x)
{
    const DrawRequest *r = d->request;
    Sampling s = r->sampling;
    s.by_steps.guide = guided ? guide : NULL;
    sampling_watch(&s, d->quiet ? NULL : watch, d);
    Denoiser *by = guided && s.method->solver ? &d->guided.base : &d->free.base;
    double calls = sampling_run(&s, by, &d->model.process.schedule, crowd, x);
    return calls * (r->guidance == 1 ? 1 : 2);
}

/* Draws the small pictures; d->arena keeps what they are made of. */
static void make_low(Drawing *d, int count, const int *labels, double scale)
{
    const UNetConfig *u = &d->low->model.config.unet;
    size_t size = (size_t)count * d->low->free.base.size;
    uint8_t *pixels = drawing_make(d->low, &d->arena, count, labels, scale);
    double *x = arena_new(&d->arena, double, size);
    for (size_t i = 0; i < size; i++) x[i] = pixels[i] / 127.5 - 1;
    d->small = (SmallPictures){u->height, u->width, x};
}

uint8_t *drawing_make(Drawing *d, Arena *a, int count, const int *labels, double scale)
{
    const DrawRequest *r = d->request;
    size_t mark = arena_mark(scratch()), size = d->free.base.size;
    bool guided = r->guide && scale > 0, halves = gemm_bfloat16();
    gemm_set_bfloat16(halves || r->bf16);
    uint8_t *pixels = arena_new(a, uint8_t, (size_t)count * size);
    int batch = sampling_alone(&r->sampling) ? 1 : r->batch < count ? r->batch : count;
    double *x = arena_new(scratch(), double, (size_t)batch * size);
    if (d->low) make_low(d, count, labels, scale);
    d->progress = progress_start("image");
    d->total = count;
    d->guide.w = scale;
    d->calls = 0;
    for (int i = 0; i < count; i += batch) {
        d->done = i, d->batch = count - i < batch ? count - i : batch;
        d->network.small = d->small;
        if (d->low) d->network.small.x += (size_t)i * d->low->free.base.size;
        Crowd crowd = {(uint64_t)i, d->batch, labels ? labels + i : NULL};
        d->calls += draw_batch(d, crowd, guided, x) * d->batch / count;
        to_bytes(pixels + (size_t)i * size, x, (size_t)d->batch * size);
    }
    progress_break(&d->progress);
    gemm_set_bfloat16(halves);
    arena_rewind(scratch(), mark);
    return pixels;
}
