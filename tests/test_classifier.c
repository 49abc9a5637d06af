/* Classifiers as a user has them: trained, resumed, guiding and judging, on little
 * pictures that the test writes; and the windows that training cuts out. */
#include <stdlib.h>
#include <string.h>

#include "apps/support/png.h"
#include "apps/support/training.h"
#include "tensor/safetensors.h"
#include "tests/check.h"

static Arena arena;
#define TEXT(...) arena_printf(&arena, __VA_ARGS__)
#define check_drift(code, words, ...) check_drift_at(HERE, code, words, TEXT(__VA_ARGS__))

/* Two classes: a bright upper or lower half. */
static const char *pictures(void)
{
    const char *folder = TEXT("%s/halves", test_folder());
    if (file_exists(folder)) return folder;
    folder_make(folder);
    for (int i = 0; i < 16; i++) {
        uint8_t pixels[64];
        for (int k = 0; k < 64; k++) pixels[k] = (k < 32) == i % 2 ? 255 - 8 * i : 0;
        Image image = {8, 8, 1, pixels};
        png_write(TEXT("%s/%c_%02d.png", folder, "ab"[i % 2], i), &image);
    }
    return folder;
}

static const char *network(void)
{
    return TEXT("%s --base 8 --mult 1,2 --blocks 1 --patch 1 --attention 4 --batch 8",
                pictures());
}

/* The runs that the tests below need. */
static void make_runs(void)
{
    const char *t = test_folder();
    if (file_exists(TEXT("%s/model", t))) return;
    check_drift(0, "done at step 3", "train %s --steps 3 --out %s/model", network(), t);
    const char *fast = TEXT("classifier %s --lr 1e-2 --warmup 0 --lr-decay constant",
                            network());
    check_drift(0, "right on ", "%s --steps 100 --out %s/noisy", fast, t);
    check_drift(0, "training pictures", "%s --clean --steps 200 --crop 0 --out %s/clean "
                "--weights %s/clean.safetensors", fast, t, t);
}

