/* The way down and the middle of a U-Net: see unet.h. */
#include "nn/unet.h"

#include <limits.h>
#include <math.h>

#include "tensor/error.h"

bool unet_attends(const UNetConfig *c, int level)
{
    int height = c->height / (c->patch ? c->patch : 1) >> level;
    for (int i = 0; i < MAX_LEVELS && c->attention[i]; i++)
        if (c->attention[i] == height) return true;
    return false;
}

UNetConfig unet_defaults(UNetConfig c)
{
    if (c.patch == 0) c.patch = 1;
    if (c.wave_mult == 0) c.wave_mult = 1;
    if (c.embed_mult == 0) c.embed_mult = 4;
    if (c.first == 0) c.first = unet_channels(&c, 0);
    if (!c.resample) c.resample = "conv";
    if (!c.init) c.init = "ddpm";
    if (!c.waves) c.waves = "ddpm";
    c.style = block_style(c.style);
    return c;
}

int unet_levels(const double mult[MAX_LEVELS])
{
    int n = 0;
    while (n < MAX_LEVELS && mult[n] > 0) n++;
    return n;
}

/* The hair is for 48 * (64/48), which need not be 64 in double. */
int unet_channels(const UNetConfig *c, int level)
{
    return (int)fmin(c->base * c->mult[level] + 1e-9, INT_MAX);
}

static void check_size(const UNetConfig *c)
{
    int factor = c->patch << (c->levels - 1);
    int size = c->height % factor ? c->height : c->width;
    if (c->height % factor || c->width % factor)
        fail("images of %dx%d do not fit this U-Net: patches of %d pixels and %d "
             "halvings divide height and width by %d * 2^%d = %d, and %d/%d = %g; choose "
             "fewer levels (the multipliers) or pad the images", c->height, c->width,
             c->patch, c->levels - 1, c->patch, c->levels - 1, factor, size, factor,
             (double)size / factor);
}

