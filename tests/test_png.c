/* PNG pictures: written and read back, read from files made here by hand, and refused. */
#include <stdlib.h>
#include <string.h>

#include "apps/support/deflate.h"
#include "apps/support/png.h"
#include "tensor/error.h"
#include "tests/check.h"

static Arena arena;

/* ---- making PNG files ------------------------------------------------------------ */

typedef struct {
    uint8_t data[2048];
    size_t size;
} File;

static void put_number(File *f, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        f->data[f->size++] = (uint8_t)(number >> shift);
}

static void put_chunk(File *f, const char *type, const void *data, size_t size)
{
    put_number(f, (uint32_t)size);
    memcpy(f->data + f->size, type, 4);
    if (size) memcpy(f->data + f->size + 4, data, size);
    f->size += 4 + size;
    put_number(f, crc32(0, f->data + f->size - 4 - size, 4 + size));
}

static void put_header(File *f, unsigned width, unsigned height, int depth, int colour,
                       int lace)
{
    File header = {.data = {[8] = (uint8_t)depth, (uint8_t)colour, 0, 0, (uint8_t)lace}};
    put_number(&header, width);
    put_number(&header, height);
    memcpy(f->data, "\x89PNG\r\n\x1a\n", f->size = 8);
    put_chunk(f, "IHDR", header.data, 13);
}

/* Filtered rows, packed and cut in two, and the end. */
static void put_rows(File *f, const uint8_t *rows, size_t size)
{
    size_t packed_size;
    uint8_t *packed = deflate_zlib(&arena, rows, size, &packed_size);
    put_chunk(f, "IDAT", packed, 3);
    put_chunk(f, "IDAT", packed + 3, packed_size - 3);
    put_chunk(f, "IEND", NULL, 0);
}

static Bytes bytes_of(const File *f) { return (Bytes){"hand.png", f->data, f->size}; }

static void decode(void *file) { png_decode(&arena, bytes_of(file)); }

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof (uint8_t[]){__VA_ARGS__}

static void check_pixels(const File *f, int channels, const uint8_t *want, size_t size)
{
    Image p = png_decode(&arena, bytes_of(f));
    check_int(p.channels, channels);
    check_int((long long)p.height * p.width * p.channels, (long long)size);
    for (size_t i = 0; i < size; i++) check_int(p.pixels[i], want[i]);
}

/* ---- reading --------------------------------------------------------------------- */

static void undoes_the_five_filters(void)
{
    File f;
    put_header(&f, 3, 9, 8, 0, 0);
    put_rows(&f, BYTES(0, 10, 20, 30,  1, 10, 10, 10,  2, 1, 1, 1,  3, 5, 5, 5,
                       4, 1, 1, 1,  4, 200, 1, 0,  4, 255, 5, 0,
                       0, 20, 30, 20,  4, 251, 20, 2));
    check_pixels(&f, 1, BYTES(10, 20, 30,  10, 20, 30,  11, 21, 31,  10, 20, 30,
                              11, 21, 31,  211, 212, 212,  210, 216, 216,
                              20, 30, 20,  15, 50, 52));
    put_header(&f, 2, 2, 8, 2, 0);          /* the left neighbour is three bytes away */
    put_rows(&f, BYTES(1, 1, 2, 3, 10, 20, 30,  4, 1, 1, 1, 255, 0, 1));
    check_pixels(&f, 3, BYTES(1, 2, 3, 11, 22, 33,  2, 3, 4, 10, 22, 34));
}

