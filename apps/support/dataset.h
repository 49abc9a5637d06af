/* Sets of pictures to learn from.
 *
 * A data set is one array of bytes [count, H, W, C] and, if it is known, a class for
 * each picture.  It comes from a folder in one of three formats, each with a file of
 * its own:
 *
 *   idx.c       train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k,
 *               packed (.gz) or not: MNIST, Fashion-MNIST and their relatives
 *   cifar.c     data_batch_*.bin and test_batch.bin: CIFAR-10
 *   pictures.c  PNG files of one size
 *
 * The files are not trusted: every length in them is compared with the length of the
 * file, and whatever does not fit ends in a sentence with the file's path. */
#ifndef APPS_SUPPORT_DATASET_H
#define APPS_SUPPORT_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/file.h"
#include "tensor/memory.h"

typedef struct {
    const char *name;           /* "mnist", "cifar10", or the folder's own name */
    int count, height, width, channels, classes;
    const uint8_t *pixels;      /* [count, height, width, channels] */
    const uint8_t *labels;      /* [count], below `classes`; NULL (and 0) if unknown */
    bool whole;                 /* not divided into a train and a test part */
} Dataset;

typedef enum { DATASET_TRAIN, DATASET_TEST } DatasetPart;

/* Loads one part of `what` into the arena (not the scratch arena):
 *   "mnist"     from `folder`, or with NULL from apps/data/mnist, which comes with the
 *               program; the files must be the original ones
 *   "leaves"    made as needed: dead leaves, 32x32 (leaves.c)
 *   "cifar10"   from `folder`, which holds some or all of its binary batches
 *   a folder    whatever it holds; `folder` is NULL */
Dataset dataset_load(Arena *a, const char *what, const char *folder, DatasetPart part);

/* apps/data/NAME, which comes with the program: searched from the current folder upwards,
 * then from the program's.  NULL if it is in none. */
const char *dataset_bundled(Arena *a, const char *name);

/* Each picture averaged over blocks of n x n pixels, rounded; n 0 or 1: as it is.  Fails
 * if n does not divide height and width. */
void dataset_shrink(Arena *a, Dataset *d, int n);

/* The formats: does a file of this name belong to one, and the loading of a folder.
 * The name of the data set is left to dataset_load. */
bool idx_has(const char *name);
bool cifar_has(const char *name);
bool pictures_has(const char *name);
Dataset idx_load(Arena *a, const char *folder, DatasetPart part);
Dataset mnist_load(Arena *a, const char *folder, DatasetPart part);
Dataset cifar_load(Arena *a, const char *folder, DatasetPart part);
Dataset pictures_load(Arena *a, const char *folder, DatasetPart part);

/* The same from files in memory, unpacked.  The set points into IDX files, whose labels
 * may be missing (data NULL); CIFAR-10's n batches are copied into the arena. */
Dataset idx_parse(Bytes images, Bytes labels);
Dataset cifar_parse(Arena *a, const Bytes batches[], int n);

/* Dead leaves, and the radius that a share u of all leaves is larger than. */
Dataset leaves_load(Arena *a, DatasetPart part);
double leaf_radius(double u);

#endif
