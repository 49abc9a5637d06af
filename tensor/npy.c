/* Writing .npy and .npz: see npy.h for the formats. */
#include "tensor/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/file.h"

static const struct { const char *descr; size_t size; } types[] = {
    [NPY_UINT8] = {"|u1", 1}, [NPY_INT64] = {"<i8", 8},
};

typedef struct {
    char header[256];
    size_t header_bytes;        /* a multiple of 64 */
    const uint8_t *data;        /* little-endian */
    size_t data_bytes;
} Npy;

static const uint8_t *little_endian(Arena *a, const int64_t *x, size_t n)
{
    uint8_t *bytes = arena_alloc_array(a, 8, n);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 8; k++) bytes[8 * i + k] = (uint8_t)((uint64_t)x[i] >> 8 * k);
    return bytes;
}

/* Puts the array in the form of the file; the arena owns what had to be copied. */
static Npy encode(Arena *a, const NpyArray *array)
{
    require(array->rank >= 0 && array->rank <= NPY_RANK, "npy: rank %d", array->rank);
    Npy f = {0};
    char dict[192];
    size_t count = 1;
    int n = snprintf(dict, sizeof dict,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (",
                     types[array->type].descr);
    for (int i = 0; i < array->rank; i++) {
        count *= (size_t)array->dim[i];
        n += snprintf(dict + n, sizeof dict - (size_t)n, "%s%" PRId64 "%s", i ? " " : "",
                      array->dim[i], i + 1 < array->rank || i == 0 ? "," : "");
    }
    n += snprintf(dict + n, sizeof dict - (size_t)n, "), }");

    f.header_bytes = (10 + (size_t)n + 1 + 63) / 64 * 64;
    size_t rest = f.header_bytes - 10;
    memcpy(f.header, "\x93NUMPY\x01\x00", 8);
    f.header[8] = (char)rest;                   /* below 256 for NPY_RANK dimensions */
    snprintf(f.header + 10, sizeof f.header - 10, "%-*s\n", (int)rest - 1, dict);
    f.data_bytes = count * types[array->type].size;
    f.data = array->data;
    if (array->type == NPY_INT64) f.data = little_endian(a, array->data, count);
    return f;
}

static void write_array(Writer *w, const Npy *f)
{
    writer_write(w, f->header, f->header_bytes);
    writer_write(w, f->data, f->data_bytes);
}

void npy_write(const char *path, NpyArray array)
{
    Arena *s = scratch();
    size_t mark = arena_mark(s);
    Npy f = encode(s, &array);
    Writer w;
    writer_open(&w, path);
    write_array(&w, &f);
    writer_commit(&w);
    arena_rewind(s, mark);
}

/* ---- zip -----------------------------------------------------------------------------
 * For each member a local record, its name and its bytes; then the directory: for each
 * member a central record and its name; then the end record, where a reader starts. */

typedef struct { int bytes; uint32_t value; } Field;

typedef struct {
    char name[24];
    uint32_t crc, size, begin;      /* begin: of the local record, in the file */
} Member;

enum { VERSION = 20, DATE = 0 << 9 | 1 << 5 | 1 };      /* 2.0; year - 1980, month, day */

/* Writes the fields up to {0}, each lowest byte first; returns how many bytes. */
static uint32_t write_fields(Writer *w, const Field *f)
{
    uint8_t record[32];
    uint32_t n = 0;
    for (; f->bytes; f++)
        for (int k = 0; k < f->bytes; k++) record[n++] = (uint8_t)(f->value >> 8 * k);
    writer_write(w, record, n);
    return n;
}

/* The middle that the local and the central record share. */
static uint32_t write_middle(Writer *w, const Member *m)
{
    return write_fields(w, (Field[]){
        {2, VERSION}, {2, 0}, {2, 0},               /* needed to read; flags; stored */
        {2, 0}, {2, DATE}, {4, m->crc},             /* midnight */
        {4, m->size}, {4, m->size},                 /* compressed, and not */
        {2, (uint32_t)strlen(m->name)}, {2, 0},     /* of the name; of extra fields */
        {0}});
}

static uint32_t write_local(Writer *w, const Member *m, const Npy *f)
{
    uint32_t n = write_fields(w, (Field[]){{4, 0x04034b50}, {0}}) + write_middle(w, m);
    writer_write(w, m->name, strlen(m->name));
    write_array(w, f);
    return n + (uint32_t)strlen(m->name) + m->size;
}

static uint32_t write_central(Writer *w, const Member *m)
{
    uint32_t n = write_fields(w, (Field[]){{4, 0x02014b50}, {2, VERSION}, {0}});
    n += write_middle(w, m);
    n += write_fields(w, (Field[]){
        {2, 0}, {2, 0},                             /* of the comment; disk */
        {2, 0}, {4, 0}, {4, m->begin}, {0}});       /* attributes inside, outside */
    writer_write(w, m->name, strlen(m->name));
    return n + (uint32_t)strlen(m->name);
}

void npz_write(const char *path, const NpyArray arrays[], int count)
{
    require(count >= 0 && count <= 0xffff, "npz: %d arrays", count);
    Arena *s = scratch();
    size_t mark = arena_mark(s);
    Npy *files = arena_new(s, Npy, (size_t)count);
    Member *members = arena_new(s, Member, (size_t)count);

    /* Measure first, so that nothing is written if it does not fit. */
    enum { RECORDS = 200 };             /* more than the bytes of a member's two */
    uint64_t total = 0;
    for (int i = 0; i < count; i++) {
        files[i] = encode(s, &arrays[i]);
        total += RECORDS + files[i].header_bytes + files[i].data_bytes;
        if (total > UINT32_MAX)
            fail("%s would pass the 4 GiB of a zip; write .npy files", path);
    }

    Writer w;
    writer_open(&w, path);
    uint32_t at = 0, directory = 0;
    for (int i = 0; i < count; i++) {
        Member *m = &members[i];
        *m = (Member){.begin = at};
        snprintf(m->name, sizeof m->name, "arr_%d.npy", i);
        m->size = (uint32_t)(files[i].header_bytes + files[i].data_bytes);
        m->crc = crc32(0, files[i].header, files[i].header_bytes);
        m->crc = crc32(m->crc, files[i].data, files[i].data_bytes);
        at += write_local(&w, m, &files[i]);
    }
    for (int i = 0; i < count; i++) directory += write_central(&w, &members[i]);
    write_fields(&w, (Field[]){
        {4, 0x06054b50}, {2, 0}, {2, 0},                /* this disk; the directory's */
        {2, (uint32_t)count}, {2, (uint32_t)count},     /* members: here; in all */
        {4, directory}, {4, at}, {2, 0}, {0}});         /* its bytes; place; comment */
    writer_commit(&w);
    arena_rewind(s, mark);
}
