/* Dead leaves (Lee, Mumford & Huang 2001): discs that fell on each other, as seen from
 * above.
 *
 * Natural images look alike at every scale, because near things hide far ones and a thing
 * may be at any distance.  Discs whose radii have the density r^-3, cut off at both ends,
 * are the simplest images with both properties; Sohl-Dickstein 2015 compare models on
 * them (Table 2).  P(radius > r) = (r^-2 - most^-2) / (least^-2 - most^-2) is easily
 * inverted.
 *
 * Leaves are drawn from the topmost down, each only where no other is yet, until every
 * pixel has one: a fair sample of leaves that have been falling for ever. */
#include <math.h>
#include <string.h>

#include "apps/support/dataset.h"
#include "tensor/random.h"

enum { SIDE = 32, TRAIN_COUNT = 10000, TEST_COUNT = 2000, PURPOSE_LEAVES = 40 };

static const double least = 1, most = 16;          /* radii, in pixels */

double leaf_radius(double u)
{
    double inner = 1 / (least * least), outer = 1 / (most * most);
    return 1 / sqrt(outer + u * (inner - outer));
}

/* A leaf of this grey around (y, x); returns the number of pixels that it fills. */
static int drop_leaf(uint8_t *picture, bool *filled, double y, double x, double radius,
                     uint8_t grey)
{
    int fills = 0, top = (int)fmax(ceil(y - radius), 0);
    int left = (int)fmax(ceil(x - radius), 0);
    for (int h = top; h < SIDE && h <= y + radius; h++)
        for (int w = left; w < SIDE && w <= x + radius; w++) {
            bool *here = &filled[h * SIDE + w];
            double far = (h - y) * (h - y) + (w - x) * (w - x);
            if (*here || far > radius * radius) continue;
            picture[h * SIDE + w] = grey, *here = true, fills++;
        }
    return fills;
}

/* Centres may lie outside, as far as the largest leaf reaches. */
static void draw_picture(uint8_t *picture, Random r)
{
    bool filled[SIDE * SIDE] = {false};
    uint64_t i = 0;
    for (int left = SIDE * SIDE; left > 0; i += 4) {
        double y = random_uniform(r, i) * (SIDE + 2 * most) - most;
        double x = random_uniform(r, i + 1) * (SIDE + 2 * most) - most;
        double radius = leaf_radius(random_uniform(r, i + 2));
        uint8_t grey = (uint8_t)random_below(r, i + 3, 256);
        left -= drop_leaf(picture, filled, y, x, radius, grey);
    }
}

Dataset leaves_load(Arena *a, DatasetPart part)
{
    int count = part == DATASET_TRAIN ? TRAIN_COUNT : TEST_COUNT;
    uint8_t *pixels = arena_alloc_array(a, SIDE * SIDE, (size_t)count);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < count; n++)
        draw_picture(pixels + n * SIDE * SIDE,
                     random_stream((uint64_t)part, PURPOSE_LEAVES, (uint64_t)n));
    return (Dataset){.name = "leaves", .count = count, .height = SIDE, .width = SIDE,
                     .channels = 1, .pixels = pixels};
}
