/* Networks of other programs: what drift imports it exports to the same bytes, and
 * whatever does not fit is named.  The files are made here, weights by formula; that
 * names, shapes and numbers are those of the libraries is proved by the golden networks,
 * which go through the same nn/published.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/published_file.h"
#include "tensor/file.h"
#include "tests/check.h"
#include "tests/golden_weights.h"

static Arena arena;
#define TEXT(...) arena_printf(&arena, __VA_ARGS__)
#define check_drift(code, words, ...) check_drift_at(HERE, code, words, TEXT(__VA_ARGS__))

static const char *in_folder(const char *name)
{
    return TEXT("%s/%s", test_folder(), name);
}

static void write_text(const char *path, const char *text)
{
    file_write(in_folder(path), text, strlen(text));
}

static const Json *parse(const char *text)
{
    return json_parse(&arena, (Bytes){"text", (const uint8_t *)text, strlen(text)});
}

/* ---- files by formula ---------------------------------------------------------- */

static void fill(const Published *w, Real *value)
{
    Real *theirs = arena_new(&arena, Real, w->params->size);
    for (int i = 0; i < w->count; i++) {
        GoldenWeights g = golden_weights("A1", "", w->list[i].name, w->list[i].shape);
        for (size_t k = 0; k < g.size; k++)
            theirs[k] = (Real)golden_weights_value(&g, (uint32_t)k);
        published_read(&w->list[i], theirs, value);
    }
}

/* The network of a class as its library would write it; returns its size. */
static size_t write_network(const char *path, const char *class, const char *arguments,
                            int height)
{
    Params p = params_create();
    PublishedNet net = published_net(class, parse(arguments), height, height, class);
    UNet u;
    Classifier c;
    if (net.pool) c = classifier_init(&p, &net.unet, net.pool);
    else u = unet_init(&p, &net.unet);
    Published w = net.pool ? published_classifier(&arena, &net, &p, &c)
                           : published_unet(&arena, &net, &p, &u);
    params_allocate(&p, 0);
    fill(&w, p.value);
    published_save(in_folder(path), &w, unet_defaults(net.unet).style.taps, p.value);
    size_t size = p.size;
    params_destroy(&p);
    return size;
}

