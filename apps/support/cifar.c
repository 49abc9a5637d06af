/* CIFAR-10 in its binary form: see dataset.h.
 *
 * A batch is a list of rows: one byte for the class, then 32 x 32 bytes of red, as
 * many of green, as many of blue.  Here the three bytes of a pixel lie side by side. */
#include <limits.h>
#include <string.h>

#include "apps/support/dataset.h"
#include "tensor/error.h"
#include "tensor/file.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, ROW = 1 + 3 * PLANE, CLASSES = 10 };

static bool is_batch(const char *name, DatasetPart part)
{
    if (part == DATASET_TEST) return strcmp(name, "test_batch.bin") == 0;
    const char *end = strrchr(name, '.');
    return strncmp(name, "data_batch_", 11) == 0 && end && strcmp(end, ".bin") == 0;
}

bool cifar_has(const char *name)
{
    return is_batch(name, DATASET_TRAIN) || is_batch(name, DATASET_TEST);
}

/* Reads the batches of one part into the arena; returns how many there are. */
static int read_batches(Arena *a, const char *folder, DatasetPart part, Bytes **batches)
{
    int count, n = 0;
    char **names = folder_list(a, folder, &count);
    *batches = arena_new(a, Bytes, (size_t)count);
    for (int i = 0; i < count; i++)
        if (is_batch(names[i], part))
            (*batches)[n++] = file_read(a, arena_printf(a, "%s/%s", folder, names[i]));
    if (n == 0)
        fail("%s holds no %s of CIFAR-10's binary version", folder,
             part == DATASET_TEST ? "test_batch.bin" : "data_batch_*.bin");
    return n;
}

static void convert(Bytes batch, uint8_t *pixels, uint8_t *labels)
{
    const uint8_t *row = batch.data;
    for (size_t n = 0; n < batch.size / ROW; n++, row += ROW, pixels += 3 * PLANE) {
        if (row[0] >= CLASSES)
            fail("%s: the class of picture %zu is %d; %d is the highest of CIFAR-10",
                 batch.path, n, row[0], CLASSES - 1);
        labels[n] = row[0];
        for (int c = 0; c < 3; c++)
            for (int i = 0; i < PLANE; i++) pixels[3 * i + c] = row[1 + c * PLANE + i];
    }
}

Dataset cifar_parse(Arena *a, const Bytes batches[], int n)
{
    size_t count = 0, done = 0;
    for (int i = 0; i < n; i++) {
        const Bytes *b = &batches[i];
        if (b->size == 0 || b->size % ROW)
            fail("%s has %zu bytes, which is not a whole number of pictures of %d; it is "
                 "cut short or no batch of CIFAR-10", b->path, b->size, ROW);
        count += b->size / ROW;
        if (count > INT_MAX)
            fail("%s is one batch too many; %d pictures are the limit", b->path, INT_MAX);
    }
    uint8_t *pixels = arena_alloc_array(a, 3 * PLANE, count);
    uint8_t *labels = arena_alloc(a, count);
    for (int i = 0; i < n; done += batches[i++].size / ROW)
        convert(batches[i], pixels + done * 3 * PLANE, labels + done);
    return (Dataset){.count = (int)count, .height = SIDE, .width = SIDE, .channels = 3,
                     .classes = CLASSES, .pixels = pixels, .labels = labels};
}

Dataset cifar_load(Arena *a, const char *folder, DatasetPart part)
{
    Arena work = arena_create();
    Bytes *batches;
    int n = read_batches(&work, folder, part, &batches);
    Dataset d = cifar_parse(a, batches, n);
    arena_destroy(&work);
    return d;
}
