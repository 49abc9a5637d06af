/* NumPy's files: .npy, one array, and .npz, several in a zip.
 *
 *     .npy   "\x93NUMPY", version 1 0, the length of what follows as 2 bytes, then
 *            {'descr': '|u1', 'fortran_order': False, 'shape': (2, 32, 32, 3), }
 *            padded with spaces to a multiple of 64 bytes, then the numbers, row-major
 *     .npz   a zip of arr_0.npy, arr_1.npy, ..., uncompressed
 *
 * Python's evaluation scripts read samples this way: images [N, H, W, C] as bytes 0..255,
 * and with classes a second array of N labels.  The same arrays give the same bytes: the
 * date in the zip is always 1 January 1980. */
#ifndef TENSOR_NPY_H
#define TENSOR_NPY_H

#include <stdint.h>

#include "tensor/safetensors.h"

enum {
    NPY_RANK = 4,
    NPY_HEADER = 65536,         /* when reading, at most: bytes of a header, ... */
    NPY_ARRAYS = 4096           /* ... arrays in a file */
};

typedef enum { NPY_UINT8, NPY_INT64 } NpyType;

typedef struct {
    NpyType type;
    int rank;
    int64_t dim[NPY_RANK];      /* the first `rank` are used */
    const void *data;           /* uint8_t or int64_t */
} NpyArray;

/* Write one array, or several as arr_0, arr_1, ...  Fail if the disk does, or if the zip
 * would pass the 4 GiB that its fields can tell. */
void npy_write(const char *path, NpyArray array);
void npz_write(const char *path, const NpyArray arrays[], int count);

/* Is it a .npy or .npz file?  By its first bytes. */
bool npy_is(Bytes file);

/* Its arrays (that of a .npy is called "array"), in the form of safetensors.h and
 * pointing into the file.  Fails on what is damaged, compressed, column by column, or of
 * a type that safetensors does not have; and if two arrays have one name or the same
 * bytes. */
SafeTensors npy_parse(Arena *a, Bytes file);

#endif