/* The limits keep products within an int: a configuration may come in a file. */
static void check_limits(const UNetConfig *c)
{
    const BlockStyle *s = &c->style;
    const struct { const char *name; double number, least, most; } limits[] = {
        {"levels", c->levels, 1, MAX_LEVELS},
        {"blocks a level", c->blocks, 1, MAX_BLOCKS - 1},
        {"a patch", c->patch, 1, 64}, {"a height", c->height, 1, 65536},
        {"a width", c->width, 1, 65536}, {"channels of images", c->channels, 1, 1024},
        {"channels of its result", c->out_channels, 1, 1024},
        {"channels as base", c->base, 1, WIDEST},
        {"channels at first", c->first, 1, WIDEST},
        {"waves a channel", c->wave_mult, 1, 64},
        {"embeddings a channel", c->embed_mult, 1, 64},
        {"classes", c->classes, 0, 1 << 20}, {"augmentations", c->augment, 0, 1024},
        {"groups", s->groups, 1, WIDEST}, {"channels a group", s->group_size, 1, WIDEST},
        {"heads", s->heads + (s->head_channels > 0), 1, WIDEST},
        {"channels a head", s->head_channels, 0, WIDEST}, {"taps", s->taps, 2, 4},
        {"pixels as kernel of skips", s->skip_kernel, 1, 7},
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (!(limits[i].number >= limits[i].least && limits[i].number <= limits[i].most))
            fail("a U-Net with %.9g %s; %g to %g are possible", limits[i].number,
                 limits[i].name, limits[i].least, limits[i].most);
    for (int i = 0; i < c->levels; i++)
        if (!(c->base * c->mult[i] < WIDEST + 1))
            fail("level %d of the U-Net has %d * %g channels; %d are possible", i,
                 c->base, c->mult[i], WIDEST);
}

static void check_config(const UNetConfig *c)
{
    const BlockStyle *s = &c->style;
    check_limits(c);
    if (s->taps == 3) fail("a U-Net that resamples with 3 taps; 2 or 4 are possible");
    if (c->pyramid && c->patch > 1)
        fail("a U-Net with a pyramid works on pixels, not patches");
    check_size(c);
    for (int i = 0; i < c->levels; i++) {
        int channels = unet_channels(c, i), most = channels / s->group_size;
        int groups = s->groups < most ? s->groups : most;
        int heads = s->head_channels ? channels / s->head_channels : s->heads;
        bool middle = i == c->levels - 1 && !c->no_middle_attention;
        if (!middle && !unet_attends(c, i)) heads = 1;
        if (channels < 1 || groups < 1 || channels % groups || heads < 1 ||
            channels % heads)
            fail("level %d of the U-Net has %d * %g = %d channels, which %d groups and "
                 "%d heads must divide", i, c->base, c->mult[i], channels, groups, heads);
    }
}

#define NAME(...) arena_printf(&p->arena, __VA_ARGS__)

static void keep(Encoder *u, int channels)
{
    u->channels = channels;
    u->skip_channels[u->skips++] = channels;
}

static void init_level(Params *p, Encoder *u, int l)
{
    const UNetConfig *c = &u->config;
    UNetLevel *level = &u->down[l];
    int E = u->embedding.config.out, width = unet_channels(c, l);
    for (int b = 0; b < c->blocks; b++) {
        const char *name = NAME("down.%d.%d", l, b);
        level->block[b] = res_block_init(p, name, &c->style,
                                         (Widths){u->channels, width, E}, RESAMPLE_NONE);
        level->attends[b] = unet_attends(c, l);
        if (level->attends[b])
            level->attention[b] = attention_block_init(p, NAME("%s.attention", name),
                                                       &c->style, width);
        keep(u, width);
    }
    if (l == c->levels - 1) return;
    level->resample = resample_init(p, NAME("down.%d.downsample", l), c->resample,
                                    RESAMPLE_DOWN, &c->style, (Widths){width, width, E});
    keep(u, width);
    u->height /= 2, u->width /= 2;
    if (!c->pyramid) return;
    level->pyramid = conv2d_init(p, NAME("down.%d.pyramid", l),
                                 l > 0 ? unet_channels(c, l - 1) : c->channels, width, 3,
                                 ROLE_PLAIN);
    int pad = c->style.taps / 2;
    level->pyramid.pad = (Padding){pad, pad, pad, pad};
}

Encoder encoder_init(Params *p, const UNetConfig *config)
{
    Encoder u = {.config = unet_defaults(*config)};
    const UNetConfig *c = &u.config;
    check_config(c);
    p->rule = init_rule(c->init);

    int E = c->embed_mult * c->base;
    u.height = c->height / c->patch, u.width = c->width / c->patch;
    u.embedding = embedding_init(p, "time", &(EmbeddingConfig){
        .waves = c->waves, .dim = c->base * c->wave_mult, .out = E, .classes = c->classes,
        .augment = c->augment, .class_first = c->class_first});
    u.conv_in = conv2d_init(p, "conv_in", c->channels, c->first,
                            c->patch > 1 ? c->patch : 3, ROLE_PLAIN);
    if (c->patch > 1) u.conv_in.stride = c->patch, u.conv_in.pad = (Padding){0};
    keep(&u, c->first);
    for (int l = 0; l < c->levels; l++) init_level(p, &u, l);

    Widths w = {u.channels, u.channels, E};
    u.middle[0] = res_block_init(p, "middle.0", &c->style, w, RESAMPLE_NONE);
    BlockStyle style = c->style;
    if (c->bare_middle_attention) style.groups = 0;
    if (!c->no_middle_attention)
        u.middle_attention = attention_block_init(p, "middle.attention", &style,
                                                  u.channels);
    u.middle[1] = res_block_init(p, "middle.1", &c->style, w, RESAMPLE_NONE);
    return u;
}

Var *level_block_forward(Pass *pass, const UNetLevel *level, int b, Var *x, Var *e)
{
    Var *h = res_block_forward(pass, &level->block[b], x, e);
    if (!level->attends[b]) return h;
    Var *y = attention_block_forward(pass, &level->attention[b], h);
    discard(h);
    return y;
}

Var *encoder_embed(Pass *pass, const Encoder *u, const Condition *c, int N)
{
    return embedding_forward(pass, &u->embedding, c, N);
}

/* The image, or what the level above made of it, through a convolution to half its size,
 * added to h (Karras 2022, encoder_type residual).  Discards h. */
static Var *add_pyramid(Pass *pass, const Encoder *u, const UNetLevel *level, Var *above,
                        Var *h)
{
    const char *outer = tape_scope(pass->tape,
                                   pass->params->list[level->pyramid.weight].name);
    Var *c = conv2d_forward(pass, &level->pyramid, above);
    Var *small = change_size(pass->tape, c, RESAMPLE_DOWN, u->config.style.taps, 0);
    discard(c);
    Var *y = add_residual(pass->tape, small, h, u->config.style.residual_scale);
    discard(small);
    tape_scope(pass->tape, outer);
    return y;
}

Var *encoder_forward(Pass *pass, const Encoder *u, Var *x, Var *e, Var *skip[])
{
    const UNetConfig *c = &u->config;
    int n = 0;
    require_shape(x, SHAPE(x->shape.dim[0], c->height, c->width, c->channels));
    const char *outer = tape_scope(pass->tape, "conv_in");
    Var *h = skip[n++] = conv2d_forward(pass, &u->conv_in, x), *above = x;
    for (int l = 0; l < c->levels; l++) {
        const UNetLevel *level = &u->down[l];
        for (int b = 0; b < c->blocks; b++)
            h = skip[n++] = level_block_forward(pass, level, b, h, e);
        if (l == c->levels - 1) break;
        h = resample_forward(pass, &level->resample, h, e);
        if (c->pyramid) above = h = add_pyramid(pass, u, level, above, h);
        skip[n++] = h;
    }
    discard(x);

    Var *m = res_block_forward(pass, &u->middle[0], h, e);
    if (!c->no_middle_attention) {
        Var *a = attention_block_forward(pass, &u->middle_attention, m);
        discard(m);
        m = a;
    }
    h = res_block_forward(pass, &u->middle[1], m, e);
    discard(m);
    tape_scope(pass->tape, outer);
    return h;
}
