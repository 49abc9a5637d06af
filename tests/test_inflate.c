/* DEFLATE and its wrappers.  Streams are strings of bits, written by hand in the order in
 * which they are read: numbers lowest bit first, Huffman words highest bit first. */
#include <stdlib.h>
#include <string.h>

#include "apps/support/deflate.h"
#include "apps/support/inflate.h"
#include "tensor/error.h"
#include "tests/check.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof (uint8_t[]){__VA_ARGS__}

static Arena arena;

/* The bytes of a string of '0' and '1'; other characters only help to read it. */
static Bytes pack_bits(const char *bits)
{
    uint8_t *data = arena_alloc(&arena, strlen(bits) / 8 + 1);
    size_t n = 0;
    for (; *bits; bits++) {
        if (*bits != '0' && *bits != '1') continue;
        if (n % 8 == 0) data[n / 8] = 0;
        data[n / 8] |= (uint8_t)((*bits - '0') << n % 8);
        n++;
    }
    return (Bytes){"hand.gz", data, (n + 7) / 8};
}

/* Puts gzip's ten bytes in front and CRC-32 and size behind. */
static Bytes wrap_gzip(Bytes raw, const char *unpacked)
{
    static const uint8_t header[10] = {0x1f, 0x8b, 8, [9] = 255};
    size_t n = strlen(unpacked);
    uint32_t tail[2] = {crc32(0, unpacked, n), (uint32_t)n};
    uint8_t *data = arena_alloc(&arena, raw.size + 18);
    memcpy(data, header, 10);
    memcpy(data + 10, raw.data, raw.size);
    for (size_t i = 0; i < 8; i++)
        data[10 + raw.size + i] = (uint8_t)(tail[i / 4] >> 8 * (i % 4));
    return (Bytes){raw.path, data, raw.size + 18};
}

static void check_unpacks(const char *bits, const char *want)
{
    Bytes got = inflate_gzip(&arena, wrap_gzip(pack_bits(bits), want));
    check_int((long long)got.size, (long long)strlen(want));
    check(memcmp(got.data, want, got.size) == 0);
    check_text(got.path, "hand.gz");
}

static void unpack(void *packed) { inflate_gzip(&arena, *(Bytes *)packed); }

static void check_damaged(const char *bits, const char *words)
{
    Bytes packed = wrap_gzip(pack_bits(bits), "");
    check_stops(unpack, &packed, "hand.gz: ");
    check_stops(unpack, &packed, words);
}

/* ---- blocks ---------------------------------------------------------------------- */

static const char *const abc_bits = "1 00 00000" "11000000 00000000" "00111111 11111111"
                                    "10000110 01000110 11000110";

static void unpacks_stored_blocks(void)
{
    check_unpacks(abc_bits, "abc");
    check_unpacks("0 00 00000" "00000000 00000000" "11111111 11111111"      /* empty, */
                  "1 00 00000" "10000000 00000000" "01111111 11111111" "10000110", "a");
    check_damaged("1 00 00000" "11000000 00000000" "00111111 11111110", "stored");
}

static void unpacks_fixed_blocks(void)
{
    check_unpacks("1 10 10010001 10010010 0000000", "ab");
    check_unpacks("1 10 10010001 0000001 00000 0000000", "aaaa");   /* 3 from 1 back */
    check_unpacks("1 10 10010001 10010010 10010011 0000011 00010 0000000", "abcabcab");
    check_unpacks("0 10 10010001 0000000" "1 10 0000001 00000 0000000", "aaaa");

    char many[260];
    memset(many, 'a', 259);
    many[259] = 0;
    check_unpacks("1 10 10010001 11000101 00000 0000000", many);        /* 258 more */
    check_unpacks("1 10 10010001 11000100 11111 00000 0000000", many); /* 227 + 31 */
    check_unpacks("1 10 10010001 11000001 00000 00000 0000000", many + 127);
}

/* The code of code lengths has the words 00 = 0, 01 = 1, 10 = 2, 11 = 18 (many zeros). */
#define CODE "0111" "000 000 010 010" \
             "000 000 000 000 000 000 000 000 000 000 000" "010 000 010"
#define HEADER "1 01 10000 00000" CODE
/* 97 zeros, 'a' in one bit, 158 zeros, the end and length 3 in two bits: 0, 10, 11. */
#define LITERALS "11 0110101 01" "11 1111111" "11 1001000" "10 10"

static void unpacks_dynamic_blocks(void)
{
    check_unpacks(HEADER LITERALS "00" "0 0 0 10", "aaa");      /* no distances at all */
    check_unpacks(HEADER LITERALS "01" "0 11 0 10", "aaaa");    /* one, whose word is 0 */
}

