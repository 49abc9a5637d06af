/* The presets: what each paper trained, and small relatives of it.  See config.h. */
#include <string.h>

#include "apps/support/config.h"
#include "tensor/error.h"

#define DDPM_PROCESS(variance_name)                                                     \
    .schedule = "linear", .diffusion_steps = 1000, .beta_first = 1e-4, .beta_last = 0.02,\
    .prediction = "eps", .variance = variance_name, .conditioning = "schedule",         \
    .loss = "mse", .timesteps = "uniform"
#define HYBRID_PROCESS                                                                  \
    .schedule = "cosine", .diffusion_steps = 4000, .beta_first = 1e-4, .beta_last = 0.02,\
    .rescale_t = true, .prediction = "eps", .variance = "learned_range",                \
    .conditioning = "schedule", .loss = "rescaled_mse", .timesteps = "uniform"
/* What the network predicts, is told and is trained at: rows of Karras 2022, table 1. */
#define SIGMA_PROCESS(prediction_name, conditioning_name, timesteps_name, loss_name)    \
    .schedule = "linear", .diffusion_steps = 1000, .beta_first = 1e-4, .beta_last = 0.02,   \
    .prediction = prediction_name, .variance = "fixed_small",                           \
    .conditioning = conditioning_name, .loss = loss_name, .timesteps = timesteps_name
#define SONG_UNET                                                                       \
    .attention_up_last = true, .resample = "block", .init = "song", .waves = "ddpm",    \
    .class_first = true
#define SONG_STYLE                                                                      \
    .heads = 1, .groups = 32, .group_size = 4, .eps = 1e-6, .taps = 2,                  \
    .residual_scale = 0.70710678118654752, .project_resampled = true
/* A rung of Karras 2022, table 2, for digits: DDPM++ with the channels of mini. */
#define RUNG(drop, ...)                                                                 \
    .unet = {.base = 16, .first = 16, .levels = 3, .mult = {__VA_ARGS__}, .blocks = 1,  \
             .attention = {7, 8}, SONG_UNET, .style = {SONG_STYLE, .dropout = drop}},   \
    .label_dropout = 0.1, .batch = 16, .steps = 2800
#define SLOWER                                                                          \
    ADAM("adam", 1, .lr = 4e-4, .warmup = 100, .decay = "constant"), .ema = 0.999
#define FASTER                                                                          \
    ADAM("adam", 0, .lr = 2e-3, .warmup = 280, .decay = "constant"), .ema = 0.9975,     \
    .ema_ramp = 0.05
#define ADAM(rule_name, most, ...) ADAM_REPAIR(rule_name, most, false, __VA_ARGS__)
#define ADAM_REPAIR(rule_name, most, repairs, ...)                                      \
    .optimizer = {.rule = rule_name, .rate = {__VA_ARGS__}, .beta1 = 0.9, .beta2 = 0.999,   \
                  .eps = 1e-8, .clip = most, .repair = repairs}
#define ADM_UNET(size, base_width, depth, most)                                         \
    .height = size, .width = size, .channels = 3, .classes = most, .base = base_width,  \
    .blocks = depth, .attention = {32, 16, 8}, .resample = "block", .init = "openai",   \
    .waves = "openai"
#define ADM_STYLE .head_channels = 64, .groups = 32, .scale_shift = true, .eps = 1e-5
#define ADM_PROCESS(schedule_name)                                                      \
    .schedule = schedule_name, .diffusion_steps = 1000, .beta_first = 1e-4,             \
    .beta_last = 0.02, .prediction = "eps", .variance = "learned_range",                \
    .conditioning = "schedule", .loss = "mse", .timesteps = "uniform"
#define NOISING(schedule_name)                                                          \
    .schedule = schedule_name, .diffusion_steps = 1000, .beta_first = 1e-4,             \
    .beta_last = 0.02, .prediction = "eps", .variance = "fixed_small",                  \
    .conditioning = "schedule", .loss = "mse", .timesteps = "uniform"

