/* drift parzen: the likelihood of test pictures under a blur of samples.
 *
 * A model that only samples has no likelihood to compare, so papers around 2014 put a
 * Gaussian on each sample (metrics.h), chose its width on held-out pictures and asked how
 * likely test pictures are.  Sohl-Dickstein 2015 report 317 +- 2.7 bits for MNIST and 349
 * for a perfect model, with 10000 samples.  Hence the second line: as many training
 * pictures in place of samples, which is what such a number can be at best.  (Theis 2016
 * tell why it says little: a picture a pixel to the side is far away.) */
#include <math.h>
#include <stdio.h>

#include "apps/commands.h"
#include "apps/support/dataset.h"
#include "apps/support/options.h"
#include "diffusion/metrics.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

enum { WIDTHS = 16 };

/* Some pictures of a set, [first, first + count). */
typedef struct { const Dataset *set; int first, count; } Part;

/* |x - c|^2 of each pair, [x.count, centres.count], of pixels from 0 to 1. */
static double *find_squares(Arena *a, Part x, Part centres)
{
    size_t D = (size_t)(x.set->height * x.set->width * x.set->channels);
    double *square = arena_alloc_array(a, sizeof *square * (size_t)centres.count,
                                       (size_t)x.count);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < x.count; n++)
        for (int m = 0; m < centres.count; m++) {
            const uint8_t *p = x.set->pixels + (size_t)(x.first + n) * D;
            const uint8_t *q = centres.set->pixels + (size_t)(centres.first + m) * D;
            long sum = 0;
            for (size_t d = 0; d < D; d++) sum += (p[d] - q[d]) * (p[d] - q[d]);
            square[(size_t)n * (size_t)centres.count + (size_t)m] = (double)sum / 65025;
        }
    return square;
}

typedef struct { double mean, error; } Estimate;

static Estimate estimate(const double *square, int N, int M, int D, double width)
{
    double sum = 0, squares = 0;
    for (int n = 0; n < N; n++) {
        double nats = parzen_log_density(square + (size_t)n * (size_t)M, M, D, width);
        sum += nats, squares += nats * nats;
    }
    double mean = sum / N, variance = squares / N - mean * mean;
    return (Estimate){mean, sqrt(fmax(variance, 0) / N)};
}

/* The width that held-out pictures like best, then the test pictures with it. */
static void measure(const char *name, Part centres, Part held_out, Part test)
{
    Arena a = arena_create();
    int D = test.set->height * test.set->width * test.set->channels;
    double *square = find_squares(&a, held_out, centres), best = 0, most = -INFINITY;
    for (int k = 0; k < WIDTHS; k++) {
        double width = 0.05 * pow(16, k / (WIDTHS - 1.0));
        double mean = estimate(square, held_out.count, centres.count, D, width).mean;
        if (mean > most) most = mean, best = width;
    }
    square = find_squares(&a, test, centres);
    Estimate e = estimate(square, test.count, centres.count, D, best);
    printf("%-24s %6d    %.3f  %8.1f +- %4.1f  %8.1f\n", name, centres.count, best,
           e.mean, e.error, e.mean / log(2));
    arena_destroy(&a);
}

int parzen_main(int argc, char **argv)
{
    const char *words[2], *data = NULL;
    int count = 1000, threads = 0;
    Option options[] = {
        {"count", OPTION_INT, &count, "N", "test pictures, and as many held out", 0},
        {"data", OPTION_TEXT, &data, "FOLDER", "where the data set is", 0},
        {"threads", OPTION_INT, &threads, "N", "0: one for each core", 0},
        {0},
    };
    Usage usage = {
        "drift parzen FOLDER DATASET [options]",
        "The log-likelihood of test pictures under Gaussians around the pictures of a\n"
        "folder (drift sample RUN --out FOLDER); pixels are from 0 to 1.", 2};
    if (options_parse(argc, argv, &usage, options, words) != 2)
        fail_usage("which samples, and of which data?  usage: %s", usage.synopsis);
    parallel_set_threads(threads);

    Arena a = arena_create();
    Dataset x = dataset_load(&a, words[0], NULL, DATASET_TRAIN);
    Dataset train = dataset_load(&a, words[1], data, DATASET_TRAIN);
    Dataset test = dataset_load(&a, words[1], data, DATASET_TEST);
    if (x.height != test.height || x.width != test.width || x.channels != test.channels)
        fail("the pictures of %s are %dx%dx%d, those of %s %dx%dx%d", x.name, x.height,
             x.width, x.channels, test.name, test.height, test.width, test.channels);
    if (count < 1 || count > test.count || count + x.count > train.count)
        fail_usage("--count is %d; %s has %d test and %d training pictures", count,
                   test.name, test.count, train.count);
    Part held_out = {&train, train.count - count, count}, tested = {&test, 0, count};
    printf("                        centres    width          nats          bits\n");
    measure(words[0], (Part){&x, 0, x.count}, held_out, tested);
    measure("training pictures", (Part){&train, 0, x.count}, held_out, tested);
    return 0;
}
