/* Packing: the other direction of inflate.h, for the PNG files written here. */
#ifndef APPS_SUPPORT_DEFLATE_H
#define APPS_SUPPORT_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/memory.h"

/* Packs `size` bytes into a zlib stream (RFC 1950) in the arena and sets *packed to
 * its length. The same bytes always give the same stream. */
uint8_t *deflate_zlib(Arena *a, const uint8_t *data, size_t size, size_t *packed);

#endif
