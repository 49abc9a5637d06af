/* There and back: what drift imports it exports to the same bytes, what a family cannot
 * say is named, and networks of different origin work together. */
#include <string.h>

#include "tensor/file.h"
#include "tests/published_files.h"

#define OPENAI "{\"in_channels\": 3, \"model_channels\": 32, \"num_res_blocks\": 1, " \
    "\"channel_mult\": [1, 2], "
#define EDM "{\"img_resolution\": 16, \"in_channels\": 3, \"channel_mult\": [1, 2], " \
    "\"num_blocks\": 1, \"attn_resolutions\": [8], "
#define TOLD "\"label_dim\": 3, \"augment_dim\": 9, "
#define RGB "\"out_channels\": 3, "
#define PRECOND(class, more) \
    "\"_precond\": {\"_class_name\": \"" class "\"" more "}, "
#define DIFFUSERS "{\"sample_size\": 16, \"in_channels\": 1, \"out_channels\": 1, " \
    "\"block_out_channels\": [16, 32], \"norm_num_groups\": 8, " \
    "\"down_block_types\": [\"DownBlock2D\", \"AttnDownBlock2D\"], " \
    "\"up_block_types\": [\"AttnUpBlock2D\", \"UpBlock2D\"], " \
    "\"resnet_time_scale_shift\": \"scale_shift\", "

/* said: what the exported arguments hold; unsaid: what the class has no word for. */
static const struct Case {
    const char *name, *class, *to;
    int size;
    const char *arguments, *said, *unsaid;
} cases[] = {
    {"iddpm", "UNetModel", "adm", 16,
     OPENAI "\"out_channels\": 6, \"attention_resolutions\": [2], \"num_heads\": 4, "
     "\"use_scale_shift_norm\": true, \"_diffusion\": {\"steps\": 4000, "
     "\"noise_schedule\": \"cosine\", \"learn_sigma\": true, "
     "\"rescale_timesteps\": true}}",
     "\"attention_resolutions\": [2]", "pool"},
    {"adm", "UNetModel", "adm", 16,
     OPENAI RGB "\"image_size\": 16, \"attention_resolutions\": [1, 2], "
     "\"num_classes\": 5, \"num_head_channels\": 16, \"resblock_updown\": true, "
     "\"_diffusion\": {\"sigma_small\": true, \"predict_xstart\": true}}",
     "\"attention_resolutions\": [1, 2]", "pool"},
    {"superres", "SuperResModel", "adm", 16,
     OPENAI "\"_class_name\": \"SuperResModel\", \"out_channels\": 6, "
     "\"image_size\": 16, \"attention_resolutions\": [2], \"_upsample\": 2, "
     "\"num_classes\": 5, \"resblock_updown\": true, "
     "\"_diffusion\": {\"learn_sigma\": true}}",
     "\"in_channels\": 3", "pool"},
    {"classifier", "EncoderUNetModel", "adm", 16,
     OPENAI "\"out_channels\": 10, \"image_size\": 16, \"pool\": \"attention\", "
     "\"attention_resolutions\": [2], \"num_head_channels\": 32, "
     "\"resblock_updown\": true, \"use_scale_shift_norm\": true}",
     "\"pool\": \"attention\"", "num_classes"},
    {"digits", "EncoderUNetModel", "adm", 28,       /* 28 / 4: attention at 7 */
     "{\"in_channels\": 1, \"model_channels\": 32, \"num_res_blocks\": 1, "
     "\"channel_mult\": [1, 2, 2], \"out_channels\": 10, \"image_size\": 28, "
     "\"pool\": \"spatial_v2\", \"attention_resolutions\": [4]}",
     "\"attention_resolutions\": [4]", "num_classes"},
    {"ncsnpp", "SongUNet", "edm", 16,
     EDM TOLD RGB "\"_diffusion\": {}, \"model_channels\": 16, "
     "\"embedding_type\": \"fourier\", \"encoder_type\": \"residual\", "
     "\"channel_mult_noise\": 2, \"resample_filter\": [1, 3, 3, 1]}",
     "\"resample_filter\": [1, 3, 3, 1]", "_precond"},
    {"ddpmpp", "SongUNet", "edm", 16,
     EDM TOLD RGB "\"_diffusion\": {}, \"model_channels\": 16}",
     "\"decoder_type\": \"standard\"", "_precond"},
    {"edm_adm", "DhariwalUNet", "edm", 16,
     EDM TOLD RGB "\"_diffusion\": {}, \"model_channels\": 64}",
     "\"attn_resolutions\": [8]", "decoder_type"},
    {"edm", "SongUNet", "edm", 16,
     EDM TOLD RGB PRECOND("EDMPrecond", ", \"sigma_data\": 0.5")
     "\"model_channels\": 16}", "\"EDMPrecond\"", "_diffusion"},
    {"vp", "SongUNet", "edm", 16,
     EDM TOLD RGB PRECOND("VPPrecond", ", \"beta_d\": 19.9") "\"model_channels\": 16}",
     "\"VPPrecond\"", "_diffusion"},
    {"ve", "SongUNet", "edm", 16,
     EDM TOLD RGB PRECOND("VEPrecond", ", \"sigma_max\": 100") "\"model_channels\": 16, "
     "\"embedding_type\": \"fourier\"}", "\"VEPrecond\"", "_diffusion"},
    {"iddpm_edm", "DhariwalUNet", "edm", 16,
     EDM PRECOND("iDDPMPrecond", ", \"M\": 1000") "\"out_channels\": 6, "
     "\"model_channels\": 64}", "\"learn_sigma\": true", "_precond"},
    {"bare", "UNet2DModel", "diffusers", 16, DIFFUSERS "\"attention_head_dim\": 16}",
     "\"attn_norm_num_groups\": null", "_diffusion"},
    {"normed", "UNet2DModel", "diffusers", 16,
     DIFFUSERS "\"attn_norm_num_groups\": 8, \"attention_head_dim\": null}",
     "\"attn_norm_num_groups\": 8", "_diffusion"},
};

