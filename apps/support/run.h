/* A run: a folder on disk, and the model in memory that belongs to it.
 *
 *     RUN/config.json              what defines the run, and where its data is
 *     RUN/checkpoint.safetensors   parameters, moments, average, step, configuration
 *     RUN/log.jsonl                one line a logging interval
 *     RUN/samples/000100.png       drawn from the same noise each time
 *     RUN/lock                     the number of the process that trains, or was the last to
 *
 * A checkpoint holds nothing that depends on path, host or clock: random numbers and the
 * order of the data are functions of (seed, step), so the step is all that resuming
 * needs. */
#ifndef APPS_SUPPORT_RUN_H
#define APPS_SUPPORT_RUN_H

#include "apps/support/config.h"
#include "diffusion/denoiser.h"
#include "diffusion/timesteps.h"
#include "nn/checkpoint.h"
#include "nn/classifier.h"
#include "nn/ema.h"

typedef struct {
    Config config;
    Params params;
    UNet net;               /* one of these two, */
    Classifier classifier;  /* if config.pool says so */
    Optimizer optimizer;    /* holds the step */
    Ema ema;                /* one rate */
    Process process;
    Timesteps timesteps;
    Arena arena;
} Model;

/* A new model with initial weights. */
void model_create(Model *m, const Config *c);

/* Is it a configuration of a classifier, or of a denoiser? */
bool is_classifier(const Config *c);

/* The model of a checkpoint; fails if it is not of the kind wanted.  For training
 * everything is loaded, for sampling only the average and the weights, of a classifier
 * only the average. */
typedef enum { MODEL_ANY, MODEL_DENOISER, MODEL_CLASSIFIER } ModelKind;

void model_load(Model *m, const char *checkpoint, ModelKind kind, bool for_training);
void model_save(const Model *m, const char *checkpoint);

/* The average weights alone, in half precision: all that a classifier's user loads. */
void model_save_half(const Model *m, const char *path);
void model_destroy(Model *m);

/* What RUN/config.json says beside the configuration: where the data is, and how long to
 * train.  An imported run has no data. */
typedef struct {
    const char *source, *data;
    long steps;
    double minutes;
} RunPlan;

void run_write_config(const char *run, const RunPlan *plan, const Config *c);

/* RUN/name; owned by the arena. */
const char *run_path(Arena *a, const char *run, const char *name);

/* Makes this process the only one that trains in the run; fails, naming the other, if it
 * is not. */
void run_lock(const char *run);

/* The checkpoint of a run folder, or the argument itself if it is a file.  Fails if there
 * is none. */
const char *run_checkpoint(Arena *a, const char *run);

/* The line of a log.jsonl that begins at *at, which moves on to the next one; NULL after
 * the last that was written whole. */
const Json *log_line(Arena *a, Bytes log, size_t *at);

/* What a run was trained on, as dataset_load takes it; data, if asked for, may become
 * NULL. */
void run_source(Arena *a, const char *run, const char **source, const char **data);

/* [N, H, W, C] numbers in [-1, 1] to bytes, rounded; what lies outside is clipped. */
void to_bytes(uint8_t *out, const double *x, size_t n);

/* Labels for `count` samples: all `label`, or with label -1 each class in turn, equally
 * many side by side.  NULL without classes. */
int *make_labels(Arena *a, int classes, int count, int label);

#endif
