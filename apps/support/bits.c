/* Rows of bits: see bits.h. */
#include "apps/support/bits.h"

#include <stdio.h>
#include <string.h>

#include "apps/support/image.h"
#include "apps/support/png.h"
#include "tensor/error.h"

/* ---- heartbeat --------------------------------------------------------------------- */

enum { PERIOD = 5, SEQUENCE = 20 };

static void load_beats(Bits *b, Arena *a, DatasetPart part)
{
    (void)a, (void)part;
    b->activity = 1.0 / PERIOD;
}

static void draw_beat(const Bits *b, Random r, double *x0)
{
    int phase = (int)random_below(r, MOST_BITS, PERIOD);
    for (int i = 0; i < b->D; i++) x0[i] = i % PERIOD == phase;
}

static bool is_valid(const Real *x)
{
    int ones = 0;
    for (int i = 0; i < SEQUENCE; i++) {
        ones += x[i] > 0;
        if (i >= PERIOD && x[i] != x[i - PERIOD]) return false;
    }
    return ones == SEQUENCE / PERIOD;
}

static void report_beats(const Bits *b, Arena *a, const Real *x, int N)
{
    enum { SHOWN = 8 };
    int valid = 0;
    (void)a;
    for (int n = 0; n < N; n++, x += b->D) {
        valid += is_valid(x);
        for (int i = 0; n < SHOWN && i < b->D; i++) putchar(x[i] > 0 ? '1' : '0');
        if (n < SHOWN) putchar('\n');
    }
    printf("%d of %d samples have a 1 in every fifth place\n"
           "no model has more than log2(1/5) = -2.322 bits; the paper's K is -2.414\n",
           valid, N);
}

/* ---- digits ------------------------------------------------------------------------ */

enum { SIDE = 28 };

static double is_white(uint8_t pixel) { return pixel >= 128; }

static void load_digits(Bits *b, Arena *a, DatasetPart part)
{
    b->pictures = dataset_load(a, "mnist", NULL, part);
    double sum = 0;
    size_t size = (size_t)b->pictures.count * MOST_BITS;
    for (size_t i = 0; i < size; i++) sum += is_white(b->pictures.pixels[i]);
    b->activity = sum / (double)size;
}

static void draw_digit(const Bits *b, Random r, double *x0)
{
    size_t n = random_below(r, MOST_BITS, (uint32_t)b->pictures.count);
    for (int i = 0; i < b->D; i++)
        x0[i] = is_white(b->pictures.pixels[n * MOST_BITS + (size_t)i]);
}

static void report_digits(const Bits *b, Arena *a, const Real *x, int N)
{
    uint8_t *pixels = arena_new(a, uint8_t, (size_t)(N * b->D));
    for (int i = 0; i < N * b->D; i++) pixels[i] = x[i] > 0 ? 255 : 0;
    Image grid = image_grid(a, &(Pictures){N, SIDE, SIDE, 1, pixels}, 6, 1);
    image_show(&grid, stdout);
    folder_make("runs/heartbeat");
    png_write("runs/heartbeat/mnist.png", &grid);
    printf("  runs/heartbeat/mnist.png\n");
}

/* ---- by name ----------------------------------------------------------------------- */

static const Bits kinds[] = {
    {.name = "heartbeat", .D = SEQUENCE, .load = load_beats, .draw = draw_beat,
     .report = report_beats},
    {.name = "mnist", .D = MOST_BITS, .load = load_digits, .draw = draw_digit,
     .report = report_digits},
};

Bits bits_find(Arena *a, const char *name)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        Bits b = kinds[k];
        if (strcmp(b.name, name) != 0) continue;
        b.load(&b, a, DATASET_TRAIN);
        return b;
    }
    fail_usage("no data %s; there are heartbeat and mnist", name);
}