/* Once. */
static const struct Case *import(const char *name)
{
    const struct Case *c = cases;
    while (strcmp(c->name, name) != 0) c++;
    if (file_exists(WITH_FOLDER("@/%s", name))) return c;
    put_network(name, c->class, c->arguments, c->size);
    check_drift(0, c->class, "import @/%s --out @/%s-run --size %d,%d", name, name,
                c->size, c->size);
    return c;
}

static void check_round_trip(const char *n)
{
    const struct Case *c = import(n);
    bool diffusers = strcmp(c->to, "diffusers") == 0;
    const char *weights = diffusers ? "diffusion_pytorch_model" : "model";
    check_drift(0, c->class, "export @/%s-run --to %s --out @/%s-out", n, c->to, n);
    check(same_files(WITH_FOLDER("@/%s/%s.safetensors", n, weights),
                     WITH_FOLDER("@/%s-out/%s.safetensors", n, weights)));
    Bytes b = file_read(scratch(), WITH_FOLDER("@/%s-out/%s.json", n,
                                             diffusers ? "config" : "model"));
    const char *text = arena_printf(scratch(), "%.*s", (int)b.size, (const char *)b.data);
    if (!strstr(text, c->said)) check_text(text, c->said);
    if (strstr(text, c->unsaid)) check_text(text, c->unsaid);
    check_drift(0, c->class, "import @/%s-out --out @/%s-back --size %d,%d", n, n,
                c->size, c->size);
    check(same_files(WITH_FOLDER("@/%s-run/checkpoint.safetensors", n),
                     WITH_FOLDER("@/%s-back/checkpoint.safetensors", n)));
}

static void export_undoes_import(void)
{
    for (int i = 0; i < NELEM(cases); i++) check_round_trip(cases[i].name);
}

