/* PNG pictures: see png.h.
 *
 * The file is a signature and a list of chunks: length, type, data, CRC-32.  IHDR says
 * what the picture is, PLTE holds a palette, tRNS says what is transparent, IDAT holds
 * the rows, packed by zlib, IEND ends it.  A row is a filter number and bytes; the
 * filter says which neighbour, left or above, was subtracted from each byte so that
 * smooth pictures pack better. */
#include "apps/support/png.h"

#include <stdlib.h>
#include <string.h>

#include "apps/support/deflate.h"
#include "apps/support/inflate.h"
#include "tensor/error.h"
#include "tensor/file.h"

static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

/* ---- reading: chunks ------------------------------------------------------------- */

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGB_ALPHA = 6, ALPHA_BIT = 4 };

typedef struct {
    const char *path;
    int height, width, depth, colour;
    Bytes palette, transparent;     /* the data of PLTE and tRNS, size 0 if missing */
    uint8_t *packed;                /* the data of all IDAT one behind the other */
    size_t packed_size;
} Png;

static noreturn void damaged(const Png *p, const char *what)
{
    fail("%s: the PNG file is damaged (%s); fetch or copy it again", p->path, what);
}

/* By colour type: how many samples a pixel has, and the depths it may have, as a sum. */
static const int samples_of[7] = {1, 0, 3, 1, 2, 0, 4};
static const int depths_of[7] = {1 + 2 + 4 + 8 + 16, 0, 8 + 16, 1 + 2 + 4 + 8, 8 + 16, 0,
                                 8 + 16};