static void refuses_damaged_blocks(void)
{
    check_damaged("1 11", "invalid block type");
    check_damaged("1 10 10010001 0000001 00001 0000000", "too far back");
    check_damaged("1 10 10010001 11000110 00000 0000000", "invalid length");
    check_damaged("1 10 10010001 0000001 11110 0000000", "invalid distance");
    check_damaged("1 01 01111 00000 0000", "too many lengths or distances");    /* 287 */
    check_damaged("1 01 00000 01111 0000", "too many lengths or distances");    /* 31 */
    check_damaged("1 01 00000 00000 0000" "100 100 100 000", "invalid code lengths");
    check_damaged("1 01 00000 00000 0000" "010 010 010 000", "invalid code lengths");
    check_damaged("1 01 00000 00000 0000" "100 000 100 000" "0 00", "nothing to repeat");
    check_damaged("1 01 10000 10010" CODE LITERALS "11 0000000",
                  "invalid code lengths");          /* 11 for the last 10 */
    check_damaged(HEADER "11 0110101 01" "11 1111111" "11 1001000" "00 10" "01",
                  "a block without an end");
    check_damaged(HEADER "11 0110101 10" "11 1111111" "11 1001000" "10 10" "01",
                  "invalid code lengths");          /* 'a' in two bits: a gap */
    check_damaged(HEADER "11 0110101 01" "11 1111111" "11 1001000" "01 10" "01",
                  "invalid code lengths");          /* the end in one bit: too much */
    check_damaged(HEADER LITERALS "01" "0 11 1 10", "stands for nothing");
    check_damaged(HEADER LITERALS "00" "0 11 0 10", "stands for nothing");
}

/* ---- wrappers -------------------------------------------------------------------- */

static const char *const aaa_bits = HEADER LITERALS "01" "0 11 0 10";

static Bytes with_byte(Bytes packed, size_t at, unsigned value)
{
    uint8_t *data = arena_alloc(&arena, packed.size);
    memcpy(data, packed.data, packed.size);
    data[at] = (uint8_t)value;
    return (Bytes){packed.path, data, packed.size};
}

static void skips_the_optional_fields_of_gzip(void)
{
    uint8_t head[] = {0x1f, 0x8b, 8, 2 + 4 + 8 + 16, 1, 2, 3, 4, 0, 3, 2, 0, 'x', 'y',
                      'n', 0, 'c', 'c', 0, 0, 0};
    uint32_t crc = crc32(0, head, 19);
    head[19] = (uint8_t)crc, head[20] = (uint8_t)(crc >> 8);
    Bytes plain = wrap_gzip(pack_bits(aaa_bits), "aaaa");
    uint8_t *data = arena_alloc(&arena, plain.size + 11);
    memcpy(data, head, 21);
    memcpy(data + 21, plain.data + 10, plain.size - 10);
    Bytes packed = {"optional.gz", data, plain.size + 11};
    check_int((long long)inflate_gzip(&arena, packed).size, 4);

    packed = with_byte(packed, 19, head[19] ^ 1u);
    check_stops(unpack, &packed, "optional.gz: the packed data is damaged (wrong CRC of");
}

static void refuses_damaged_wrappers(void)
{
    Bytes good = wrap_gzip(pack_bits(aaa_bits), "aaaa"), bad;
    size_t n = good.size;
    check_stops(unpack, (bad = with_byte(good, 0, 'P'), &bad), "not a gzip file");
    check_stops(unpack, (bad = with_byte(good, 3, 32), &bad), "unknown flags");
    check_stops(unpack, (bad = with_byte(good, n - 4, 5), &bad), "size does not match");
    bad = with_byte(good, n - 8, good.data[n - 8] ^ 1u);
    check_stops(unpack, &bad, "the CRC-32 does not match");
    uint8_t *more = arena_alloc(&arena, n + 2);
    memcpy(more, good.data, n);
    bad = (Bytes){"more.gz", more, n + 2};
    check_stops(unpack, &bad, "more.gz: 2 bytes follow");
}

/* However many bytes are missing, the message says so; and no byte beyond the end is
 * read, which the sanitizers would see because the copy lies in memory of its own. */
static void check_cuts(const char *bits, const char *unpacked)
{
    Bytes good = wrap_gzip(pack_bits(bits), unpacked);
    for (size_t n = 0; n < good.size; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, good.data, n);
        Bytes cut = {"cut.gz", copy, n};
        check_stops(unpack, &cut, "cut.gz: the file is cut short");
        free(copy);
    }
}

