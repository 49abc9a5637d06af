/* IDX files, the format of MNIST: see dataset.h.
 *
 * A file is 0, 0, the type of its numbers (8: bytes), how many dimensions it has, each
 * of them in four bytes, highest first, and then the numbers.  Images have three
 * dimensions, labels one.  Both are kept as they were read; labels may be missing. */
#include <limits.h>
#include <string.h>

#include "apps/support/dataset.h"
#include "apps/support/image.h"
#include "apps/support/inflate.h"
#include "tensor/error.h"
#include "tensor/file.h"

/* By part. */
static const char *const images_of[] = {
    "train-images-idx3-ubyte", "t10k-images-idx3-ubyte",
};
static const char *const labels_of[] = {
    "train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte",
};

bool idx_has(const char *name)
{
    for (int part = 0; part < 2; part++) {
        size_t n = strlen(images_of[part]);
        if (strncmp(name, images_of[part], n) == 0 &&
            (name[n] == 0 || strcmp(name + n, ".gz") == 0)) return true;
    }
    return false;
}

/* Reads the file, or else NAME.gz; data is NULL if there is neither. */
static Bytes read_unpacked(Arena *a, const char *folder, const char *name)
{
    const char *path = arena_printf(a, "%s/%s", folder, name);
    if (file_exists(path)) return file_read(a, path);
    path = arena_printf(a, "%s.gz", path);
    if (!file_exists(path)) return (Bytes){.path = path};
    size_t mark = arena_mark(scratch());
    Bytes file = inflate_gzip(a, file_read(scratch(), path));
    arena_rewind(scratch(), mark);
    file.path = path;
    return file;
}

/* Reads the header of a file of `n` dimensions and compares it with the file's length. */
static void read_header(Bytes file, int n, uint32_t size[])
{
    const uint8_t *b = file.data;
    size_t header = 4 + 4 * (size_t)n;
    if (file.size < header)
        fail("%s is cut short: it has %zu bytes, and the header alone has %zu",
             file.path, file.size, header);
    if (big_endian_32(b) != 0x800u + (unsigned)n)
        fail("%s is not an IDX file of %s: it begins with %02x %02x %02x %02x, expected "
             "00 00 08 %02x", file.path, n == 3 ? "images" : "labels",
             b[0], b[1], b[2], b[3], (unsigned)n);
    uint64_t bytes = 1;
    for (int i = 0; i < n; i++) {
        size[i] = big_endian_32(b + 4 + 4 * i);
        uint32_t most = i == 0 ? INT_MAX : IMAGE_MAX_SIDE;
        if (size[i] < 1 || size[i] > most)
            fail("%s: dimension %d of %d is %lu; 1 to %lu can be read",
                 file.path, i + 1, n, (unsigned long)size[i], (unsigned long)most);
        bytes *= size[i];
    }
    if (file.size - header != bytes)
        fail("%s: by its header %llu bytes should follow it, there are %zu; the file is "
             "cut short or damaged",
             file.path, (unsigned long long)bytes, file.size - header);
}

Dataset idx_parse(Bytes images, Bytes labels)
{
    uint32_t size[3], count;
    read_header(images, 3, size);
    Dataset d = {.count = (int)size[0], .height = (int)size[1], .width = (int)size[2],
                 .channels = 1, .pixels = images.data + 16};
    if (!labels.data) return d;
    read_header(labels, 1, &count);
    if (count != size[0])
        fail("%s has %lu labels, but %s has %lu images; they do not belong together",
             labels.path, (unsigned long)count, images.path, (unsigned long)size[0]);
    d.labels = labels.data + 8;
    for (int i = 0; i < d.count; i++)
        if (d.labels[i] >= d.classes) d.classes = d.labels[i] + 1;
    return d;
}

static Bytes require_file(Bytes file)
{
    if (!file.data) fail("%s is missing, and so is the same without .gz", file.path);
    return file;
}

Dataset idx_load(Arena *a, const char *folder, DatasetPart part)
{
    Bytes images = require_file(read_unpacked(a, folder, images_of[part]));
    return idx_parse(images, read_unpacked(a, folder, labels_of[part]));
}

/* ---- MNIST itself ---------------------------------------------------------------- */

static void check_sum(Bytes file, uint32_t want)
{
    uint32_t crc = crc32(0, file.data, file.size);
    if (crc != want)
        fail("%s is not the original file of MNIST: unpacked, its CRC-32 is %08lx, not "
             "%08lx; fetch it again, or, if it is meant to be another, name its folder "
             "instead of mnist", file.path, (unsigned long)crc, (unsigned long)want);
}

Dataset mnist_load(Arena *a, const char *folder, DatasetPart part)
{
    static const struct { uint32_t images, labels; } sums[] = { /* as gzip -lv shows */
        [DATASET_TRAIN] = {0xe9f4d8b3, 0xe0cb4ad2},
        [DATASET_TEST] = {0x91373bdf, 0x4ab9eff9},
    };
    Bytes images = require_file(read_unpacked(a, folder, images_of[part]));
    Bytes labels = require_file(read_unpacked(a, folder, labels_of[part]));
    check_sum(images, sums[part].images);
    check_sum(labels, sums[part].labels);
    return idx_parse(images, labels);
}
