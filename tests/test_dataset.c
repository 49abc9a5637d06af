/* Data sets: the bundled MNIST, small ones written here in every format, broken ones. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/support/dequantise.h"
#include "apps/support/png.h"
#include "tensor/error.h"
#include "tests/check.h"

static Arena arena;

/* ---- writing small data sets ----------------------------------------------------- */

/* A new folder for one test. */
static char *make_folder(const char *name)
{
    char *folder = arena_printf(&arena, "%s/%s", test_folder(), name);
    folder_make(folder);
    return folder;
}

static void put(const char *folder, const char *name, const void *data, size_t size)
{
    file_write(arena_printf(&arena, "%s/%s", folder, name), data, size);
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof (uint8_t[]){__VA_ARGS__}

/* Two images of 2 x 3, with labels 4 and 1. */
static char *make_idx(const char *name)
{
    char *folder = make_folder(name);
    put(folder, "train-images-idx3-ubyte",
        BYTES(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3,
              1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    put(folder, "train-labels-idx1-ubyte", BYTES(0, 0, 8, 1, 0, 0, 0, 2, 4, 1));
    return folder;
}

enum { ROW = 3073 };

/* A batch of CIFAR-10 whose picture n has class (first + n) % 10 and is all first + n
 * in red, 100 in green, except at the left of the second row, and 200 in blue. */
static void put_batch(const char *folder, const char *name, int first, int count)
{
    uint8_t *rows = arena_alloc(&arena, (size_t)(count * ROW)), *row = rows;
    for (int n = 0; n < count; n++, row += ROW) {
        row[0] = (uint8_t)((first + n) % 10);
        memset(row + 1, first + n, 1024);
        memset(row + 1025, 100, 1024);
        memset(row + 2049, 200, 1024);
        row[1025 + 32] = 101;
    }
    put(folder, name, rows, (size_t)(count * ROW));
}

static void put_png(const char *folder, const char *name, int height, int width,
                    int channels, int value)
{
    uint8_t pixels[64];
    memset(pixels, value, sizeof pixels);
    png_write(arena_printf(&arena, "%s/%s", folder, name),
              &(Image){height, width, channels, pixels});
}

typedef struct {
    const char *what, *folder;
    DatasetPart part;
} Request;

static void load(void *argument)
{
    Request *r = argument;
    dataset_load(&arena, r->what, r->folder, r->part);
}

/* ---- MNIST ----------------------------------------------------------------------- */

static void loads_the_bundled_mnist(void)
{
    static const int per_class[] = {5923, 6742, 5958, 6131, 5842,
                                    5421, 5918, 6265, 5851, 5949};
    size_t mark = arena_mark(&arena);
    Dataset d = dataset_load(&arena, "mnist", NULL, DATASET_TRAIN);
    check_text(d.name, "mnist");
    check_int(d.count, 60000);
    check(d.height == 28 && d.width == 28 && d.channels == 1 && d.classes == 10);
    check_int(d.labels[0], 5);
    int found[10] = {0};
    for (int i = 0; i < d.count; i++) found[d.labels[i]]++;
    for (int c = 0; c < 10; c++) check_int(found[c], per_class[c]);
    double sum = 0;
    for (int i = 0; i < 60000 * 784; i++) sum += d.pixels[i];
    check_close(sum / (60000 * 784.0), 33.318421, 1e-7);
    arena_rewind(&arena, mark);

    d = dataset_load(&arena, "mnist", NULL, DATASET_TEST);
    check_int(d.count, 10000);
    check(d.labels[0] == 7 && d.labels[9999] == 6);
}

/* From a folder below, and, since the tests lie in the source folder, from anywhere. */
static void finds_the_bundled_files_from_elsewhere(void)
{
    char here[4096];
    const char *from[] = {test_folder(), "/"};
    Request test = {"mnist", NULL, DATASET_TEST};
    check(getcwd(here, sizeof here) != NULL);
    for (int i = 0; i < NELEM(from); i++) {
        check(chdir(from[i]) == 0);
        check_text(error_catch(load, &test) ? "stopped" : "found", "found");
        check(chdir(here) == 0);
    }
}

/* The program alone, where its source is not, says what it misses. */
static void a_lone_program_asks_for_the_data(void)
{
    static const char alone[] =
        "alone() { d=$(mktemp -d) && cp $1 $d/drift && shift && (cd $d && ./drift $*); "
        "code=$?; rm -r $d; return $code; }; alone";
    const char *output;
    check_int(drift_run(&output, alone, "train mnist"), 1);
    check(strstr(output, "apps/data/mnist, which comes with the program, was not found"));
}

/* ---- the other formats ----------------------------------------------------------- */

static void loads_idx_files(void)
{
    char *folder = make_idx("small");
    Dataset d = dataset_load(&arena, folder, NULL, DATASET_TRAIN);
    check_text(d.name, "small");
    check(d.count == 2 && d.height == 2 && d.width == 3 && d.channels == 1);
    check_int(d.classes, 5);
    check(d.labels[0] == 4 && d.labels[1] == 1 && d.pixels[0] == 1 && d.pixels[11] == 12);

    put(folder, "t10k-images-idx3-ubyte",
        BYTES(0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 77));
    d = dataset_load(&arena, arena_printf(&arena, "%s//", folder), NULL, DATASET_TEST);
    check_text(d.name, "small");
    check(d.count == 1 && d.pixels[0] == 77 && d.labels == NULL && d.classes == 0);
    static const char *const ends[] = {"%s/.", "%s/../small", "%s/inner/.."};
    folder_make(arena_printf(&arena, "%s/inner", folder));
    for (int i = 0; i < NELEM(ends); i++) {
        char path[4096];
        snprintf(path, sizeof path, ends[i], folder);
        check_text(dataset_load(&arena, path, NULL, DATASET_TEST).name, "small");
    }
}

/* From inside, where the path has no slash. */
static void a_folder_here_has_its_name(void)
{
    char here[4096], *folder = make_idx("bare");
    check(getcwd(here, sizeof here) != NULL && chdir(folder) == 0);
    check_text(dataset_load(&arena, ".", NULL, DATASET_TRAIN).name, "bare");
    check(chdir("..") == 0);
    check_text(dataset_load(&arena, "bare", NULL, DATASET_TRAIN).name, "bare");
    check(chdir(here) == 0);
}

/* By its name alone, before it is opened. */
static void a_file_is_known_by_its_name(void)
{
    static const struct { const char *name; bool idx, cifar, pictures; } rows[] = {
        {"train-images-idx3-ubyte", true, false, false},
        {"t10k-images-idx3-ubyte.gz", true, false, false},
        {"train-images-idx3-ubyte.zip", false, false, false},
        {"data_batch_1.bin", false, true, false}, {"test_batch.bin", false, true, false},
        {"data_batch_1", false, false, false}, {"data_batch_1.txt", false, false, false},
        {"x.png", false, false, true}, {"x.PNG", false, false, true},
        {"png", false, false, false}, {"x.pngs", false, false, false},
    };
    for (int i = 0; i < NELEM(rows); i++) {
        check_int(idx_has(rows[i].name), rows[i].idx);
        check_int(cifar_has(rows[i].name), rows[i].cifar);
        check_int(pictures_has(rows[i].name), rows[i].pictures);
    }
}

static void loads_cifar_batches(void)
{
    char *folder = make_folder("batches");
    put_batch(folder, "data_batch_2.bin", 3, 1);
    put_batch(folder, "data_batch_1.bin", 8, 3);
    put_batch(folder, "test_batch.bin", 50, 2);
    put(folder, "readme.html", "x", 1);
    for (int i = 0; i < 2; i++) {
        Dataset d = i ? dataset_load(&arena, folder, NULL, DATASET_TRAIN)
                      : dataset_load(&arena, "cifar10", folder, DATASET_TRAIN);
        check_text(d.name, i ? "batches" : "cifar10");
        check(d.count == 4 && d.height == 32 && d.width == 32 && d.channels == 3);
        check_int(d.classes, 10);
        check(memcmp(d.labels, (uint8_t[]){8, 9, 0, 3}, 4) == 0);
        check(memcmp(d.pixels, (uint8_t[]){8, 100, 200, 8, 100, 200}, 6) == 0);
        const uint8_t *last = d.pixels + 3 * 3072;
        check(memcmp(last + 32 * 3, (uint8_t[]){3, 101, 200, 3, 100, 200}, 6) == 0);
    }
    Dataset d = dataset_load(&arena, "cifar10", folder, DATASET_TEST);
    check(d.count == 2 && d.labels[1] == 1 && d.pixels[3072] == 51);
}

static void loads_pictures(void)
{
    char *folder = make_folder("png");
    put_png(folder, "cat_1.png", 2, 3, 3, 10);
    put_png(folder, "cat_2.PNG", 2, 3, 3, 20);
    put_png(folder, "catfish_1.png", 2, 3, 3, 30);      /* sorts before cat_1 */
    put_png(folder, "ant_7_x.png", 2, 3, 3, 40);
    put(folder, "notes.txt", "x", 1);
    Dataset d = dataset_load(&arena, folder, NULL, DATASET_TRAIN);
    check_text(d.name, "png");
    check(d.count == 4 && d.height == 2 && d.width == 3 && d.channels == 3);
    check_int(d.classes, 3);
    for (int i = 0; i < d.count; i++) {
        int value = d.pixels[i * 18], label = value == 40 ? 0 : value == 30 ? 2 : 1;
        check_int(d.labels[i], label);
        check_int(d.pixels[i * 18 + 17], value);
    }
    put_png(folder, "dog.png", 2, 3, 3, 50);            /* has no class: then none has */
    d = dataset_load(&arena, folder, NULL, DATASET_TRAIN);
    check(d.count == 5 && d.labels == NULL && d.classes == 0);
}

/* 256 classes fit in a byte, one more does not; an empty name is no class. */
static void counts_the_classes_of_pictures(void)
{
    char *folder = make_folder("many");
    put_png(folder, "0_.png", 1, 1, 1, 0);
    const char *first = arena_printf(&arena, "%s/0_.png", folder);
    for (int n = 1; n < 256; n++)
        check(link(first, arena_printf(&arena, "%s/%d_.png", folder, n)) == 0);
    Dataset d = dataset_load(&arena, folder, NULL, DATASET_TRAIN);
    check(d.count == 256 && d.classes == 256);
    int sum = 0;
    for (int i = 0; i < 256; i++) sum += d.labels[i];
    check_int(sum, 255 * 256 / 2);
    check(link(first, arena_printf(&arena, "%s/256_.png", folder)) == 0);
    d = dataset_load(&arena, folder, NULL, DATASET_TRAIN);
    check(d.count == 257 && d.classes == 0 && d.labels == NULL);

    folder = make_folder("nameless");
    put_png(folder, "_1.png", 1, 1, 1, 0);
    check(dataset_load(&arena, folder, NULL, DATASET_TRAIN).labels == NULL);
}

/* ---- what is wrong --------------------------------------------------------------- */

/* Loading the folder's train part must stop with these words, and with its path. */
static void check_refused(const char *folder, const char *words)
{
    Request r = {folder, NULL, DATASET_TRAIN};
    check_stops(load, &r, words);
    check_stops(load, &r, folder);
}

/* P(radius > r) = (r^-2 - 16^-2) / (1 - 16^-2); every pixel has a leaf, so the pictures
 * do not depend on what was there; each part is another set, and the same each time. */
static void makes_dead_leaves(void)
{
    check_close(leaf_radius(0), 16, 1e-12);
    check_close(leaf_radius(1), 1, 1e-12);
    for (double r = 1; r < 16; r += 2.5)
        check_close(leaf_radius((1 / (r * r) - 1 / 256.0) / (1 - 1 / 256.0)), r, 1e-12);
    Dataset train = dataset_load(&arena, "leaves", NULL, DATASET_TRAIN);
    Dataset test = dataset_load(&arena, "leaves", NULL, DATASET_TEST);
    Dataset again = dataset_load(&arena, "leaves", NULL, DATASET_TEST);
    size_t size = 32 * 32 * (size_t)test.count;
    check_int(train.count, 10000);
    check_int(test.count, 2000);
    check(memcmp(test.pixels, again.pixels, size) == 0);
    check(memcmp(test.pixels, train.pixels, size) != 0);
    double sum = 0, square = 0, alike = 0;
    for (size_t i = 0; i < size; i++) {
        double x = test.pixels[i];
        sum += x, square += x * x;
        alike += i % 32 && test.pixels[i - 1] == test.pixels[i];
    }
    check_close(sum / (double)size, 127.5, 0.02);           /* greys are uniform */
    check_close(square / (double)size - 127.5 * 127.5, 65535 / 12.0, 0.04);
    check(alike > 0.5 * (double)size && alike < 0.9 * (double)size);
    Request folder = {"leaves", "/tmp", DATASET_TEST};
    check_stops(load, &folder, "leaves are made by the program");
}

static void refuses_unknown_names(void)
{
    Request r = {"mnits", NULL, DATASET_TRAIN};
    check_stops(load, &r, "mnits is neither a data set nor a folder: expected mnist");
    r = (Request){"cifar10", NULL, DATASET_TRAIN};
    check_stops(load, &r, "cifar10 does not come with the program");
    char *folder = make_idx("double");
    r = (Request){folder, folder, DATASET_TRAIN};
    check_stops(load, &r, "is a folder itself; leave out");
    r = (Request){"cifar10", arena_printf(&arena, "%s/nowhere", folder), DATASET_TRAIN};
    check_stops(load, &r, "cannot list the folder");
    r = (Request){"cifar10", folder, DATASET_TRAIN};
    check_stops(load, &r, "holds no data_batch_*.bin");
    r.part = DATASET_TEST;
    check_stops(load, &r, "holds no test_batch.bin");
}

static void refuses_other_files_as_mnist(void)
{
    char *folder = make_idx("not-mnist");
    Request r = {"mnist", folder, DATASET_TRAIN};
    check_stops(load, &r, "not the original file of MNIST");
    r.part = DATASET_TEST;
    check_stops(load, &r, "t10k-images-idx3-ubyte.gz is missing");
    unlink(arena_printf(&arena, "%s/train-labels-idx1-ubyte", folder));
    r.part = DATASET_TRAIN;
    check_stops(load, &r, "train-labels-idx1-ubyte.gz is missing");
}

static void refuses_broken_idx_files(void)
{
    char *folder = make_idx("broken");
    Request test = {folder, NULL, DATASET_TEST};
    check_stops(load, &test, "t10k-images-idx3-ubyte.gz is missing");

    const char *labels = "train-labels-idx1-ubyte", *images = "train-images-idx3-ubyte";
    put(folder, labels, BYTES(0, 0, 8, 1, 0, 0, 0, 3, 4, 1, 1));
    check_refused(folder, "has 3 labels, but");
    put(folder, labels, BYTES(0, 0, 8, 1, 0, 0, 0, 2, 4));
    check_refused(folder, "2 bytes should follow it, there are 1");
    put(folder, labels, BYTES(0, 0, 8, 3, 0, 0, 0, 2, 4, 1, 0, 0, 0, 0, 0, 0));
    check_refused(folder, "not an IDX file of labels: it begins with 00 00 08 03");
    put(folder, labels, BYTES(0, 0, 8));
    check_refused(folder, "cut short: it has 3 bytes");

    put(folder, images, BYTES(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2));
    check_refused(folder, "cut short: it has 12 bytes");
    put(folder, images, BYTES(0, 0, 13, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3));
    check_refused(folder, "not an IDX file of images: it begins with 00 00 0d 03");
    put(folder, images, BYTES(0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3));
    check_refused(folder, "dimension 1 of 3 is 0");
    put(folder, images, BYTES(0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3));
    check_refused(folder, "dimension 2 of 3 is 0");
    put(folder, images, BYTES(0, 0, 8, 3, 255, 255, 255, 255, 0, 0, 0, 1, 0, 0, 0, 1, 1));
    check_refused(folder, "dimension 1 of 3 is 4294967295");
    put(folder, images,
        BYTES(0, 0, 8, 3, 127, 255, 255, 255, 0, 0, 64, 0, 0, 0, 64, 0, 1));
    check_refused(folder, "576460752034988032 bytes should follow it, there are 1");
    put(folder, images, BYTES(0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2));
    check_refused(folder, "1 bytes should follow it, there are 2");
}

static void refuses_broken_gzip_files(void)
{
    Bytes labels = file_read(&arena, "apps/data/mnist/t10k-labels-idx1-ubyte.gz");
    char *folder = make_folder("cut");
    put(folder, "train-images-idx3-ubyte.gz", labels.data, labels.size - 1);
    check_refused(folder, "train-images-idx3-ubyte.gz: the file is cut short");
    put(folder, "train-images-idx3-ubyte.gz", labels.data, labels.size / 2);
    check_refused(folder, "train-images-idx3-ubyte.gz: the file is cut short");
    put(folder, "train-images-idx3-ubyte.gz", labels.data, labels.size);
    check_refused(folder, "train-images-idx3-ubyte.gz is not an IDX file of images");
    put(folder, "train-images-idx3-ubyte.gz", labels.data + 1, labels.size - 1);
    check_refused(folder, "train-images-idx3-ubyte.gz is not a gzip file");
}

static void parse_batch(void *batch) { cifar_parse(&arena, batch, 1); }

static void refuses_broken_batches(void)
{
    char *folder = make_folder("broken-batches");
    uint8_t rows[2 * ROW] = {[0] = 9, [ROW] = 10};
    put(folder, "data_batch_1.bin", rows, sizeof rows);
    check_refused(folder, "data_batch_1.bin: the class of picture 1 is 10");
    put(folder, "data_batch_1.bin", rows, ROW + 1);
    check_refused(folder, "data_batch_1.bin has 3074 bytes");
    put(folder, "data_batch_1.bin", rows, 0);
    check_refused(folder, "data_batch_1.bin has 0 bytes");
    Bytes huge = {"huge.bin", NULL, (size_t)3073 << 31};    /* refused before it is read */
    check_stops(parse_batch, &huge, "one batch too many");
}

static void load_pictures(void *folder) { pictures_load(&arena, folder, DATASET_TRAIN); }
static void load_in_scratch(void *unused)
{
    (void)unused;
    dataset_load(scratch(), "leaves", NULL, DATASET_TEST);
}

static void refuses_broken_pictures(void)
{
    char *folder = make_folder("broken-png");
    check_stops(load_pictures, folder, "broken-png holds no PNG files");
    check_stops(load_in_scratch, NULL, "works in the scratch arena; give it another");
    put_png(folder, "1.png", 2, 3, 1, 0);
    Request test = {folder, NULL, DATASET_TEST};
    check_stops(load, &test, "not divided into a train and a test part");
    put_png(folder, "2.png", 3, 2, 1, 0);
    check_refused(folder, "2.png is 2 x 3 with 1 channels, but 1.png before it is 3 x 2");
    put_png(folder, "2.png", 2, 3, 3, 0);
    check_refused(folder, "2.png is 3 x 2 with 3 channels");
    put(folder, "2.png", "no picture", 10);
    check_refused(folder, "2.png is not a PNG file");
}

static void refuses_folders_without_data(void)
{
    char *folder = make_folder("empty");
    check_refused(folder, "empty holds no data set: expected IDX files");
    put(folder, "something.txt", "x", 1);
    check_refused(folder, "found 1 other files");
    check_refused(arena_printf(&arena, "%s/something.txt", folder), "neither a data set");

    /* A folder that may not be read; the administrator may read any, so be someone
     * else. */
    bool administrator = geteuid() == 0;
    chmod(test_folder(), 0755);
    chmod(folder, 0000);
    if (!administrator || seteuid(65534) == 0)
        check_refused(folder, "cannot list the folder");
    check(!administrator || seteuid(0) == 0);
    chmod(folder, 0700);
}

/* Each byte once, spread over its level, is uniform on [0, 256): mean 128, variance
 * 256^2 / 12.  Spread once more and brought back, each byte is what it was; and u fills
 * the level: its mean is 1/2 and its variance 1/12. */
static void bytes_fill_their_levels(void)
{
    enum { LEVELS = 256, REPEATS = 100 };
    uint8_t bytes[LEVELS], again[LEVELS];
    double x[LEVELS], sum = 0, squares = 0, n = LEVELS * REPEATS;
    for (int i = 0; i < LEVELS; i++) bytes[i] = (uint8_t)i;
    Greys g = greys_of(&(Dataset){.count = 4, .height = 8, .width = 8, .channels = 1,
                                  .pixels = bytes});
    check_close(g.mean, 128, 1e-14);
    check_close(g.deviation, 256 / sqrt(12), 1e-14);
    for (int k = 0; k < REPEATS; k++) {
        dequantise(&g, bytes, LEVELS, random_stream(1, 1, (uint64_t)k), x);
        for (int i = 0; i < LEVELS; i++) {
            double u = g.mean + g.deviation * x[i] - i;
            sum += u, squares += (u - 0.5) * (u - 0.5);
        }
        quantise(&g, x, LEVELS, again);
        check(memcmp(bytes, again, LEVELS) == 0);
    }
    check_close(sum / n, 0.5, 0.01);
    check_close(squares / n, 1.0 / 12, 0.002);
    quantise(&g, (double[]){-2, 2}, 2, again);              /* 128 -+ 147.8 */
    check_int(again[0], 0);
    check_int(again[1], 255);
}

static const Test tests[] = {
    T(bytes_fill_their_levels),
    T(loads_the_bundled_mnist), T(finds_the_bundled_files_from_elsewhere),
    T(a_lone_program_asks_for_the_data), T(a_folder_here_has_its_name),
    T(a_file_is_known_by_its_name),
    T(loads_idx_files), T(loads_cifar_batches), T(loads_pictures), T(makes_dead_leaves),
    T(counts_the_classes_of_pictures),
    T(refuses_unknown_names), T(refuses_other_files_as_mnist),
    T(refuses_broken_idx_files), T(refuses_broken_gzip_files), T(refuses_broken_batches),
    T(refuses_broken_pictures), T(refuses_folders_without_data),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
