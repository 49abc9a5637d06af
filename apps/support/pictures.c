/* A folder of PNG files, all of one size: see dataset.h.
 *
 * If every name has the form CLASS_anything.png, with at most 256 different CLASSes,
 * the classes are numbered in alphabetical order; else the pictures have no labels. */
#include <string.h>
#include <strings.h>

#include "apps/support/dataset.h"
#include "apps/support/png.h"
#include "tensor/error.h"

enum { MAX_CLASSES = 256 };

bool pictures_has(const char *name)
{
    const char *end = strrchr(name, '.');
    return end && strcasecmp(end, ".png") == 0;
}

static const uint8_t *read_pictures(Arena *a, const char *folder, char **names, int count,
                                    Image *shape)
{
    Arena work = arena_create();
    uint8_t *pixels = NULL;
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        arena_rewind(&work, 0);
        const char *path = arena_printf(&work, "%s/%s", folder, names[i]);
        Image p = png_read(&work, path);
        if (i == 0) {
            *shape = p;
            size = (size_t)(p.height * p.width) * (size_t)p.channels;
            pixels = arena_alloc_array(a, size, (size_t)count);
        }
        if (p.height != shape->height || p.width != shape->width ||
            p.channels != shape->channels)
            fail("%s is %d x %d with %d channels, but %s before it is %d x %d with %d; "
                 "all pictures of a data set must be alike",
                 path, p.width, p.height, p.channels,
                 names[0], shape->width, shape->height, shape->channels);
        memcpy(pixels + (size_t)i * size, p.pixels, size);
    }
    arena_destroy(&work);
    return pixels;
}

/* Where the name is among the n sorted classes, or would have to be put. */
static int place_of(char *const *classes, int n, const char *name)
{
    int k = 0;
    while (k < n && strcmp(classes[k], name) < 0) k++;
    return k;
}

/* The class of each file; NULL if the names do not give one.  Cuts them at the '_'. */
static const uint8_t *make_labels(Arena *a, char **names, int count, int *class_count)
{
    char *classes[MAX_CLASSES];
    int n = 0;
    for (int i = 0; i < count; i++) {
        char *end = strchr(names[i], '_');
        if (!end || end == names[i]) return NULL;
        *end = 0;
        int k = place_of(classes, n, names[i]);
        if (k < n && strcmp(classes[k], names[i]) == 0) continue;
        if (n == MAX_CLASSES) return NULL;
        memmove(classes + k + 1, classes + k, (size_t)(n++ - k) * sizeof *classes);
        classes[k] = names[i];
    }
    uint8_t *labels = arena_alloc(a, (size_t)count);
    for (int i = 0; i < count; i++) labels[i] = (uint8_t)place_of(classes, n, names[i]);
    *class_count = n;
    return labels;
}

Dataset pictures_load(Arena *a, const char *folder, DatasetPart part)
{
    if (part == DATASET_TEST)
        fail("%s holds PNG files, which are not divided into a train and a test part; "
             "put those to test with in a folder of their own", folder);
    int all, count = 0;
    char **names = folder_list(a, folder, &all);
    for (int i = 0; i < all; i++)
        if (pictures_has(names[i])) names[count++] = names[i];
    if (count == 0) fail("%s holds no PNG files", folder);

    Image shape = {0};
    Dataset d = {.count = count, .whole = true};
    d.pixels = read_pictures(a, folder, names, count, &shape);
    d.height = shape.height, d.width = shape.width, d.channels = shape.channels;
    d.labels = make_labels(a, names, count, &d.classes);
    return d;
}
