/* drift neighbours: are samples what they should be, and are they new?
 *
 * For each picture of one folder, the pictures of a training set that are nearest in
 * pixels.  If most of the nearest five carry the class that was asked for, a person would
 * likely name it so too; if the nearest is the picture itself, the model has learned it
 * by heart.  The same is measured for real test pictures: no samples need do better. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/dataset.h"
#include "apps/support/image.h"
#include "apps/support/options.h"
#include "apps/support/png.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

enum { K = 5, SHOWN = 10 };

typedef struct { int index[K]; double square[K]; } Nearest;

static Nearest find_nearest(const uint8_t *x, const Dataset *set, size_t D)
{
    Nearest n;
    for (int k = 0; k < K; k++) n.index[k] = -1, n.square[k] = INFINITY;
    for (int i = 0; i < set->count; i++) {
        const uint8_t *y = set->pixels + (size_t)i * D;
        int square = 0;
        for (size_t d = 0; d < D; d++) square += (x[d] - y[d]) * (x[d] - y[d]);
        int k = K;
        while (k > 0 && square < n.square[k - 1]) k--;
        for (int m = K - 1; m > k; m--)
            n.index[m] = n.index[m - 1], n.square[m] = n.square[m - 1];
        if (k < K) n.index[k] = i, n.square[k] = square;
    }
    return n;
}

/* The class that most of the neighbours have; of equals, that of the nearest. */
static int vote(const Nearest *n, const Dataset *set)
{
    int best = 0, most = 0;
    for (int k = 0; k < K; k++) {
        int votes = 0, label = set->labels[n->index[k]];
        for (int m = 0; m < K; m++) votes += set->labels[n->index[m]] == label;
        if (votes > most) most = votes, best = label;
    }
    return best;
}

/* The nearest of the first `count` pictures, and a line about them. */
static Nearest *measure(Arena *a, const char *name, const Dataset *x, int count,
                        const Dataset *set)
{
    size_t D = (size_t)(x->height * x->width * x->channels);
    Nearest *nearest = arena_new(a, Nearest, (size_t)count);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < count; i++)
        nearest[i] = find_nearest(x->pixels + (size_t)i * D, set, D);
    double distance = 0;
    int right = 0;
    for (int i = 0; i < count; i++) {
        distance += sqrt(nearest[i].square[0] / (double)D) / count;
        if (x->labels && set->labels) right += vote(&nearest[i], set) == x->labels[i];
    }
    printf("%-24s %6d   %8.2f", name, count, distance);
    if (x->labels && set->labels) printf("        %6.1f %%", 100.0 * right / count);
    printf("\n");
    return nearest;
}

/* A row for each of some pictures, spread over all: itself, then its nearest. */
static void draw(Arena *a, const char *path, const Dataset *x, int count,
                 const Dataset *set, const Nearest *nearest)
{
    size_t D = (size_t)(x->height * x->width * x->channels);
    int rows = count < SHOWN ? count : SHOWN;
    uint8_t *pixels = arena_new(a, uint8_t, (size_t)(rows * (K + 1)) * D), *to = pixels;
    for (int r = 0; r < rows; r++) {
        int i = (int)((long)r * count / rows);
        memcpy(to, x->pixels + (size_t)i * D, D);
        to += D;
        for (int k = 0; k < K; k++, to += D)
            memcpy(to, set->pixels + (size_t)nearest[i].index[k] * D, D);
    }
    Pictures p = {rows * (K + 1), x->height, x->width, x->channels, pixels};
    Image grid = image_grid(a, &p, K + 1, 2);
    png_write(path, &grid);
}

static void check_sizes(const Dataset *x, const Dataset *set)
{
    if (x->height != set->height || x->width != set->width ||
        x->channels != set->channels)
        fail("the pictures of %s are %dx%dx%d, those of %s %dx%dx%d", x->name, x->height,
             x->width, x->channels, set->name, set->height, set->width, set->channels);
    if (set->count < K) fail("%s has only %d pictures", set->name, set->count);
}

int neighbours_main(int argc, char **argv)
{
    const char *words[2], *data = NULL, *out = "neighbours.png";
    int count = 0, threads = 0;
    Option options[] = {
        {"count", OPTION_INT, &count, "N", "pictures of the folder; 0: all", 0},
        {"data", OPTION_TEXT, &data, "FOLDER", "where the data set is", 0},
        {"out", OPTION_TEXT, &out, "X.png", "some pictures, each with its nearest", 0},
        {"threads", OPTION_INT, &threads, "N", "0: one for each core", 0},
        {0},
    };
    Usage usage = {
        "drift neighbours FOLDER DATASET [options]",
        "Finds for each picture of a folder (drift sample RUN --out FOLDER) the five\n"
        "nearest of a training set: the mean distance to the nearest (0 to 255 a\n"
        "pixel), and how often most of the five have the picture's class.", 2};
    if (options_parse(argc, argv, &usage, options, words) != 2)
        fail_usage("which pictures, and what to compare them with?  usage: %s",
                   usage.synopsis);
    parallel_set_threads(threads);

    Arena a = arena_create();
    Dataset x = dataset_load(&a, words[0], NULL, DATASET_TRAIN);
    Dataset set = dataset_load(&a, words[1], data, DATASET_TRAIN);
    check_sizes(&x, &set);
    if (count == 0 || count > x.count) count = x.count;
    printf("                       pictures   distance   class as asked\n");
    Nearest *nearest = measure(&a, words[0], &x, count, &set);
    if (strcmp(words[1], "mnist") == 0 || strcmp(words[1], "cifar10") == 0) {
        Dataset test = dataset_load(&a, words[1], data, DATASET_TEST);
        measure(&a, "real test pictures", &test, count < test.count ? count : test.count,
                &set);
    }
    draw(&a, out, &x, count, &set, nearest);
    printf("  %s\n", out);
    return 0;
}
