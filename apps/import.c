/* drift import: a network of another program becomes a run to draw with. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/foreign.h"
#include "apps/support/options.h"
#include "apps/support/run.h"
#include "nn/published_file.h"
#include "tensor/error.h"

typedef struct {
    const char *path, *out, *config;
    int size[MAX_LIST];
} CommandLine;

static CommandLine parse_command_line(int argc, char **argv)
{
    static const Usage usage = {
        "drift import PATH --out RUN [options]",
        "Makes a run of a network that another program trained.  PATH is a folder of\n"
        "diffusers (UNet2DModel), or a .safetensors file with the names of OpenAI's\n"
        "(UNetModel) or NVlabs' code (SongUNet, DhariwalUNet) with the arguments of its\n"
        "constructor in a .json file beside it.  apps/README.md tells more.", 1};
    CommandLine c = {0};
    Option options[] = {
        {"out", OPTION_TEXT, &c.out, "RUN", "the folder to make", 0},
        {"config", OPTION_TEXT, &c.config, "FILE",
         "the arguments [X.json or config.json]", 0},
        {"size", OPTION_INTS, c.size, "H,W", "of the images [as the arguments say]", 0},
        {0},
    };
    if (options_parse(argc, argv, &usage, options, &c.path) != 1 || !c.out)
        fail_usage("which network, and --out where?  usage: %s", usage.synopsis);
    if (c.size[0] && (!c.size[1] || c.size[2]))
        fail_usage("--size: want two numbers, H,W");
    return c;
}

int import_main(int argc, char **argv)
{
    CommandLine c = parse_command_line(argc, argv);
    Arena a = arena_create();
    const char *checkpoint = run_path(&a, c.out, "checkpoint.safetensors");
    if (file_exists(checkpoint))
        fail("%s holds a run already; choose another folder with --out", c.out);
    Foreign f = foreign_open(&a, c.path, c.config, c.size);

    Model m;
    model_create(&m, &f.config);
    Published w = is_classifier(&m.config)
                      ? published_classifier(&a, &f.net, &m.params, &m.classifier)
                      : published_unet(&a, &f.net, &m.params, &m.net);
    published_load(&f.file, &w, m.config.unet.style.taps, m.params.value);
    memcpy(m.ema.value[0], m.params.value, m.params.size * sizeof(Real));
    folder_make(c.out);
    model_save(&m, checkpoint);
    run_write_config(c.out, &(RunPlan){.source = ""}, &m.config);

    const Config *k = &m.config;
    printf("%s: %zu parameters in %d arrays; images of %dx%dx%d; %d steps, %s, %s, %s\n"
           "try next     drift sample %s\n",
           f.class, m.params.size, w.count, k->unet.height, k->unet.width,
           config_picture_channels(k), k->diffusion_steps, k->schedule, k->prediction,
           k->variance,
           is_classifier(k) ? arena_printf(&a, "RUN --guide %s", c.out)
           : k->upsample ? arena_printf(&a, "%s --low RUN", c.out)
           : arena_printf(&a, "%s --count 16", c.out));
    return 0;
}
