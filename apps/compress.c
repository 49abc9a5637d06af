/* drift compress, drift decompress: an image as the bits that a model needs for it
 * (diffusion/codec.h).
 *
 * The file: "DDC1"; checksums of the model's weights and of the picture that comes out, 4
 * bytes each, the highest first; the step at which the chain stops (2 bytes), the bits
 * of a channel, the class + 1 (0: none); then the code. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/dataset.h"
#include "apps/support/image.h"
#include "apps/support/options.h"
#include "apps/support/png.h"
#include "apps/support/run.h"
#include "diffusion/codec.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/parallel.h"

enum { HEADER = 16 };
static const char magic[] = "DDC1";

typedef struct {
    const char *input, *run, *out;
    int until, channel, label, threads;     /* label -1: none */
} CommandLine;

typedef struct {
    Arena arena;
    Model model;
    Process process;
    NetworkDenoiser d;
    uint32_t checksum;
} Coder;

static void open_coder(Coder *k, const char *run)
{
    if (!run) fail_usage("--model: which run?");
    *k = (Coder){.arena = arena_create()};
    model_load(&k->model, run_checkpoint(&k->arena, run), MODEL_DENOISER, false);
    const Model *m = &k->model;
    k->process = m->process;
    k->d = network_denoiser(&m->net, &m->params, m->ema.value[0], &k->process);
    k->checksum = crc32(0, m->ema.value[0], m->params.size * sizeof(Real));
}

/* x0 receives what comes out, and pixels its bytes. */
static CodecReport run_codec(Coder *k, const CommandLine *c, Arithmetic *code, double *x0,
                             uint8_t *pixels)
{
    CodecOptions o = {.channel = c->channel, .until = c->until};
    const int *label = k->model.config.unet.classes ? &c->label : NULL;
    CodecReport r = codec_run(code, &k->d.base, &k->process, &o, label, x0);
    to_bytes(pixels, x0, k->d.base.size);
    return r;
}