static void reads_every_colour_type_and_depth(void)
{
    File f;
    put_header(&f, 5, 2, 1, 0, 0);
    put_rows(&f, BYTES(0, 0xa8,  0, 0x50));
    check_pixels(&f, 1, BYTES(255, 0, 255, 0, 255,  0, 255, 0, 255, 0));
    put_header(&f, 5, 1, 2, 0, 0);
    put_rows(&f, BYTES(0, 0x1b, 0x80));
    check_pixels(&f, 1, BYTES(0, 85, 170, 255, 170));
    put_header(&f, 3, 1, 4, 0, 0);
    put_rows(&f, BYTES(0, 0x0f, 0x10));
    check_pixels(&f, 1, BYTES(0, 255, 17));
    put_header(&f, 3, 1, 16, 0, 0);             /* 257 steps of 16 bits are one of 8 */
    put_rows(&f, BYTES(0, 0x00, 0x80, 0x00, 0x81, 0xff, 0xff));
    check_pixels(&f, 1, BYTES(0, 1, 255));
    put_header(&f, 1, 1, 16, 2, 0);
    put_rows(&f, BYTES(0, 0x01, 0x01, 0x80, 0x00, 0xff, 0x00));
    check_pixels(&f, 3, BYTES(1, 128, 254));
    put_header(&f, 4, 1, 2, 3, 0);
    put_chunk(&f, "PLTE", BYTES(1, 2, 3,  4, 5, 6,  7, 8, 9,  255, 0, 100));
    put_rows(&f, BYTES(0, 0x1b));
    check_pixels(&f, 3, BYTES(1, 2, 3,  4, 5, 6,  7, 8, 9,  255, 0, 100));
}

static void shows_white_behind_what_is_transparent(void)
{
    File f;
    put_header(&f, 3, 1, 8, 4, 0);
    put_rows(&f, BYTES(0, 100, 0,  100, 255,  0, 51));
    check_pixels(&f, 1, BYTES(255, 100, 204));
    put_header(&f, 2, 1, 8, 6, 0);
    put_rows(&f, BYTES(0, 1, 2, 3, 255,  0, 255, 10, 102));
    check_pixels(&f, 3, BYTES(1, 2, 3,  153, 255, 157));
    put_header(&f, 1, 1, 16, 6, 0);
    put_rows(&f, BYTES(0, 0, 0, 0, 0, 0, 0, 0x80, 0x00));
    check_pixels(&f, 3, BYTES(127, 127, 127));
    put_header(&f, 3, 1, 2, 3, 0);
    put_chunk(&f, "PLTE", BYTES(10, 20, 30,  40, 50, 60,  0, 0, 0));
    put_chunk(&f, "tRNS", BYTES(255, 0));       /* colours without an alpha are opaque */
    put_rows(&f, BYTES(0, 0x18));
    check_pixels(&f, 3, BYTES(10, 20, 30,  255, 255, 255,  0, 0, 0));
    put_header(&f, 2, 1, 8, 2, 0);
    put_chunk(&f, "tRNS", BYTES(0, 1, 0, 2, 0, 3));
    put_rows(&f, BYTES(0, 1, 2, 3,  1, 2, 4));
    check_pixels(&f, 3, BYTES(255, 255, 255,  1, 2, 4));
}

static void skips_chunks_that_may_be_skipped(void)
{
    File f;
    put_header(&f, 1, 1, 8, 0, 0);
    put_chunk(&f, "tEXt", BYTES('h', 'i'));
    put_rows(&f, BYTES(0, 9));
    check_pixels(&f, 1, BYTES(9));
    put_header(&f, 1, 1, 8, 0, 0);
    put_chunk(&f, "TEXt", BYTES('h', 'i'));
    put_rows(&f, BYTES(0, 9));
    check_stops(decode, &f, "necessary chunk of unknown type");
}

/* ---- refusing -------------------------------------------------------------------- */

