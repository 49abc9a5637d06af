/* Training a classifier: its loss, and how often it is right.  See training.h. */
#include "apps/support/classifying.h"

#include <string.h>

#include "diffusion/guidance.h"

enum { PURPOSE_TEST = 14, BATCH = 50 };

/* Is the largest of the K logits that of the label? */
static bool is_right(const Real *logits, int K, int label)
{
    for (int k = 0; k < K; k++)
        if (k != label && logits[k] >= logits[label]) return false;
    return true;
}

static Var *find_losses(Training *t, Pass *pass, const Batch *b, int first)
{
    const Model *m = &t->model;
    Var *logits = classifier_logits(pass, &m->classifier, b);
    int K = m->config.unet.out_channels, T = m->config.diffusion_steps, right = 0;
    for (int n = 0; n < b->N; n++) {
        bool yes = is_right(logits->value + n * K, K, b->label[n]);
        t->right[(long)QUARTILES * t->times[first + n] / T] += yes;
        right += yes;
    }
    t->accuracy += 0.02 * ((double)right / b->N - t->accuracy);
    return cross_entropy(pass->tape, logits, b->label);
}

static const char *describe(const Training *t)
{
    return arena_printf(scratch(), "loss %.4f  right %.1f%%", t->smooth,
                        100 * t->accuracy);
}

const Task classifying = {"classifier", MODEL_CLASSIFIER, find_losses, NULL, describe};

/* Pictures first ... first+N-1 as a batch in the scratch arena. */
static Batch make_batch(const Model *m, const Dataset *d, int first, int N)
{
    size_t D = (size_t)(d->height * d->width * d->channels), n = (size_t)N;
    double *x0 = arena_new(scratch(), double, n * D);
    double *eps = arena_new(scratch(), double, n * D);
    Level *level = arena_new(scratch(), Level, n);
    int *label = arena_new(scratch(), int, n), T = m->config.diffusion_steps;
    Random noise = random_stream(m->config.seed, PURPOSE_TEST, 0);
    Random times = random_stream(m->config.seed, PURPOSE_TEST, 1);
    for (int k = 0; k < N; k++) {
        uint64_t i = (uint64_t)(first + k);
        double u = ((double)(i % QUARTILES) + random_uniform(times, i)) / QUARTILES;
        level[k] = m->config.clean ? (Level){.a = 1}
                                   : schedule_level(&m->process.schedule, (int)(u * T));
        label[k] = d->labels[i];
        random_normals(noise, i * D, D, eps + (size_t)k * D);
        for (size_t j = 0; j < D; j++)
            x0[(size_t)k * D + j] = d->pixels[i * D + j] / 127.5 - 1;
    }
    return (Batch){.N = N, .x0 = x0, .eps = eps, .level = level, .label = label};
}

void classifier_test(const Model *m, const Dataset *d, double accuracy[QUARTILES])
{
    Tape t = tape_create();
    int K = m->config.unet.out_channels, seen[QUARTILES] = {0}, right[QUARTILES] = {0};
    t.recording = false;
    for (int first = 0; first < d->count; first += BATCH) {
        size_t mark = arena_mark(scratch());
        int N = d->count - first < BATCH ? d->count - first : BATCH;
        Batch b = make_batch(m, d, first, N);
        tape_reset(&t);
        Pass pass = pass_inference(&t, &m->params, m->ema.value[0]);
        Var *logits = classifier_logits(&pass, &m->classifier, &b);
        for (int n = 0; n < N; n++) {
            int quartile = (first + n) % QUARTILES;
            seen[quartile]++;
            right[quartile] += is_right(logits->value + n * K, K, b.label[n]);
        }
        arena_rewind(scratch(), mark);
    }
    for (int q = 0; q < QUARTILES; q++)
        accuracy[q] = seen[q] ? (double)right[q] / seen[q] : 0;
    tape_destroy(&t);
}
