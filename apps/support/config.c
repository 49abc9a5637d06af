/* Configurations: see config.h. */
#include "apps/support/config.h"

#include <string.h>

#include "tensor/error.h"

#define DDPM_PROCESS(variance_name)                                                     \
    .schedule = "linear", .diffusion_steps = 1000, .beta_first = 1e-4, .beta_last = 0.02,   \
    .prediction = "eps", .variance = variance_name, .conditioning = "schedule",         \
    .loss = "mse", .timesteps = "uniform"
#define HYBRID_PROCESS                                                                  \
    .schedule = "cosine", .diffusion_steps = 4000, .beta_first = 1e-4, .beta_last = 0.02,   \
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

const Preset presets[] = {
    {"mini", "digits a person can name after five minutes on two cores",
     {.unet = {.base = 16, .levels = 3, .mult = {1, 2, 4}, .blocks = 1, .attention = {7, 8},
               .style = {.heads = 1, .groups = 8, .scale_shift = true}},
      DDPM_PROCESS("fixed_small"),
      ADAM("adam", 1, .lr = 2e-3, .warmup = 100, .decay = "cosine", .decay_steps = 2800,
           .floor = 2e-4),
      .ema = 0.9975, .ema_ramp = 0.08, .label_dropout = 0.1, .batch = 16, .steps = 2800}},
    {"small", "a wider and deeper one: an hour or two",
     {.unet = {.base = 32, .levels = 3, .mult = {1, 2, 2}, .blocks = 2, .attention = {7, 8},
               .style = {.heads = 1, .groups = 32}},
      DDPM_PROCESS("fixed_small"), ADAM("adam", 1, .lr = 1e-3, .warmup = 500, .decay = "constant"),
      .ema = 0.999, .ema_ramp = 0.08, .batch = 64, .steps = 20000}},
    {"ddpm", "Ho 2020 on CIFAR-10, as in the paper: days",
     {.unet = {.base = 128, .levels = 4, .mult = {1, 2, 2, 2}, .blocks = 2, .attention = {16},
               .style = {.heads = 1, .groups = 32, .dropout = 0.1}},
      DDPM_PROCESS("fixed_large"), ADAM("adam_hat", 1, .lr = 2e-4, .warmup = 5000, .decay = "constant"),
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
    {NULL, NULL, {0}},
};

const char *preset_names(void)
{
    const char *names = presets->name;
    for (const Preset *p = presets + 1; p->name; p++)
        names = arena_printf(scratch(), "%s, %s", names, p->name);
    return names;
}

const Preset *preset_find(const char *name)
{
    for (const Preset *p = presets; p->name; p++)
        if (strcmp(p->name, name) == 0) return p;
    fail_usage("there is no preset %s; the presets are %s", name, preset_names());
}

static int count(const int list[MAX_LEVELS])
{
    int n = 0;
    while (n < MAX_LEVELS && list[n]) n++;
    return n;
}

/* One row an entry, so that writing and reading cannot disagree. */
typedef enum { ENTRY_TEXT, ENTRY_INT, ENTRY_LONG, ENTRY_REAL, ENTRY_BOOL, ENTRY_INTS,
               ENTRY_REALS } EntryKind;
typedef struct { const char *key; EntryKind kind; size_t offset; } Entry;

#define ENTRY(key, kind, member) {key, kind, offsetof(Config, member)}
static const Entry entries[] = {
    ENTRY("preset", ENTRY_TEXT, preset), ENTRY("dataset", ENTRY_TEXT, dataset),
    ENTRY("height", ENTRY_INT, unet.height), ENTRY("width", ENTRY_INT, unet.width),
    ENTRY("channels", ENTRY_INT, unet.channels),
    ENTRY("out_channels", ENTRY_INT, unet.out_channels), ENTRY("base", ENTRY_INT, unet.base),
    ENTRY("first", ENTRY_INT, unet.first), ENTRY("mult", ENTRY_REALS, unet.mult),
    ENTRY("blocks", ENTRY_INT, unet.blocks),
    ENTRY("attention", ENTRY_INTS, unet.attention),
    ENTRY("attention_up_last", ENTRY_BOOL, unet.attention_up_last),
    ENTRY("no_middle_attention", ENTRY_BOOL, unet.no_middle_attention),
    ENTRY("bare_middle_attention", ENTRY_BOOL, unet.bare_middle_attention),
    ENTRY("patch", ENTRY_INT, unet.patch), ENTRY("pyramid", ENTRY_BOOL, unet.pyramid),
    ENTRY("resample", ENTRY_TEXT, unet.resample), ENTRY("init", ENTRY_TEXT, unet.init),
    ENTRY("waves", ENTRY_TEXT, unet.waves), ENTRY("wave_mult", ENTRY_INT, unet.wave_mult),
    ENTRY("embed_mult", ENTRY_INT, unet.embed_mult),
    ENTRY("classes", ENTRY_INT, unet.classes), ENTRY("augment", ENTRY_INT, unet.augment),
    ENTRY("class_first", ENTRY_BOOL, unet.class_first),
    ENTRY("groups", ENTRY_INT, unet.style.groups),
    ENTRY("group_size", ENTRY_INT, unet.style.group_size),
    ENTRY("heads", ENTRY_INT, unet.style.heads),
    ENTRY("head_channels", ENTRY_INT, unet.style.head_channels),
    ENTRY("scale_shift", ENTRY_BOOL, unet.style.scale_shift),
    ENTRY("residual_scale", ENTRY_REAL, unet.style.residual_scale),
    ENTRY("taps", ENTRY_INT, unet.style.taps),
    ENTRY("project_resampled", ENTRY_BOOL, unet.style.project_resampled),
    ENTRY("skip_kernel", ENTRY_INT, unet.style.skip_kernel),
    ENTRY("norm_eps", ENTRY_REAL, unet.style.eps),
    ENTRY("dropout", ENTRY_REAL, unet.style.dropout),
    ENTRY("schedule", ENTRY_TEXT, schedule),
    ENTRY("diffusion_steps", ENTRY_INT, diffusion_steps),
    ENTRY("rescale_t", ENTRY_BOOL, rescale_t), ENTRY("prediction", ENTRY_TEXT, prediction),
    ENTRY("variance", ENTRY_TEXT, variance), ENTRY("loss", ENTRY_TEXT, loss),
    ENTRY("no_clip", ENTRY_BOOL, no_clip),
    ENTRY("conditioning", ENTRY_TEXT, conditioning),
    ENTRY("beta_first", ENTRY_REAL, beta_first), ENTRY("beta_last", ENTRY_REAL, beta_last),
    ENTRY("optimizer", ENTRY_TEXT, optimizer.rule), ENTRY("lr", ENTRY_REAL, optimizer.rate.lr),
    ENTRY("warmup", ENTRY_LONG, optimizer.rate.warmup),
    ENTRY("lr_decay", ENTRY_TEXT, optimizer.rate.decay),
    ENTRY("lr_decay_steps", ENTRY_LONG, optimizer.rate.decay_steps),
    ENTRY("lr_floor", ENTRY_REAL, optimizer.rate.floor),
    ENTRY("beta1", ENTRY_REAL, optimizer.beta1), ENTRY("beta2", ENTRY_REAL, optimizer.beta2),
    ENTRY("eps", ENTRY_REAL, optimizer.eps), ENTRY("clip", ENTRY_REAL, optimizer.clip),
    ENTRY("weight_decay", ENTRY_REAL, optimizer.weight_decay),
    ENTRY("repair", ENTRY_BOOL, optimizer.repair), ENTRY("ema", ENTRY_REAL, ema),
    ENTRY("ema_ramp", ENTRY_REAL, ema_ramp), ENTRY("batch", ENTRY_INT, batch),
    ENTRY("micro_batch", ENTRY_INT, micro_batch),
    ENTRY("label_dropout", ENTRY_REAL, label_dropout),
    ENTRY("timesteps", ENTRY_TEXT, timesteps),
    ENTRY("augment_chance", ENTRY_REAL, augment), ENTRY("flip", ENTRY_BOOL, flip),
    ENTRY("seed", ENTRY_LONG, seed),
};
enum { ENTRIES = sizeof entries / sizeof *entries };

static void put_entry(Text *t, const char *key, const Entry *e, const Config *c)
{
    const void *p = (const char *)c + e->offset;
    switch (e->kind) {
    case ENTRY_TEXT: json_put_text(t, key, *(const char *const *)p); break;
    case ENTRY_INT: json_put_integer(t, key, *(const int *)p); break;
    case ENTRY_LONG: json_put_integer(t, key, *(const long *)p); break;
    case ENTRY_REAL: json_put_number(t, key, *(const double *)p); break;
    case ENTRY_BOOL: json_put_bool(t, key, *(const bool *)p); break;
    case ENTRY_INTS: json_put_integers(t, key, p, count(p)); break;
    case ENTRY_REALS: json_put_numbers(t, key, p, unet_levels(p)); break;
    }
}

void config_put(Text *t, const char *key, const Config *c)
{
    json_open_object(t, key);
    for (int i = 0; i < ENTRIES; i++) put_entry(t, entries[i].key, &entries[i], c);
    json_close(t);
}

/* Of several ways to say the same, one; and nothing that is without effect. */
static Config simplify(const Config *config)
{
    Config c = *config;
    UNetConfig *u = &c.unet;
    *u = unet_defaults(*u);
    int n = 0, height = u->height / u->patch;
    memset(u->attention, 0, sizeof u->attention);
    for (int l = 0; l < u->levels; l++)
        if (unet_attends(&config->unet, height >> l)) u->attention[n++] = height >> l;
    if (u->style.head_channels) u->style.heads = 1;
    if (c.diffusion_steps == 1000) {            /* a thousand scaled by 1000/T */
        c.rescale_t = false;
        if (strcmp(c.schedule, "linear_scaled") == 0) c.schedule = "linear";
    }
    if (strcmp(c.schedule, "cosine") == 0) c.beta_first = c.beta_last = 0;
    return c;
}

const char *config_difference(const Config *x, const Config *y)
{
    static const char *const free_to_differ[] = {"preset", "dataset", "init", "loss"};
    Config a = simplify(x), b = simplify(y);
    for (const Entry *e = entries; strcmp(e->key, "optimizer") != 0; e++) {
        Text p = {.arena = scratch()}, q = {.arena = scratch()};
        bool differ = true;
        for (int i = 0; i < 4; i++) differ &= strcmp(e->key, free_to_differ[i]) != 0;
        put_entry(&p, NULL, e, &a);
        put_entry(&q, NULL, e, &b);
        if (differ && strcmp(p.bytes, q.bytes) != 0)
            return arena_printf(scratch(), "%s is %s, not %s", e->key, p.bytes, q.bytes);
    }
    return NULL;
}

static int in_range(int64_t n, const char *key, const char *where)
{
    if (n < 0 || n > 1 << 24) fail("%s: %s is %lld; want 0 to %d", where, key, (long long)n, 1 << 24);
    return (int)n;
}

Config config_parse(Arena *a, Bytes text)
{
    Config c = {0};
    const Json *object = json_parse(a, text);
    for (int i = 0; i < ENTRIES; i++) {
        const Entry *e = &entries[i];
        void *p = (char *)&c + e->offset;
        switch (e->kind) {
        case ENTRY_TEXT: *(const char **)p = json_text(object, e->key, text.path); break;
        case ENTRY_LONG: *(long *)p = (long)json_integer(object, e->key, text.path); break;
        case ENTRY_REAL: *(double *)p = json_number(object, e->key, text.path); break;
        case ENTRY_BOOL: *(bool *)p = json_bool(object, e->key, text.path); break;
        case ENTRY_INTS:
            json_integers(object, e->key, text.path, p, MAX_LEVELS);
            for (int k = 0; k < MAX_LEVELS; k++) in_range(((int *)p)[k], e->key, text.path);
            break;
        case ENTRY_REALS: json_numbers(object, e->key, text.path, p, MAX_LEVELS); break;
        case ENTRY_INT:
            *(int *)p = in_range(json_integer(object, e->key, text.path), e->key, text.path);
            break;
        }
    }
    c.unet.levels = unet_levels(c.unet.mult);
    return c;
}

void config_own(Arena *a, Config *c)
{
    for (int i = 0; i < ENTRIES; i++) {
        const char **text = (const char **)((char *)c + entries[i].offset);
        if (entries[i].kind == ENTRY_TEXT && *text) *text = arena_printf(a, "%s", *text);
    }
}

double config_guidance(const Config *c) { return c->unet.classes && c->label_dropout > 0 ? 2 : 1; }