const Preset presets[] = {
    {"mini", "digits a person can name after five minutes on two cores",
     {.unet = {.base = 16, .levels = 3, .mult = {1, 2, 4}, .blocks = 1,
               .attention = {7, 8},
               .style = {.heads = 1, .groups = 8, .scale_shift = true}},
      DDPM_PROCESS("fixed_small"),
      ADAM("adam", 1, .lr = 2e-3, .warmup = 100, .decay = "cosine", .decay_steps = 2800,
           .floor = 2e-4),
      .ema = 0.9975, .ema_ramp = 0.08, .label_dropout = 0.1, .batch = 16, .steps = 2800}},
    {"small", "a wider and deeper one: an hour or two",
     {.unet = {.base = 32, .levels = 3, .mult = {1, 2, 2}, .blocks = 2,
               .attention = {7, 8}, .style = {.heads = 1, .groups = 32}},
      DDPM_PROCESS("fixed_small"),
      ADAM("adam", 1, .lr = 1e-3, .warmup = 500, .decay = "constant"),
      .ema = 0.999, .ema_ramp = 0.08, .batch = 64, .steps = 20000}},
    {"ddpm", "Ho 2020 on CIFAR-10, as in the paper: days",
     {.unet = {.base = 128, .levels = 4, .mult = {1, 2, 2, 2}, .blocks = 2,
               .attention = {16}, .style = {.heads = 1, .groups = 32, .dropout = 0.1}},
      DDPM_PROCESS("fixed_large"),
      ADAM("adam_hat", 1, .lr = 2e-4, .warmup = 5000, .decay = "constant"),
      .ema = 0.9999, .batch = 128, .steps = 800000, .flip = true}},
    {"iddpm", "Nichol & Dhariwal 2021 on CIFAR-10, L_hybrid, as in the paper: days",
     {.unet = {.base = 128, .levels = 4, .mult = {1, 2, 2, 2}, .blocks = 3,
               .attention = {16, 8}, .resample = "conv_even", .init = "openai",
               .waves = "openai",
               .style = {.heads = 4, .groups = 32, .scale_shift = true, .eps = 1e-5,
                         .dropout = 0.3}},
      HYBRID_PROCESS, ADAM("adamw", 0, .lr = 1e-4, .decay = "constant"), .ema = 0.9999,
      .batch = 128, .steps = 500000}},
    {"edm", "Karras 2022 for digits, mini's network: five minutes; --sampler heun",
     {.unet = {.base = 16, .levels = 3, .mult = {1, 2, 4}, .blocks = 1,
               .attention = {7, 8},
               .style = {.heads = 1, .groups = 8, .scale_shift = true}},
      SIGMA_PROCESS("edm", "edm", "edm_coarse", "mse"),
      ADAM("adam", 1, .lr = 2e-3, .warmup = 100, .decay = "cosine", .decay_steps = 2800,
           .floor = 2e-4),
      .ema = 0.9975, .ema_ramp = 0.08, .label_dropout = 0.1, .batch = 16, .steps = 2800}},
    {"ddpmpp",
     "Karras 2022 on CIFAR-10, DDPM++ and EDM's training, as in the paper: weeks",
     {.unet = {.base = 128, .first = 128, .levels = 3, .mult = {2, 2, 2}, .blocks = 4,
               .attention = {16}, SONG_UNET, .style = {SONG_STYLE, .dropout = 0.13}},
      SIGMA_PROCESS("edm", "edm", "edm", "mse_sum"),
      ADAM_REPAIR("adam", 0, true, .lr = 1e-3, .warmup = 19531, .decay = "constant"),
      .ema = 0.99929, .ema_ramp = 0.05, .augment = 0.12, .batch = 512, .steps = 390625}},
    {"edm-a", "its ladder for digits: the VP baseline of Song 2021",
     {RUNG(0.1, 1, 2, 4), SIGMA_PROCESS("eps", "vp", "vp", "mse"), SLOWER}},
    {"edm-b", "... other hyperparameters: rate, average, dropout, no clipping",
     {RUNG(0.13, 1, 2, 4), SIGMA_PROCESS("eps", "vp", "vp", "mse"), FASTER}},
    {"edm-c", "... more channels at the high resolution, fewer at the low",
     {RUNG(0.13, 2, 2, 2), SIGMA_PROCESS("eps", "vp", "vp", "mse"), FASTER}},
    {"edm-d", "... EDM's preconditioning",
     {RUNG(0.13, 2, 2, 2), SIGMA_PROCESS("edm", "edm", "vp", "mse"), FASTER}},
    {"edm-e", "... EDM's noise levels in training",
     {RUNG(0.13, 2, 2, 2), SIGMA_PROCESS("edm", "edm", "edm", "mse"), FASTER}},
    {"edm-f", "... augmentation that does not leak",
     {RUNG(0.13, 2, 2, 2), SIGMA_PROCESS("edm", "edm", "edm", "mse"), FASTER,
      .augment = 0.12}},
    {"adm-64", "Dhariwal & Nichol 2021 on ImageNet, 64x64, as in the paper: months",
     {.unet = {ADM_UNET(64, 192, 3, 1000), .mult = {1, 2, 3, 4},
               .style = {ADM_STYLE, .dropout = 0.1}},
      ADM_PROCESS("cosine"), ADAM("adamw", 0, .lr = 3e-4, .decay = "constant"),
      .ema = 0.9999, .batch = 2048, .steps = 540000, .flip = true}},
    {"adm-128", "the same, 128x128",
     {.unet = {ADM_UNET(128, 256, 2, 1000), .mult = {1, 1, 2, 3, 4},
               .style = {ADM_STYLE}},
      ADM_PROCESS("linear"), ADAM("adamw", 0, .lr = 1e-4, .decay = "constant"),
      .ema = 0.9999, .batch = 256, .steps = 4360000, .flip = true}},
    {"adm-256", "the same, 256x256",
     {.unet = {ADM_UNET(256, 256, 2, 1000), .mult = {1, 1, 2, 2, 4, 4},
               .style = {ADM_STYLE}},
      ADM_PROCESS("linear"), ADAM("adamw", 0, .lr = 1e-4, .decay = "constant"),
      .ema = 0.9999, .batch = 256, .steps = 1980000, .flip = true}},
    {"adm-512", "the same, 512x512",
     {.unet = {ADM_UNET(512, 256, 2, 1000), .mult = {0.5, 1, 1, 2, 2, 4, 4},
               .style = {ADM_STYLE}},
      ADM_PROCESS("linear"), ADAM("adamw", 0, .lr = 1e-4, .decay = "constant"),
      .ema = 0.9999, .batch = 256, .steps = 1940000, .flip = true}},
    {"adm-upsample", "the same, 64x64 to 256x256",
     {.unet = {ADM_UNET(256, 192, 2, 1000), .mult = {1, 1, 2, 2, 4, 4},
               .style = {ADM_STYLE}},
      ADM_PROCESS("linear"), ADAM("adamw", 0, .lr = 1e-4, .decay = "constant"),
      .ema = 0.9999, .batch = 256, .steps = 500000, .flip = true, .upsample = 4}},
    {NULL, NULL, {0}},
};

