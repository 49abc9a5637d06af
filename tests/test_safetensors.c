/* Reading .safetensors: every rule broken at least once, and the conversions.  The rules:
 *
 *      1  a file has 8 bytes or more          12  the same for the size in bytes
 *      2  its header has at most 10^8         13  begin <= end
 *      3  ... and lies within the file        14  end - begin is the size of the shape
 *      4  it is UTF-8                         15  arrays lie side by side: no holes
 *      5  from { to } and spaces              16  ... and fill the file
 *      6  it is JSON, an object               17  empty arrays, single numbers are legal
 *      7  no key stands twice in an object    18  numbers are little-endian, row-major
 *      8  __metadata__ holds texts            19  values may be NaN or infinite
 *      9  an array has its three parts        20  limits on arrays and their names
 *     10  its type is known                   21  integers are integers; depth ends
 *     11  a shape: whole numbers, whose       22  names and shapes are those of the model
 *         product does not wrap around            (tests/test_checkpoint.c) */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/safetensors.h"
#include "tests/check.h"

static Arena arena;

/* ---- files made by hand ----------------------------------------------------------- */

/* A file of this header, where ' stands for ", and so many bytes of data, 0 1 2 ... */
static Bytes make(const char *header, size_t data)
{
    size_t n = strlen(header);
    Bytes f = {"x.safetensors", arena_alloc(&arena, 8 + n + data), 8 + n + data};
    uint8_t *p = (uint8_t *)f.data;
    for (int i = 0; i < 64; i += 8) *p++ = (uint8_t)((uint64_t)n >> i);
    for (; *header; header++) *p++ = (uint8_t)(*header == '\'' ? '"' : *header);
    for (size_t i = 0; i < data; i++) *p++ = (uint8_t)i;
    return f;
}

static void parse_it(void *bytes) { safetensors_parse(&arena, *(Bytes *)bytes); }

/* The rules that a test has broken, or, of those that allow something, used. */
static bool shown[22];

static void check_refuses(int rule, Bytes f, const char *words)
{
    shown[rule] = true;
    check_stops(parse_it, &f, words);
    const char *message = error_catch(parse_it, &f);
    check(message && strstr(message, "x.safetensors"));
}

static void refuses_bad_lengths(void)
{
    static const struct {
        int rule;
        const char *bytes;
        size_t size;
        const char *words;
    } bad[] = {
        {1, "\2\0\0\0\0\0\0", 7, "not a safetensors file: it has 7 bytes"},
        {1, "", 0, "it has 0 bytes"}, {5, "\0\0\0\0\0\0\0\0", 8, "must begin with {"},
        {2, "\x01\xe1\xf5\x05\0\0\0\0", 8, "100000001 bytes, at most 100000000 are"},
        {2, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "at most 100000000 are allowed"},
        {3, "\3\0\0\0\0\0\0\0{}", 10, "a header of 3 bytes in a file of 10"},
        {5, "\1\0\0\0\0\0\0\0 ", 9, "must begin with {"},
    };
    for (int i = 0; i < NELEM(bad); i++) {
        const void *bytes = bad[i].bytes;
        check_refuses(bad[i].rule, (Bytes){"x.safetensors", bytes, bad[i].size},
                      bad[i].words);
    }
}

#define TENSOR(dtype, shape, offsets) \
    "{'dtype':'" dtype "','shape':" shape ",'data_offsets':" offsets "}"
#define EMPTY TENSOR("U8", "[0]", "[0,0]")

/* A good file: nine bytes of data follow. */
#define A TENSOR("F32", "[2]", "[0,8]")
#define B TENSOR("U8", "[1]", "[8,9]")
#define GOOD "{'__metadata__':{'k':'v'},'a':" A ",'b':" B "}"

#define TEN "[[[[[[[[[["

