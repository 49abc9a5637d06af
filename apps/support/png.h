/* Reading and writing PNG pictures (ISO 15948, RFC 2083). */
#ifndef APPS_SUPPORT_PNG_H
#define APPS_SUPPORT_PNG_H

#include "apps/support/image.h"
#include "tensor/file.h"

/* Reads grey, RGB and palette pictures, with or without transparency, of 1 to 16 bits,
 * into an image of 8 bits owned by the arena (not the scratch arena).  Grey stays one
 * channel, the rest becomes RGB; 16 bits are rounded to 8; what is transparent shows
 * white behind it. Fails if the file is damaged, interlaced, or has a side above
 * IMAGE_MAX_SIDE. */
Image png_read(Arena *a, const char *path);

/* As png_read, for a file in memory. */
Image png_decode(Arena *a, Bytes file);

/* An image in 8 bits as the bytes of a file, in the arena (not the scratch arena); the
 * same image always gives the same bytes. */
Bytes png_encode(Arena *a, const Image *image);
void png_write(const char *path, const Image *image);

#endif
