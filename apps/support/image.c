/* Grids of pictures, and pictures in a terminal: see image.h. */
#include "apps/support/image.h"

#include <string.h>

#include "tensor/error.h"

static uint8_t *pixel_at(const Image *image, int h, int w)
{
    size_t i = (size_t)h * (size_t)image->width + (size_t)w;
    return image->pixels + i * (size_t)image->channels;
}

/* ---- grids ----------------------------------------------------------------------- */

Image image_of(const Pictures *p, int n)
{
    size_t size = (size_t)p->height * (size_t)p->width * (size_t)p->channels;
    return (Image){p->height, p->width, p->channels, p->pixels + (size_t)n * size};
}

/* Draws a picture with its top left corner at (top, left). */
static void draw(Image *grid, int top, int left, Image picture, int scale)
{
    for (int h = 0; h < picture.height * scale; h++)
        for (int w = 0; w < picture.width * scale; w++)
            memcpy(pixel_at(grid, top + h, left + w),
                   pixel_at(&picture, h / scale, w / scale), (size_t)picture.channels);
}

/* n pictures side by side, with a gap between two; a double cannot overflow. */
static int length_of(int n, int size, int scale, int gap)
{
    double length = n * ((double)size * scale + gap) - gap;
    if (length > IMAGE_MAX_SIDE)
        fail("a grid with %d pictures in a line, of %d pixels each drawn %d times as "
             "large, would be %.0f pixels long; %d is the limit: ask for fewer pictures "
             "or a smaller scale", n, size, scale, length, IMAGE_MAX_SIDE);
    return (int)length;
}

Image image_grid(Arena *a, const Pictures *p, int columns, int scale)
{
    int H = p->height, W = p->width, C = p->channels;
    require(p->count > 0 && H > 0 && W > 0 && (C == 1 || C == 3) && columns > 0 &&
            scale > 0, "image_grid of pictures [%d, %d, %d, %d], %d columns, scale %d",
            p->count, H, W, C, columns, scale);
    int gap = scale == 1 ? 1 : 2, rows = (p->count - 1) / columns + 1;
    Image grid = {.height = length_of(rows, H, scale, gap),
                  .width = length_of(columns, W, scale, gap), .channels = C};
    size_t size = (size_t)grid.height * (size_t)grid.width * (size_t)C;
    grid.pixels = arena_alloc(a, size);
    memset(grid.pixels, 128, size);
    for (int n = 0; n < p->count; n++)
        draw(&grid, n / columns * (H * scale + gap), n % columns * (W * scale + gap),
             image_of(p, n), scale);
    return grid;
}

/* ---- terminals ------------------------------------------------------------------- */

/* Sets the colour of what is drawn (layer 38) or of what lies behind it (48). */
static void set_colour(FILE *to, int layer, const uint8_t *pixel, int channels)
{
    int g = channels == 3 ? 1 : 0, b = channels == 3 ? 2 : 0;
    fprintf(to, "\x1b[%d;2;%d;%d;%dm", layer, pixel[0], pixel[g], pixel[b]);
}

void image_show(const Image *image, FILE *to)
{
    for (int h = 0; h < image->height; h += 2) {
        for (int w = 0; w < image->width; w++) {
            set_colour(to, 38, pixel_at(image, h, w), image->channels);
            if (h + 1 < image->height)
                set_colour(to, 48, pixel_at(image, h + 1, w), image->channels);
            fputs("\u2580", to);                    /* the upper half of a letter's box */
        }
        fputs("\x1b[0m\n", to);
    }
}
