/* Grids and terminal pictures. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "apps/support/image.h"
#include "tensor/error.h"
#include "tests/check.h"

static Arena arena;

static void check_grid(Image grid, int height, int width, int channels,
                       const uint8_t *want)
{
    check_int(grid.height, height);
    check_int(grid.width, width);
    check_int(grid.channels, channels);
    check(memcmp(grid.pixels, want, (size_t)(height * width * channels)) == 0);
}

enum { G = 128 };       /* the grey between pictures */

static void lays_samples_out(void)
{
    static uint8_t samples[3 * 2 * 2] = {1, 2, 3, 4,  5, 6, 7, 8,  9, 10, 11, 12};
    Pictures three = {3, 2, 2, 1, samples}, two = {2, 2, 2, 1, samples};
    check_grid(image_grid(&arena, &three, 2, 1), 5, 5, 1, (const uint8_t[]){
        1,  2,  G, 5, 6,
        3,  4,  G, 7, 8,
        G,  G,  G, G, G,
        9,  10, G, G, G,
        11, 12, G, G, G});
    check_grid(image_grid(&arena, &two, 3, 1), 2, 8, 1, (const uint8_t[]){
        1, 2, G, 5, 6, G, G, G,
        3, 4, G, 7, 8, G, G, G});
}

static void enlarges_pixels(void)
{
    static uint8_t samples[2 * 1 * 2] = {1, 2,  3, 4};
    Pictures grey = {2, 1, 2, 1, samples};
    check_grid(image_grid(&arena, &grey, 1, 2), 6, 4, 1, (const uint8_t[]){
        1, 1, 2, 2,
        1, 1, 2, 2,
        G, G, G, G,
        G, G, G, G,
        3, 3, 4, 4,
        3, 3, 4, 4});
    static uint8_t colours[2 * 3] = {1, 2, 3,  4, 5, 6};
    Pictures coloured = {2, 1, 1, 3, colours};
    check_grid(image_grid(&arena, &coloured, 2, 1), 1, 3, 3, (const uint8_t[]){
        1, 2, 3, G, G, G, 4, 5, 6});
}

static void make_too_large(void *unused)
{
    (void)unused;
    static uint8_t sample[28 * 28];
    image_grid(&arena, &(Pictures){1, 28, 28, 1, sample}, 1 << 30, 1);
}

static void make_far_too_large(void *unused)
{
    (void)unused;
    static uint8_t sample[28 * 28];
    image_grid(&arena, &(Pictures){INT_MAX, 28, 28, 1, sample}, 1, INT_MAX);
}

static void make_nothing(void *unused)
{
    (void)unused;
    image_grid(&arena, &(Pictures){0, 28, 28, 1, NULL}, 1, 1);
}

static void refuses_impossible_grids(void)
{
    check_stops(make_too_large, NULL, "16384 is the limit");
    check_stops(make_far_too_large, NULL, "16384 is the limit");
    check_stops(make_nothing, NULL, "[0, 28, 28, 1]");
}

static void check_shown(Image image, const char *want)
{
    char got[512];
    FILE *f = tmpfile();
    if (!f) return;
    image_show(&image, f);
    rewind(f);
    got[fread(got, 1, sizeof got - 1, f)] = 0;
    fclose(f);
    check_text(got, want);
}

static void shows_two_rows_in_a_line(void)
{
    uint8_t grey[] = {1, 2, 3, 4, 5, 6}, colours[] = {1, 2, 3, 4, 5, 6};
    check_shown((Image){3, 2, 1, grey},
                "\x1b[38;2;1;1;1m\x1b[48;2;3;3;3m\u2580"
                "\x1b[38;2;2;2;2m\x1b[48;2;4;4;4m\u2580\x1b[0m\n"
                "\x1b[38;2;5;5;5m\u2580\x1b[38;2;6;6;6m\u2580\x1b[0m\n");
    check_shown((Image){2, 1, 3, colours},
                "\x1b[38;2;1;2;3m\x1b[48;2;4;5;6m\u2580\x1b[0m\n");
}

static const Test tests[] = {
    T(lays_samples_out), T(enlarges_pixels), T(refuses_impossible_grids),
    T(shows_two_rows_in_a_line),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
