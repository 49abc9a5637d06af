/* .npy and .npz: the bytes of small files, and the records of a zip followed by hand. */
#include <string.h>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/npy.h"
#include "tests/check.h"

static Arena arena;

static Bytes written(NpyArray array)
{
    const char *path = in_folder("a.npy");
    npy_write(path, array);
    return file_read(&arena, path);
}

static uint32_t field(Bytes f, size_t at, int bytes)
{
    uint32_t x = 0;
    require(at + (size_t)bytes <= f.size, "byte %zu is beyond the file", at);
    while (bytes--) x = x << 8 | f.data[at + (size_t)bytes];
    return x;
}

static void writes_npy_by_hand(void)
{
    Bytes f = written((NpyArray){NPY_UINT8, 2, {2, 3}, "abcdef"});
    static const char want[] = "\x93NUMPY\x01\x00\x76\x00"
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }"
        "                                                          \n" "abcdef";
    check_int((long long)f.size, sizeof want - 1);
    check(f.size == sizeof want - 1 && memcmp(f.data, want, f.size) == 0);
}

static void writes_every_rank(void)
{
    static const char *const shapes[] = {
        "()", "(3,)", "(3, 0)", "(3, 0, 1)", "(3, 0, 1, 2)",
    };
    for (int rank = 0; rank <= NPY_RANK; rank++) {
        Bytes f = written((NpyArray){NPY_UINT8, rank, {3, 0, 1, 2}, "abc"});
        size_t data = rank == 0 ? 1 : rank == 1 ? 3 : 0;
        check_int((long long)(f.size - data), 128);
        check_int(field(f, 8, 2), 118);
        char *header = arena_printf(&arena, "%.*s", 118, (const char *)f.data + 10);
        char *shape = arena_printf(&arena, "'shape': %s, }", shapes[rank]);
        check(strstr(header, shape) != NULL);
        check(header[117] == '\n');
    }
    NpyArray empty = {NPY_UINT8, 4, {0, INT64_MAX, INT64_MAX, INT64_MAX}, NULL};
    Bytes f = written(empty);
    check(f.size % 64 == 0 && field(f, 8, 2) + 10u == f.size);
    check(f.data[f.size - 1] == '\n');
}

static void writes_labels_lowest_byte_first(void)
{
    int64_t labels[] = {1, -2, 0x0102030405060708};
    Bytes f = written((NpyArray){NPY_INT64, 1, {3}, labels});
    static const char want[] =
        "\1\0\0\0\0\0\0\0" "\xfe\xff\xff\xff\xff\xff\xff\xff" "\10\7\6\5\4\3\2\1";
    check_int((long long)f.size, 128 + 24);
    check(memcmp(f.data + 128, want, 24) == 0);
    check(strstr((const char *)f.data + 10, "'descr': '<i8'") != NULL);
}

static const NpyArray samples[] = {
    {NPY_UINT8, 4, {2, 1, 2, 3}, "the pixels.."}, {NPY_INT64, 1, {2}, (int64_t[]){7, 3}},
};

/* Follows a zip the way readers do: end record, directory, local records. */
static void writes_a_zip(void)
{
    const char *path = in_folder("samples.npz");
    npz_write(path, samples, 2);
    Bytes f = file_read(&arena, path);
    size_t end = f.size - 22;
    check_int(field(f, end, 4), 0x06054b50);
    check_int(field(f, end + 8, 2), 2);
    check_int(field(f, end + 10, 2), 2);
    size_t at = field(f, end + 16, 4), next = 0;
    check_int((long long)(at + field(f, end + 12, 4)), (long long)end);
    for (int i = 0; i < 2; i++) {
        Bytes npy = written(samples[i]);
        const char *name = i ? "arr_1.npy" : "arr_0.npy";
        check_int(field(f, at, 4), 0x02014b50);
        check_int(field(f, at + 10, 2), 0);                     /* stored */
        check_int(field(f, at + 14, 2), 0x0021);                /* 1980-01-01 */
        check_int(field(f, at + 16, 4), crc32(0, npy.data, npy.size));
        check_int(field(f, at + 24, 4), (long long)npy.size);
        check_int(field(f, at + 28, 2), 9);
        check(memcmp(f.data + at + 46, name, 9) == 0);

        size_t local = field(f, at + 42, 4);
        check_int((long long)local, (long long)next);
        check_int(field(f, local, 4), 0x04034b50);
        /* From "version needed" to "extra length" the two records say the same. */
        check(memcmp(f.data + local + 4, f.data + at + 6, 26) == 0);
        check(memcmp(f.data + local + 30, name, 9) == 0);
        check(memcmp(f.data + local + 39, npy.data, npy.size) == 0);
        next = local + 39 + npy.size;
        at += 46 + 9;
    }
    check_int((long long)next, field(f, end + 16, 4));
    check_int((long long)at, (long long)end);
}