static bool same_file(const char *x, const char *y)
{
    Bytes a = file_read(&arena, TEXT("%s/%s", test_folder(), x));
    Bytes b = file_read(&arena, TEXT("%s/%s", test_folder(), y));
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* With crops, flips and noise: in one go, or in two pieces with other threads. */
static void resuming_gives_the_same_bytes(void)
{
    const char *t = test_folder();
    const char *flip = TEXT("classifier %s --flip 1", network());
    check_drift(0, "done at step 9", "%s --steps 9 --threads 1 --out %s/a", flip, t);
    check_drift(0, "done at step 4", "%s --steps 4 --threads 2 --out %s/b", flip, t);
    check_drift(0, "by quartile of t",
                "classifier --resume %s/b --steps 9 --threads 3", t);
    check(same_file("a/checkpoint.safetensors", "b/checkpoint.safetensors"));
    check(strstr((const char *)file_read(&arena, TEXT("%s/a/log.jsonl", t)).data,
                 "\"accuracy\":[") != NULL);
}

static void it_learns_and_its_weights_alone_are_enough(void)
{
    const char *t = test_folder();
    make_runs();
    check_drift(0, "right on 100.00 %", "classifier --resume %s/clean", t);
    Bytes all = file_read(&arena, TEXT("%s/clean/checkpoint.safetensors", t));
    Bytes half = file_read(&arena, TEXT("%s/clean.safetensors", t));
    check(half.size < all.size / 4);
    check_drift(0, "parameters", "info %s/clean.safetensors", t);
}

/* A row a scale; scale 0 is what the model draws by itself. */
static void a_classifier_guides_every_sampler(void)
{
    const char *t = test_folder();
    make_runs();
    static const char *const samplers[] = {"ddpm", "ddim", "heun"};
    for (int i = 0; i < NELEM(samplers); i++) {
        const char *draw = TEXT("sample %s/model --sampler %s --sample-steps 4 "
                                "--guidance 1 --count 2", t, samplers[i]);
        check_drift(0, "6 images with", "%s --guide %s/noisy --scale 0,3,50 "
                    "--out %s/g.npy", draw, t, t);
        check_drift(0, "2 images with", "%s --out %s/plain.npy", draw, t);
        Bytes g = file_read(&arena, TEXT("%s/g.npy", t));
        Bytes plain = file_read(&arena, TEXT("%s/plain.npy", t));
        const uint8_t *row = g.data + g.size - 6 * 64;
        check(memcmp(row, plain.data + plain.size - 2 * 64, 2 * 64) == 0);
        check(memcmp(row, row + 4 * 64, 2 * 64) != 0);
    }
}

/* Digits by the network that comes with the program: its sum and its sizes, 48
 * features and 7 channels of 7x7. */
static void the_judge_says_who_it_is(void)
{
    const char *t = test_folder();
    check_drift(0, "done at step 1", "train mnist --base 8 --mult 1 --blocks 1 --patch 4 "
                "--attention 7 --batch 2 --steps 1 --out %s/digits", t);
    check_drift(0, ": 48 of the pool, 343 of the map", "evaluate %s/digits --count 5 "
                "--reference 8 --sample-steps 2 --out %s/quality", t, t);
    Bytes json = file_read(&arena, TEXT("%s/quality.json", t));
    Bytes file = file_read(&arena, "apps/data/mnist-features.safetensors");
    const char *sum = TEXT("%08x", (unsigned)crc32(0, file.data, file.size));
    check(strstr((const char *)json.data, sum) != NULL);
}

static void what_cannot_be_gets_a_sentence(void)
{
    const char *t = test_folder();
    make_runs();
    check_drift(1, "has never seen noise", "sample %s/model --guide %s/clean", t, t);
    check_drift(1, "it does not classify", "sample %s/model --guide %s/model", t, t);
    check_drift(1, "is a classifier, which draws nothing", "sample %s/noisy", t);
    check_drift(2, "--guide names it", "sample %s/model --scale 1,2", t);
    check_drift(2, "not negative, like 0,1,2", "sample %s/model --scale 1,x", t);
    check_drift(1, "is a classifier", "train --resume %s/noisy", t);
    check_drift(1, "it does not classify", "classifier --resume %s/model", t);
    check_drift(2, "of a classifier; the presets are", "classifier mnist --preset mini");
    const char *evaluate = TEXT("evaluate %s/model --count 5 --reference 6", t);
    check_drift(1, "trained with noise, to guide", "%s --features %s/noisy", evaluate, t);
    check_drift(1, "no feature network for halves", "%s", evaluate);
    float weight = 1;
    SafeEntry entry = {.name = "Mixed_7c.branch_pool.conv.weight", .dtype = DTYPE_F32,
                       .rank = 1, .dim = {1}, .data = &weight};
    const char *file = TEXT("%s/inception.safetensors", t);
    safetensors_write(file, &entry, 1, NULL, 0);
    check_drift(1, "472 arrays differ", "%s --features %s", evaluate, file);
}

/* 4 x 4 drawn and guided, then 8 x 8 from them; and every misfit. */
static void a_cascade_draws_small_then_large(void)
{
    const char *t = test_folder();
    make_runs();
    const char *rest = TEXT("%s --patch 1 --base 8 --blocks 1 --batch 4 --steps 3",
                            pictures());
    check_drift(0, "of 4x4x1",
                "train %s --shrink 2 --mult 1,1 --attention 4 --out %s/low", rest, t);
    check_drift(0, "right on", "classifier %s --shrink 2 --mult 1,2 --out %s/lowguide",
                rest, t);
    check_drift(0, "pictures",
                "train %s --mult 1,2 --attention 4 --upsample 2x --out %s/up", rest, t);
    check_drift(0, "done at step 5", "train --resume %s/up --steps 5", t);
    check(file_exists(TEXT("%s/up/samples/000005.png", t)));
    const char *draw = TEXT("sample %s/up --low %s/low --sample-steps 3", t, t);
    check_drift(0, "4 images", "%s --count 4 --out %s/up.npy", draw, t);
    check_drift(0, "4 images", "%s --count 4 --batch 3 --out %s/up3.npy", draw, t);
    check(same_file("up.npy", "up3.npy"));
    check_drift(0, "6 images", "%s --count 3 --guide %s/lowguide --scale 0,9", draw, t);
    check_drift(1, "classifies pictures of 8x8x1, but the model draws 4x4x1",
                "%s --guide %s/noisy", draw, t);
    check_drift(2, "say with --low", "sample %s/up", t);
    check_drift(2, "it starts from nothing", "sample %s/model --low %s/low", t, t);
    check_drift(1, "enlarges pictures of 4x4x1", "sample %s/up --low %s/model", t, t);
    check_drift(2, "want 2x or 4x", "train %s --upsample 3 --out %s/x", rest, t);
    check_drift(1, "1/3 does not divide", "train %s --shrink 3 --out %s/x", rest, t);
}

/* Area averages: of 1 2 3 4 / 5 6 7 8 in blocks of two 3.5 and 5.5, as small pictures
 * and, in bytes and rounded, as a data set. */
static void small_pictures_are_averages(void)
{
    static const double x[] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t pixels[] = {1, 2, 3, 4, 5, 6, 7, 8};
    Config c = {.upsample = 2};
    c.unet.height = 2, c.unet.width = 4;
    SmallPictures s = small_pictures(&arena, &c, 1, x, 1);
    check_int(s.height, 1), check_int(s.width, 2);
    check_close(s.x[0], 3.5, 0), check_close(s.x[1], 5.5, 0);
    c.unet.width = 2;                               /* two channels: 1 3 5 7 and 2 4 6 8 */
    s = small_pictures(&arena, &c, 2, x, 1);
    check_close(s.x[0], 4, 0), check_close(s.x[1], 5, 0);
    Dataset d = {"eight", 1, 2, 4, 1, 0, pixels, NULL, false};
    dataset_shrink(&arena, &d, 2);
    check_int(d.height, 1), check_int(d.width, 2);
    check_int(d.pixels[0], 4), check_int(d.pixels[1], 6);
}

/* Pictures whose numbers grow by 10 a column: in a window enlarged by z they grow by
 * 10 / z, and in a mirrored one they fall. */
static void a_window_is_enlarged_by_at_most_a_quarter(void)
{
    enum { SIZE = 8, COUNT = 64 };
    static uint8_t pixels[SIZE * SIZE], label;
    for (int i = 0; i < SIZE * SIZE; i++) pixels[i] = (uint8_t)(10 * (i % SIZE));
    Config c = classifier_preset_find("classifier")->config;
    c.preset = "classifier", c.dataset = "slope";
    c.unet.height = c.unet.width = SIZE, c.unet.channels = 1, c.unet.out_channels = 2;
    c.unet.base = 8, c.unet.levels = 2, c.flip = true, c.batch = COUNT;
    Training t = {.task = &classifying, .arena = arena_create(), .tape = tape_create(),
                  .epoch = -1};
    t.dataset = (Dataset){"slope", 1, SIZE, SIZE, 1, 2, pixels, &label, false};
    t.order = arena_new(&t.arena, uint32_t, 1);
    model_create(&t.model, &c);
    training_draw_levels(&t);
    Batch b = training_batch(&t, 0, COUNT);
    int seen[3] = {0}, mirrored = 0;
    for (int n = 0; n < COUNT; n++) {
        const double *row = b.x0 + n * SIZE * SIZE;
        double slope = 127.5 * (row[4] - row[3]);
        int z = (int)lround(80 / fabs(slope));          /* 8, 9 or 10 of 8 */
        check(z >= 8 && z <= 10);
        if (z < 8 || z > 10) continue;
        seen[z - 8]++;
        mirrored += slope < 0;
        check_close(fabs(slope), 80.0 / z, 1e-9);
        check_close(row[SIZE + 4], row[4], 1e-12);
    }
    for (int i = 0; i < 3; i++) check(seen[i] > 8);
    check(mirrored > 16 && mirrored < 48);
    model_destroy(&t.model);
    tape_destroy(&t.tape);
    arena_destroy(&t.arena);
}

static const Test tests[] = {
    T(resuming_gives_the_same_bytes), T(it_learns_and_its_weights_alone_are_enough),
    T(a_classifier_guides_every_sampler), T(the_judge_says_who_it_is),
    T(what_cannot_be_gets_a_sentence), T(a_cascade_draws_small_then_large),
    T(small_pictures_are_averages),
    T(a_window_is_enlarged_by_at_most_a_quarter),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