static void tells_that_a_file_is_cut_short(void)
{
    check_cuts(aaa_bits, "aaaa");
    check_cuts(abc_bits, "abc");
}

/* Any one bit wrong: the file is refused, or the bit did not matter. */
static void survives_any_wrong_bit(void)
{
    Bytes good = wrap_gzip(pack_bits(aaa_bits), "aaaa");
    int accepted = 0;
    for (size_t i = 0; i < 8 * good.size; i++) {
        Bytes bad = with_byte(good, i / 8, good.data[i / 8] ^ 1u << i % 8);
        accepted += error_catch(unpack, &bad) == NULL;
    }
    check(accepted >= 48 && accepted < 64);     /* time, effort, system, padding */
}

/* ---- zlib, and packing ----------------------------------------------------------- */

typedef struct {
    Bytes packed;
    size_t size;
} Zlib;

static void unpack_zlib(void *argument)
{
    Zlib *z = argument;
    inflate_zlib(&arena, z->packed, z->size);
}

static void check_round_trip(const uint8_t *data, size_t size, size_t most)
{
    Zlib z = {.packed = {.path = "z"}, .size = size};
    z.packed.data = deflate_zlib(&arena, data, size, &z.packed.size);
    check(z.packed.size <= most);
    Bytes got = inflate_zlib(&arena, z.packed, size);
    check(got.size == size && memcmp(got.data, data, size) == 0);

    z.size = size + 1;
    check_stops(unpack_zlib, &z, "fewer bytes");
    if (size == 0) return;
    z.size = size - 1;
    check_stops(unpack_zlib, &z, "more than");
}

static void packs_and_unpacks(void)
{
    enum { N = 100000 };
    uint8_t *data = arena_alloc(&arena, N);
    memset(data, 7, N);
    for (size_t n = 0; n < 600; n += n < 20 ? 1 : 61) check_round_trip(data, n, 24);
    check_round_trip(data, N, N / 100);
    for (size_t i = 0; i < N; i++) data[i] = (uint8_t)(i * 2654435761u >> 13);
    check_round_trip(data, N, N + N / 8 + 16);
    for (size_t i = 1; i < 60; i++) memcpy(data + 50000 + 300 * i, data, 4 * i + 1);
    check_round_trip(data, N, N + N / 8 + 16);
    for (size_t distance = 32766; distance < 32771; distance++) {
        memset(data, 0, N);                     /* 32768 is as far as a match may reach */
        memcpy(data, "abcdefgh", 8);
        memcpy(data + distance, "abcdefgh", 8);
        check_round_trip(data, distance + 8, 350);
    }
}

/* 259 times '7': one literal, 257 from 1 back (227 + 30), one literal. */
static void packs_into_the_fixed_code(void)
{
    uint8_t data[259];
    size_t size;
    memset(data, 7, sizeof data);
    Bytes want = pack_bits("1 10 00110111 11000100 01111 00000 00110111 0000000");
    uint8_t *got = deflate_zlib(&arena, data, sizeof data, &size);
    check_int((long long)size, (long long)want.size + 6);
    check(memcmp(got + 2, want.data, want.size) == 0);
}

static void refuses_damaged_zlib(void)
{
    check_int(adler32("Wikipedia", 9), 0x11e60398);
    Zlib good = {.packed = {.path = "z"}, .size = 4}, bad = good;
    good.packed.data = deflate_zlib(&arena, BYTES(1, 2, 3, 4), &good.packed.size);
    size_t last = good.packed.size - 1;
    bad.packed = with_byte(good.packed, 0, 0x79);
    check_stops(unpack_zlib, &bad, "invalid zlib header");
    bad.packed = with_byte(good.packed, 1, 0x20);   /* 0x7820 = 31 * 992: a dictionary */
    check_stops(unpack_zlib, &bad, "invalid zlib header");
    bad.packed = with_byte(good.packed, last, good.packed.data[last] ^ 1u);
    check_stops(unpack_zlib, &bad, "Adler-32");
    for (bad = good; bad.packed.size-- > 0; ) check_stops(unpack_zlib, &bad, "cut short");
}

static const Test tests[] = {
    T(unpacks_stored_blocks), T(unpacks_fixed_blocks), T(unpacks_dynamic_blocks),
    T(refuses_damaged_blocks), T(skips_the_optional_fields_of_gzip),
    T(refuses_damaged_wrappers), T(tells_that_a_file_is_cut_short),
    T(survives_any_wrong_bit), T(packs_and_unpacks), T(packs_into_the_fixed_code),
    T(refuses_damaged_zlib),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