/* Each row breaks one rule of it: what is replaced, by which, and what must be said. */
static const struct { int rule; const char *old, *new[7], *words; } breaches[] = {
    /* the header as a text */
    {4, "'a'", {"'\xff'", "'\xc0\xaf'", "'\xed\xa0\x80'"}, "a character in UTF-8"},
    {5, GOOD, {" {}", "[]"}, "must begin with {"},
    {5, GOOD, {"{}\n", "{}  x"}, "end with }"},
    {6, GOOD, {"{} {}", "{}}"}, "end of the text was expected"},
    {6, "'a':", {"'a'"}, ": after the key"},
    {7, "'b'", {"'a'"}, "twice the key a"},
    {7, "'v'", {"'v','k':'v'"}, "twice the key k"},
    {7, "'a'", {"'__metadata__'"}, "twice the key __metadata__"},
    {7, "'dtype':'F32'", {"'shape':[2]"}, "twice the key shape"},
    {8, "{'k':'v'}", {"[]"}, "\"__metadata__\" is an array, an object was expected"},
    {8, "'v'", {"1", "null", "{}"}, "metadata \"k\" is not a text"},
    /* the parts of an array */
    {9, A, {"[]", "[1,2,3]", "null"}, "array a: an object of dtype"},
    {9, ",'data_offsets':[0,8]", {"", ",'data_offsets':[0,8],'x':1"},
     "an object of dtype"},
    {9, "'dtype'", {"'x'"}, "\"dtype\" is missing"},
    {9, "'shape'", {"'x'"}, "\"shape\" is missing"},
    {9, "'data_offsets'", {"'data_offset'"}, "\"data_offsets\" is missing"},
    {10, "'F32'", {"4"}, "a text was"}, {10, "F32", {"F4"}, "type F4 are not supported"},
    {10, "F32", {"f32"}, "type f32 are not"},
    {11, "[2]", {"2"}, "\"shape\" is a number"},
    {11, "[2]", {"[-1]", "[-0]", "['2']", "[[2]]", "[9223372036854775808]"},
     "array a: \"shape\"[0] is not an integer"},
    {11, "[2]", {"[1,1,1,1,1,1,1,1,2]"}, "at most 8 are allowed"},
    /* products that wrap around: 2^64 + 2 numbers, then 2^64 + 8 and 2^65 - 4 bytes */
    {11, "[2]", {"[6,3074457345618258603]"}, "more than 2^64"},
    {12, "[2]", {"[4611686018427387906]", "[9223372036854775807]"}, "more than 2^64"},
    /* offsets */
    {9, "[0,8]", {"[0]"}, "must be two numbers"}, {9, "[0,8]", {"[0,8,8]"}, "at most 2"},
    {11, "[0,8]", {"[-1,8]"}, "\"data_offsets\"[0] is not an integer"},
    {13, "[0,8]", {"[8,0]"}, "8 to 0 do not lie in the 9 bytes of data"},
    {16, "[8,9]", {"[9,10]", "[8,10]", "[9223372036854775806,9223372036854775807]"},
     "do not lie in the 9 bytes of data; the file is cut short or damaged"},
    {14, "[0,8]", {"[0,4]"}, "needs 8 bytes, its \"data_offsets\" give 4"},
    {14, "[2]", {"[1]", "[]"}, "needs 4 bytes"}, {14, "[2]", {"[0]"}, "needs 0 bytes"},
    /* places: holes, overlaps, the same place, an empty array inside another */
    {15, A, {TENSOR("F32", "[2]", "[1,9]")}, "a begins at byte 1 of the data, 0 was"},
    {15, A, {TENSOR("F32", "[1]", "[0,4]")}, "b begins at byte 8 of the data, 4 was"},
    {15, "[8,9]", {"[7,8]"}, "b begins at byte 7 of the data, 8 was expected: a hole or"},
    {15, "[8,9]", {"[0,1]"}, "array a begins at byte 0 of the data, 1 was"},
    {15, B, {TENSOR("U8", "[0]", "[1,1]")}, "array b begins at byte 1"},
    {16, ",'b':" B, {""}, "1 bytes follow the last array"},
    {16, GOOD, {"{}"}, "9 bytes follow the last array"},
    /* numbers and nesting */
    {21, "[2]", {"[2e0]", "[2.0]", "[0.2e1]"}, "array a: \"shape\"[0] is not an integer"},
    {21, "[2]", {"[2,1.0]"}, "\"shape\"[1] is not an integer"},
    {21, "[0,8]", {"[0,8.0]"}, "\"data_offsets\"[1] is not an integer"},
    {21, "[2]", {"[02]"}, ", or ]"}, {21, "[2]", {"[+2]", "[0x2]"}, "expected, found"},
    {21, A, {TEN TEN TEN TEN TEN TEN TEN}, "nested too deep"},
};

static void refuses_every_breach(void)
{
    for (int i = 0; i < NELEM(breaches); i++)
        for (int k = 0; k < 7 && breaches[i].new[k]; k++) {
            const char *old = breaches[i].old, *at = strstr(GOOD, old);
            const char *header = arena_printf(&arena, "%.*s%s%s", (int)(at - GOOD), GOOD,
                                              breaches[i].new[k], at + strlen(old));
            check_refuses(breaches[i].rule, make(header, 9), breaches[i].words);
        }
}

static Bytes make_named(int length)
{
    return make(arena_printf(&arena, "{'%0*d':" EMPTY "}", length, 0), 0);
}

static Bytes make_many(int count)
{
    Text t = {.arena = &arena};
    for (int i = 0; i < count; i++)
        text_printf(&t, "%c'%d':" EMPTY, i ? ',' : '{', i);
    text_printf(&t, "}");
    return make(t.bytes, 0);
}