static void read_header(Png *p, Bytes chunk)
{
    if (chunk.size != 13) damaged(p, "IHDR is not 13 bytes long");
    uint32_t width = big_endian_32(chunk.data), height = big_endian_32(chunk.data + 4);
    const uint8_t *b = chunk.data + 8;  /* depth, colour, packing, filter, interlace */
    if (width < 1 || height < 1 || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
        fail("%s: the picture is %u x %u pixels; sides from 1 to %d can be read",
             p->path, (unsigned)width, (unsigned)height, IMAGE_MAX_SIDE);
    if (b[1] > 6 || b[0] & (b[0] - 1) || !(depths_of[b[1]] & b[0]))
        damaged(p, "no such colour type and bit depth");
    if (b[2] || b[3] || b[4] > 1)
        damaged(p, "unknown packing, filter or interlace method");
    if (b[4])
        fail("%s is interlaced (Adam7), which cannot be read here; convert it, for "
             "example with `convert %s -interlace none NEW.png`", p->path, p->path);
    p->width = (int)width, p->height = (int)height, p->depth = b[0], p->colour = b[1];
}

static void read_palette(Png *p, Bytes chunk)
{
    if (chunk.size % 3 || chunk.size < 3 || chunk.size > 3 * 256)
        damaged(p, "PLTE is not 1 to 256 colours of 3 bytes");
    p->palette = chunk;
}

static void read_transparency(Png *p, Bytes chunk)
{
    size_t n = (size_t)samples_of[p->colour];
    if (p->colour & ALPHA_BIT ||
        (p->colour == PALETTE ? chunk.size > 256 : chunk.size != 2 * n))
        damaged(p, "tRNS does not fit the colour type");
    p->transparent = chunk;
}

static void read_data(Png *p, Bytes chunk)
{
    memcpy(p->packed + p->packed_size, chunk.data, chunk.size);
    p->packed_size += chunk.size;
}

static const struct {
    char type[5];
    void (*read)(Png *p, Bytes chunk);
} chunks[] = {
    {"IHDR", read_header}, {"PLTE", read_palette}, {"tRNS", read_transparency},
    {"IDAT", read_data},
};

/* Other chunks may be skipped if their type begins with a small letter. */
static void read_chunk(Png *p, const uint8_t *type, Bytes chunk)
{
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        if (memcmp(type, chunks[i].type, 4) == 0) {
            chunks[i].read(p, chunk);
            return;
        }
    if (!(type[0] & 0x20)) damaged(p, "a necessary chunk of unknown type");
}

static Png read_chunks(Bytes file)
{
    Png p = {.path = file.path, .packed = arena_alloc(scratch(), file.size)};
    if (file.size < 8 || memcmp(file.data, signature, 8) != 0)
        fail("%s is not a PNG file: it does not begin with the signature of one",
             file.path);
    for (size_t at = 8; ; ) {
        const uint8_t *b = file.data + at, *type = b + 4;
        size_t left = file.size - at, length = left < 12 ? 0 : big_endian_32(b);
        if (left < 12 || length > left - 12)
            fail("%s: the PNG file is cut short; fetch or copy it again", file.path);
        if (big_endian_32(b + 8 + length) != crc32(0, type, 4 + length))
            damaged(&p, "the CRC-32 of a chunk does not match");
        if ((at == 8) != (memcmp(type, "IHDR", 4) == 0))
            damaged(&p, "IHDR must come first");
        if (memcmp(type, "IEND", 4) == 0) break;
        read_chunk(&p, type, (Bytes){file.path, b + 8, length});
        at += 12 + length;
    }
    if (p.colour == PALETTE && p.palette.size == 0) damaged(&p, "the palette is missing");
    return p;
}

/* ---- reading: rows --------------------------------------------------------------- */

/* Paeth's guess: the one of the three that is nearest to left + above - corner. */
static int paeth(int left, int above, int corner)
{
    int dl = abs(above - corner), da = abs(left - corner);
    int dc = abs(left + above - 2 * corner);
    return dl <= da && dl <= dc ? left : da <= dc ? above : corner;
}

/* Adds each byte's guess again; its left neighbour is one pixel, `step` bytes, away. */
static void undo_filter(uint8_t *row, const uint8_t *above, const uint8_t *filtered,
                        size_t stride, size_t step)
{
    int filter = *filtered++;
    for (size_t i = 0; i < stride; i++) {
        int l = i < step ? 0 : row[i - step], c = i < step ? 0 : above[i - step];
        int u = above[i], guess[] = {0, l, u, (l + u) / 2, paeth(l, u, c)};
        row[i] = (uint8_t)(filtered[i] + guess[filter]);
    }
}

/* Sample number i of a row, which has `depth` bits. */
static int sample_at(const uint8_t *row, int i, int depth)
{
    if (depth == 16) return row[2 * i] << 8 | row[2 * i + 1];
    return row[i * depth / 8] >> (8 - depth - i * depth % 8) & ((1 << depth) - 1);
}

/* A value in front of white, both it and its alpha from 0 to `top`, rounded to 0..255. */
static uint8_t on_white(long long value, long long alpha, long long top)
{
    long long mixed = value * alpha + top * (top - alpha);
    return (uint8_t)((510 * mixed + top * top) / (2 * top * top));
}

static void convert_pixel(const Png *p, const uint8_t *row, int w, uint8_t *out,
                          int channels)
{
    int n = samples_of[p->colour], top = (1 << p->depth) - 1, alpha = top, sample[4];
    for (int k = 0; k < n; k++) sample[k] = sample_at(row, w * n + k, p->depth);

    if (p->colour == PALETTE) {
        size_t i = (size_t)sample[0];
        if (3 * i >= p->palette.size) damaged(p, "a colour that is not in the palette");
        for (int k = 0; k < 3; k++) sample[k] = p->palette.data[3 * i + (size_t)k];
        top = 255;
        alpha = i < p->transparent.size ? p->transparent.data[i] : 255;
    } else if (p->colour & ALPHA_BIT) {
        alpha = sample[n - 1];
    } else if (p->transparent.size) {           /* one colour is transparent */
        bool same = true;
        for (int k = 0; k < n; k++)
            same &= sample[k] == sample_at(p->transparent.data, k, 16);
        if (same) alpha = 0;
    }
    for (int k = 0; k < channels; k++) out[k] = on_white(sample[k], alpha, top);
}

Image png_decode(Arena *a, Bytes file)
{
    Arena *work = scratch();
    require(a != work, "png_decode works in the scratch arena; its result needs another");
    size_t mark = arena_mark(work);
    Png p = read_chunks(file);
    size_t bits = (size_t)(samples_of[p.colour] * p.depth), step = (bits + 7) / 8;
    size_t stride = ((size_t)p.width * bits + 7) / 8, height = (size_t)p.height;
    Bytes rows = inflate_zlib(work, (Bytes){p.path, p.packed, p.packed_size},
                              height * (stride + 1));

    int channels = p.colour == GREY || p.colour == GREY_ALPHA ? 1 : 3;
    Image image = {.height = p.height, .width = p.width, .channels = channels};
    uint8_t *out = image.pixels = arena_alloc(a, height * (size_t)(p.width * channels));
    uint8_t *row = arena_alloc(work, stride), *above = arena_alloc(work, stride);
    memset(above, 0, stride);
    for (size_t h = 0; h < height; h++) {
        const uint8_t *filtered = rows.data + h * (stride + 1);
        if (*filtered > 4) damaged(&p, "no such filter");
        undo_filter(row, above, filtered, stride, step);
        for (int w = 0; w < p.width; w++, out += channels)
            convert_pixel(&p, row, w, out, channels);
        uint8_t *swap = row;
        row = above;
        above = swap;
    }
    arena_rewind(work, mark);
    return image;
}

Image png_read(Arena *a, const char *path)
{
    size_t mark = arena_mark(scratch());
    Image image = png_decode(a, file_read(scratch(), path));
    arena_rewind(scratch(), mark);
    return image;
}

/* ---- writing --------------------------------------------------------------------- */

static void put_number(uint8_t *b, uint32_t number)
{
    for (int i = 0; i < 4; i++) b[i] = (uint8_t)(number >> (24 - 8 * i));
}

static void put_bytes(Bytes *b, const void *data, size_t size)
{
    memcpy((uint8_t *)b->data + b->size, data, size);
    b->size += size;
}

static void put_chunk(Bytes *b, const char *type, const uint8_t *data, size_t size)
{
    uint8_t length[4], crc[4];
    put_number(length, (uint32_t)size);
    put_number(crc, crc32(crc32(0, type, 4), data, size));
    put_bytes(b, length, 4);
    put_bytes(b, type, 4);
    if (size) put_bytes(b, data, size);
    put_bytes(b, crc, 4);
}

/* The rows with filter 2: the byte above is subtracted, so repeated rows become zero. */
static uint8_t *filter_rows(const Image *image, size_t stride)
{
    size_t height = (size_t)image->height;
    uint8_t *rows = arena_alloc(scratch(), height * (stride + 1)), *to = rows;
    for (size_t h = 0; h < height; h++) {
        const uint8_t *row = image->pixels + h * stride, *above = h ? row - stride : NULL;
        *to++ = 2;
        for (size_t i = 0; i < stride; i++)
            *to++ = (uint8_t)(row[i] - (above ? above[i] : 0));
    }
    return rows;
}

Bytes png_encode(Arena *a, const Image *image)
{
    int H = image->height, W = image->width, C = image->channels;
    require(H > 0 && W > 0 && H <= IMAGE_MAX_SIDE && W <= IMAGE_MAX_SIDE &&
            (C == 1 || C == 3), "png_encode of an image [%d, %d, %d]", H, W, C);
    enum { AROUND = 8 + 3 * 12 + 13 };          /* all but the packed rows */
    size_t mark = arena_mark(scratch()), stride = (size_t)(W * C), size;
    uint8_t *rows = filter_rows(image, stride);
    uint8_t *packed = deflate_zlib(scratch(), rows, (size_t)H * (stride + 1), &size);

    uint8_t header[13] = {[8] = 8, C == 3 ? RGB : GREY};
    put_number(header, (uint32_t)W);
    put_number(header + 4, (uint32_t)H);
    Bytes b = {.data = arena_alloc(a, size + AROUND)};
    put_bytes(&b, signature, sizeof signature);
    put_chunk(&b, "IHDR", header, sizeof header);
    put_chunk(&b, "IDAT", packed, size);
    put_chunk(&b, "IEND", NULL, 0);
    arena_rewind(scratch(), mark);
    return b;
}

void png_write(const char *path, const Image *image)
{
    Arena a = arena_create();
    Bytes b = png_encode(&a, image);
    file_write(path, b.data, b.size);
    arena_destroy(&a);
}
