/* One function a format, and the entry point that libFuzzer looks for:
 *
 *     clang -fsanitize=fuzzer,address ... tests/fuzz/targets.c build/.../libdrift.a
 *     FUZZ=png ./a.out tests/fuzz/seeds/png
 *
 * Without libFuzzer, mutate.c drives the same functions. */
#include "tests/fuzz/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/support/config.h"
#include "apps/support/dataset.h"
#include "apps/support/inflate.h"
#include "apps/support/options.h"
#include "apps/support/png.h"
#include "tensor/error.h"
#include "tensor/safetensors.h"

static Arena arena;

static void fuzz_json(Bytes input) { json_parse(&arena, input); }
static void fuzz_config(Bytes input) { config_parse(&arena, input); }
static void fuzz_gzip(Bytes input) { inflate_gzip(&arena, input); }
static void fuzz_zlib(Bytes input) { inflate_zlib(&arena, input, 100); }
static void fuzz_png(Bytes input) { png_decode(&arena, input); }

static void fuzz_safetensors(Bytes input)
{
    SafeTensors file = safetensors_parse(&arena, input);
    for (int i = 0; i < file.count; i++)
        safetensors_to_reals(&file.entries[i],
                             arena_new(&arena, Real, file.entries[i].count));
}

/* The same with the checksums of the chunks put right: deeper than a checksum lets anyone. */
static void fuzz_png_summed(Bytes input)
{
    uint8_t *b = (uint8_t *)input.data;
    for (size_t at = 8; at + 12 <= input.size; ) {
        uint32_t length = big_endian_32(b + at);
        if (length > input.size - at - 12) break;
        uint32_t crc = crc32(0, b + at + 4, length + 4);
        for (int i = 0; i < 4; i++) b[at + 8 + length + i] = (uint8_t)(crc >> 8 * (3 - i));
        at += length + 12;
    }
    fuzz_png(input);
}

/* The loaders of data sets read folders. */
static const char *put_in_folder(const char *name, Bytes input)
{
    const char *folder = "build/fuzz";
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);       /* some systems wait for the disk when a file is overwritten */
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(input.data, 1, input.size, f) != input.size || fclose(f) != 0) {
        perror(path);
        exit(3);
    }
    return folder;
}

static void fuzz_idx(Bytes input)
{
    idx_load(&arena, put_in_folder("train-images-idx3-ubyte", input), DATASET_TRAIN);
}

static void fuzz_cifar(Bytes input)
{
    cifar_load(&arena, put_in_folder("data_batch_1.bin", input), DATASET_TRAIN);
}

/* The words of a command line, one a line. */
static void fuzz_options(Bytes input)
{
    enum { WORDS = 32 };
    static bool flag;
    static int number, list[MAX_LIST];
    static long length;
    static double rate, rates[MAX_LIST];
    static const char *text;
    Option options[] = {
        {"flag", OPTION_FLAG, &flag, NULL, "", 0}, {"number", OPTION_INT, &number, "N", "", 0},
        {"steps", OPTION_LONG, &length, "N", "", 0}, {"rate", OPTION_REAL, &rate, "X", "", 0},
        {"text", OPTION_TEXT, &text, "T", "", 0}, {"list", OPTION_INTS, list, "A,B", "", 0},
        {"rates", OPTION_REALS, rates, "A,B", "", 0}, {0},
    };
    Usage usage = {"drift", "", 2};
    char *line = arena_printf(&arena, "%.*s", (int)input.size, (const char *)input.data);
    char *words[WORDS + 1] = {"drift"};
    int n = 1;
    for (char *w = strtok(line, "\n"); w && n < WORDS; w = strtok(NULL, "\n"))
        if (strcmp(w, "-h") != 0 && strcmp(w, "--help") != 0) words[n++] = w;
    const char *found[2];
    options_parse(n, words, &usage, options, found);
}

const Target targets[] = {
    {"json", fuzz_json}, {"config", fuzz_config}, {"safetensors", fuzz_safetensors},
    {"gzip", fuzz_gzip}, {"zlib", fuzz_zlib}, {"png", fuzz_png},
    {"png_summed", fuzz_png_summed}, {"idx", fuzz_idx}, {"cifar", fuzz_cifar},
    {"options", fuzz_options}, {NULL, NULL},
};

typedef struct { const Target *target; Bytes input; } Call;

static void run_call(void *argument)
{
    Call *c = argument;
    c->target->run(c->input);
}

void target_run(const Target *t, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);    /* not from an arena: the sanitizer guards it */
    if (!copy) exit(3);
    memcpy(copy, data, size);
    Call call = {t, {"input", copy, size}};
    error_catch(run_call, &call);
    arena_rewind(&arena, 0);
    arena_rewind(scratch(), 0);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *name = getenv("FUZZ");
    for (const Target *t = targets; t->name; t++)
        if (name && strcmp(t->name, name) == 0) target_run(t, data, size);
    return 0;
}
