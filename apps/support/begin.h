/* From the command line of a training command to its loop: a new run, or the way back
 * into an old one.  `drift train` and `drift classifier` differ in their configuration
 * and in their task only.
 *
 *     RunRequest r = RUN_REQUEST("mini");
 *     Option options[] = {RUN_OPTIONS(&r), ...};
 *     Training t = training_create(&denoising, &r, words, source, usage);
 *     if (!r.resume) training_begin(&t, &r, config made from t.dataset);
 *     int signal = training_command(&t, &r, options); */
#ifndef APPS_SUPPORT_BEGIN_H
#define APPS_SUPPORT_BEGIN_H

#include "apps/support/options.h"
#include "apps/support/training.h"

/* What the command line says, before it is merged with a preset or a run.  The entries of
 * `change` are those of the preset that options may replace. */
typedef struct {
    const char *preset, *out, *data, *resume;
    long steps, seed;
    double minutes, save_seconds;
    int threads, flip, crop;
    Config change;
} RunRequest;

#define RUN_REQUEST(preset_name) {.preset = preset_name, .save_seconds = 60}

/* Their rows in a table of options; * marks those that replace an entry of the preset. */
#define RUN_OPTIONS(r)                                                                  \
    {"preset", OPTION_TEXT, &(r)->preset, "NAME",                                       \
     "network and training: see above", 0},                                             \
    {"out", OPTION_TEXT, &(r)->out, "FOLDER",                                           \
     "the run's folder [runs/DATASET-PRESET]", 0},                                      \
    {"data", OPTION_TEXT, &(r)->data, "FOLDER", "where cifar10's batches are", 0},      \
    {"resume", OPTION_TEXT, &(r)->resume, "RUN",                                        \
     "go on with this run, with its own options", 0},                                   \
    {"steps", OPTION_LONG, &(r)->steps, "N", "stop after N steps in all *", 0},         \
    {"minutes", OPTION_REAL, &(r)->minutes, "M",                                        \
     "stop after M minutes of training in all", 0},                                     \
    {"save-seconds", OPTION_REAL, &(r)->save_seconds, "S",                              \
     "from checkpoint to checkpoint", 0},                                               \
    {"seed", OPTION_LONG, &(r)->seed, "N", "of every random number", 0},                \
    {"threads", OPTION_INT, &(r)->threads, "N", "0: one for each core", 0}

#define CONFIG_OPTIONS(k)                                                               \
    {"batch", OPTION_INT, &(k)->batch, "N", "pictures a step *", 0},                    \
    {"micro-batch", OPTION_INT, &(k)->micro_batch, "N",                                 \
     "in memory at once; 0: all; gradients are added up *", 0},                         \
    {"bf16", OPTION_FLAG, &(k)->bfloat16, NULL,                                         \
     "multiply numbers of 16 bits, add in 32: faster where the processor can *", 0},    \
    {"lr", OPTION_REAL, &(k)->optimizer.rate.lr, "X",                                   \
     "learning rate, at its highest *", 0},                                             \
    {"lr-decay", OPTION_TEXT, &(k)->optimizer.rate.decay, "NAME",                       \
     "constant, linear, cosine or exponential *", 0},                                   \
    {"lr-decay-steps", OPTION_LONG, &(k)->optimizer.rate.decay_steps, "N",              \
     "over N steps *", 0},                                                              \
    {"warmup", OPTION_LONG, &(k)->optimizer.rate.warmup, "N",                           \
     "steps of growing learning rate *", 0},                                            \
    {"optimizer", OPTION_TEXT, &(k)->optimizer.rule, "NAME",                            \
     "adam, adam_hat, adamw, rmsprop or sgd *", 0},                                     \
    {"ema", OPTION_REAL, &(k)->ema, "X", "decay of the average weights *", 0},          \
    {"dropout", OPTION_REAL, &(k)->unet.style.dropout, "P",                             \
     "in residual blocks *", 0},                                                        \
    {"schedule", OPTION_TEXT, &(k)->schedule, "NAME",                                   \
     "linear, cosine, ...: diffusion/schedule.h *", 0},                                 \
    {"diffusion-steps", OPTION_INT, &(k)->diffusion_steps, "T", "its steps *", 0},      \
    {"base", OPTION_INT, &(k)->unet.base, "N", "channels of the first level *", 0},     \
    {"mult", OPTION_REALS, (k)->unet.mult, "A,B,..",                                    \
     "channels of each level / base *", 0},                                             \
    {"blocks", OPTION_INT, &(k)->unet.blocks, "N", "residual blocks a level *", 0},     \
    {"attention", OPTION_INTS, (k)->unet.attention, "A,B,..",                           \
     "heights with attention *", 0},                                                    \
    {"patch", OPTION_INT, &(k)->unet.patch, "N", "work on patches of N x N *", 0},      \
    {"shrink", OPTION_INT, &(k)->shrink, "N",                                           \
     "average the pictures to 1/N of their size *", 0}

/* The preset's configuration with the options that were given, and what data set, seed
 * and defaults decide.  Fails if a number is out of its range. */
Config config_of_request(const RunRequest *r, const Option options[],
                         const Preset *preset, const Dataset *d);

/* A training of r->resume, or, with its data set loaded, one that training_begin must
 * still give a configuration.  Fails on options that cannot be changed when a run goes
 * on. */
Training training_create(const Task *task, const RunRequest *r, const Option options[],
                         const char *source);

/* A new run with this configuration; fails if its folder holds one. */
void training_begin(Training *t, const RunRequest *r, const Config *config);

/* Says what is trained, trains, and says where it is.  Returns the signal, or 0. */
int training_command(Training *t, const RunRequest *r, const Option options[]);

#endif