static void refuses_headers(void)
{
    static const struct {
        unsigned width, height;
        int depth, colour, lace;
        const char *words;
    } bad[] = {
        {0, 1, 8, 0, 0, "hand.png: the picture is 0 x 1"},
        {1, 1 << 30, 8, 0, 0, "sides from 1 to 16384"},
        {1, 1, 3, 0, 0, "no such colour type and bit depth"},
        {1, 1, 4, 2, 0, "no such colour type and bit depth"},
        {1, 1, 16, 3, 0, "no such colour type and bit depth"},
        {1, 1, 8, 1, 0, "no such colour type and bit depth"},
        {1, 1, 8, 7, 0, "no such colour type and bit depth"},
        {1, 1, 8, 0, 1, "interlaced (Adam7), which cannot be read here; convert it"},
        {1, 1, 8, 0, 2, "interlace method"},
        {1, 1, 8, 3, 0, "the palette is missing"},
        {1, 2, 8, 0, 0, "fewer bytes than are needed"},
        {16384, 16384, 8, 6, 0, "fewer bytes than are needed"},
        {1, 1, 8, 4, 0, "fewer bytes than are needed"},
    };
    for (int i = 0; i < NELEM(bad); i++) {
        File f;
        put_header(&f, bad[i].width, bad[i].height, bad[i].depth, bad[i].colour,
                   bad[i].lace);
        put_rows(&f, BYTES(0, 0));
        check_stops(decode, &f, bad[i].words);
    }
}

static void refuses_contents(void)
{
    File f;
    put_header(&f, 1, 1, 8, 0, 0);
    put_rows(&f, BYTES(5, 0));
    check_stops(decode, &f, "no such filter");
    put_header(&f, 1, 1, 8, 0, 0);
    put_rows(&f, BYTES(0, 0, 0));
    check_stops(decode, &f, "more than 2 bytes");
    put_header(&f, 1, 1, 8, 3, 0);
    put_chunk(&f, "PLTE", BYTES(1, 2, 3));
    put_rows(&f, BYTES(0, 1));
    check_stops(decode, &f, "not in the palette");
    put_header(&f, 1, 1, 8, 3, 0);
    put_chunk(&f, "PLTE", BYTES(1, 2, 3, 4));
    check_stops(decode, &f, "PLTE");
    put_header(&f, 1, 1, 8, 3, 0);
    put_chunk(&f, "PLTE", NULL, 0);
    check_stops(decode, &f, "PLTE is not 1 to 256 colours");
    put_header(&f, 1, 1, 8, 3, 0);
    put_chunk(&f, "PLTE", (uint8_t[257 * 3]){0}, 257 * 3);
    check_stops(decode, &f, "PLTE is not 1 to 256 colours");
    put_header(&f, 1, 1, 8, 3, 0);
    put_chunk(&f, "tRNS", (uint8_t[257]){0}, 257);
    check_stops(decode, &f, "tRNS does not fit the colour type");
    put_header(&f, 1, 1, 8, 0, 0);
    put_chunk(&f, "tRNS", BYTES(1, 2, 3));
    check_stops(decode, &f, "tRNS does not fit the colour type");
    put_header(&f, 1, 1, 8, 6, 0);
    put_chunk(&f, "tRNS", BYTES(1, 2));
    check_stops(decode, &f, "tRNS");
    put_header(&f, 1, 1, 8, 0, 0);
    put_chunk(&f, "IEND", NULL, 0);
    check_stops(decode, &f, "cut short");
    put_header(&f, 1, 1, 8, 0, 0);
    put_chunk(&f, "IHDR", f.data + 16, 13);
    check_stops(decode, &f, "IHDR must come first");
    f.data[0] = 'x';
    check_stops(decode, &f, "hand.png is not a PNG file");
}

/* An IHDR of 12 or 14 bytes, or with another number in a place. */
static void refuses_other_kinds_of_header(void)
{
    static const struct { size_t size; int place; const char *words; } bad[] = {
        {12, 12, "IHDR is not 13 bytes long"}, {14, 13, "IHDR is not 13 bytes long"},
        {13, 10, "unknown packing, filter"}, {13, 11, "unknown packing, filter"},
    };
    for (int i = 0; i < NELEM(bad); i++) {
        uint8_t header[14] = {[3] = 1, [7] = 1, [8] = 8};
        File f;
        put_header(&f, 1, 1, 8, 0, 0);
        f.size = 8;                             /* all but the signature again */
        header[bad[i].place] = 1;
        put_chunk(&f, "IHDR", header, bad[i].size);
        check_stops(decode, &f, bad[i].words);
    }
}

