/* Reading .safetensors: see safetensors.h for the format. */
#include "tensor/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"

/* ---- element types ---------------------------------------------------------------- */

/* The integer of n bytes at p, lowest byte first. */
static inline uint64_t little_endian(const uint8_t *p, int n)
{
    uint64_t x = 0;
    while (n--) x = x << 8 | p[n];
    return x;
}

static Real decode_f64(const uint8_t *p)
{
    uint64_t bits = little_endian(p, 8);
    double x;
    memcpy(&x, &bits, sizeof x);
    return (Real)x;
}

static float float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static Real decode_f32(const uint8_t *p)
{
    return float_of_bits((uint32_t)little_endian(p, 4));
}

/* The upper half of a float. */
static Real decode_bf16(const uint8_t *p)
{
    return float_of_bits((uint32_t)little_endian(p, 2) << 16);
}

/* 1 bit of sign, 5 of exponent, 10 of fraction:
 *   (1024 + fraction) 2^(exponent - 25), or fraction 2^-24 where exponent is 0. */
static Real decode_f16(const uint8_t *p)
{
    int bits = (int)little_endian(p, 2);
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double x = exponent == 0 ? ldexp(fraction, -24)
             : exponent < 31 ? ldexp(1024 + fraction, exponent - 25)
             : fraction ? NAN : INFINITY;
    return (Real)(bits >> 15 ? -x : x);
}

static Real decode_i64(const uint8_t *p) { return (Real)(int64_t)little_endian(p, 8); }
static Real decode_i32(const uint8_t *p) { return (Real)(int32_t)little_endian(p, 4); }
static Real decode_i16(const uint8_t *p) { return (Real)(int16_t)little_endian(p, 2); }
static Real decode_i8(const uint8_t *p) { return (Real)(int8_t)*p; }
static Real decode_u64(const uint8_t *p) { return (Real)little_endian(p, 8); }
static Real decode_u32(const uint8_t *p) { return (Real)little_endian(p, 4); }
static Real decode_u16(const uint8_t *p) { return (Real)little_endian(p, 2); }
static Real decode_u8(const uint8_t *p) { return (Real)*p; }

static const struct {
    const char *name;
    size_t size;
    Real (*decode)(const uint8_t *p);
} dtypes[DTYPE_COUNT] = {
    [DTYPE_F64] = {"F64", 8, decode_f64}, [DTYPE_F32] = {"F32", 4, decode_f32},
    [DTYPE_F16] = {"F16", 2, decode_f16}, [DTYPE_BF16] = {"BF16", 2, decode_bf16},
    [DTYPE_I64] = {"I64", 8, decode_i64}, [DTYPE_I32] = {"I32", 4, decode_i32},
    [DTYPE_I16] = {"I16", 2, decode_i16}, [DTYPE_I8] = {"I8", 1, decode_i8},
    [DTYPE_U64] = {"U64", 8, decode_u64}, [DTYPE_U32] = {"U32", 4, decode_u32},
    [DTYPE_U16] = {"U16", 2, decode_u16}, [DTYPE_U8] = {"U8", 1, decode_u8},
    [DTYPE_BOOL] = {"BOOL", 1, decode_u8},
};

const char *dtype_name(Dtype dtype) { return dtypes[dtype].name; }
size_t dtype_size(Dtype dtype) { return dtypes[dtype].size; }

void safetensors_to_reals(const SafeEntry *entry, Real *out)
{
    const uint8_t *p = entry->data;
    for (size_t i = 0; i < entry->count; i++, p += dtypes[entry->dtype].size)
        out[i] = dtypes[entry->dtype].decode(p);
}

bool host_has_highest_first(void)
{
    const uint16_t one = 1;
    return *(const uint8_t *)&one == 0;
}

