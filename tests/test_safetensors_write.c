/* Writing .safetensors: the bytes of a small file, round trips, and what is refused. */
#include <string.h>

#include "tensor/safetensors.h"
#include "tests/check.h"

static Arena arena;

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

/* Halves are 2^-10 apart from 1 on: 1 + 2^-11 lies between two, and goes to the even one,
 * as does 1 + 3 2^-11.  The smallest is 2^-24, the largest 65504. */
static void halves_by_hand(void)
{
    static const struct { double x; unsigned bits;
    } rows[] = {
        {0, 0},
        {-0.0, 0x8000},
        {1, 0x3c00},
        {-2, 0xc000},
        {1 + 0x1p-11, 0x3c00},
        {1 + 0x3p-11, 0x3c02},
        {1 + 0x1.01p-11, 0x3c01},
        {2 - 0x1p-12, 0x4000},
        {0x1p-14, 0x0400},
        {0x1p-24, 1},
        {0x1p-25, 0},
        {0x3p-25, 2},
        {65504, 0x7bff},
        {65519, 0x7bff},
        {65520, 0x7c00},
        {-1e9, 0xfc00},
        {0x1.ff8p-15, 0x03ff},
        {0x1.ffcp-15, 0x0400},
    };
    for (int i = 0; i < NELEM(rows); i++) check_int(half_of(rows[i].x), rows[i].bits);
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
    static const char pixels[] = "\0\1\2\3\377";
    SafeMeta metadata[] = {{"config", "{\"a\": 1}"}, {"step", "9"}};
    SafeEntry entries[] = {
        {.name = "w", .dtype = DTYPE_REAL, .rank = 4, .dim = {3, 5, 2, 2}, .data = x},
        {.name = "e \"\n\xc3\xa9", .dtype = DTYPE_REAL, .rank = 2, .dim = {7}, .data = x},
        {.name = "scalar", .dtype = DTYPE_REAL, .rank = 0, .data = x + 7},
        {.name = "pixels", .dtype = DTYPE_U8, .rank = 1, .dim = {5}, .data = pixels},
    };
    safetensors_write(first, entries, 4, metadata, 2);

    SafeTensors f = safetensors_read(&arena, first);
    check_int(f.count, 4);
    check_text(safetensors_metadata(&f, "config"), "{\"a\": 1}");
    for (int i = 0; i < f.count; i++) {
        check_text(f.entries[i].name, entries[i].name);
        check_int(f.entries[i].rank, entries[i].rank);
        check(memcmp(f.entries[i].dim, entries[i].dim, sizeof entries[i].dim) == 0);
    }
    const SafeEntry *e = safetensors_find(&f, "w");
    check(e->dtype == DTYPE_REAL && e->count == N);
    safetensors_to_reals(e, y);
    check(memcmp(x, y, sizeof x) == 0);
    check(memcmp(safetensors_find(&f, "pixels")->data, pixels, 5) == 0);

    entries[0].data = y;
    safetensors_write(second, entries, 4, metadata, 2);
    Bytes a = file_read(&arena, first), b = file_read(&arena, second);
    check(a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
    check(a.data[0] % 8 == 0);
}

/* What a host that stores the highest byte first does, on any host; twice is nothing. */
static void numbers_change_their_order(void)
{
    static const uint8_t file[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const struct { size_t size; uint8_t host[8]; } orders[] = {
        {1, {1, 2, 3, 4, 5, 6, 7, 8}}, {2, {2, 1, 4, 3, 6, 5, 8, 7}},
        {4, {4, 3, 2, 1, 8, 7, 6, 5}}, {8, {8, 7, 6, 5, 4, 3, 2, 1}},
    };
    for (int i = 0; i < NELEM(orders); i++) {
        size_t size = orders[i].size;
        uint8_t host[8], back[8];
        safetensors_reorder(host, file, 8 / size, size, true);
        check(memcmp(host, orders[i].host, 8) == 0);
        safetensors_reorder(back, host, 8 / size, size, true);
        check(memcmp(back, file, 8) == 0);
        safetensors_reorder(back, file, 8 / size, size, false);
        check(memcmp(back, file, 8) == 0);
    }
    SafeEntry e = {.dtype = DTYPE_I32, .count = 2, .data = file};
    int32_t numbers[2];
    safetensors_to_host(&e, numbers);
    check(numbers[0] == 0x04030201 && numbers[1] == 0x08070605);
}

typedef struct { SafeEntry entries[2]; int count; const char *words; } BadInput;

static void write_bad(void *argument)
{
    const BadInput *bad = argument;
    safetensors_write(in_folder("never.safetensors"), bad->entries, bad->count, NULL, 0);
}

static void read_it(void *path) { safetensors_read(&arena, path); }

#define BYTE(...) {.dtype = DTYPE_U8, .data = "x", __VA_ARGS__}

static void writer_writes_nothing_it_could_not_read(void)
{
    static char long_name[SAFE_NAME + 2];
    memset(long_name, 'x', SAFE_NAME + 1);
    static BadInput bad[] = {
        {{BYTE(.name = long_name)}, 1, "xxx cannot be an array's name"},
        {{BYTE(.name = "w"), BYTE(.name = "w")}, 2, "twice the key w"},
        {{BYTE(.name = "__metadata__")}, 1, "__metadata__ cannot be"},
        {{BYTE(.name = "w", .rank = SAFE_RANK + 1)}, 1, "rank 9"},
        {{BYTE(.name = "w", .rank = 1, .dim = {-1})}, 1, "size -1"},
    };
    char *path = (char *)in_folder("never.safetensors");
    for (int i = 0; i < NELEM(bad); i++) check_stops(write_bad, &bad[i], bad[i].words);
    check(!file_exists(path));
    check_stops(read_it, path, "cannot read");
}

static const Test tests[] = {
    T(writes_by_hand), T(halves_by_hand), T(round_trip_keeps_every_bit),
    T(numbers_change_their_order),
    T(writer_writes_nothing_it_could_not_read),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
