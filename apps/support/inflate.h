/* Unpacking what gzip and zlib packed: MNIST comes as .gz, a PNG holds a zlib stream.
 *
 * Both are wrappers around DEFLATE: a few bytes in front, a checksum behind.
 * Everything is checked, and whatever is wrong ends in a sentence that begins with
 * packed.path; a file that ends too early is called "cut short", so that a broken
 * download is recognised as one.
 *
 * DEFLATE can grow its input 1032 times at most (a match of 258 bytes takes two bits
 * or more), so no small file asks for more memory than that. */
#ifndef APPS_SUPPORT_INFLATE_H
#define APPS_SUPPORT_INFLATE_H

#include "tensor/file.h"

/* Unpacks a whole .gz file of one member (RFC 1952), at most 4 GiB; checks CRC-32 and
 * size. The result has the same path and lives in the arena. */
Bytes inflate_gzip(Arena *a, Bytes packed);

/* Unpacks a zlib stream (RFC 1950), which must give `size` bytes; checks Adler-32. */
Bytes inflate_zlib(Arena *a, Bytes packed, size_t size);

/* The checksum of zlib: two sums modulo 65521, of the bytes and of the sums so far. */
uint32_t adler32(const void *data, size_t bytes);

#endif
