/* Everything that defines a run: the data's size, the network, the process, the training.
 *
 * Two runs with equal configurations and the same data give equal checkpoints.  The
 * preset names a row of the table in config.c; options change single entries; the whole
 * is written to RUN/config.json and into the checkpoint, so that nothing has to be told
 * again. */
#ifndef APPS_SUPPORT_CONFIG_H
#define APPS_SUPPORT_CONFIG_H

#include "nn/optimizer.h"
#include "nn/unet.h"
#include "tensor/json.h"

typedef struct {
    const char *preset, *dataset;
    UNetConfig unet;
    OptimizerConfig optimizer;
    double ema, ema_ramp;           /* nn/ema.h */
    const char *schedule;           /* diffusion/schedule.h */
    int diffusion_steps;            /* its T */
    double beta_first, beta_last;
    bool rescale_t;                 /* the network is told t 1000/T */
    const char *prediction, *variance, *loss;   /* diffusion/process.h, objective.h */
    bool no_clip;                   /* sampling lets x0_hat leave [-1, 1] */
    const char *conditioning;       /* diffusion/conditioning.h */
    bool bfloat16;                  /* training multiplies halves (tensor/bfloat16.h) */
    int batch;
    int micro_batch;                /* samples in memory at once; 0: the whole batch */
    double label_dropout;           /* share of the labels left out: for guidance.h */
    const char *timesteps;          /* diffusion/timesteps.h */
    double augment;                 /* chance of each kind (diffusion/augment.h); 0: none */
    bool flip;                      /* mirror each image with probability 1/2 */
    bool crop;                      /* enlarge it by up to 5/4 and cut out its size */
    const char *pool;               /* of a classifier (nn/classifier.h); "": a denoiser */
    bool clean;                     /* a classifier of pictures without noise */
    int shrink;                     /* pictures are averaged to 1/shrink of their size */
    int upsample;                   /* a denoiser shown the picture at 1/upsample; 0: not */
    long steps;                     /* how long to train; not part of the checkpoint */
    uint64_t seed;
} Config;

/* The presets, for --help: name and description, ended by a NULL name.  Those of papers
 * say the size and classes of the pictures too; training takes these from the data
 * set. */
typedef struct {
    const char *name, *about;
    Config config;
} Preset;

extern const Preset presets[], classifier_presets[];

/* "mini, small, ..."; in the scratch arena. */
const char *preset_names(void);
const char *classifier_preset_names(void);

/* Fails with the list if there is no such preset. */
const Preset *preset_find(const char *name);
const Preset *classifier_preset_find(const char *name);

/* Appends it as a JSON object, without `steps`, so that a run that was asked for fewer
 * steps at first ends in the same checkpoint. */
void config_put(Text *t, const char *key, const Config *c);

/* From that object.  Fails, beginning with the text's path, if an entry is unknown, of
 * another kind or out of range, or is missing; those that only add something, marked in
 * the table in config.c, may be: a checkpoint from before they existed stays readable. */
Config config_parse(Arena *a, Bytes text);

/* The differences between two networks or their processes, "patch is 2, not 1; groups is
 * 8, not 32", or NULL; what only says the same in other words is none.  They are in the
 * scratch arena. */
const char *config_difference(const Config *x, const Config *y);

/* Channels of a picture: the network's, half of which are the small picture's if there is
 * one. */
int config_picture_channels(const Config *c);

/* How strongly to guide (diffusion/guidance.h) unless told: 2 for a model that can be,
 * else 1. */
double config_guidance(const Config *c);

/* Copies the texts into the arena, so that c outlives what it was made from. */
void config_own(Arena *a, Config *c);

#endif
