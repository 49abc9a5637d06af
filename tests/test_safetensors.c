/* .safetensors: every rule of the format broken once, conversions, and round trips. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/safetensors.h"
#include "tests/check.h"

static Arena arena;

/* ---- files made by hand ----------------------------------------------------------- */

/* A file of this header and so many bytes of data, 0 1 2 ... */
static Bytes make(const char *header, size_t data)
{
    size_t n = strlen(header);
    uint8_t *p = arena_alloc(&arena, 8 + n + data);
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)((uint64_t)n >> 8 * i);
    memcpy(p + 8, header, n);
    for (size_t i = 0; i < data; i++) p[8 + n + i] = (uint8_t)i;
    return (Bytes){"x.safetensors", p, 8 + n + data};
}

static Bytes make_raw(uint64_t n, size_t size)
{
    uint8_t *p = arena_alloc(&arena, size);
    memset(p, ' ', size);
    for (size_t i = 0; i < 8 && i < size; i++) p[i] = (uint8_t)(n >> 8 * i);
    return (Bytes){"x.safetensors", p, size};
}

static void parse_it(void *bytes) { safetensors_parse(&arena, *(Bytes *)bytes); }

static void check_refuses(Bytes f, const char *words)
{
    check_stops(parse_it, &f, words);
    const char *message = error_catch(parse_it, &f);
    check(message && strstr(message, "x.safetensors"));
}

static void refuses_bad_lengths(void)
{
    check_refuses(make_raw(2, 7), "not a safetensors file: it has 7 bytes");
    check_refuses(make_raw(2, 0), "it has 0 bytes");
    check_refuses(make_raw(SAFE_HEADER + 1, SAFE_HEADER + 9), "at most 100000000 are");
    check_refuses(make_raw(UINT64_MAX, 100), "at most 100000000 are allowed");
    check_refuses(make_raw(93, 100), "a header of 93 bytes in a file of 100");
    check_refuses(make_raw(0, 8), "must begin with {");
    check_refuses(make_raw(1, 9), "must begin with {");
}

#define TENSOR(dtype, shape, offsets) \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* Headers with one array, and with two bytes of `a` before some of `b`. */
#define ONE(dtype, shape, offsets) "{\"a\":" TENSOR(dtype, shape, offsets) "}"
#define TWO(shape, offsets) \
    "{\"a\":" TENSOR("U8", "[2]", "[0,2]") ",\"b\":" TENSOR("U8", shape, offsets) "}"

