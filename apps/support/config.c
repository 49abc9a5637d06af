/* Configurations: see config.h. */
#include "apps/support/config.h"

#include <string.h>

#include "tensor/error.h"

static int count(const int list[MAX_LEVELS])
{
    int n = 0;
    while (n < MAX_LEVELS && list[n]) n++;
    return n;
}

/* One row an entry, so that writing and reading cannot disagree.  A CHOICE may be missing
 * from what an older version wrote: it was not made, so it is 0, false or "". */
typedef enum { ENTRY_TEXT, ENTRY_INT, ENTRY_LONG, ENTRY_REAL, ENTRY_BOOL, ENTRY_INTS,
               ENTRY_REALS } EntryKind;
typedef struct { const char *key; EntryKind kind; size_t offset; bool may_lack; } Entry;

#define ENTRY(key, kind, member) {key, kind, offsetof(Config, member)}
#define CHOICE(key, kind, member) {key, kind, offsetof(Config, member), true}
static const Entry entries[] = {
    ENTRY("preset", ENTRY_TEXT, preset), ENTRY("dataset", ENTRY_TEXT, dataset),
    ENTRY("height", ENTRY_INT, unet.height), ENTRY("width", ENTRY_INT, unet.width),
    ENTRY("channels", ENTRY_INT, unet.channels),
    ENTRY("out_channels", ENTRY_INT, unet.out_channels),
    ENTRY("base", ENTRY_INT, unet.base), ENTRY("first", ENTRY_INT, unet.first),
    ENTRY("mult", ENTRY_REALS, unet.mult), ENTRY("blocks", ENTRY_INT, unet.blocks),
    ENTRY("attention", ENTRY_INTS, unet.attention),
    CHOICE("attention_up_last", ENTRY_BOOL, unet.attention_up_last),
    CHOICE("no_middle_attention", ENTRY_BOOL, unet.no_middle_attention),
    CHOICE("bare_middle_attention", ENTRY_BOOL, unet.bare_middle_attention),
    ENTRY("patch", ENTRY_INT, unet.patch), CHOICE("pyramid", ENTRY_BOOL, unet.pyramid),
    ENTRY("resample", ENTRY_TEXT, unet.resample), ENTRY("init", ENTRY_TEXT, unet.init),
    ENTRY("waves", ENTRY_TEXT, unet.waves), ENTRY("wave_mult", ENTRY_INT, unet.wave_mult),
    ENTRY("embed_mult", ENTRY_INT, unet.embed_mult),
    ENTRY("classes", ENTRY_INT, unet.classes), CHOICE("augment", ENTRY_INT, unet.augment),
    CHOICE("class_first", ENTRY_BOOL, unet.class_first),
    ENTRY("groups", ENTRY_INT, unet.style.groups),
    ENTRY("group_size", ENTRY_INT, unet.style.group_size),
    ENTRY("heads", ENTRY_INT, unet.style.heads),
    ENTRY("head_channels", ENTRY_INT, unet.style.head_channels),
    CHOICE("scale_shift", ENTRY_BOOL, unet.style.scale_shift),
    ENTRY("residual_scale", ENTRY_REAL, unet.style.residual_scale),
    ENTRY("taps", ENTRY_INT, unet.style.taps),
    CHOICE("project_resampled", ENTRY_BOOL, unet.style.project_resampled),
    ENTRY("skip_kernel", ENTRY_INT, unet.style.skip_kernel),
    ENTRY("norm_eps", ENTRY_REAL, unet.style.eps),
    ENTRY("dropout", ENTRY_REAL, unet.style.dropout),
    ENTRY("schedule", ENTRY_TEXT, schedule),
    ENTRY("diffusion_steps", ENTRY_INT, diffusion_steps),
    CHOICE("rescale_t", ENTRY_BOOL, rescale_t),
    ENTRY("prediction", ENTRY_TEXT, prediction), ENTRY("variance", ENTRY_TEXT, variance),
    ENTRY("loss", ENTRY_TEXT, loss), CHOICE("no_clip", ENTRY_BOOL, no_clip),
    ENTRY("conditioning", ENTRY_TEXT, conditioning),
    ENTRY("beta_first", ENTRY_REAL, beta_first),
    ENTRY("beta_last", ENTRY_REAL, beta_last),
    ENTRY("optimizer", ENTRY_TEXT, optimizer.rule),
    ENTRY("lr", ENTRY_REAL, optimizer.rate.lr),
    ENTRY("warmup", ENTRY_LONG, optimizer.rate.warmup),
    ENTRY("lr_decay", ENTRY_TEXT, optimizer.rate.decay),
    ENTRY("lr_decay_steps", ENTRY_LONG, optimizer.rate.decay_steps),
    ENTRY("lr_floor", ENTRY_REAL, optimizer.rate.floor),
    ENTRY("beta1", ENTRY_REAL, optimizer.beta1),
    ENTRY("beta2", ENTRY_REAL, optimizer.beta2), ENTRY("eps", ENTRY_REAL, optimizer.eps),
    ENTRY("clip", ENTRY_REAL, optimizer.clip),
    CHOICE("weight_decay", ENTRY_REAL, optimizer.weight_decay),
    CHOICE("repair", ENTRY_BOOL, optimizer.repair), ENTRY("ema", ENTRY_REAL, ema),
    CHOICE("ema_ramp", ENTRY_REAL, ema_ramp), ENTRY("batch", ENTRY_INT, batch),
    CHOICE("micro_batch", ENTRY_INT, micro_batch),
    CHOICE("bfloat16", ENTRY_BOOL, bfloat16),
    CHOICE("label_dropout", ENTRY_REAL, label_dropout),
    ENTRY("timesteps", ENTRY_TEXT, timesteps),
    CHOICE("augment_chance", ENTRY_REAL, augment), CHOICE("flip", ENTRY_BOOL, flip),
    CHOICE("crop", ENTRY_BOOL, crop), CHOICE("pool", ENTRY_TEXT, pool),
    CHOICE("clean", ENTRY_BOOL, clean), CHOICE("shrink", ENTRY_INT, shrink),
    CHOICE("upsample", ENTRY_INT, upsample), ENTRY("seed", ENTRY_LONG, seed),
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

/* Of several ways to say the same, one; and nothing that is without effect.  The heights
 * with attention are those without patches, which are an entry of their own. */
static Config simplify(const Config *config)
{
    Config c = *config;
    UNetConfig *u = &c.unet;
    *u = unet_defaults(*u);
    int n = 0;
    memset(u->attention, 0, sizeof u->attention);
    for (int l = 0; l < u->levels; l++)
        if (unet_attends(&config->unet, l)) u->attention[n++] = u->height >> l;
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
    const char *list = "";
    for (const Entry *e = entries; strcmp(e->key, "optimizer") != 0; e++) {
        Text p = {.arena = scratch()}, q = {.arena = scratch()};
        bool differ = true;
        for (int i = 0; i < 4; i++) differ &= strcmp(e->key, free_to_differ[i]) != 0;
        put_entry(&p, NULL, e, &a);
        put_entry(&q, NULL, e, &b);
        if (differ && strcmp(p.bytes, q.bytes) != 0)
            list = arena_printf(scratch(), "%s%s%s is %s, not %s", list,
                                *list ? "; " : "", e->key, p.bytes, q.bytes);
    }
    return *list ? list : NULL;
}

static int in_range(int64_t n, const char *key, const char *where)
{
    if (n < 0 || n > 1 << 24)
        fail("%s: %s is %lld; want 0 to %d", where, key, (long long)n, 1 << 24);
    return (int)n;
}

static void take_entry(Config *c, const Entry *e, const Json *object, const char *where)
{
    void *p = (char *)c + e->offset;
    int *ints = p;
    switch (e->kind) {
    case ENTRY_TEXT: *(const char **)p = json_text(object, e->key, where); break;
    case ENTRY_INT:
        *ints = in_range(json_integer(object, e->key, where), e->key, where);
        break;
    case ENTRY_LONG: *(long *)p = (long)json_integer(object, e->key, where); break;
    case ENTRY_REAL: *(double *)p = json_number(object, e->key, where); break;
    case ENTRY_BOOL: *(bool *)p = json_bool(object, e->key, where); break;
    case ENTRY_INTS:
        json_integers(object, e->key, where, ints, MAX_LEVELS);
        for (int k = 0; k < MAX_LEVELS; k++) in_range(ints[k], e->key, where);
        break;
    case ENTRY_REALS: json_numbers(object, e->key, where, p, MAX_LEVELS); break;
    }
}

Config config_parse(Arena *a, Bytes text)
{
    Config c = {.pool = ""};
    const Json *object = json_parse(a, text);
    for (const Entry *e = entries; e < entries + ENTRIES; e++)
        if (!e->may_lack || json_find(object, e->key))
            take_entry(&c, e, object, text.path);
    for (const Json *m = object->child; m; m = m->next) {
        int i = 0;
        while (i < ENTRIES && strcmp(entries[i].key, m->name) != 0) i++;
        if (i == ENTRIES)
            fail("%s: \"%s\" is unknown here; was it made by a newer version?",
                 text.path, m->name);
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

double config_guidance(const Config *c)
{
    return c->unet.classes && c->label_dropout > 0 ? 2 : 1;
}

int config_picture_channels(const Config *c)
{
    return c->upsample ? c->unet.channels / 2 : c->unet.channels;
}