void safetensors_reorder(void *out, const void *in, size_t count, size_t size,
                         bool highest_first)
{
    uint8_t *to = out;
    const uint8_t *from = in;
    if (!highest_first) memcpy(out, in, count * size);
    else
        for (size_t i = 0; i < count * size; i += size)
            for (size_t k = 0; k < size; k++) to[i + k] = from[i + size - 1 - k];
}

void safetensors_to_host(const SafeEntry *entry, void *out)
{
    safetensors_reorder(out, entry->data, entry->count, dtype_size(entry->dtype),
                        host_has_highest_first());
}

/* ---- reading ---------------------------------------------------------------------- */

static Dtype read_dtype(const Json *tensor, const char *where)
{
    const char *name = json_text(tensor, "dtype", where);
    for (int d = 0; d < DTYPE_COUNT; d++)
        if (strcmp(dtypes[d].name, name) == 0) return (Dtype)d;
    fail("%s: elements of type %s are not supported; convert them to F32", where, name);
}

/* The array under `key` must hold at most max integers, none negative. */
static int read_sizes(const Json *tensor, const char *key, const char *where,
                      int64_t out[], int max)
{
    const Json *array = json_get(tensor, key, JSON_ARRAY, where);
    if (array->count > max)
        fail("%s: \"%s\" has %d numbers, at most %d are allowed", where, key,
             array->count, max);
    int n = 0;
    for (const Json *m = array->child; m; m = m->next) {
        if (m->kind != JSON_NUMBER || !m->is_integer || m->integer < 0)
            fail("%s: \"%s\"[%d] is not an integer from 0 to 2^63 - 1", where, key, n);
        out[n++] = m->integer;
    }
    return n;
}

/* x y, where no honest file makes it wrap around. */
static uint64_t multiply(uint64_t x, uint64_t y, const char *where)
{
    if (y && x > UINT64_MAX / y) fail("%s: a shape with more than 2^64 bytes", where);
    return x * y;
}

static SafeEntry read_entry(const Json *tensor, const uint8_t *data, size_t size,
                            const char *where)
{
    SafeEntry e = {.name = tensor->name};
    if (tensor->kind != JSON_OBJECT || tensor->count != 3)
        fail("%s: an object of dtype, shape and data_offsets was expected", where);
    e.dtype = read_dtype(tensor, where);
    e.rank = read_sizes(tensor, "shape", where, e.dim, SAFE_RANK);
    int64_t offset[2];
    if (read_sizes(tensor, "data_offsets", where, offset, 2) != 2)
        fail("%s: \"data_offsets\" must be two numbers, begin and end", where);

    uint64_t begin = (uint64_t)offset[0], end = (uint64_t)offset[1], count = 1;
    for (int i = 0; i < e.rank; i++) count = multiply(count, (uint64_t)e.dim[i], where);
    uint64_t bytes = multiply(count, dtypes[e.dtype].size, where);
    if (begin > end || end > size)
        fail("%s: \"data_offsets\" %" PRIu64 " to %" PRIu64 " do not lie in the %zu "
             "bytes of data; the file is cut short or damaged", where, begin, end, size);
    if (end - begin != bytes)
        fail("%s: its shape needs %" PRIu64 " bytes, its \"data_offsets\" give %" PRIu64,
             where, bytes, end - begin);
    e.count = (size_t)count;
    e.data = data + begin;
    return e;
}

static size_t entry_bytes(const SafeEntry *e) { return e->count * dtypes[e->dtype].size; }