static void refuses_every_breach(void)
{
    static const struct { const char *header; size_t data; const char *words; } bad[] = {
        /* the header as a text */
        {"{\"\xff\":" TENSOR("U8", "[1]", "[0,1]") "}", 1, "a character in UTF-8"},
        {" {}", 0, "must begin with {"}, {"{}\n", 0, "end with }"}, {"[]", 0, "must begin"},
        {"{}  x", 0, "end with }"}, {"{} {}", 0, "end of the text was expected"},
        {"{}}", 0, "end of the text was expected"}, {"{\"a\"}", 0, ": after the key"},
        {"{\"b\":" TENSOR("U8", "[0]", "[0,0]") ",\"a\":0,\"b\":0}", 0, "twice the key b"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice the key __metadata__"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"1\"}}", 0, "twice the key k"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"shape\":[0]}}", 0, "twice the key shape"},
        /* metadata */
        {"{\"__metadata__\":[]}", 0, "\"__metadata__\" is an array, an object was expected"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "metadata \"k\" is not a text"},
        {"{\"__metadata__\":{\"k\":null}}", 0, "metadata \"k\" is not a text"},
        {"{\"__metadata__\":{\"k\":{}}}", 0, "metadata \"k\" is not a text"},
        /* the parts of an array */
        {"{\"a\":[]}", 0, "array a: an object of dtype"},
        {"{\"a\":[1,2,3]}", 0, "an object of"}, {"{\"a\":null}", 0, "an object of"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}", 0, "an object of"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offset\":[0,0]}}", 0,
         "\"data_offsets\" is missing"},
        {"{\"a\":{\"dtype\":\"U8\",\"x\":0,\"data_offsets\":[0,0]}}", 0,
         "\"shape\" is missing"},
        {"{\"a\":{\"shape\":[0],\"x\":0,\"data_offsets\":[0,0]}}", 0,
         "\"dtype\" is missing"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"x\":1}}", 0,
         "an object of"},
        {ONE("F4", "[2]", "[0,1]"), 1, "type F4 are not supported"},
        {ONE("f32", "[1]", "[0,4]"), 4, "type f32 are not supported"},
        {"{\"a\":{\"dtype\":4,\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "a text was"},
        {ONE("U8", "1", "[0,1]"), 1, "\"shape\" is a number, an array"},
        {ONE("U8", "[-1]", "[0,1]"), 1, "\"shape\"[0] is not an integer"},
        {ONE("U8", "[1,1.0]", "[0,1]"), 1, "\"shape\"[1] is not an integer"},
        {ONE("U8", "[1e0]", "[0,1]"), 1, "\"shape\"[0] is not an integer"},
        {ONE("U8", "[-0]", "[0,0]"), 0, "\"shape\"[0] is not an integer"},
        {ONE("U8", "[\"1\"]", "[0,1]"), 1, "\"shape\"[0] is not an integer"},
        {ONE("U8", "[[1]]", "[0,1]"), 1, "\"shape\"[0] is not an integer"},
        {ONE("U8", "[9223372036854775808]", "[0,1]"), 1, "is not an integer"},
        {ONE("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "at most 8 are allowed"},
        /* sizes that wrap around: 2^32 2^32 = 0, 2^62 4 = 0 */
        {ONE("U8", "[4294967296,4294967296]", "[0,0]"), 0, "more than 2^64"},
        {ONE("F32", "[4611686018427387904]", "[0,0]"), 0, "more than 2^64"},
        {ONE("F64", "[9223372036854775807]", "[0,8]"), 8, "more than 2^64"},
        /* offsets */
        {ONE("U8", "[1]", "[0]"), 1, "must be two numbers"},
        {ONE("U8", "[1]", "[0,1,2]"), 1, "at most 2"},
        {ONE("U8", "[1]", "[0,1.0]"), 1, "\"data_offsets\"[1] is not an integer"},
        {ONE("U8", "[1]", "[-1,0]"), 1, "\"data_offsets\"[0] is not an integer"},
        {ONE("U8", "[1]", "[2,1]"), 2, "2 to 1 do not lie in the 2 bytes"},
        {ONE("U8", "[1]", "[2,3]"), 2, "2 to 3 do not lie in the 2 bytes"},
        {ONE("U8", "[9]", "[0,9]"), 8, "cut short or damaged"},
        {ONE("U8", "[1]", "[9223372036854775806,9223372036854775807]"), 1,
         "do not lie in"},
        {ONE("F32", "[2]", "[0,4]"), 4, "needs 8 bytes, its \"data_offsets\" give 4"},
        {ONE("F32", "[1]", "[0,8]"), 8, "needs 4 bytes"},
        {ONE("F32", "[]", "[0,0]"), 0, "needs 4 bytes"},
        {ONE("F32", "[0]", "[0,4]"), 4, "needs 0 bytes"},
        /* places */
        {ONE("U8", "[1]", "[1,2]"), 2, "begins at byte 1 of the data, 0 was"},
        {TWO("[1]", "[3,4]"), 4,
         "array b begins at byte 3 of the data, 2 was expected: a hole or an overlap"},
        {TWO("[2]", "[1,3]"), 3,
         "array b begins at byte 1 of the data, 2 was"},
        {TWO("[2]", "[0,2]"), 2,
         "array b begins at byte 0 of the data, 2 was"},
        {TWO("[0]", "[1,1]"), 2,
         "array b begins at byte 1"},
        {ONE("U8", "[2]", "[0,2]"), 5, "3 bytes follow the last array"},
        {"{}", 1, "1 bytes follow the last array"},
    };
    for (int i = 0; i < NELEM(bad); i++)
        check_refuses(make(bad[i].header, bad[i].data), bad[i].words);
}

static void refuses_deep_headers(void)
{
    char header[256] = "{\"a\":";
    memset(header + 5, '[', 100);
    memset(header + 105, ']', 100);
    header[205] = '}';
    check_refuses(make(header, 0), "nested too deep");
}

static Bytes make_named(int length)
{
    Text t = {.arena = &arena};
    char name[1024] = "";
    memset(name, 'n', (size_t)length);
    text_printf(&t, "{\"%s\":" TENSOR("U8", "[0]", "[0,0]") "}", name);
    return make(t.bytes, 0);
}

static Bytes make_many(int count)
{
    Text t = {.arena = &arena};
    for (int i = 0; i < count; i++)
        text_printf(&t, "%c\"%d\":" TENSOR("U8", "[0]", "[0,0]"), i ? ',' : '{', i);
    text_printf(&t, "}");
    return make(t.bytes, 0);
}

static void keeps_its_limits(void)
{
    check_int(safetensors_parse(&arena, make_named(SAFE_NAME)).count, 1);
    check_refuses(make_named(SAFE_NAME + 1), "name of 513 bytes, at most 512");
    check_int(safetensors_parse(&arena, make_many(SAFE_TENSORS)).count, SAFE_TENSORS);
    check_refuses(make_many(SAFE_TENSORS + 1), "100001 arrays, at most 100000");
}

/* ---- what is legal ---------------------------------------------------------------- */

static void reads_by_hand(void)
{
    SafeTensors f = safetensors_parse(&arena, make(
        "{\"b\":" TENSOR("I16", "[2,1]", "[3,7]") ","
        "\"e2\":" TENSOR("F32", "[0,5]", "[3,3]") ","
        "\"__metadata__\":{\"step\":\"12\",\"\":\"\"},"
        "\"a\":" TENSOR("U8", "[3]", "[0,3]") ",\"e1\":" TENSOR("F64", "[0]", "[3,3]") ","
        "\"s\":" TENSOR("I8", "[]", "[7,8]") "}   ", 8));
    static const char *const order[] = {"a", "e1", "e2", "b", "s"};
    check_int(f.count, 5);
    for (int i = 0; i < 5; i++) check_text(f.entries[i].name, order[i]);
    check_text(safetensors_metadata(&f, "step"), "12");
    check_text(safetensors_metadata(&f, ""), "");
    check(safetensors_metadata(&f, "other") == NULL);
    check(safetensors_find(&f, "__metadata__") == NULL && safetensors_find(&f, "c") == NULL);

    const SafeEntry *b = safetensors_find(&f, "b"), *s = safetensors_find(&f, "s");
    Real out[2];
    check(b->dtype == DTYPE_I16 && b->rank == 2 && b->dim[0] == 2 && b->dim[1] == 1);
    check_int((long long)b->count, 2);
    safetensors_to_reals(b, out);
    check_reals(out, ((Real[]){0x0403, 0x0605}), 2, 0);
    check(s->rank == 0 && s->count == 1);
    safetensors_to_reals(s, out);
    check_close(out[0], 7, 0);
    check_int((long long)safetensors_find(&f, "e2")->count, 0);
    check_int((long long)safetensors_find(&f, "e2")->dim[1], 5);
}

static void reads_the_smallest_file(void)
{
    SafeTensors f = safetensors_parse(&arena, make("{}", 0));
    check(f.count == 0 && f.metadata == NULL && safetensors_metadata(&f, "k") == NULL);
    f = safetensors_parse(&arena, make(ONE("U8", "[1,1,1,1,1,1,1,1]", "[0,1]"), 1));
    check_int(f.entries[0].rank, 8);
}

/* ---- conversions ------------------------------------------------------------------ */

/* n numbers of this type whose bytes, lowest first, are given as integers. */
static void convert(Dtype dtype, const uint64_t bits[], int n, Real *out)
{
    uint8_t data[256];
    size_t size = dtype_size(dtype);
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < size; k++)
            data[1 + (size_t)i * size + k] = (uint8_t)(bits[i] >> 8 * k);
    SafeEntry e = {.dtype = dtype, .count = (size_t)n, .data = data + 1};   /* unaligned */
    safetensors_to_reals(&e, out);
}

static void converts_known_numbers(void)
{
    static const struct { Dtype dtype; uint64_t bits; double want; } known[] = {
        {DTYPE_F64, 0x3ff8000000000000, 1.5}, {DTYPE_F64, 0xc000000000000000, -2},
        {DTYPE_F64, 0x3ff0000008000000, (Real)(1 + 0x1p-25)},
        {DTYPE_F64, 0x7ff0000000000000, INFINITY},
        {DTYPE_F32, 0x3fc00000, 1.5}, {DTYPE_F32, 1, 0x1p-149},
        {DTYPE_F32, 0xff800000, -INFINITY},
        {DTYPE_F16, 0x3c00, 1}, {DTYPE_F16, 0xc000, -2}, {DTYPE_F16, 0x0001, 0x1p-24},
        {DTYPE_F16, 0x83ff, -1023 * 0x1p-24}, {DTYPE_F16, 0x0400, 0x1p-14},
        {DTYPE_F16, 0x7bff, 65504}, {DTYPE_F16, 0x0000, 0},
        {DTYPE_F16, 0x7c00, INFINITY}, {DTYPE_F16, 0xfc00, -INFINITY},
        {DTYPE_BF16, 0x3f80, 1}, {DTYPE_BF16, 0xc049, -3.140625},
        {DTYPE_BF16, 0x0001, 0x1p-133}, {DTYPE_BF16, 0x7f80, INFINITY},
        {DTYPE_BF16, 0xff80, -INFINITY}, {DTYPE_BF16, 0x7f7f, 255 * 0x1p120},
        {DTYPE_I64, UINT64_MAX, -1}, {DTYPE_I64, 1ull << 63, -0x1p63},
        {DTYPE_I32, 0x80000000, -0x1p31}, {DTYPE_I16, 0xfffe, -2},
        {DTYPE_I8, 0x80, -128}, {DTYPE_U64, 1ull << 63, 0x1p63},
        {DTYPE_U32, 0x80000000, 0x1p31}, {DTYPE_U16, 0xfffe, 65534}, {DTYPE_U8, 0x80, 128},
        {DTYPE_BOOL, 1, 1},
    };
    for (int i = 0; i < NELEM(known); i++) {
        Real got;
        convert(known[i].dtype, &known[i].bits, 1, &got);
        if (got != known[i].want) {
            printf("%s, bits 0x%" PRIx64 ":\n", dtype_name(known[i].dtype), known[i].bits);
            check_close(got, known[i].want, 0);
            check(got == known[i].want);
        }
    }
    Real nan[4], zero[3];
    convert(DTYPE_F16, (uint64_t[]){0x7c01, 0x7e00}, 2, nan);
    convert(DTYPE_BF16, (uint64_t[]){0x7fc0}, 1, nan + 2);
    convert(DTYPE_F64, (uint64_t[]){0x7ff8000000000000}, 1, nan + 3);
    for (int i = 0; i < 4; i++) check(isnan(nan[i]));
    convert(DTYPE_F16, (uint64_t[]){0x8000}, 1, zero);
    convert(DTYPE_BF16, (uint64_t[]){0x8000}, 1, zero + 1);
    convert(DTYPE_F32, (uint64_t[]){0x80000000}, 1, zero + 2);
    for (int i = 0; i < 3; i++) check(zero[i] == 0 && signbit(zero[i]));
}

/* Another way to the value of a half: its bits, moved to the places a float has for them,
 * make a float with the wrong exponent bias, 15 instead of 127. */
static void converts_every_half(void)
{
    for (uint32_t bits = 0; bits < 0x7c00; bits++) {
        uint32_t moved = bits << 13;
        float x;
        memcpy(&x, &moved, sizeof x);
        Real got[2];
        convert(DTYPE_F16, (uint64_t[]){bits, bits | 0x8000}, 2, got);
        double want = (double)x * 0x1p112;
        if (got[0] != want || got[1] != -want) {
            check_close(got[0], want, 0);
            check_close(got[1], -want, 0);
        }
    }
}

/* ---- writing ---------------------------------------------------------------------- */

static const char *in_folder(const char *name)
{
    return arena_printf(&arena, "%s/%s", test_folder(), name);
}

static void writes_by_hand(void)
{
    const char *path = in_folder("hand.safetensors");
    int16_t x[] = {1, -2};
    safetensors_write(path, (SafeEntry[]){
        {.name = "b", .dtype = DTYPE_I16, .rank = 1, .dim = {2}, .data = x},
        {.name = "a", .dtype = DTYPE_U8, .rank = 0, .data = "A"}}, 2,
        (SafeMeta[]){{"k", "v"}}, 1);
    Bytes f = file_read(&arena, path);
    static const char want[] = "\x88\0\0\0\0\0\0\0"
        "{\"__metadata__\":{\"k\":\"v\"},"
        "\"b\":{\"dtype\":\"I16\",\"shape\":[2],\"data_offsets\":[0,4]},"
        "\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[4,5]}}      "
        "\x01\0\xfe\xff" "A";
    check_int((long long)f.size, sizeof want - 1);
    check(f.size == sizeof want - 1 && memcmp(f.data, want, f.size) == 0);
}

static void round_trip_keeps_every_bit(void)
{
    enum { N = 60 };
    Real x[N], y[N];
    fill_uniform(x, N, 1);
    memset(&x[0], 0xff, sizeof x[0]);           /* NaN with a sign and a full fraction */
    x[1] = INFINITY, x[2] = (Real)-0.0, x[3] = REAL_MAX;
    memset(&x[4], 0, sizeof x[4]);
    ((uint8_t *)&x[4])[0] = 1;                  /* on most hosts the smallest number */
    const char *first = in_folder("1.safetensors"), *second = in_folder("2.safetensors");
    SafeMeta metadata[] = {{"config", "{\"a\": 1}"}, {"step", "9"}};
    SafeEntry entries[] = {
        {.name = "w", .dtype = DTYPE_REAL, .rank = 4, .dim = {3, 5, 2, 2}, .data = x},
        {.name = "no \"\n\xc3\xa9", .dtype = DTYPE_REAL, .rank = 2, .dim = {7, 0}, .data = x},
        {.name = "scalar", .dtype = DTYPE_REAL, .rank = 0, .data = x + 7},
        {.name = "pixels", .dtype = DTYPE_U8, .rank = 1, .dim = {5}, .data = "\0\1\2\3\377"},
    };
    safetensors_write(first, entries, 4, metadata, 2);

    SafeTensors f = safetensors_read(&arena, first);
    check_int(f.count, 4);
    check_text(safetensors_metadata(&f, "config"), "{\"a\": 1}");
    for (int i = 0; i < f.count; i++) {
        check_text(f.entries[i].name, entries[i].name);
        check_int(f.entries[i].rank, entries[i].rank);
        for (int k = 0; k < entries[i].rank; k++)
            check_int(f.entries[i].dim[k], entries[i].dim[k]);
    }
    const SafeEntry *e = safetensors_find(&f, "w");
    check(e->dtype == DTYPE_REAL && e->count == N);
    safetensors_to_reals(e, y);
    check(memcmp(x, y, sizeof x) == 0);
    check(memcmp(safetensors_find(&f, "pixels")->data, "\0\1\2\3\377", 5) == 0);

    entries[0].data = y;
    safetensors_write(second, entries, 4, metadata, 2);
    Bytes a = file_read(&arena, first), b = file_read(&arena, second);
    check(a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
    check(a.data[0] % 8 == 0);
}

static void write_equal_names(void *path)
{
    SafeEntry e = {.name = "w", .dtype = DTYPE_U8, .data = "x"};
    safetensors_write(path, (SafeEntry[]){e, e}, 2, NULL, 0);
}

static void write_metadata_name(void *path)
{
    SafeEntry e = {.name = "__metadata__", .dtype = DTYPE_U8, .data = "x"};
    safetensors_write(path, &e, 1, NULL, 0);
}

static void write_high_rank(void *path)
{
    SafeEntry e = {.name = "w", .dtype = DTYPE_U8, .rank = SAFE_RANK + 1, .data = "x"};
    safetensors_write(path, &e, 1, NULL, 0);
}

static void write_negative(void *path)
{
    SafeEntry e = {.name = "w", .dtype = DTYPE_U8, .rank = 1, .dim = {-1}, .data = "x"};
    safetensors_write(path, &e, 1, NULL, 0);
}

static void read_it(void *path) { safetensors_read(&arena, path); }

static void writer_writes_nothing_it_could_not_read(void)
{
    char *path = (char *)in_folder("never.safetensors");
    check_stops(write_equal_names, path, "twice the key w");
    check_stops(write_metadata_name, path, "__metadata__ cannot be");
    check_stops(write_high_rank, path, "rank 9");
    check_stops(write_negative, path, "size -1");
    check(!file_exists(path));
    check_stops(read_it, path, "cannot read");
}

/* Every cut and many single-byte changes of a good file: read or refused, nothing else.  The
 * file ends where its array does, so that the address sanitizer sees a step beyond. */
static void survives_damage(void)
{
    Bytes good = make("{\"__metadata__\":{\"k\":\"v\"},\"a\":" TENSOR("F32", "[2,1]", "[0,8]")
                      ",\"b\":" TENSOR("U8", "[]", "[8,9]") "}", 9);
    static uint8_t room[160];
    check(good.size <= sizeof room);
    uint8_t *start = room + sizeof room - good.size;
    int read = 0;
    for (size_t at = 0; at < good.size; at++)
        for (int b = -1; b < 256; b += 5) {
            size_t mark = arena_mark(&arena), scratch_mark = arena_mark(scratch());
            Bytes f = {"x.safetensors", start, good.size};
            memcpy(start, good.data, good.size);
            if (b >= 0) start[at] = (uint8_t)b;
            else f = (Bytes){f.path, memcpy(room + sizeof room - at, good.data, at), at};
            const char *message = error_catch(parse_it, &f);
            if (message) check(strstr(message, f.path) != NULL);
            else if (b < 0) check(!"a cut file was read");
            else read++;
            arena_rewind(&arena, mark);
            arena_rewind(scratch(), scratch_mark);
        }
    check(read > 9 * 52);       /* the data may be anything */
}

static const Test tests[] = {
    T(refuses_bad_lengths), T(refuses_every_breach), T(refuses_deep_headers),
    T(keeps_its_limits),
    T(reads_by_hand), T(reads_the_smallest_file), T(converts_known_numbers),
    T(converts_every_half), T(writes_by_hand), T(round_trip_keeps_every_bit),
    T(writer_writes_nothing_it_could_not_read), T(survives_damage),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
