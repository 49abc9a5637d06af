/* Networks of other programs become runs, and whatever does not fit is named.  The way
 * back is in test_export.c. */
#include <stdlib.h>
#include <string.h>

#include "nn/published_file.h"
#include "tensor/file.h"
#include "tests/golden_weights.h"
#include "tests/published_files.h"

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

static const char grey[] = DDPM("1", "[32, 64, 64]",
    DOWN ", \"AttnDownBlock2D\", \"AttnDownBlock2D\"",
    "\"AttnUpBlock2D\", \"AttnUpBlock2D\", " UP, "28");
static const char cifar[] =
    DDPM("3", "[128, 256, 256, 256]", DOWN ", \"AttnDownBlock2D\", " DOWN ", " DOWN,
         UP ", " UP ", \"AttnUpBlock2D\", " UP, "32");

/* Number (o, y, x, i) of a convolution of ours is number (o, i, y, x) of theirs. */
static void check_convolution(const char *run, const char *ours, const char *theirs)
{
    SafeTensors f = safetensors_read(scratch(),
                                     WITH_FOLDER("@/%s-run/checkpoint.safetensors", run));
    const SafeEntry *e = safetensors_find(&f, ours);
    int O = (int)e->dim[0], K = (int)e->dim[1], I = (int)e->dim[3];
    int o = O - 1, y = 2, i = I - 1;
    GoldenWeights g = golden_weights("A1", "", theirs, SHAPE(O, I, K, K));
    Real *value = arena_new(scratch(), Real, e->count);
    safetensors_to_reals(e, value);
    float want = golden_weights_value(&g, (uint32_t)(((o * I + i) * K + y) * K + 1));
    check_close((double)value[((o * K + y) * K + 1) * I + i], (double)want, 0);
}

static void check_family(const char *folder, const char *class, const char *config,
                         int size, size_t parameters, int arrays)
{
    const char *last = size == 28 ? "up_blocks.2.resnets.2.conv2.weight"
                                  : "up_blocks.3.resnets.2.conv2.weight";
    check_int((long long)put_network(folder, class, config, size), (long long)parameters);
    check_drift(0, WITH_FOLDER("%zu parameters in %d arrays; images of %dx%dx%d; 1000 "
                               "steps, linear, eps, fixed_large", parameters, arrays,
                               size, size, size == 28 ? 1 : 3),
                "import @/%s --out @/%s-run", folder, folder);
    check_convolution(folder, "model.conv_in.weight", "conv_in.weight");
    check_convolution(folder, "ema.up.0.2.conv2.weight", last);
}

/* What is not said has the library's defaults: heads of 8, padding on both sides. */
static const char brief[] =
    "{\"_class_name\": \"UNet2DModel\", \"decay\": 0.9999, \"sample_size\": 28, "
    "\"in_channels\": 1, \"out_channels\": 1, \"block_out_channels\": [32, 64, 32], "
    "\"down_block_types\": [" DOWN ", \"AttnDownBlock2D\", " DOWN "], "
    "\"up_block_types\": [" UP ", \"AttnUpBlock2D\", " UP "]}";

static void a_grey_ddpm_is_imported_and_drawn_with(void)
{
    check_family("brief", "UNet2DModel", brief, 28, 1065153, 270);
    check_family("grey", "UNet2DModel-0.9", grey, 28, 1707009, 318);
    check_drift(0, "2 images with ddpm", "sample @/grey-run --count 2 --sample-steps 2");
    check_drift(1, "no data set belongs to it", "train --resume @/grey-run --steps 1");
    check_drift(1, "holds a run already", "import @/grey --out @/grey-run");
}

static void google_ddpm_cifar10_32_is_imported(void)
{
    check_family("cifar", "UNet2DModel", cifar, 32, 35746307, 328);
}

/* In the layout of a pipeline; without a scheduler its class's defaults. */
static void the_files_may_be_in_unet_and_scheduler(void)
{
    put_network("pipe", "UNet2DModel", brief, 28);
    check_int(system(WITH_FOLDER("cd @/pipe && mkdir unet scheduler && mv *.safetensors "
                                 "config.json unet && mv scheduler_* scheduler")), 0);
    check_drift(0, "fixed_large", "import @/pipe --out @/pipe-run");
    check_drift(0, "fixed_large", "import @/pipe/unet --out @/unet-run");
    check_int(system(WITH_FOLDER("rm @/pipe/scheduler/scheduler_config.json")), 0);
    check_drift(0, "linear, eps, fixed_small", "import @/pipe --out @/default-run");
}

