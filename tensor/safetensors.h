/* The .safetensors format: named arrays that a reader can trust.
 *
 *     8 bytes    N, the length of the header
 *     N bytes    the header, JSON, padded with spaces:
 *                {"__metadata__": {"step": "100"},
 *                 "fc.weight": {"dtype": "F32", "shape": [8, 3],
 *                               "data_offsets": [0, 96]}, ...}
 *     the rest   the numbers of each array, row-major; offsets count from here
 *
 * All numbers are little-endian.  Unlike a Python pickle it holds no code; and because
 * the arrays must fill the file exactly, nothing can hide or overlap in it.
 *
 * The reader assumes an enemy wrote the file: it checks every rule of the format, and the
 * limits below, before it hands out a pointer.  The caller checks what it cannot know:
 * the names and shapes that the model wants, and whether the values are finite. */
#ifndef TENSOR_SAFETENSORS_H
#define TENSOR_SAFETENSORS_H

#include "tensor/json.h"
#include "tensor/real.h"

enum {
    SAFE_HEADER = 100000000,    /* at most: bytes of header, ... */
    SAFE_TENSORS = 100000,      /* ... arrays in a file, ... */
    SAFE_NAME = 512,            /* ... bytes of a name, ... */
    SAFE_RANK = 8               /* ... dimensions of an array */
};

typedef enum {
    DTYPE_F64, DTYPE_F32, DTYPE_F16, DTYPE_BF16,
    DTYPE_I64, DTYPE_I32, DTYPE_I16, DTYPE_I8,
    DTYPE_U64, DTYPE_U32, DTYPE_U16, DTYPE_U8, DTYPE_BOOL,
    DTYPE_COUNT,
    DTYPE_REAL = sizeof(Real) == sizeof(double) ? DTYPE_F64 : DTYPE_F32
} Dtype;

const char *dtype_name(Dtype dtype);        /* as the header spells it: "F32" */
size_t dtype_size(Dtype dtype);             /* bytes an element */

typedef struct {
    const char *name;
    Dtype dtype;
    int rank;                   /* 0: a single number */
    int64_t dim[SAFE_RANK];     /* the first `rank` are used; 0 is allowed */
    size_t count;               /* elements, the product of dim; the writer ignores it */
    const void *data;           /* read from a file: its bytes, little-endian, unaligned;
                                 * to be written: the host's numbers */
} SafeEntry;

typedef struct { const char *key, *text; } SafeMeta;

typedef struct {
    const char *path;
    int count;
    const SafeEntry *entries;   /* in the order of their data */
    const Json *metadata;       /* an object of texts, or NULL */
} SafeTensors;

/* Reads a file; the arena owns all of the result.  Fails on any breach of the format. */
SafeTensors safetensors_read(Arena *a, const char *path);

/* The same for a file in memory, which must outlive the result. */
SafeTensors safetensors_parse(Arena *a, Bytes file);

/* The array of this name, or NULL. */
const SafeEntry *safetensors_find(const SafeTensors *file, const char *name);

/* The metadata text under this key, or NULL. */
const char *safetensors_metadata(const SafeTensors *file, const char *key);

/* out[entry->count] = the numbers, rounded to nearest where Real is narrower.  Entries of
 * DTYPE_REAL keep their bits. */
void safetensors_to_reals(const SafeEntry *entry, Real *out);

/* The same without a change of type: out[entry->count], as the host stores them. */
void safetensors_to_host(const SafeEntry *entry, void *out);

/* Copies numbers of `size` bytes from the order of a file to that of a host, or back;
 * they differ where the highest byte comes first. */
void safetensors_reorder(void *out, const void *in, size_t count, size_t size,
                         bool highest_first);
bool host_has_highest_first(void);
/* The bits of the half-precision number (DTYPE_F16) nearest to x, of two the even one;
 * infinite from 65520 on. */
uint16_t half_of(double x);

/* Writes the metadata and the entries in the given order; equal input gives equal bytes.
 * Fails if two names are equal, or if the disk does; stops at a name or a shape that the
 * reader would refuse. */
void safetensors_write(const char *path, const SafeEntry entries[], int count,
                       const SafeMeta metadata[], int nmeta);

/* The CRC-32 of the entries' bytes as safetensors_write will write them, after `sum`. */
uint32_t safetensors_sum(uint32_t sum, const SafeEntry entries[], int count);

#endif
