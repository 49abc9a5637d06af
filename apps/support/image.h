/* Pictures of bytes: laying them out in a grid, showing them in a terminal.
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

/* Several of one size. */
typedef struct {
    int count, height, width, channels;
    uint8_t *pixels;            /* [count, height, width, channels], owned by an arena */
} Pictures;

/* Picture n of them, the same bytes. */
Image image_of(const Pictures *p, int n);

/* Lays out the pictures from left to right, then down, `columns` in a row, every pixel
 * drawn `scale` times as wide and high.  Between them, and where the last row has none,
 * the image is mid-grey.  It lives in the arena.  Fails if a side gets longer than
 * IMAGE_MAX_SIDE. */
Image image_grid(Arena *a, const Pictures *p, int columns, int scale);

/* Draws in a terminal with 24-bit colours, two rows of pixels in a line of text. */
void image_show(const Image *image, FILE *to);

#endif