static void keeps_its_limits(void)
{
    check_int(safetensors_parse(&arena, make_named(SAFE_NAME)).count, 1);
    check_refuses(20, make_named(SAFE_NAME + 1), "name of 513 bytes, at most 512");
    check_int(safetensors_parse(&arena, make_many(SAFE_TENSORS)).count, SAFE_TENSORS);
    check_refuses(20, make_many(SAFE_TENSORS + 1), "100001 arrays, at most 100000");
}

/* ---- what is legal ---------------------------------------------------------------- */

static void reads_by_hand(void)
{
    SafeTensors f = safetensors_parse(&arena, make(
        "{'b':" TENSOR("I16", "[2,1]", "[3,7]") ",'e2':" TENSOR("F32", "[0,5]", "[3,3]")
        ",'__metadata__':{'step':'12','':''},'a':" TENSOR("U8", "[3]", "[0,3]")
        ",'e1':" TENSOR("F64", "[0]", "[3,3]") ",'s':" TENSOR("I8", "[]", "[7,8]")
        "}   ", 8));
    static const char *const order[] = {"a", "e1", "e2", "b", "s"};
    check_int(f.count, 5);
    for (int i = 0; i < 5; i++) check_text(f.entries[i].name, order[i]);
    check_text(safetensors_metadata(&f, "step"), "12");
    check_text(safetensors_metadata(&f, ""), "");
    check(safetensors_metadata(&f, "other") == NULL);
    check(!safetensors_find(&f, "__metadata__") && !safetensors_find(&f, "c"));

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
    shown[17] = shown[18] = true;
}

static void reads_the_smallest_file(void)
{
    SafeTensors f = safetensors_parse(&arena, make("{}", 0));
    check(f.count == 0 && f.metadata == NULL && safetensors_metadata(&f, "k") == NULL);
    f = safetensors_parse(&arena, make("{'a':" TENSOR("U8", "[1,1,1,1,1,1,1,1]", "[0,1]")
                                       "}", 1));
    check_int(f.entries[0].rank, 8);
}

/* ---- conversions ------------------------------------------------------------------ */

/* The number of this type whose bytes, lowest first, are those of an integer. */
static Real convert(Dtype dtype, uint64_t bits)
{
    uint8_t data[9];
    Real x;
    for (int k = 0; k < 8; k++) data[1 + k] = (uint8_t)(bits >> 8 * k);
    safetensors_to_reals(&(SafeEntry){.dtype = dtype, .count = 1, .data = data + 1}, &x);
    return x;
}

static bool same(Real got, double want)
{
    return isnan(want) ? isnan(got) : got == want && !signbit(got) == !signbit(want);
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
        {DTYPE_U32, 0x80000000, 0x1p31}, {DTYPE_U16, 0xfffe, 65534},
        {DTYPE_U8, 0x80, 128}, {DTYPE_BOOL, 1, 1},
        {DTYPE_F16, 0x7c01, NAN}, {DTYPE_F16, 0x7e00, NAN}, {DTYPE_BF16, 0x7fc0, NAN},
        {DTYPE_F64, 0x7ff8000000000000, NAN}, {DTYPE_F16, 0x8000, -0.0},
        {DTYPE_BF16, 0x8000, -0.0}, {DTYPE_F32, 0x80000000, -0.0},
    };
    for (int i = 0; i < NELEM(known); i++) {
        Real got = convert(known[i].dtype, known[i].bits);
        shown[19] |= isnan(known[i].want);
        if (same(got, known[i].want)) continue;
        printf("%s, bits 0x%" PRIx64 ": got %g, want %g\n", dtype_name(known[i].dtype),
               known[i].bits, (double)got, known[i].want);
        check(!"the right number");
    }
}

/* Another way to the value of a half: its bits, moved to the places a float has for them,
 * make a float with the wrong exponent bias, 15 instead of 127. */
static void converts_every_half(void)
{
    for (uint32_t bits = 0; bits < 0x7c00; bits++) {
        uint32_t moved = bits << 13;
        float x;
        memcpy(&x, &moved, sizeof x);
        check(same(convert(DTYPE_F16, bits), (double)x * 0x1p112));
        check(same(convert(DTYPE_F16, bits | 0x8000), (double)x * -0x1p112));
    }
}

/* Every cut and many single-byte changes of a good file: read or refused, nothing else.
 * It ends where its array does, so that the address sanitizer sees a step beyond. */
static void survives_damage(void)
{
    Bytes good = make(GOOD, 9);
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

/* Runs last. */
static void every_rule_was_shown(void)
{
    for (int rule = 1; rule < NELEM(shown); rule++)
        if (!shown[rule]) {
            printf("no test shows rule %d\n", rule);
            check(!"every rule is shown");
        }
}

static const Test tests[] = {
    T(refuses_bad_lengths), T(refuses_every_breach), T(keeps_its_limits),
    T(reads_by_hand), T(reads_the_smallest_file), T(converts_known_numbers),
    T(converts_every_half), T(survives_damage), T(every_rule_was_shown),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