static bool same(const char *x, const char *y)
{
    Bytes a = file_read(&arena, in_folder(x)), b = file_read(&arena, in_folder(y));
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* ---- the family of google/ddpm-cifar10-32 -------------------------------------- */

#define DDPM(in_out, widths, down, up, size) \
    "{\"_class_name\": \"UNet2DModel\", \"_diffusers_version\": \"0.0.4\", " \
    "\"act_fn\": \"silu\", \"attention_head_dim\": null, " \
    "\"block_out_channels\": " widths ", \"center_input_sample\": false, " \
    "\"down_block_types\": [" down "], " \
    "\"downsample_padding\": 0, \"flip_sin_to_cos\": false, \"freq_shift\": 1, " \
    "\"in_channels\": " in_out ", \"layers_per_block\": 2, " \
    "\"mid_block_scale_factor\": 1, \"norm_eps\": 1e-06, \"norm_num_groups\": 32, " \
    "\"out_channels\": " in_out ", \"sample_size\": " size ", " \
    "\"time_embedding_type\": \"positional\", \"up_block_types\": [" up "]}"
#define DOWN "\"DownBlock2D\""
#define UP "\"UpBlock2D\""

static const char scheduler[] =
    "{\"_class_name\": \"DDPMScheduler\", \"_diffusers_version\": \"0.1.1\", "
    "\"beta_end\": 0.02, \"beta_schedule\": \"linear\", \"beta_start\": 0.0001, "
    "\"clip_sample\": true, \"num_train_timesteps\": 1000, \"trained_betas\": null, "
    "\"variance_type\": \"fixed_large\"}";

static const char grey[] = DDPM("1", "[32, 64, 64]",
    DOWN ", \"AttnDownBlock2D\", \"AttnDownBlock2D\"",
    "\"AttnUpBlock2D\", \"AttnUpBlock2D\", " UP, "28");
static const char cifar[] =
    DDPM("3", "[128, 256, 256, 256]", DOWN ", \"AttnDownBlock2D\", " DOWN ", " DOWN,
         UP ", " UP ", \"AttnUpBlock2D\", " UP, "32");

static size_t write_folder(const char *folder, const char *class, const char *config,
                           int size)
{
    folder_make(in_folder(folder));
    write_text(TEXT("%s/config.json", folder), config);
    write_text(TEXT("%s/scheduler_config.json", folder), scheduler);
    return write_network(TEXT("%s/diffusion_pytorch_model.safetensors", folder), class,
                         config, size);
}

/* Number (o, y, x, i) of a convolution of ours is number (o, i, y, x) of theirs. */
static void check_convolution(const char *run, const char *ours, const char *theirs)
{
    SafeTensors f = safetensors_read(&arena, TEXT("%s/%s/checkpoint.safetensors",
                                                  test_folder(), run));
    const SafeEntry *e = safetensors_find(&f, ours);
    int O = (int)e->dim[0], K = (int)e->dim[1], I = (int)e->dim[3];
    int o = O - 1, y = 2, i = I - 1;
    GoldenWeights g = golden_weights("A1", "", theirs, SHAPE(O, I, K, K));
    Real *value = arena_new(&arena, Real, e->count);
    safetensors_to_reals(e, value);
    float want = golden_weights_value(&g, (uint32_t)(((o * I + i) * K + y) * K + 1));
    check_close((double)value[((o * K + y) * K + 1) * I + i], (double)want, 0);
}

static void check_family(const char *folder, const char *class, const char *config,
                         int size, size_t parameters, int arrays)
{
    const char *t = test_folder();
    check_int((int)write_folder(folder, class, config, size), (int)parameters);
    check_drift(
        0,
        TEXT("%zu parameters in %d arrays; images of %dx%dx%d; 1000 steps, linear, eps, "
             "fixed_large",
             parameters, arrays, size, size, size == 28 ? 1 : 3),
        "import %s/%s --out %s/%s-run", t, folder, t, folder);
    check_convolution(TEXT("%s-run", folder), "model.conv_in.weight", "conv_in.weight");
    check_convolution(TEXT("%s-run", folder), "ema.up.0.2.conv2.weight",
                      TEXT("up_blocks.%d.resnets.2.conv2.weight", size == 28 ? 2 : 3));
}

/* What is not said has the library's defaults: 8 channels a head, padding on both sides.
 */
static const char brief[] =
    "{\"_class_name\": \"UNet2DModel\", \"sample_size\": 28, \"in_channels\": 1, "
    "\"out_channels\": 1, \"block_out_channels\": [32, 64, 32], "
    "\"down_block_types\": [" DOWN ", \"AttnDownBlock2D\", " DOWN "], "
    "\"up_block_types\": [" UP ", \"AttnUpBlock2D\", " UP "]}";

static void a_grey_ddpm_is_imported_and_drawn_with(void)
{
    const char *t = test_folder();
    check_family("brief", "UNet2DModel", brief, 28, 1065153, 270);
    check_family("grey", "UNet2DModel-0.9", grey, 28, 1707009, 318);
    check_drift(0, "2 images with ddpm", "sample %s/grey-run --count 2 --sample-steps 2",
                t);
    check_drift(0, "step            0", "info %s/grey-run", t);
    check_drift(1, "no data set belongs to it", "train --resume %s/grey-run --steps 1", t);
    check_drift(1, "holds a run already", "import %s/grey --out %s/grey-run", t, t);
}

/* In the layout of a pipeline, under today's names. */
static void google_ddpm_cifar10_32_is_imported(void)
{
    check_family("cifar", "UNet2DModel", cifar, 32, 35746307, 328);
}

/* ---- there and back ------------------------------------------------------------ */

#define OPENAI "\"in_channels\": 3, \"model_channels\": 32, \"num_res_blocks\": 1, " \
    "\"channel_mult\": [1, 2], "
#define EDM "\"img_resolution\": 16, \"in_channels\": 3, \"out_channels\": 3, " \
    "\"channel_mult\": [1, 2], \"num_blocks\": 1, \"attn_resolutions\": [8], " \
    "\"label_dim\": 3, \"augment_dim\": 9, "
#define VP "\"_diffusion\": {}, "
#define PRECOND(class, more) "\"_precond\": {\"_class_name\": \"" class "\"" more "}, "

static const struct Case {
    const char *name, *class, *to, *arguments;
} cases[] = {
    {"iddpm", "UNetModel", "adm",
     "{" OPENAI "\"out_channels\": 6, \"attention_resolutions\": [2], \"num_heads\": 4, "
     "\"use_scale_shift_norm\": true, \"_diffusion\": {\"steps\": 4000, "
     "\"noise_schedule\": \"cosine\", \"learn_sigma\": true, "
     "\"rescale_timesteps\": true}}"},
    {"adm", "UNetModel", "adm",
     "{" OPENAI
     "\"out_channels\": 3, \"image_size\": 16, \"attention_resolutions\": [1, 2], "
     "\"num_classes\": 5, \"num_head_channels\": 16, \"resblock_updown\": true, "
     "\"_diffusion\": {\"sigma_small\": true, \"predict_xstart\": true}}"},
    {"ncsnpp", "SongUNet", "edm",
     "{" EDM VP "\"model_channels\": 16, \"embedding_type\": \"fourier\", "
     "\"encoder_type\": \"residual\", \"channel_mult_noise\": 2, "
     "\"resample_filter\": [1, 3, 3, 1]}"},
    {"ddpmpp", "SongUNet", "edm", "{" EDM VP "\"model_channels\": 16}"},
    {"edm_adm", "DhariwalUNet", "edm", "{" EDM VP "\"model_channels\": 64}"},
    {"superres", "SuperResModel", "adm",
     "{" OPENAI "\"_class_name\": \"SuperResModel\", \"out_channels\": 6, "
     "\"image_size\": 16, \"attention_resolutions\": [2], \"_upsample\": 2, "
     "\"num_classes\": 5, \"resblock_updown\": true, "
     "\"_diffusion\": {\"learn_sigma\": true}}"},
    {"classifier", "EncoderUNetModel", "adm",
     "{" OPENAI "\"out_channels\": 10, \"image_size\": 16, \"pool\": \"attention\", "
     "\"attention_resolutions\": [2], \"num_head_channels\": 32, "
     "\"resblock_updown\": true, \"use_scale_shift_norm\": true}"},
    {"precond_edm", "SongUNet", "edm",
     "{" EDM PRECOND("EDMPrecond", ", \"sigma_data\": 0.5") "\"model_channels\": 16}"},
    {"precond_vp", "SongUNet", "edm",
     "{" EDM PRECOND("VPPrecond", ", \"beta_d\": 19.9") "\"model_channels\": 16}"},
    {"precond_ve", "SongUNet", "edm",
     "{" EDM PRECOND("VEPrecond",
                     ", \"sigma_max\": 100") "\"model_channels\": 16, "
                                             "\"embedding_type\": \"fourier\"}"},
    {"precond_iddpm", "DhariwalUNet", "edm",
     "{" PRECOND("iDDPMPrecond",
                 ", \"M\": 1000") "\"img_resolution\": 16, \"in_channels\": 3, "
                                  "\"out_channels\": 6, "
                                  "\"channel_mult\": [1, 2], \"num_blocks\": 1, "
                                  "\"attn_resolutions\": [8], "
                                  "\"model_channels\": 64}"},
};

static void check_round_trip(const struct Case *c)
{
    const char *t = test_folder(), *n = c->name;
    write_network(TEXT("%s.safetensors", n), c->class, c->arguments, 16);
    write_text(TEXT("%s.json", n), c->arguments);
    check_drift(0, c->class, "import %s/%s.safetensors --out %s/%s-run --size 16,16", t,
                n, t, n);
    check_drift(0, c->class, "export %s/%s-run --to %s --out %s/%s-out", t, n, c->to, t,
                n);
    check(same(TEXT("%s.safetensors", n), TEXT("%s-out/model.safetensors", n)));
    check_drift(0, c->class, "import %s/%s-out --out %s/%s-run2", t, n, t, n);
    check(same(TEXT("%s-run/checkpoint.safetensors", n),
               TEXT("%s-run2/checkpoint.safetensors", n)));
    if (strcmp(c->class, "SuperResModel") == 0) return;
    if (strcmp(c->class, "EncoderUNetModel") == 0) return;
    check_drift(0, "2 steps, 3 network calls each",
                "sample %s/%s-run --count 1 --sampler heun "
                "--sample-steps 2 --guidance 1 --out %s/x.npy",
                t, n, t);
}

static void export_undoes_import(void)
{
    for (int i = 0; i < NELEM(cases); i++) check_round_trip(&cases[i]);
}

/* Old names come back as new ones; the weights are the same. */
static void both_namings_of_diffusers_are_one_network(void)
{
    const char *t = test_folder();
    write_folder("old", "UNet2DModel-0.9", grey, 28);
    check_drift(0, "UNet2DModel-0.9", "import %s/old --out %s/old-run", t, t);
    check_drift(0, "UNet2DModel:", "export %s/old-run --to diffusers --out %s/new", t, t);
    check_drift(0, "UNet2DModel:", "import %s/new --out %s/new-run", t, t);
    SafeTensors x = safetensors_read(&arena, in_folder("old-run/checkpoint.safetensors"));
    SafeTensors y = safetensors_read(&arena, in_folder("new-run/checkpoint.safetensors"));
    check_int(x.count, y.count);
    for (int i = 0; i < x.count; i++)
        check(memcmp(x.entries[i].data, y.entries[i].data,
                     x.entries[i].count * sizeof(Real)) == 0);
}

static void what_a_family_cannot_say_is_not_exported(void)
{
    const char *t = test_folder();
    struct Case c = cases[0];
    c.name = "refused";
    check_round_trip(&c);
    check_drift(1, "attention_up_last is", "export %s/refused-run --to edm --out %s/no",
                t, t);
    check_drift(1, "resample is", "export %s/refused-run --to edm --out %s/no", t, t);
    check_drift(1, "UNet2DModel: ", "export %s/refused-run --to diffusers --out %s/no", t,
                t);
    check_drift(2, "there are diffusers, adm and edm",
                "export %s/refused-run --to keras --out %s/no", t, t);
    check(!file_exists(in_folder("no")));
}

/* ---- other types of numbers, other names --------------------------------------- */

typedef struct {
    const char *prefix;
    Dtype dtype;
    bool keep;
} Variant; /* keep: the numbers */

/* Small whole numbers divided by 64 are exact in each type. */
static uint64_t encode(Dtype dtype, float value)
{
    union { float f; uint32_t u; } single = {.f = value};
    union { double d; uint64_t u; } wide = {.d = (double)value};
    uint32_t sign = single.u >> 31, power = single.u >> 23 & 255,
             rest = single.u >> 13 & 1023;
    if (dtype == DTYPE_F64) return wide.u;
    if (dtype == DTYPE_BF16) return single.u >> 16;
    if (dtype == DTYPE_F16)
        return value == 0 ? 0 : sign << 15 | (power - 112) << 10 | rest;
    return single.u;
}

static void rewrite(const char *from, const char *to, Variant v)
{
    SafeTensors f = safetensors_read(&arena, in_folder(from));
    SafeEntry *e = arena_new(&arena, SafeEntry, (size_t)f.count);
    for (int i = 0; i < f.count; i++) {
        e[i] = f.entries[i];
        e[i].name = TEXT("%s%s", v.prefix, e[i].name);
        if (v.keep) continue;
        size_t size = dtype_size(v.dtype);
        uint8_t *data = arena_new(&arena, uint8_t, e[i].count * size);
        for (size_t k = 0; k < e[i].count; k++) {
            uint64_t bits =
                encode(v.dtype, (float)((int)(k * 7 + (size_t)i) % 65 - 32) / 64);
            for (size_t b = 0; b < size; b++)
                data[k * size + b] = (uint8_t)(bits >> 8 * b);
        }
        e[i].dtype = v.dtype;
        e[i].data = data;
    }
    safetensors_write(in_folder(to), e, f.count, NULL, 0);
}

static void all_types_are_widened(void)
{
    static const Variant variants[] = {
        {"", DTYPE_F32}, {"", DTYPE_F64}, {"", DTYPE_F16}, {"", DTYPE_BF16}};
    const struct Case *c = &cases[1];
    const char *t = test_folder();
    write_network("types.safetensors", c->class, c->arguments, 16);
    for (int i = 0; i < NELEM(variants); i++) {
        rewrite("types.safetensors", TEXT("t%d.safetensors", i), variants[i]);
        write_text(TEXT("t%d.json", i), c->arguments);
        check_drift(0, "UNetModel", "import %s/t%d.safetensors --out %s/t%d", t, i, t, i);
        check(same("t0/checkpoint.safetensors", TEXT("t%d/checkpoint.safetensors", i)));
    }
}

/* NVlabs' networks are a member `model` of their preconditioning. */
static void a_prefix_may_stand_before_all_names(void)
{
    const char *t = test_folder();
    const struct Case *c = &cases[1];
    write_network("plain.safetensors", c->class, c->arguments, 16);
    rewrite("plain.safetensors", "prefixed.safetensors", (Variant){"model.", DTYPE_F32});
    write_text("prefixed.json", c->arguments);
    check_drift(0, "UNetModel", "import %s/prefixed.safetensors --out %s/pre", t, t);
}

/* ---- what is refused ----------------------------------------------------------- */

/* A folder of the grey network with one text changed in one of its files. */
static void check_changed(const char *file, const char *old, const char *new,
                          const char *words)
{
    const char *text = strcmp(file, "config.json") == 0 ? grey : scheduler;
    const char *at = strstr(text, old), *t = test_folder();
    check(at != NULL);
    write_text(TEXT("bad/%s", file), TEXT("%.*s%s%s", (int)(at - text), text, new,
                                          at + strlen(old)));
    check_drift(1, words, "import %s/bad --out %s/no", t, t);
    write_text(TEXT("bad/%s", file), text);
}

static void options_that_are_not_supported_are_named(void)
{
    static const struct {
        const char *file, *old, *new, *words;
    } rows[] = {
        {"config.json", "\"silu\"", "\"gelu\"", "act_fn \"gelu\""},
        {"config.json", "\"silu\"", "7", "act_fn"},
        {"config.json", "\"layers_per_block\": 2", "\"layers_per_block\": \"2\"",
         "layers_per"},
        {"config.json", "\"freq_shift\": 1", "\"freq_shift\": 5", "freq_shift 5 is not"},
        {"config.json", "UNet2DModel", "UNet2DConditionModel", "is of class UNet2DCond"},
        {"config.json", "\"sample_size\": 28", "\"sample_size\": null",
         "--size H,W does"},
        {"config.json", "\"sample_size\": 28", "\"sample_size\": 30", "30/4 = 7.5"},
        {"config.json", "[32, 64, 64]", "[32, 64, 96]",
         "want [96, 64, 3, 3], found [64, 64"},
        {"config.json", "\"layers_per_block\": 2", "\"layers_per_block\": 1",
         "unexpected"},
        {"config.json", "\"layers_per_block\": 2", "\"layers_per_block\": 3",
         "resnets.2.conv1.weight: missing"},
        {"config.json", "1e-06", "-1", "eps -1; want"},
        {"config.json", "[32, 64, 64]", "[32, 64, 9999]", "at level 2; want 1 to 8192"},
        {"config.json", "dim\": null", "dim\": 0", "attention_head_dim is below 1"},
        {"scheduler_config.json", "\"linear\"", "\"exponential\"",
         "there are linear, scaled_"},
        {"scheduler_config.json", "\"trained_betas\": null", "\"trained_betas\": 3",
         "trained_betas"},
        {"scheduler_config.json", "fixed_large", "learned_range", "needs 2 channels out"},
        {"scheduler_config.json", "0.02", "2", "betas between 0"},
    };
    write_folder("bad", "UNet2DModel", grey, 28);
    for (int i = 0; i < NELEM(rows); i++)
        check_changed(rows[i].file, rows[i].old, rows[i].new, rows[i].words);
    check(!file_exists(in_folder("no")));
}

static void bytes_that_are_no_network_are_refused(void)
{
    const char *t = test_folder();
    check_drift(2, "usage: drift import", "import");
    check_drift(1, "there is no file or folder", "import %s/nowhere --out %s/no", t, t);
    write_text("a.pt", "PK\3\4archive/data.pkl");
    check_drift(1, "apps/README.md tells how", "import %s/a.pt --out %s/no", t, t);
    write_text("b.pkl", "\x80\x04\x95" "12345678");
    check_drift(1, "is a Python pickle", "import %s/b.pkl --out %s/no", t, t);
    folder_make(in_folder("pickles"));
    write_text("pickles/diffusion_pytorch_model.bin", "PK\3\4");
    check_drift(1, "is a Python pickle", "import %s/pickles --out %s/no", t, t);
    write_text("short.safetensors", "short");
    check_drift(1, "is not a safetensors file", "import %s/short.safetensors --out %s/no",
                t, t);
    write_text("lie.safetensors", "\x40\x42\x0f\x01\x01\x01\x01\x01{}");
    check_drift(1, "is not a safetensors file", "import %s/lie.safetensors --out %s/no",
                t, t);

    write_network("cut.safetensors", cases[3].class, cases[3].arguments, 16);
    check_drift(1, "needs the arguments", "import %s/cut.safetensors --out %s/no", t, t);
    write_text("other.json", "{\"img_resolution\": 16}");
    check_drift(1, "in_channels",
                "import %s/cut.safetensors --config %s/other.json --out %s/no", t, t, t);
    write_text("cut.json", cases[3].arguments);
    check_int(system(TEXT("truncate -s -5 %s/cut.safetensors", t)), 0);
    check_drift(1, "cut short or damaged", "import %s/cut.safetensors --out %s/no", t, t);
    check(!file_exists(in_folder("no")));
}

/* Karras 2022's own networks: under `model.`, and told in two words what they predict. */
static void what_a_network_of_nvlabs_predicts_must_be_told(void)
{
    static const struct { const char *told, *words;
    } rows[] = {
        {"", "\"_precond\": {\"_class_name\": \"EDMPrecond\"} beside"},
        {PRECOND("EDMPrecond", ""), "1000 steps, linear, edm, fixed_small"},
        {PRECOND("VEPrecond", ", \"use_fp16\": true"), "1000 steps, linear, score"},
        {PRECOND("KDiffusion", ""),
         "\"KDiffusion\" is not supported; there are EDMPrecond"},
        {PRECOND("EDMPrecond", ", \"sigma_data\": 1"), "of sigma_data only the default"},
        {PRECOND("VPPrecond", ", \"beta_d\": 5"), "of beta_d only the default"},
        {PRECOND("iDDPMPrecond", ""), "learned_range needs 6 channels out"},
        {"\"_precond\": {}, ", "_class_name"},
        {"\"_precond\": 7, ", "_precond is no object"},
    };
    const char *t = test_folder();
    write_network("nv.safetensors", cases[3].class, cases[3].arguments, 16);
    rewrite("nv.safetensors", "told.safetensors",
            (Variant){.prefix = "model.", .keep = true});
    for (int i = 0; i < NELEM(rows); i++) {
        bool good = strstr(rows[i].words, "1000 steps") != NULL;
        write_text("told.json", TEXT("{" EDM "%s\"model_channels\": 16}", rows[i].told));
        check_drift(good ? 0 : 1, rows[i].words,
                    "import %s/told.safetensors --out %s/nv%d", t, t, i);
        check(file_exists(in_folder(TEXT("nv%d", i))) == good);
    }
}

static const Test tests[] = {
    T(a_grey_ddpm_is_imported_and_drawn_with), T(google_ddpm_cifar10_32_is_imported),
    T(export_undoes_import), T(both_namings_of_diffusers_are_one_network),
    T(what_a_family_cannot_say_is_not_exported), T(all_types_are_widened),
    T(a_prefix_may_stand_before_all_names), T(options_that_are_not_supported_are_named),
    T(bytes_that_are_no_network_are_refused),
    T(what_a_network_of_nvlabs_predicts_must_be_told),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