static void writes_the_same_bytes_again(void)
{
    const char *path = in_folder("samples.npz");
    npz_write(path, samples, 2);
    Bytes first = file_read(&arena, path);
    npz_write(path, samples, 2);
    Bytes second = file_read(&arena, path);
    check(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    npz_write(path, NULL, 0);
    check_int((long long)file_read(&arena, path).size, 22);
}

static void write_too_much(void *path)
{
    npz_write(path, &(NpyArray){NPY_UINT8, 2, {1 << 16, 1 << 16}, "x"}, 1);
}

static void write_high_rank(void *path)
{
    npy_write(path, (NpyArray){.type = NPY_UINT8, .rank = NPY_RANK + 1, .data = "x"});
}

static void refuses_what_does_not_fit(void)
{
    char *path = (char *)in_folder("never.npz");
    check_stops(write_too_much, path, "4 GiB of a zip");
    check_stops(write_high_rank, path, "rank 5");
    check(!file_exists(path));
}

/* ---- reading ------------------------------------------------------------------- */

static void reads_what_was_written(void)
{
    const char *path = in_folder("read.npz");
    npz_write(path, samples, 2);
    Bytes b = file_read(&arena, path);
    check(npy_is(b));
    SafeTensors f = npy_parse(&arena, b);
    check_int(f.count, 2);
    check_text(f.entries[1].name, "arr_1");
    check_int(f.entries[0].dtype, DTYPE_U8);
    check_int(f.entries[0].rank, 4);
    check_int((long long)f.entries[0].count, 12);
    check(memcmp(f.entries[0].data, "the pixels..", 12) == 0);
    Real value[2];
    safetensors_to_reals(&f.entries[1], value);
    check_close((double)value[0], 7, 0);
    check_int(npy_parse(&arena, written(samples[1])).entries[0].dtype, DTYPE_I64);
}

static void parse_bytes(void *bytes)
{
    Arena a = arena_create();
    npy_parse(&a, *(Bytes *)bytes);
    arena_destroy(&a);
}

/* Bytes `old` of a small .npy replaced by as many others. */
static void check_damage(const char *old, const char *new, const char *words)
{
    Bytes f = written((NpyArray){NPY_UINT8, 2, {2, 3}, "abcdef"});
    char *data = arena_new(&arena, char, f.size);
    memcpy(data, f.data, f.size);
    for (size_t i = 0; i + strlen(old) <= f.size; i++)
        if (memcmp(data + i, old, strlen(old)) == 0) memcpy(data + i, new, strlen(old));
    Bytes damaged = {"a.npy", (uint8_t *)data, f.size};
    check_stops(parse_bytes, &damaged, words);
}

static void damage_is_told(void)
{
    check_damage("|u1", "<c8", "elements of type '<c8'");
    check_damage("False", "True ", "column by column");
    check_damage("(2, 3)", "(2, 4)", "needs 8 bytes, 6 follow");
    check_damage("(2, 3)", "(2,-3)", "its shape cannot be read");
    check_damage("(2, 3)", "[2, 3]", "not in brackets");
    check_damage("'shape'", "'shaqe'", "has no shape");
    check_damage("NUMPY\1", "NUMPY\0", "array of NumPy, version 1 to 3");
    check_damage("NUMPY\1", "NUMPY\4", "array of NumPy, version 1 to 3");
    check_damage("NUMPY\1", "NUMPX\1", "array of NumPy, version 1 to 3");
    check_damage("'descr'", "'dexcr'", "has no descr");
    check_damage("(2, 3)", "(2; 3)", "its shape cannot be read");
    check_damage("(2, 3)", "(,2,3)", "its shape cannot be read");
    check_damage("|u1'", "|u18", "elements of type");
    check_damage("'|u1'", " |u1 ", "elements of type");
    check_damage("(2, 3), }          ", "(1,1,1,1,1,1,1,1,1)", "shape cannot be read");
    check_damage("(2, 3), }              ", "(4294967296,4294967296)", "cannot be read");
}

/* A .npy of version 2, whose header is all spaces, of so many bytes. */
static void a_header_has_a_limit(void)
{
    size_t n = NPY_HEADER + 1, size = 12 + n;
    uint8_t *data = arena_alloc(&arena, size);
    memset(data, ' ', size);
    memcpy(data, "\x93NUMPY\2\0", 8);
    for (int i = 0; i < 4; i++) data[8 + i] = (uint8_t)(n >> 8 * i);
    Bytes file = {"a.npy", data, size};
    check_stops(parse_bytes, &file, "65537 bytes, at most 65536 are");
    data[10] = 2;
    check_stops(parse_bytes, &file, "is cut short");
}

/* The directory of a zip of two arrays, changed at an offset from a record's start. */
static void check_zip_damage(int record, size_t offset, int value, const char *words)
{
    const char *path = in_folder("samples.npz");
    npz_write(path, samples, 2);
    Bytes f = file_read(&arena, path);
    size_t end = f.size - 22, at = field(f, end + 16, 4) + (size_t)record * (46 + 9);
    uint8_t *data = (uint8_t *)f.data;
    size_t place = record < 2 ? at + offset : end + offset;
    data[place] = (uint8_t)value, data[place + 1] = (uint8_t)(value >> 8);
    check_stops(parse_bytes, &f, words);
}

static void damage_of_a_zip_is_told(void)
{
    check_zip_damage(2, 0, 0, "without a directory");
    check_zip_damage(2, 10, 4097, "4097 arrays, at most 4096 are allowed");
    check_zip_damage(2, 10, 4096, "points beyond its end");     /* not so long */
    check_zip_damage(2, 10, 3, "points beyond its end");
    check_zip_damage(2, 16, 0xffff, "points beyond its end");
    check_zip_damage(0, 0, 0, "its zip is damaged");
    check_zip_damage(0, 10, 8, "is compressed");
    check_zip_damage(0, 16, 0, "the checksum of arr_0 is wrong");
    check_zip_damage(0, 28, 65535, "points beyond its end");
    check_zip_damage(0, 42, 0xffff, "points beyond its end");
    check_zip_damage(1, 46 + 4, '0' | '.' << 8, "two arrays are called arr_0");
}

/* A directory of one record, whose name has so many bytes. */
static void a_name_has_a_limit(void)
{
    enum { LENGTH = SAFE_NAME + 1, SIZE = 46 + LENGTH + 22 };
    uint8_t *data = arena_alloc(&arena, SIZE);
    memset(data, 'x', SIZE);
    memcpy(data, "PK\1\2", 4);
    data[28] = LENGTH & 255, data[29] = LENGTH >> 8;
    memset(data + 46 + LENGTH, 0, 22);
    memcpy(data + 46 + LENGTH, "PK\5\6\0\0\0\0\1\0\1\0", 12);
    Bytes file = {"a.npz", data, SIZE};
    check_stops(parse_bytes, &file, "513 bytes, at most 512 are");
}

static void a_cut_file_is_told(void)
{
    Bytes f = written((NpyArray){NPY_UINT8, 2, {2, 3}, "abcdef"});
    for (size_t n = 0; n < f.size; n++) {
        Bytes cut = {"a.npy", f.data, n};
        check_stops(parse_bytes, &cut, "a.npy");
        check(npy_is(cut) == (n >= 6));
    }
}

/* Every beginning of a zip, and every zip with one byte inverted, is read or refused. */
static void no_bytes_make_it_crash(void)
{
    const char *path = in_folder("zip.npz");
    npz_write(path, samples, 2);
    Bytes f = file_read(&arena, path);
    for (size_t n = 6; n < f.size; n++) {
        uint8_t *copy = arena_new(&arena, uint8_t, f.size);
        memcpy(copy, f.data, f.size);
        Bytes cut = {path, copy, n}, whole = {path, copy, f.size};
        check_stops(parse_bytes, &cut, path);
        copy[n] = (uint8_t)~copy[n];
        error_catch(parse_bytes, &whole);
    }
}

static const Test tests[] = {
    T(writes_npy_by_hand), T(writes_every_rank), T(writes_labels_lowest_byte_first),
    T(writes_a_zip), T(writes_the_same_bytes_again), T(refuses_what_does_not_fit),
    T(reads_what_was_written), T(damage_is_told), T(a_header_has_a_limit),
    T(damage_of_a_zip_is_told), T(a_name_has_a_limit), T(a_cut_file_is_told),
    T(no_bytes_make_it_crash),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
