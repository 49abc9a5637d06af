/* Pictures of bytes: laying samples out in a grid, showing them in a terminal.
 *
 * A picture is [H, W, C], row by row from the top; C is 1 (grey) or 3 (RGB). */
#ifndef APPS_SUPPORT_IMAGE_H
#define APPS_SUPPORT_IMAGE_H

#include <stdint.h>
#include <stdio.h>

#include "tensor/memory.h"

/* The longest side of a picture that is read, made or written. */
enum { IMAGE_MAX_SIDE = 16384 };

typedef struct {
    int height, width, channels;
    uint8_t *pixels;            /* [height, width, channels], owned by an arena */
} Image;

/* Lays out samples [count, H, W, C] from left to right, then down, `columns` in a row,
 * every pixel drawn `scale` times as wide and high.  Between pictures, and where the
 * last row has none, the image is mid-grey.  It lives in the arena.  Fails if a side
 * gets longer than IMAGE_MAX_SIDE. */
Image image_grid(Arena *a, const uint8_t *samples, int count, int H, int W, int C,
                 int columns, int scale);

/* Draws in a terminal with 24-bit colours, two rows of pixels in a line of text. */
void image_show(const Image *image, FILE *to);

#endif
