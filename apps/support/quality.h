/* drift evaluate without --nll: how good are a model's pictures, in numbers?
 *
 * Its samples, at each scale of guidance, and as many real pictures are compared with
 * the training and the test set through a feature network (judge.h).  What real
 * pictures get is the floor: no model need do better. */
#ifndef APPS_SUPPORT_QUALITY_H
#define APPS_SUPPORT_QUALITY_H

#include "apps/support/drawing.h"

typedef struct {
    const char *features, *data, *out;
    int count, reference, k;    /* samples, pictures a set, neighbour of the balls */
    DrawRequest draw;
} QualityRequest;

#define QUALITY_REQUEST {.reference = 5000, .k = 3, .draw = DRAW_REQUEST}

#define QUALITY_OPTIONS(r)                                                              \
    {"features", OPTION_TEXT, &(r)->features, "FILE",                                   \
     "a run of drift classifier --clean, or its weights [the one that comes "           \
     "with drift]", 0},                                                                 \
    {"reference", OPTION_INT, &(r)->reference, "N",                                     \
     "pictures of each set to compare with", 0},                                        \
    {"k", OPTION_INT, &(r)->k, "K", "balls reach to the K-th neighbour", 0},            \
    DRAW_OPTIONS(&(r)->draw)

/* Prints the table; writes out.json, out.png (samples and their nearest training
 * pictures, by features) and, for several scales, out.svg (precision against recall). */
void quality_report(QualityRequest *r, const char *run, const Option options[]);

#endif