/* Old names come back as new ones; the weights are the same. */
static void both_namings_of_diffusers_are_one_network(void)
{
    put_network("old", "UNet2DModel-0.9", grey, 28);
    check_drift(0, "UNet2DModel-0.9", "import @/old --out @/old-run");
    check_drift(0, "UNet2DModel:", "export @/old-run --to diffusers --out @/new");
    check_drift(0, "UNet2DModel:", "import @/new --out @/new-run");
    SafeTensors x = safetensors_read(scratch(),
                                     with_folder("@/old-run/checkpoint.safetensors"));
    SafeTensors y = safetensors_read(scratch(),
                                     with_folder("@/new-run/checkpoint.safetensors"));
    check_int(x.count, y.count);
    for (int i = 0; i < x.count; i++)
        check(memcmp(x.entries[i].data, y.entries[i].data,
                     x.entries[i].count * sizeof(Real)) == 0);
}

/* ---- other types of numbers, other names --------------------------------------- */

typedef struct {
    const char *prefix;
    Dtype dtype;
    bool keep;                  /* the numbers */
} Variant;

/* Small whole numbers divided by 64 are exact in each type. */
static uint64_t encode(Dtype dtype, float value)
{
    union { float f; uint32_t u; } single = {.f = value};
    union { double d; uint64_t u; } wide = {.d = (double)value};
    uint32_t sign = single.u >> 31, power = single.u >> 23 & 255,
             rest = single.u >> 13 & 1023;
    if (dtype == DTYPE_F64) return wide.u;
    if (dtype == DTYPE_BF16) return single.u >> 16;
    if (dtype == DTYPE_F32) return single.u;
    return value == 0 ? 0 : sign << 15 | (power - 112) << 10 | rest;
}

static void rewrite(const char *from, const char *to, Variant v)
{
    SafeTensors f = safetensors_read(scratch(), with_folder(from));
    SafeEntry *e = arena_new(scratch(), SafeEntry, (size_t)f.count);
    for (int i = 0; i < f.count; i++) {
        e[i] = f.entries[i];
        e[i].name = arena_printf(scratch(), "%s%s", v.prefix, e[i].name);
        if (v.keep) continue;
        size_t size = dtype_size(v.dtype);
        uint8_t *data = arena_new(scratch(), uint8_t, e[i].count * size);
        for (size_t k = 0; k < e[i].count; k++) {
            float value = (float)((int)(k * 7 + (size_t)i) % 65 - 32) / 64;
            for (size_t b = 0; b < size; b++)
                data[k * size + b] = (uint8_t)(encode(v.dtype, value) >> 8 * b);
        }
        e[i].dtype = v.dtype;
        e[i].data = data;
    }
    safetensors_write(with_folder(to), e, f.count, NULL, 0);
}

#define SONG \
    "{\"img_resolution\": 16, \"in_channels\": 3, \"out_channels\": 3, " \
    "\"channel_mult\": [1, 2], \"num_blocks\": 1, \"attn_resolutions\": [8], " \
    "\"model_channels\": 16"
#define PRECOND(class, more) ", \"_precond\": {\"_class_name\": \"" class "\"" more "}"

static const char openai[] =
    "{\"in_channels\": 3, \"model_channels\": 32, \"num_res_blocks\": 1, "
    "\"channel_mult\": [1, 2], \"out_channels\": 3, \"image_size\": 16, "
    "\"attention_resolutions\": [1, 2], \"num_heads\": 2}";

static void all_types_are_widened(void)
{
    static const Variant variants[] = {
        {"", DTYPE_F32}, {"", DTYPE_F64}, {"", DTYPE_F16}, {"", DTYPE_BF16}};
    put_network("t", "UNetModel", openai, 16);
    for (int i = 0; i < NELEM(variants); i++) {
        rewrite("@/t/model.safetensors", WITH_FOLDER("@/t%d.safetensors", i),
                variants[i]);
        put_text(WITH_FOLDER("@/t%d.json", i), openai);
        check_drift(0, "UNetModel", "import @/t%d.safetensors --out @/t%d", i, i);
        check(same_files(in_folder("t0/checkpoint.safetensors"),
                         WITH_FOLDER("@/t%d/checkpoint.safetensors", i)));
    }
}

/* Karras 2022's own networks: a member `model` of their preconditioning, and told in two
 * words what they predict. */
