/* Training a model on a data set, in a run folder.
 *
 * One step draws a batch, noises it, lets the network guess (a denoiser the noise, a
 * classifier the class: that is the Task), goes backwards and moves the weights.  All
 * that is random in it is a function of (seed, step), so a run that was stopped and
 * resumed ends in the same bytes as one that was not.
 *
 * Around the steps: a progress line, the log, pictures at growing intervals (at most a
 * twenty-fifth of the time), a checkpoint every minute, and leaving in order on
 * Ctrl-C.
 *
 *     training.c     the loop and its step         denoising.c    the task of drift train
 *     batch.c        what a step learns from       classifying.c  of drift classifier
 *     begin.c        from a command line to the loop */
#ifndef APPS_SUPPORT_TRAINING_H
#define APPS_SUPPORT_TRAINING_H

#include "apps/support/dataset.h"
#include "apps/support/run.h"

enum { QUARTILES = 4, MOST_SKIPPED = 10 };

typedef struct Training Training;

typedef struct {
    const char *command;        /* "train" */
    ModelKind kind;
    /* The loss [N] of each sample, the batch's number `first` and on. */
    Var *(*losses)(Training *t, Pass *pass, const Batch *b, int first);
    void (*draw)(Training *t);  /* writes RUN/samples/STEP.png; or NULL */
    /* What the progress line tells beside the speed. */
    const char *(*describe)(const Training *t);
} Task;

extern const Task denoising, classifying;

struct Training {
    const Task *task;
    const char *folder;         /* of the run */
    const char *source, *data;  /* what was asked for, as dataset_load takes it */
    long steps;                 /* stop after so many in all; 0: no limit */
    double minutes;             /* stop after so much training in all; 0: no limit */
    double save_seconds;        /* between checkpoints on the way */
    Dataset dataset;
    Model model;

    Log log;                    /* RUN/log.jsonl, while training_run runs */
    Tape tape;
    Arena arena;
    uint32_t *order;            /* the permutation of epoch `epoch` */
    long epoch;
    int *times;                 /* of this step's batch (timesteps.h), their levels and */
    Level *levels;
    double *weights;            /* the weights of their losses */
    double seconds;             /* spent training, in this process and earlier ones */
    double smooth;              /* average loss over the last hundred steps or so */
    double variance;            /* of the loss around smooth, in this process */
    long judged;                /* steps that it was learned from */
    double spike;               /* since the last line of the log: see note_spike */
    long skipped;               /* steps left out in this process, as not finite ... */
    int skipped_in_a_row;       /* ... and since the last that was not */
    double loss_sum[QUARTILES]; /* by quartile of t, since the last line of the log */
    double right[QUARTILES];    /* of a classifier: how many it got right, likewise */
    double accuracy;            /* likewise an average, over the last fifty steps or so */
    long loss_count[QUARTILES];
    double drawing;             /* seconds spent on pictures in this process */
};

/* Loads t->source from t->data, shrunk; t->arena must exist. */
void training_open_dataset(Training *t, int shrink);

/* Draws the noise levels of the next step's batch, then samples first ... first+count-1
 * of it, owned by the tape. */
void training_draw_levels(Training *t);
Batch training_batch(Training *t, int first, int count);

/* Pictures x [N, H, W, C] as a network with config.upsample is shown them; owned by the
 * arena. */
SmallPictures small_pictures(Arena *a, const Config *c, int C, const double *x, int N);

/* Leaves the gradient of the next step's loss in params.grad; returns the loss. */
double training_gradient(Training *t);

/* One step; returns the loss and sets *norm, the norm of the gradient before clipping. If
 * either is not finite the step is left out: no weight moves, and the next step has other
 * samples.  At MOST_SKIPPED such steps in a row, fails and names the first operation
 * whose result was not finite. */
double training_step(Training *t, double *norm);

/* Steps until a limit is reached or a signal arrives; writes into the run folder.
 * Returns the signal, or 0. */
int training_run(Training *t);

#endif
