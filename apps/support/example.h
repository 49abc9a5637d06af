/* One training step to look at, of a preset or of a run, on random images: what
 * `drift graph`, `drift profile` and `drift info` take apart. */
#ifndef APPS_SUPPORT_EXAMPLE_H
#define APPS_SUPPORT_EXAMPLE_H

#include "apps/support/options.h"
#include "apps/support/run.h"
#include "diffusion/objective.h"

typedef struct {
    int batch;                      /* images; 0: as many as the model is trained with */
    int size[MAX_LIST], classes;    /* of a preset's images; a run has its own */
    Model model;
    Batch data;                     /* owned by the model */
} Example;

/* An example of one image, and its rows in a table of options. */
#define EXAMPLE {.batch = 1, .classes = -1}
#define EXAMPLE_OPTIONS(e)                                                              \
    {"batch", OPTION_INT, &(e)->batch, "N", "images a step; 0: as in training", 0},     \
    {"size", OPTION_INTS, (e)->size, "H,W,C",                                           \
     "of a preset's images [its own; if it has none, 28,28,1]", 0},                     \
    {"classes", OPTION_INT, &(e)->classes, "N",                                         \
     "of a preset's images; 0: not told [likewise, 10]", 0}

/* The configuration of a preset for such images, classifier or not. */
Config example_config(const Example *e, const Preset *p, const Option options[]);

/* Opens a run folder, a checkpoint or, if there is no such file, the preset of that name
 * with initial weights.  Fails with the list of presets. */
void example_open(Example *e, const char *what, const Option options[]);

/* The same of a configuration. */
void example_create(Example *e, const Config *c);

/* Puts the forward half of a training step on the tape; returns the loss. */
Var *example_loss(Example *e, Tape *t);

void example_close(Example *e);

#endif
