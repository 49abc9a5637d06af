/* One function a format, and the entry point that libFuzzer looks for (`make fuzz
 * CC=clang`), which is told the format by the variable FUZZ.  Without libFuzzer mutate.c
 * drives the same functions. */
#include "tests/fuzz/targets.h"

#include <stdlib.h>
#include <string.h>

#include "apps/support/dataset.h"
#include "apps/support/foreign.h"
#include "apps/support/inflate.h"
#include "apps/support/options.h"
#include "apps/support/png.h"
#include "nn/checkpoint.h"
#include "tensor/error.h"
#include "tensor/npy.h"

static Arena arena;

static void fuzz_json(Bytes input) { json_parse(&arena, input); }
static void fuzz_gzip(Bytes input) { inflate_gzip(&arena, input); }
static void fuzz_zlib(Bytes input) { inflate_zlib(&arena, input, 100); }
static void fuzz_png(Bytes input) { png_decode(&arena, input); }
static void fuzz_cifar(Bytes input) { cifar_parse(&arena, &input, 1); }

static void read_all(const SafeTensors *file)
{
    for (int i = 0; i < file->count; i++)
        safetensors_to_reals(&file->entries[i],
                             arena_new(&arena, Real, file->entries[i].count));
}

static void fuzz_safetensors(Bytes input)
{
    SafeTensors file = safetensors_parse(&arena, input);
    read_all(&file);
}

static void fuzz_npy(Bytes input)
{
    SafeTensors file = npy_parse(&arena, input);
    read_all(&file);
}

/* The layout of the seeds: two.safetensors has the arrays of this block. */
static void fuzz_checkpoint(Bytes input)
{
    static Params p;
    static Real values[16];
    if (p.count == 0) {
        p = params_create();
        params_add(&p, SHAPE(2, 3), (Init){0}, "weight");
        params_add(&p, SHAPE(3), (Init){0}, "bias");
    }
    int32_t count;
    CheckpointBlock block = {"model", values};
    SafeEntry other = {.name = "count", .dtype = DTYPE_I32, .data = &count};
    SafeTensors file = safetensors_parse(&arena, input);
    checkpoint_load(&file, &p, &(CheckpointParts){&block, 1, &other, 1});
}

/* With the network that it describes, whose parameters get names and shapes, but no
 * memory. */
static void fuzz_config(Bytes input)
{
    static Params p;
    if (!p.arena.region.base) p = params_create();
    arena_rewind(&p.arena, 0);
    p = (Params){.arena = p.arena};
    Config c = config_parse(&arena, input);
    unet_init(&p, &c.unet);
}

/* The arguments of another program's network: FAMILY'S CLASS, a new line, JSON. */
static void fuzz_published(Bytes input)
{
    const uint8_t *line = memchr(input.data, '\n', input.size);
    if (!line) fail("no class");
    size_t length = (size_t)(line - input.data);
    const char *class = arena_printf(&arena, "%.*s", (int)length,
                                     (const char *)input.data);
    Bytes text = {input.path, line + 1, input.size - length - 1};
    published_net(class, json_parse(&arena, text), 32, 32, input.path);
}

/* The same with the checksums of the chunks put right: deeper than a checksum lets
 * anyone. */
static void fuzz_png_summed(Bytes input)
{
    uint8_t *b = (uint8_t *)input.data;
    for (size_t at = 8; at + 12 <= input.size; ) {
        uint32_t length = big_endian_32(b + at);
        if (length > input.size - at - 12) break;
        uint32_t crc = crc32(0, b + at + 4, length + 4);
        for (int i = 0; i < 4; i++)
            b[at + 8 + length + i] = (uint8_t)(crc >> 8 * (3 - i));
        at += length + 12;
    }
    fuzz_png(input);
}

/* The first byte tells how many bytes at the end are the file of labels. */
static void fuzz_idx(Bytes input)
{
    size_t labels = input.size ? input.data[0] : 0;
    if (input.size < 1 + labels) fail("too short");
    size_t images = input.size - 1 - labels;
    const uint8_t *start = input.data + 1;
    Dataset d = idx_parse((Bytes){input.path, start, images},
                          (Bytes){input.path, labels ? start + images : NULL, labels});
    unsigned sum = 0;
    for (int i = 0; d.labels && i < d.count; i++) sum += d.labels[i] < d.classes ? 0 : 1;
    require(sum == 0, "a label above the classes");
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
        {"flag", OPTION_FLAG, &flag, NULL, "", 0},
        {"number", OPTION_INT, &number, "N", "", 0},
        {"steps", OPTION_LONG, &length, "N", "", 0},
        {"rate", OPTION_REAL, &rate, "X", "", 0},
        {"text", OPTION_TEXT, &text, "T", "", 0},
        {"list", OPTION_INTS, list, "A,B", "", 0},
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
    {"json", fuzz_json}, {"config", fuzz_config}, {"published", fuzz_published},
    {"safetensors", fuzz_safetensors}, {"checkpoint", fuzz_checkpoint}, {"npy", fuzz_npy},
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

const char *target_run(const Target *t, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);    /* which the sanitizer guards */
    if (!copy) abort();
    memcpy(copy, data, size);
    Call call = {t, {"input", copy, size}};
    const char *message = error_catch(run_call, &call);
    arena_rewind(&arena, 0);
    arena_rewind(scratch(), 0);
    free(copy);
    return message;
}

int target_seeds(Arena *a, const Target *t, Bytes **seeds)
{
    int count;
    const char *folder = arena_printf(a, "tests/fuzz/seeds/%s", t->name);
    char **names = folder_list(a, folder, &count);
    *seeds = arena_new(a, Bytes, (size_t)count);
    for (int i = 0; i < count; i++)
        (*seeds)[i] = file_read(a, arena_printf(a, "%s/%s", folder, names[i]));
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const Target *chosen;
    if (!chosen) {
        const char *name = getenv("FUZZ");
        if (!name) name = "";
        for (chosen = targets; chosen->name && strcmp(chosen->name, name) != 0; ) chosen++;
        if (!chosen->name) abort();
    }
    target_run(chosen, data, size);
    return 0;
}
