/* What a feature network sees in pictures, and how two sets of them compare
 * (metrics.h).
 *
 * The papers take the features of an Inception network trained on ImageNet.  Its numbers
 * come out here too if the user has its weights (nn/inception.h).  Of digits it says
 * little, so otherwise a small classifier of the same data set looks, trained without
 * noise (`drift classifier --clean`).  Numbers are comparable only between runs that were
 * judged by the same file: its checksum is printed beside them. */
#ifndef APPS_SUPPORT_JUDGE_H
#define APPS_SUPPORT_JUDGE_H

#include "apps/support/image.h"
#include "apps/support/run.h"
#include "diffusion/metrics.h"
#include "nn/inception.h"

typedef struct Judge Judge;

/* Of n pictures: features [n, 1, 1, D], map [n, h, w, 7], class probabilities [n, K]. */
typedef struct { Var *pool, *map, *probability; } Glance;

struct Judge {
    const char *path;
    uint32_t sum;               /* CRC-32 of the file */
    Glance (*look)(const Judge *j, Tape *t, const Pictures *p, int first, int n);
    Model model;                /* one of these two */
    Inception inception;
};

/* From a run of drift classifier, a file of its weights or of Inception's; with NULL,
 * apps/data/DATASET-features.  Fails if it was trained with noise, or for pictures of
 * another size. */
void judge_open(Judge *j, Arena *a, const char *path, const char *dataset,
                const Pictures *like);
void judge_close(Judge *j);

/* Of N pictures: what the last layer reads, [N, D]; the first 7 channels of a map,
 * [N, M], which know where something is (spatial Frechet distance; the paper's map is of
 * 17x17, that of our small networks the bottom, 7x7 or 4x4); and the class
 * probabilities, [N, K]. */
typedef struct { Features pool, map, probability; } Seen;

/* Looks at the pictures; the arena owns the result. */
Seen judge_look(const Judge *j, Arena *a, const Pictures *p);

/* A set of pictures against a reference set. */
typedef struct { double frechet, spatial, precision, recall; } Likeness;

/* The moments and radii of a set, which are needed again and again. */
typedef struct {
    Seen seen;
    Moments pool, map;
    double *radius;             /* [N], to the k-th neighbour */
} Known;

Known judge_know(Arena *a, Seen s, int k);
Likeness judge_compare(const Known *pictures, const Known *reference);

#endif