/* A classifier is told no class, so classes is 0; out_channels is how many it knows. */
const Preset classifier_presets[] = {
    {"classifier", "of noisy pictures, a guide for mini: two minutes on two cores",
     {.unet = {.base = 32, .mult = {1, 2}, .blocks = 1, .attention = {7, 8}, .patch = 2,
               .resample = "block", .init = "openai", .waves = "openai",
               .style = {.head_channels = 16, .groups = 8, .scale_shift = true,
                         .eps = 1e-5}},
      NOISING("linear"), ADAM("adamw", 0, .lr = 2e-3, .warmup = 100, .decay = "cosine",
                              .decay_steps = 1500, .floor = 1e-5),
      .optimizer.weight_decay = 0.05, .batch = 64, .steps = 1500, .pool = "attention",
      .crop = true}},
    {"features", "--clean, of pictures without noise, to compare pictures by (metrics.h)",
     {.unet = {.base = 24, .mult = {1, 2}, .blocks = 1, .patch = 2,
               .resample = "block", .init = "openai", .waves = "openai",
               .style = {.head_channels = 16, .groups = 8, .scale_shift = true,
                         .eps = 1e-5, .dropout = 0.1}},
      NOISING("linear"), ADAM("adamw", 0, .lr = 2e-3, .warmup = 100, .decay = "cosine",
                              .decay_steps = 8000, .floor = 1e-5),
      .optimizer.weight_decay = 0.05, .ema = 0.998, .ema_ramp = 0.08, .batch = 64,
      .steps = 8000, .pool = "adaptive", .crop = true, .clean = true}},
    {"features-32", "the same for CIFAR-10's pictures: wider, deeper and longer",
     {.unet = {.base = 32, .mult = {1, 2, 3}, .blocks = 1, .patch = 2,
               .resample = "block", .init = "openai", .waves = "openai",
               .style = {.head_channels = 16, .groups = 8, .scale_shift = true,
                         .eps = 1e-5, .dropout = 0.1}},
      NOISING("linear"), ADAM("adamw", 0, .lr = 2e-3, .warmup = 100, .decay = "cosine",
                              .decay_steps = 12000, .floor = 1e-5),
      .optimizer.weight_decay = 0.05, .ema = 0.998, .ema_ramp = 0.08, .batch = 64,
      .steps = 12000, .pool = "adaptive", .crop = true, .flip = true, .clean = true}},
    {"adm-64", "Dhariwal & Nichol 2021 on ImageNet, 64x64, as in the paper: months",
     {.unet = {ADM_UNET(64, 128, 4, 0), .out_channels = 1000, .mult = {1, 2, 3, 4},
               .style = {ADM_STYLE}},
      NOISING("cosine"),
      ADAM("adamw", 0, .lr = 6e-4, .decay = "linear", .decay_steps = 300000),
      .optimizer.weight_decay = 0.2,
      .batch = 1024, .steps = 300000, .pool = "attention", .crop = true, .flip = true}},
    {"adm-128", "the same, 128x128",
     {.unet = {ADM_UNET(128, 128, 2, 0), .out_channels = 1000, .mult = {1, 1, 2, 3, 4},
               .style = {ADM_STYLE}},
      NOISING("linear"),
      ADAM("adamw", 0, .lr = 3e-4, .decay = "linear", .decay_steps = 300000),
      .optimizer.weight_decay = 0.05,
      .batch = 256, .steps = 300000, .pool = "attention", .crop = true, .flip = true}},
    {NULL, NULL, {0}},
};

static const char *names_of(const Preset *table)
{
    const char *names = table->name;
    for (const Preset *p = table + 1; p->name; p++)
        names = arena_printf(scratch(), "%s, %s", names, p->name);
    return names;
}

static const Preset *find(const Preset *table, const char *what, const char *name)
{
    for (const Preset *p = table; p->name; p++)
        if (strcmp(p->name, name) == 0) return p;
    fail_usage("there is no preset %s%s; the presets are %s", name, what,
               names_of(table));
}

const char *preset_names(void) { return names_of(presets); }
const char *classifier_preset_names(void) { return names_of(classifier_presets); }

const Preset *preset_find(const char *name) { return find(presets, "", name); }

const Preset *classifier_preset_find(const char *name)
{
    return find(classifier_presets, " of a classifier", name);
}
