/* Reading .npy and .npz: see npy.h.  As everywhere, the file is taken for an enemy's. */
#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/npy.h"

/* ---- .npy ---------------------------------------------------------------------- */

static const struct { const char *descr; Dtype dtype; } types[] = {
    {"|u1", DTYPE_U8}, {"|i1", DTYPE_I8}, {"|b1", DTYPE_BOOL}, {"<u2", DTYPE_U16},
    {"<i2", DTYPE_I16}, {"<u4", DTYPE_U32}, {"<i4", DTYPE_I32}, {"<u8", DTYPE_U64},
    {"<i8", DTYPE_I64}, {"<f2", DTYPE_F16}, {"<f4", DTYPE_F32}, {"<f8", DTYPE_F64},
};
enum { TYPES = sizeof types / sizeof *types };

static uint64_t little_endian(const uint8_t *p, int n)
{
    uint64_t x = 0;
    for (int i = n - 1; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

/* What follows 'key': in the dictionary. */
static const char *find_value(const char *dict, const char *key, const char *path)
{
    size_t mark = arena_mark(scratch());
    const char *quoted = arena_printf(scratch(), "'%s': ", key);
    const char *at = strstr(dict, quoted);
    if (!at) fail("%s: its header has no %s: %s", path, key, dict);
    at += strlen(quoted);
    arena_rewind(scratch(), mark);
    return at;
}

static Dtype read_type(const char *dict, const char *path)
{
    const char *at = find_value(dict, "descr", path);
    for (int i = 0; i < TYPES; i++)
        if (*at == '\'' && strncmp(at + 1, types[i].descr, 3) == 0 && at[4] == '\'')
            return types[i].dtype;
    fail("%s: elements of type %.*s are not supported", path, (int)strcspn(at, ","), at);
}

/* "(2, 3)", "(2,)" or "()"; fills dim and count. */
static void read_shape(SafeEntry *e, const char *dict, const char *path)
{
    const char *at = find_value(dict, "shape", path);
    if (*at++ != '(') fail("%s: its shape is not in brackets", path);
    e->count = 1;
    while (*at != ')') {
        char *end;
        long long n = strtoll(at, &end, 10);
        if (end == at || n < 0 || e->rank == SAFE_RANK || !strchr(",)", *end) ||
            (n && e->count > SIZE_MAX / 16 / (size_t)n))
            fail("%s: its shape cannot be read: %s", path, dict);
        e->dim[e->rank++] = n;
        e->count *= (size_t)n;
        at = end + (*end == ',');
        while (*at == ' ') at++;
    }
}

static SafeEntry parse_npy(Arena *a, Bytes f, const char *name)
{
    if (f.size < 12 || memcmp(f.data, "\x93NUMPY", 6) != 0 || f.data[6] < 1 ||
        f.data[6] > 3)
        fail("%s: %s is cut short or not an array of NumPy, version 1 to 3", f.path,
             name);
    int digits = f.data[6] == 1 ? 2 : 4;        /* bytes of the length of the header */
    uint64_t start = 8 + (uint64_t)digits, length = little_endian(f.data + 8, digits);
    if (length > f.size - start) fail("%s: the header of %s is cut short", f.path, name);
    if (length > NPY_HEADER)
        fail("%s: the header of %s has %llu bytes, at most %d are allowed", f.path, name,
             (unsigned long long)length, NPY_HEADER);
    const char *dict = arena_printf(a, "%.*s", (int)length, (const char *)f.data + start);
    SafeEntry e = {.name = name, .dtype = read_type(dict, f.path)};
    if (strncmp(find_value(dict, "fortran_order", f.path), "False", 5) != 0)
        fail("%s: %s is stored column by column, which is not supported", f.path, name);
    read_shape(&e, dict, f.path);
    size_t left = f.size - (size_t)(start + length), want = e.count * dtype_size(e.dtype);
    if (left != want)
        fail("%s: the shape of %s needs %zu bytes, %zu follow", f.path, name, want, left);
    e.data = f.data + start + length;
    return e;
}

/* ---- .npz ---------------------------------------------------------------------- */

enum { END = 22, CENTRAL = 46, LOCAL = 30 };        /* bytes of the records */

/* The end record: the last place with its mark, as a comment may follow. */
static const uint8_t *find_end(Bytes f)
{
    for (size_t at = f.size; at >= END; at--)
        if (memcmp(f.data + at - END, "PK\5\6", 4) == 0) return f.data + at - END;
    fail("%s: a zip without a directory; it is cut short", f.path);
}

/* n bytes from `at`, which must lie in the file. */
static const uint8_t *slice(Bytes f, uint64_t at, uint64_t n)
{
    if (at > f.size || n > f.size - at)
        fail("%s: its zip points beyond its end; it is cut short or damaged", f.path);
    return f.data + at;
}

/* One member, from its central record. */
static SafeEntry read_member(Arena *a, Bytes f, const uint8_t *record)
{
    int length = (int)little_endian(record + 28, 2), end;
    uint64_t size = little_endian(record + 24, 4), at = little_endian(record + 42, 4);
    const char *full = (const char *)slice(f, (uint64_t)(record - f.data) + CENTRAL,
                                           (uint64_t)length);
    if (length > SAFE_NAME)
        fail("%s: a name of %d bytes, at most %d are allowed", f.path, length, SAFE_NAME);
    end = length > 4 && memcmp(full + length - 4, ".npy", 4) == 0 ? length - 4 : length;
    const char *name = arena_printf(a, "%.*s", end, full);
    if (little_endian(record + 10, 2) != 0)
        fail("%s: %s is compressed; np.savez, not savez_compressed, writes what can be "
             "read",
             f.path, name);
    const uint8_t *local = slice(f, at, LOCAL);
    at += LOCAL + little_endian(local + 26, 2) + little_endian(local + 28, 2);
    Bytes member = {f.path, slice(f, at, size), (size_t)size};
    if (crc32(0, member.data, member.size) != little_endian(record + 16, 4))
        fail("%s: the checksum of %s is wrong; the file is damaged", f.path, name);
    return parse_npy(a, member, name);
}

/* The last of n arrays must not have the name of one before it, nor, as far as their
 * sum tells, its bytes: records that share a place would make a small file large. */
static void refuse_shared(Bytes f, const SafeEntry entries[], int n)
{
    const SafeEntry *last = &entries[n - 1];
    size_t sum = 0;
    for (const SafeEntry *e = entries; e <= last; e++) {
        if (e < last && strcmp(e->name, last->name) == 0)
            fail("%s: two arrays are called %s", f.path, e->name);
        sum += e->count * dtype_size(e->dtype);
    }
    if (sum > f.size) fail("%s: its arrays overlap; the file is damaged", f.path);
}

static SafeTensors parse_npz(Arena *a, Bytes f)
{
    const uint8_t *end = find_end(f);
    int count = (int)little_endian(end + 10, 2);
    uint64_t at = little_endian(end + 16, 4);
    if (count > NPY_ARRAYS)
        fail("%s: %d arrays, at most %d are allowed", f.path, count, NPY_ARRAYS);
    slice(f, at, CENTRAL * (uint64_t)count);
    SafeEntry *entries = arena_new(a, SafeEntry, (size_t)count);
    for (int i = 0; i < count; i++) {
        const uint8_t *record = slice(f, at, CENTRAL);
        if (memcmp(record, "PK\1\2", 4) != 0) fail("%s: its zip is damaged", f.path);
        entries[i] = read_member(a, f, record);
        for (int k = 28; k <= 32; k += 2) at += little_endian(record + k, 2);
        at += CENTRAL;
        refuse_shared(f, entries, i + 1);
    }
    return (SafeTensors){f.path, count, entries, NULL};
}

bool npy_is(Bytes f)
{
    return f.size >= 6 &&
           (memcmp(f.data, "\x93NUMPY", 6) == 0 || memcmp(f.data, "PK\3\4", 4) == 0 ||
            memcmp(f.data, "PK\5\6", 4) == 0);
}

SafeTensors npy_parse(Arena *a, Bytes f)
{
    f.path = arena_printf(a, "%s", f.path);
    if (f.size >= 2 && f.data[0] == 'P') return parse_npz(a, f);
    SafeEntry *one = arena_new(a, SafeEntry, 1);
    *one = parse_npy(a, f, "array");
    return (SafeTensors){f.path, 1, one, NULL};
}