static void cut_file(void *file)
{
    png_decode(&arena, *(Bytes *)file);
}

static void refuses_cut_and_changed_files(void)
{
    File f;
    put_header(&f, 2, 2, 8, 2, 0);
    put_rows(&f, BYTES(1, 1, 2, 3, 10, 20, 30,  4, 1, 1, 1, 255, 0, 1));
    for (size_t n = 0; n < f.size; n++) {
        uint8_t *copy = malloc(n ? n : 1);      /* so that the sanitizers see its end */
        memcpy(copy, f.data, n);
        Bytes cut = {"cut.png", copy, n};
        const char *words = n < 8 ? "is not a PNG file" : ": the PNG file is cut short";
        check_stops(cut_file, &cut, words);
        free(copy);
    }
    for (size_t i = 8; i < 8 * f.size; i++) {
        f.data[i / 8] ^= (uint8_t)(1u << i % 8);
        check_stops(decode, &f, "hand.png");
        f.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}

/* ---- writing --------------------------------------------------------------------- */

static void reads_what_it_wrote(void)
{
    static const int shapes[][3] = {{1, 1, 1}, {1, 1, 3}, {7, 13, 1}, {300, 211, 3}};
    const char *path = arena_printf(&arena, "%s/picture.png", test_folder());
    for (int s = 0; s < NELEM(shapes); s++)
        for (int noise = 0; noise < 2; noise++) {
            Image p = {shapes[s][0], shapes[s][1], shapes[s][2], NULL};
            size_t size = (size_t)(p.height * p.width * p.channels);
            p.pixels = arena_alloc(&arena, size);
            for (size_t i = 0; i < size; i++)
                p.pixels[i] = (uint8_t)(noise ? i * 2654435761u >> 11 : i / 40);
            png_write(path, &p);
            Image q = png_read(&arena, path);
            check(q.height == p.height && q.width == p.width && q.channels == p.channels);
            check(memcmp(q.pixels, p.pixels, size) == 0);
            Bytes first = file_read(&arena, path);
            png_write(path, &p);
            Bytes again = file_read(&arena, path);
            check_int((long long)again.size, (long long)first.size);
            check(memcmp(again.data, first.data, first.size) == 0);
            check(noise || first.size < 100 + size / 2 + (size_t)p.height);
        }
}

static void encode(void *image) { png_encode(&arena, image); }

static void writes_no_picture_that_cannot_be(void)
{
    static Image bad[] = {{0, 1, 1}, {1, 0, 1}, {16385, 1, 1}, {1, 16385, 1}, {1, 1, 2}};
    for (int i = 0; i < NELEM(bad); i++)
        check_stops(encode, &bad[i], "png_encode of an image [");
}

static void decode_in_scratch(void *file) { png_decode(scratch(), bytes_of(file)); }

static void needs_an_arena_of_the_callers(void)
{
    File f;
    put_header(&f, 1, 1, 8, 0, 0);
    check_stops(decode_in_scratch, &f, "works in the scratch arena");
}

static void read_missing(void *path) { png_read(&arena, path); }

static void fails_without_a_file(void)
{
    char *path = arena_printf(&arena, "%s/none.png", test_folder());
    check_stops(read_missing, path, path);
}

static const Test tests[] = {
    T(undoes_the_five_filters), T(reads_every_colour_type_and_depth),
    T(shows_white_behind_what_is_transparent), T(skips_chunks_that_may_be_skipped),
    T(refuses_headers), T(refuses_other_kinds_of_header), T(refuses_contents),
    T(refuses_cut_and_changed_files), T(reads_what_it_wrote),
    T(writes_no_picture_that_cannot_be), T(needs_an_arena_of_the_callers),
    T(fails_without_a_file),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