static void imported_networks_draw(void)
{
    static const char *const names[] = {"iddpm", "adm", "ncsnpp", "edm", "iddpm_edm"};
    for (int i = 0; i < NELEM(names); i++) {
        import(names[i]);
        check_drift(0, "2 steps, 3 network calls each",
                    "sample @/%s-run --count 1 --sampler heun --sample-steps 2 "
                    "--guidance 1 --out @/x.npy", names[i]);
    }
}

/* ---- together ------------------------------------------------------------------ */

/* Without scale a guide changes nothing; with some it does. */
static void an_imported_classifier_guides_an_imported_network(void)
{
    static const char draw[] = "sample @/iddpm-run --count 2 --sample-steps 4";
    static const char guide[] = "--class 3 --guide @/classifier-run";
    import("iddpm"), import("classifier"), import("digits");
    check_drift(0, "2 images", "%s --out @/free.npy", draw);
    check_drift(0, "2 images", "%s %s --scale 0 --out @/zero.npy", draw, guide);
    check_drift(0, "2 images", "%s %s --scale 50 --out @/guided.npy", draw, guide);
    check(same_files(in_folder("free.npy"), in_folder("zero.npy")));
    check(!same_files(in_folder("free.npy"), in_folder("guided.npy")));
    check_drift(1, "classifies pictures of 28x28x1, but the model draws 16x16x3",
                "%s --guide @/digits-run", draw);
}

/* 8x8 by one network, 16x16 by the other: what it is told matters. */
static void an_imported_network_enlarges_the_pictures_of_another(void)
{
    static const char *const objective[] = {"", ", \"predict_xstart\": true"};
    import("superres");
    for (int i = 0; i < 2; i++) {
        put_network(WITH_FOLDER("low%d", i), "UNetModel",
                    WITH_FOLDER(OPENAI RGB "\"image_size\": 8, \"num_classes\": 5, "
                              "\"attention_resolutions\": [2], "
                              "\"_diffusion\": {\"sigma_small\": true%s}}", objective[i]),
                    8);
        check_drift(0, "8x8x3", "import @/low%d --out @/low%d-run", i, i);
        check_drift(0, "2 images",
                    "sample @/superres-run --low @/low%d-run --count 2 --sample-steps 4 "
                    "--guidance 1 --out @/large%d.npy", i, i);
    }
    check_drift(0, "[2, 16, 16, 3]", "info @/large0.npy");
    check(!same_files(in_folder("large0.npy"), in_folder("large1.npy")));
    check_drift(2, "--low", "sample @/superres-run --count 1");
}

/* ---- what cannot be said ------------------------------------------------------- */

static void what_a_family_cannot_say_is_not_exported(void)
{
    import("iddpm"), import("digits");
    check_drift(1, "is DhariwalUNet, but here resample is \"conv_even\", not \"block\"; ",
                "export @/iddpm-run --to edm --out @/no");
    check_drift(1, "is UNet2DModel, but here heads is 4, not 1; rescale_t",
                "export @/iddpm-run --to diffusers --out @/no");
    check_drift(1, "edm has no network that does what this model does",
                "export @/digits-run --to edm --out @/no");
    check_drift(0, "right on",
                "classifier mnist --out @/patched --batch 4 --steps 1 --base 8");
    check_drift(1, "but here patch is 2, not 1; groups is 8, not 32",
                "export @/patched --to adm --out @/no");
    check_drift(2, "there are diffusers, adm and edm",
                "export @/iddpm-run --to keras --out @/no");
    check_drift(2, "--live-weights: of a classifier",
                "export @/digits-run --to adm --live-weights --out @/no");
    check_drift(2, "usage: drift export", "export @/iddpm-run --to adm");
    check(!file_exists(WITH_FOLDER("@/no")));
}

static const Test tests[] = {
    T(export_undoes_import), T(imported_networks_draw),
    T(an_imported_classifier_guides_an_imported_network),
    T(an_imported_network_enlarges_the_pictures_of_another),
    T(what_a_family_cannot_say_is_not_exported),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
