/* Files of other programs by formula: see published_files.h. */
#include "tests/published_files.h"

#include <string.h>

#include "nn/published_file.h"
#include "tensor/file.h"
#include "tests/golden_weights.h"

const char *with_folder(const char *text)
{
    const char *at = strchr(text, '@');
    if (!at) return text;
    return with_folder(arena_printf(scratch(), "%.*s%s%s", (int)(at - text), text,
                                  test_folder(), at + 1));
}

void put_text(const char *path, const char *text)
{
    file_write(with_folder(path), text, strlen(text));
}

static void fill(const Published *w, Real *value)
{
    Real *theirs = arena_new(scratch(), Real, w->params->size);
    for (int i = 0; i < w->count; i++) {
        GoldenWeights g = golden_weights("A1", "", w->list[i].name, w->list[i].shape);
        for (size_t k = 0; k < g.size; k++)
            theirs[k] = (Real)golden_weights_value(&g, (uint32_t)k);
        published_read(&w->list[i], theirs, value);
    }
}

static size_t put_weights(const char *path, const char *class, const char *arguments,
                          int size)
{
    Arena *a = scratch();
    Bytes text = {"arguments", (const uint8_t *)arguments, strlen(arguments)};
    Params p = params_create();
    PublishedNet net = published_net(class, json_parse(a, text), size, size, class);
    UNet u;
    Classifier c;
    if (net.pool) c = classifier_init(&p, &net.unet, net.pool);
    else u = unet_init(&p, &net.unet);
    Published w = net.pool ? published_classifier(a, &net, &p, &c)
                           : published_unet(a, &net, &p, &u);
    params_allocate(&p, 0);
    fill(&w, p.value);
    published_save(with_folder(path), &w, unet_defaults(net.unet).style.taps, p.value);
    size_t count = p.size;
    params_destroy(&p);
    return count;
}

const char ddpm_scheduler[] =
    "{\"_class_name\": \"DDPMScheduler\", \"_diffusers_version\": \"0.1.1\", "
    "\"beta_end\": 0.02, \"beta_schedule\": \"linear\", \"beta_start\": 0.0001, "
    "\"clip_sample\": true, \"num_train_timesteps\": 1000, \"trained_betas\": null, "
    "\"variance_type\": \"fixed_large\"}";

size_t put_network(const char *folder, const char *class, const char *arguments,
                   int size)
{
    bool diffusers = strstr(class, "UNet2DModel") != NULL;
    folder_make(WITH_FOLDER("@/%s", folder));
    const char *name = diffusers ? "diffusion_pytorch_model" : "model";
    put_text(WITH_FOLDER("@/%s/%s.json", folder, diffusers ? "config" : name), arguments);
    if (diffusers)
        put_text(WITH_FOLDER("@/%s/scheduler_config.json", folder), ddpm_scheduler);
    return put_weights(WITH_FOLDER("@/%s/%s.safetensors", folder, name), class, arguments,
                       size);
}