static void what_a_network_of_nvlabs_predicts_must_be_told(void)
{
    static const struct { const char *told, *words; } rows[] = {
        {"", "\"_precond\": {\"_class_name\": \"EDMPrecond\"} beside"},
        {PRECOND("EDMPrecond", ""), "1000 steps, linear, edm, fixed_small"},
        {PRECOND("VEPrecond", ", \"use_fp16\": true"), "1000 steps, linear, score"},
        {PRECOND("KDiffusion", ""),
         "\"KDiffusion\" is not supported; there are EDMPrecond"},
        {PRECOND("EDMPrecond", ", \"sigma_data\": 1"), "of sigma_data only the default"},
        {PRECOND("VPPrecond", ", \"beta_d\": 5"), "of beta_d only the default"},
        {PRECOND("iDDPMPrecond", ""), "learned_range needs 6 channels out"},
        {", \"_precond\": {}", "_class_name"},
        {", \"_precond\": 7", "_precond is no object"},
    };
    put_network("nv", "SongUNet", SONG "}", 16);
    rewrite("@/nv/model.safetensors", "@/told.safetensors",
            (Variant){.prefix = "model.", .keep = true});
    for (int i = 0; i < NELEM(rows); i++) {
        bool good = strstr(rows[i].words, "1000 steps") != NULL;
        put_text("@/told.json", WITH_FOLDER("%s%s}", SONG, rows[i].told));
        check_drift(good ? 0 : 1, rows[i].words,
                    "import @/told.safetensors --out @/nv%d", i);
        check(file_exists(WITH_FOLDER("@/nv%d", i)) == good);
    }
}

/* ---- what is refused ----------------------------------------------------------- */

/* A folder of the grey network with one text changed in one of its files. */
static void check_changed(const char *file, const char *old, const char *new,
                          const char *words)
{
    const char *text = strcmp(file, "config.json") == 0 ? grey : ddpm_scheduler;
    const char *path = WITH_FOLDER("@/bad/%s", file), *at = strstr(text, old);
    check(at != NULL);
    put_text(path, WITH_FOLDER("%.*s%s%s", (int)(at - text), text, new,
                               at + strlen(old)));
    check_drift(1, words, "import @/bad --out @/no");
    put_text(path, text);
}

static void options_that_are_not_supported_are_named(void)
{
    static const struct { const char *file, *old, *new, *words; } rows[] = {
        {"config.json", "\"silu\"", "\"gelu\"", "act_fn \"gelu\""},
        {"config.json", "\"act_fn\": \"silu\"", "\"attn_norm_num_groups\": 16",
         "attn_norm_num_groups 16 is not supported; null and norm_num_groups 32 are"},
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
    put_network("bad", "UNet2DModel", grey, 28);
    for (int i = 0; i < NELEM(rows); i++)
        check_changed(rows[i].file, rows[i].old, rows[i].new, rows[i].words);
    check(!file_exists(with_folder("@/no")));
}

static void bytes_that_are_no_network_are_refused(void)
{
    static const struct { const char *file, *bytes, *words; } rows[] = {
        {"a.pt", "PK\3\4archive/data.pkl", "apps/README.md tells how"},
        {"b.pkl", "\x80\x04\x95" "12345678", "is a Python pickle"},
        {"pickles/diffusion_pytorch_model.bin", "PK\3\4", "is a Python pickle"},
        {"short.safetensors", "short", "is not a safetensors file"},
        {"lie.safetensors", "\x40\x42\x0f\x01\x01\x01\x01\x01{}",
         "is not a safetensors file"},
    };
    folder_make(with_folder("@/pickles"));
    for (int i = 0; i < NELEM(rows); i++) {
        const char *slash = strchr(rows[i].file, '/');
        int shown = slash ? (int)(slash - rows[i].file) : (int)strlen(rows[i].file);
        put_text(WITH_FOLDER("@/%s", rows[i].file), rows[i].bytes);
        check_drift(1, rows[i].words, "import @/%.*s --out @/no", shown, rows[i].file);
    }
    check_drift(2, "usage: drift import", "import");
    check_drift(1, "there is no file or folder", "import @/nowhere --out @/no");
    check(!file_exists(with_folder("@/no")));
}

static void a_network_needs_its_arguments_and_all_its_bytes(void)
{
    put_network("cut", "SongUNet", SONG "}", 16);
    check_int(system(WITH_FOLDER("mv @/cut/model.json @/cut.json")), 0);
    check_drift(1, "needs the arguments", "import @/cut --out @/no");
    put_text("@/other.json", "{\"img_resolution\": 16}");
    check_drift(1, "in_channels", "import @/cut --config @/other.json --out @/no");
    check_int(system(WITH_FOLDER("truncate -s -5 @/cut/model.safetensors")), 0);
    check_drift(1, "cut short or damaged", "import @/cut --config @/cut.json --out @/no");
    check(!file_exists(with_folder("@/no")));
}

static const Test tests[] = {
    T(a_grey_ddpm_is_imported_and_drawn_with), T(google_ddpm_cifar10_32_is_imported),
    T(the_files_may_be_in_unet_and_scheduler),
    T(both_namings_of_diffusers_are_one_network), T(all_types_are_widened),
    T(what_a_network_of_nvlabs_predicts_must_be_told),
    T(options_that_are_not_supported_are_named), T(bytes_that_are_no_network_are_refused),
    T(a_network_needs_its_arguments_and_all_its_bytes),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