static void put_big_endian_32(uint8_t *to, uint32_t number)
{
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* ---- compress --------------------------------------------------------------------- */

/* A PNG file, or the number of a test picture of the run's data set. */
static void load_input(Coder *k, const CommandLine *c, double *x0)
{
    const UNetConfig *u = &k->model.config.unet;
    const uint8_t *pixels;
    int size[3], n = 0;
    char *end;
    long number = strtol(c->input, &end, 10);
    if (*end) {
        Image p = png_read(&k->arena, c->input);
        size[n++] = p.height, size[n++] = p.width, size[n++] = p.channels;
        pixels = p.pixels;
    } else {
        const char *source, *data;
        run_source(&k->arena, c->run, &source, &data);
        Dataset d = dataset_load(&k->arena, source, data, DATASET_TEST);
        if (number < 0 || number >= d.count)
            fail_usage("%s has the test pictures 0 to %d", d.name, d.count - 1);
        size[n++] = d.height, size[n++] = d.width, size[n++] = d.channels;
        pixels = d.pixels + (size_t)number * k->d.base.size;
    }
    if (size[0] != u->height || size[1] != u->width || size[2] != u->channels)
        fail("%s is %dx%dx%d, but the model draws %dx%dx%d", c->input, size[0], size[1],
             size[2], u->height, u->width, u->channels);
    for (size_t i = 0; i < k->d.base.size; i++) x0[i] = pixels[i] / 127.5 - 1;
}

static void print_report(const CodecReport *r, const CommandLine *c, size_t bytes,
                         size_t D)
{
    double rate = 8.0 * (double)bytes / (double)D;
    printf("%s: %zu bytes, %.4f bits/dim\n  header %d bits\n", c->out, bytes, rate,
           8 * HEADER);
    printf("  chain  %.0f bits in %d steps and %d channels; by theory %.0f\n", r->chain,
           r->steps, r->channels, r->kl);
    if (c->until == 0)
        printf("  pixels %.0f bits; by theory %.0f\n", r->pixels, r->likelihood);
    printf("  x0 predicted at the end of the chain: rmse %.2f of 255\n", r->rmse);
}

static void compress(const CommandLine *c)
{
    Coder k;
    open_coder(&k, c->run);
    const UNetConfig *u = &k.model.config.unet;
    if (c->until >= k.process.schedule.T)
        fail_usage("--until %d: the chain has %d steps", c->until, k.process.schedule.T);
    if (c->label >= u->classes && c->label >= 0)
        fail_usage("--class %d: this model has %d", c->label, u->classes);
    if (c->label < 0 && u->classes && k.model.config.label_dropout == 0)
        fail_usage("--class: which?  This model was not trained without");
    size_t D = k.d.base.size, room = 4 * D + 4096;
    double *x0 = arena_new(&k.arena, double, D);
    load_input(&k, c, x0);
    uint8_t *file = arena_new(&k.arena, uint8_t, room);
    uint8_t *pixels = arena_new(&k.arena, uint8_t, D);
    memset(file, 0, room);
    memcpy(file, magic, 4);
    put_big_endian_32(file + 4, k.checksum);
    file[12] = (uint8_t)(c->until >> 8), file[13] = (uint8_t)c->until;
    file[14] = (uint8_t)c->channel, file[15] = (uint8_t)(c->label + 1);
    Arithmetic code = arithmetic_writer(file + HEADER, room - HEADER);
    CodecReport r = run_codec(&k, c, &code, x0, pixels);
    put_big_endian_32(file + 8, crc32(0, pixels, D));
    size_t bytes = HEADER + arithmetic_finish(&code);
    file_write(c->out, file, bytes);
    print_report(&r, c, bytes, D);
}

int compress_main(int argc, char **argv)
{
    CommandLine c = {.channel = 10, .out = "image.ddc"};
    Option options[] = {
        {"model", OPTION_TEXT, &c.run, "RUN", "which both sides have", 0},
        {"until", OPTION_INT, &c.until, "T",
         "stop at this step: fewer bits, an image like it", 0},
        {"class", OPTION_INT, &c.label, "K", "tell the network this class [none]", 0},
        {"channel", OPTION_INT, &c.channel, "B",
         "bits of a channel, 4 to 12: 64 2^B trials each; more are slower and waste less",
         0},
        {"out", OPTION_TEXT, &c.out, "FILE", "the compressed image", 0},
        {"threads", OPTION_INT, &c.threads, "N", "0: one for each core", 0},
        {0},
    };
    static const Usage usage = {
        "drift compress IMAGE --model RUN [options]",
        "Compresses a picture, a PNG file or the number of a test picture, with a trained\n"
        "model.  `drift decompress` gives it back, with the same program on the same\n"
        "kind of machine.", 1};
    if (options_parse(argc, argv, &usage, options, &c.input) != 1)
        fail_usage("which image?  usage: %s", usage.synopsis);
    if (!options_given(options, "class")) c.label = -1;
    if (c.channel < 4 || c.channel > 12)
        fail_usage("--channel %d: want 4 to 12", c.channel);
    parallel_set_threads(c.threads);
    compress(&c);
    return 0;
}

/* ---- decompress ------------------------------------------------------------------- */

int decompress_main(int argc, char **argv)
{
    CommandLine c = {.out = "image.png"};
    Option options[] = {
        {"model", OPTION_TEXT, &c.run, "RUN", "with which it was compressed", 0},
        {"out", OPTION_TEXT, &c.out, "X.png", "the picture", 0},
        {"threads", OPTION_INT, &c.threads, "N", "0: one for each core", 0},
        {0},
    };
    static const Usage usage = {"drift decompress FILE --model RUN [options]",
                                "Gives back what `drift compress` made the file of.", 1};
    if (options_parse(argc, argv, &usage, options, &c.input) != 1)
        fail_usage("which file?  usage: %s", usage.synopsis);
    parallel_set_threads(c.threads);
    Coder k;
    open_coder(&k, c.run);
    const UNetConfig *u = &k.model.config.unet;
    Bytes file = file_read(&k.arena, c.input);
    if (file.size < HEADER || memcmp(file.data, magic, 4) != 0)
        fail("%s was not made by `drift compress`", c.input);
    if (big_endian_32(file.data + 4) != k.checksum)
        fail("%s was compressed with another model than %s", c.input, c.run);
    c.until = file.data[12] << 8 | file.data[13], c.channel = file.data[14];
    c.label = file.data[15] - 1;
    if (c.until >= k.process.schedule.T || c.channel < 4 || c.channel > 12 ||
        c.label >= u->classes)
        fail("%s is damaged: its header says step %d, %d bits, class %d", c.input,
             c.until, c.channel, c.label);
    size_t D = k.d.base.size;
    double *x0 = arena_new(&k.arena, double, D);
    uint8_t *code = arena_new(&k.arena, uint8_t, file.size);
    memcpy(code, file.data + HEADER, file.size - HEADER);
    Arithmetic reader = arithmetic_reader(code, file.size - HEADER);
    Image image = {u->height, u->width, u->channels, arena_new(&k.arena, uint8_t, D)};
    run_codec(&k, &c, &reader, x0, image.pixels);
    if (crc32(0, image.pixels, D) != big_endian_32(file.data + 8))
        fail("%s gives another picture than was compressed: it is damaged, or was made "
             "by another build or machine", c.input);
    png_write(c.out, &image);
    printf("%s: %d x %d pixels\n", c.out, u->width, u->height);
    return 0;
}
