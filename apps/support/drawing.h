/* Drawing pictures with a trained model as a command line asks: what drift sample and
 * drift evaluate have in common.
 *
 *     DrawRequest r = DRAW_REQUEST;
 *     Option options[] = {DRAW_OPTIONS(&r), ...};
 *     drawing_open(&d, run, &r, options);
 *     uint8_t *pixels = drawing_make(&d, a, count, labels, scale);
 *
 * The same seed gives the same pictures for any number at a time, and for any scale
 * starts from the same noise. */
#ifndef APPS_SUPPORT_DRAWING_H
#define APPS_SUPPORT_DRAWING_H

#include "apps/support/options.h"
#include "apps/support/progress.h"
#include "apps/support/run.h"
#include "apps/support/sampling.h"
#include "diffusion/guidance.h"

typedef struct {
    const char *variance, *guide, *low;
    int batch;
    long seed;
    double guidance;
    NumberList scale;
    Sampling sampling;
    bool live, bf16;
} DrawRequest;

#define DRAW_REQUEST {.batch = 50, .sampling = {.name = "ddpm"}}

#define DRAW_OPTIONS(r)                                                                 \
    SAMPLING_OPTIONS(&(r)->sampling),                                                   \
    {"variance", OPTION_TEXT, &(r)->variance, "NAME",                                   \
     "of ddpm: fixed_small or fixed_large [the model's]", 0},                           \
    {"guidance", OPTION_REAL, &(r)->guidance, "W",                                      \
     "without a classifier: none + W (class - none), of the answers with and "          \
     "without the class; 1: as the model is, 0: without the class.  Where a "           \
     "paper writes (1 + w) class - w none, W = 1 + w [2 for models trained "            \
     "with --label-dropout, 1 beside --guide]", 0},                                     \
    {"guide", OPTION_TEXT, &(r)->guide, "CLASSIFIER",                                   \
     "steer by the gradient of this run of drift classifier", 0},                       \
    {"scale", OPTION_LIST, &(r)->scale, "A,B,..",                                       \
     "so many times the gradient, one after the other, from the same noise "            \
     "[0,1,2,5]", 0},                                                                   \
    {"low", OPTION_TEXT, &(r)->low, "RUN2",                                             \
     "of a run of drift train --upsample: enlarge what this run draws, and "            \
     "guide it", 0},                                                                    \
    {"seed", OPTION_LONG, &(r)->seed, "N", "of the noise", 0},                          \
    {"batch", OPTION_INT, &(r)->batch, "N",                                             \
     "images at a time; changes memory, not the images", 0},                            \
    {"live-weights", OPTION_FLAG, &(r)->live, NULL,                                     \
     "the last weights instead of their average", 0},                                   \
    {"bf16", OPTION_FLAG, &(r)->bf16, NULL,                                             \
     "multiply numbers of 16 bits, add in 32: faster where the processor can", 0}

typedef struct Drawing Drawing;
struct Drawing {
    DrawRequest *request;
    Arena arena;
    Model model, classifier;
    NetworkDenoiser network;
    ClassifierFree free;
    ClassifierGuide guide;
    ClassifierGuided guided;
    int steps;                          /* of the sampler */
    double calls;                       /* of the network for a picture */
    Progress progress;
    int done, batch, total;             /* pictures before this batch, in it, in all */
    bool quiet;                         /* no progress is shown */

    Drawing *low;                       /* of a cascade: what is enlarged, or NULL */
    DrawRequest low_request;
    SmallPictures small;                /* all that the last make was shown */
};

/* Opens a run and what it is guided by; completes the request with what depends on
 * them.  The request and d must stay where they are.  Fails on options that do not fit
 * the model. */
void drawing_open(Drawing *d, const char *run, DrawRequest *r, const Option options[]);
void drawing_close(Drawing *d);

/* Goes on with another sampler of the request's options. */
void drawing_choose(Drawing *d, const char *name, const char *steps);

/* How many classes can be asked for: the model's, or the guide's; 0: none. */
int drawing_classes(const Drawing *d);

/* [count, H, W, C] bytes, owned by the arena; labels [count] or NULL.  scale counts if
 * the request has a guide. */
uint8_t *drawing_make(Drawing *d, Arena *a, int count, const int *labels, double scale);

#endif