/* By place; of two at the same place the empty one is first. */
static int compare_entries(const void *x, const void *y)
{
    const SafeEntry *a = x, *b = y;
    if (a->data != b->data) return (const char *)a->data < (const char *)b->data ? -1 : 1;
    if (entry_bytes(a) != entry_bytes(b)) return entry_bytes(a) < entry_bytes(b) ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* One begins where the one before ended, and the last ends the file. */
static void refuse_holes(const char *path, const SafeEntry entries[], int count,
                         const uint8_t *data, size_t size)
{
    const uint8_t *next = data, *end = data + size;
    for (int i = 0; i < count; i++) {
        const uint8_t *begin = entries[i].data;
        if (begin != next)
            fail("%s: array %s begins at byte %td of the data, %td was expected: a hole "
                 "or an overlap", path, entries[i].name, begin - data, next - data);
        next = begin + entry_bytes(&entries[i]);
    }
    if (next != end)
        fail("%s: %td bytes follow the last array, none were expected", path, end - next);
}

static const Json *read_metadata(const Json *header, const char *path)
{
    const Json *metadata = json_find(header, "__metadata__");
    if (!metadata) return NULL;
    json_get(header, "__metadata__", JSON_OBJECT, path);
    for (const Json *m = metadata->child; m; m = m->next)
        if (m->kind != JSON_TEXT)
            fail("%s: metadata \"%s\" is not a text", path, m->name);
    return metadata;
}

/* The header as a tree.  Spaces may pad it at the end, nothing else may surround it. */
static const Json *read_header(Arena *a, Bytes f, uint64_t *length)
{
    if (f.size < 8)
        fail("%s is not a safetensors file: it has %zu bytes, the shortest has 10",
             f.path, f.size);
    uint64_t n = *length = little_endian(f.data, 8);
    if (n > SAFE_HEADER)
        fail("%s is not a safetensors file: a header of %" PRIu64 " bytes, at most %d "
             "are allowed", f.path, n, SAFE_HEADER);
    if (n > f.size - 8)
        fail("%s is cut short or not a safetensors file: a header of %" PRIu64 " bytes "
             "in a file of %zu", f.path, n, f.size);
    const uint8_t *text = f.data + 8;
    while (n && text[n - 1] == ' ') n--;
    if (n == 0 || text[0] != '{' || text[n - 1] != '}')
        fail("%s is not a safetensors file: its header must begin with { and end with }",
             f.path);
    return json_parse(a, (Bytes){f.path, text, (size_t)n});
}

SafeTensors safetensors_parse(Arena *a, Bytes f)
{
    uint64_t length;
    const Json *header = read_header(a, f, &length);
    const uint8_t *data = f.data + 8 + length;
    size_t size = f.size - 8 - (size_t)length;

    SafeTensors file = {.path = arena_printf(a, "%s", f.path)};
    file.metadata = read_metadata(header, f.path);
    int count = header->count - (file.metadata != NULL);
    if (count > SAFE_TENSORS)
        fail("%s: %d arrays, at most %d are allowed", f.path, count, SAFE_TENSORS);

    SafeEntry *entries = arena_new(a, SafeEntry, (size_t)count);
    Arena *s = scratch();
    for (const Json *m = header->child; m; m = m->next) {
        if (m == file.metadata) continue;
        if (strlen(m->name) > SAFE_NAME)
            fail("%s: an array's name of %zu bytes, at most %d are allowed", f.path,
                 strlen(m->name), SAFE_NAME);
        size_t mark = arena_mark(s);
        const char *where = arena_printf(s, "%s: array %s", f.path, m->name);
        entries[file.count++] = read_entry(m, data, size, where);
        arena_rewind(s, mark);
    }
    if (count) qsort(entries, (size_t)count, sizeof *entries, compare_entries);
    refuse_holes(f.path, entries, count, data, size);
    file.entries = entries;
    return file;
}

SafeTensors safetensors_read(Arena *a, const char *path)
{
    return safetensors_parse(a, file_read(a, path));
}

const SafeEntry *safetensors_find(const SafeTensors *file, const char *name)
{
    for (int i = 0; i < file->count; i++)
        if (strcmp(file->entries[i].name, name) == 0) return &file->entries[i];
    return NULL;
}

const char *safetensors_metadata(const SafeTensors *file, const char *key)
{
    const Json *m = file->metadata ? json_find(file->metadata, key) : NULL;
    return m ? m->text : NULL;
}
