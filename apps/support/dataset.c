/* Finding a data set and telling what it is: see dataset.h. */
#include "apps/support/dataset.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tensor/error.h"
#include "tensor/file.h"

/* apps/data/NAME, a folder or a file, in the folder `start`, which is shortened, or in
 * the nearest of its parents; NULL if none has it. */
static const char *search_upwards(Arena *a, char *start, const char *name)
{
    for (;;) {
        const char *folder = arena_printf(a, "%s/apps/data/%s", start, name);
        if (file_exists(folder)) return folder;
        char *slash = strrchr(start, '/');
        if (!slash) return NULL;
        *slash = 0;
    }
}

const char *dataset_bundled(Arena *a, const char *name)
{
    char here[PATH_MAX], program[PATH_MAX];
    const char *folder = NULL;
    if (getcwd(here, sizeof here)) folder = search_upwards(a, here, name);
    ssize_t n = folder ? -1 : readlink("/proc/self/exe", program, sizeof program - 1);
    if (n > 0) {
        program[n] = 0;
        folder = search_upwards(a, program, name);
    }
    return folder;
}

static const char *find_bundled(Arena *a, const char *name)
{
    const char *folder = dataset_bundled(a, name);
    if (!folder)
        fail("apps/data/%s, which comes with the program, was not found in the current "
             "folder, nor in one above it or above the program; run it in its source "
             "folder, or say where the data are", name);
    return folder;
}

static Dataset load_folder(Arena *a, const char *folder, DatasetPart part)
{
    static const struct {
        bool (*has)(const char *name);
        Dataset (*load)(Arena *a, const char *folder, DatasetPart part);
    } formats[] = {
        {idx_has, idx_load}, {cifar_has, cifar_load}, {pictures_has, pictures_load},
    };
    int count;
    char **names = folder_list(a, folder, &count);
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
        for (int i = 0; i < count; i++)
            if (formats[f].has(names[i])) return formats[f].load(a, folder, part);
    fail("%s holds no data set: expected IDX files (train-images-idx3-ubyte, .gz or "
         "not), CIFAR-10 batches (data_batch_1.bin) or PNG files, found %d other files",
         folder, count);
}

/* The last part of a path, which may end in slashes or be "." or "..". */
static const char *name_of(Arena *a, const char *path)
{
    char whole[PATH_MAX];
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    char *name = arena_printf(a, "%.*s", (int)end, path), *slash = strrchr(name, '/');
    if (slash && slash[1]) name = slash + 1;
    if (name[strspn(name, ".")] == 0 && realpath(path, whole))
        name = arena_printf(a, "%s", strrchr(whole, '/') + 1);
    return name;
}

Dataset dataset_load(Arena *a, const char *what, const char *folder, DatasetPart part)
{
    require(a != scratch(), "dataset_load works in the scratch arena; give it another");
    Dataset d;
    if (strcmp(what, "mnist") == 0) {
        d = mnist_load(a, folder ? folder : find_bundled(a, "mnist"), part);
        d.name = "mnist";
    } else if (strcmp(what, "leaves") == 0) {
        if (folder) fail_usage("leaves are made by the program; leave out %s", folder);
        d = leaves_load(a, part);
    } else if (strcmp(what, "cifar10") == 0) {
        if (!folder)
            fail_usage("cifar10 does not come with the program: say in which folder its "
                       "data_batch_1.bin, ... and test_batch.bin are (the binary version "
                       "at www.cs.toronto.edu/~kriz/cifar.html, unpacked)");
        d = cifar_load(a, folder, part);
        d.name = "cifar10";
    } else if (file_is_folder(what)) {
        if (folder) fail_usage("%s is a folder itself; leave out %s", what, folder);
        d = load_folder(a, what, part);
        d.name = name_of(a, what);
    } else {
        fail_usage("%s is neither a data set nor a folder: expected mnist, leaves, "
                   "cifar10, or a folder with IDX files, CIFAR-10 batches or PNG files",
                   what);
    }
    return d;
}

void dataset_shrink(Arena *a, Dataset *d, int n)
{
    if (n <= 1) return;
    if (d->height % n || d->width % n)
        fail("pictures of %s are %dx%d, which 1/%d does not divide", d->name, d->height,
             d->width, n);
    int H = d->height / n, W = d->width / n, C = d->channels, line = d->width * C;
    uint8_t *small = arena_new(a, uint8_t, (size_t)d->count * (size_t)(H * W * C));
#pragma omp parallel for schedule(static)
    for (int k = 0; k < d->count * H; k++)
        for (int i = 0; i < W * C; i++) {
            const uint8_t *block =
                d->pixels + (size_t)k * (size_t)(n * line) + i / C * n * C + i % C;
            int sum = 0;
            for (int y = 0; y < n; y++)
                for (int x = 0; x < n; x++) sum += block[y * line + x * C];
            small[(size_t)k * (size_t)(W * C) + (size_t)i] =
                (uint8_t)((2 * sum + n * n) / (2 * n * n));
        }
    d->pixels = small, d->height = H, d->width = W;
}
