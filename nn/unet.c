/* The U-Net: see unet.h. */
#include "nn/unet.h"

#include "tensor/error.h"

static bool attends(const UNetConfig *c, int height)
{
    for (int i = 0; i < MAX_LEVELS && c->attention[i]; i++)
        if (c->attention[i] == height) return true;
    return false;
}

static void check_config(const UNetConfig *c)
{
    if (c->levels < 1 || c->levels > MAX_LEVELS || c->blocks < 1 || c->blocks >= MAX_BLOCKS)
        fail("a U-Net of %d levels with %d blocks each; 1 to %d levels and 1 to %d blocks are "
             "possible", c->levels, c->blocks, MAX_LEVELS, MAX_BLOCKS - 1);
    if (c->patch < 1 || c->groups < 1 || c->heads < 1 || c->height < 1 || c->width < 1 ||
        c->channels < 1 || c->out_channels < 1)
        fail("a U-Net with patch %d, %d groups, %d heads, for images of %dx%dx%d; each must be at "
             "least 1", c->patch, c->groups, c->heads, c->height, c->width, c->channels);
    int factor = c->patch << (c->levels - 1);
    if (c->height % factor || c->width % factor)
        fail("images of %dx%d do not fit this U-Net: patches of %d pixels and %d halvings divide "
             "height and width by %d * 2^%d = %d, and %d/%d = %g; choose fewer levels (the "
             "multipliers) or pad the images", c->height, c->width, c->patch, c->levels - 1,
             c->patch, c->levels - 1, factor, c->height % factor ? c->height : c->width, factor,
             (double)(c->height % factor ? c->height : c->width) / factor);
    for (int i = 0; i < c->levels; i++) {
        int channels = c->base * c->mult[i];
        if (channels < 1 || channels % c->groups || channels % c->heads)
            fail("level %d of the U-Net has %d * %d = %d channels, which %d groups and %d heads "
                 "must divide", i, c->base, c->mult[i], channels, c->groups, c->heads);
    }
}

#define NAME(...) arena_printf(&p->arena, __VA_ARGS__)

UNet unet_init(Params *p, const UNetConfig *config)
{
    check_config(config);
    UNet u = {.config = *config};
    const UNetConfig *c = &u.config;
    int E = 4 * c->base, G = c->groups, width = c->base, height = c->height / c->patch;
    int skip[MAX_LEVELS * MAX_BLOCKS], skips = 0;   /* channels of what is kept for the way up */

    u.time = time_embedding_init(p, "time", c->base, E);
    if (c->classes)
        u.class_table = params_add(p, SHAPE(c->classes, E), (Init){INIT_NORMAL, 1}, "class.weight");
    u.conv_in = conv2d_init(p, "conv_in", c->channels, width, c->patch > 1 ? c->patch : 3, 1);
    if (c->patch > 1) u.conv_in.stride = c->patch, u.conv_in.pad = u.conv_in.pad_end = 0;
    skip[skips++] = width;

    for (int l = 0; l < c->levels; l++) {
        UNetLevel *level = &u.down[l];
        level->has_attention = attends(c, height);
        for (int b = 0; b < c->blocks; b++) {
            level->block[b] = res_block_init(p, NAME("down.%d.%d", l, b), width,
                                             c->base * c->mult[l], E, G, c->dropout);
            width = c->base * c->mult[l];
            if (level->has_attention)
                level->attention[b] = attention_block_init(
                    p, NAME("down.%d.%d.attention", l, b), width, G, c->heads);
            skip[skips++] = width;
        }
        if (l == c->levels - 1) break;
        level->resample = downsample_init(p, NAME("down.%d.downsample", l), width);
        skip[skips++] = width;
        height /= 2;
    }

    u.middle[0] = res_block_init(p, "middle.0", width, width, E, G, c->dropout);
    u.middle_attention = attention_block_init(p, "middle.attention", width, G, c->heads);
    u.middle[1] = res_block_init(p, "middle.1", width, width, E, G, c->dropout);

    for (int l = c->levels - 1; l >= 0; l--) {
        UNetLevel *level = &u.up[l];
        level->has_attention = attends(c, height);
        for (int b = 0; b <= c->blocks; b++) {
            level->block[b] = res_block_init(p, NAME("up.%d.%d", l, b), width + skip[--skips],
                                             c->base * c->mult[l], E, G, c->dropout);
            width = c->base * c->mult[l];
            if (level->has_attention)
                level->attention[b] = attention_block_init(
                    p, NAME("up.%d.%d.attention", l, b), width, G, c->heads);
        }
        if (l == 0) break;
        level->resample = upsample_init(p, NAME("up.%d.upsample", l), width);
        height *= 2;
    }
    u.norm_out = group_norm_init(p, "norm_out", width, G);
    u.conv_out = conv2d_init(p, "conv_out", width, c->out_channels * c->patch * c->patch, 3, 0);
    return u;
}

/* Block b of a level, with its attention. */
static Var *block_forward(Pass *pass, const UNetLevel *level, int b, Var *x, Var *e)
{
    Var *h = res_block_forward(pass, &level->block[b], x, e);
    if (!level->has_attention) return h;
    Var *y = attention_block_forward(pass, &level->attention[b], h);
    discard(h);
    return y;
}

/* silu(time embedding + class embedding) */
static Var *embed(Pass *pass, const UNet *u, const double *t, const int *label, int N)
{
    Var *e = time_embedding_forward(pass, &u->time, t, N);
    if (u->config.classes) {
        require(label, "a class-conditional U-Net needs a label for each sample");
        e = add(pass->tape, e, embedding(pass->tape, pass_param(pass, u->class_table), label, N));
    }
    return silu(pass->tape, e);
}

Var *unet_forward(Pass *pass, const UNet *u, Var *x, const double *t, const int *label)
{
    const UNetConfig *c = &u->config;
    int N = x->shape.dim[0], skips = 0;
    Var *skip[MAX_LEVELS * MAX_BLOCKS];
    require_shape(x, SHAPE(N, c->height, c->width, c->channels));
    const char *outer = tape_scope(pass->tape, u->time.name);
    Var *e = embed(pass, u, t, label, N);

    tape_scope(pass->tape, "conv_in");
    Var *h = skip[skips++] = conv2d_forward(pass, &u->conv_in, x);
    discard(x);
    for (int l = 0; l < c->levels; l++) {
        for (int b = 0; b < c->blocks; b++)
            h = skip[skips++] = block_forward(pass, &u->down[l], b, h, e);
        if (l < c->levels - 1)
            h = skip[skips++] = downsample_forward(pass, &u->down[l].resample, h);
    }

    Var *m = res_block_forward(pass, &u->middle[0], h, e);
    Var *a = attention_block_forward(pass, &u->middle_attention, m);
    discard(m);
    h = res_block_forward(pass, &u->middle[1], a, e);
    discard(a);

    for (int l = c->levels - 1; l >= 0; l--) {
        for (int b = 0; b <= c->blocks; b++) {
            tape_scope(pass->tape, u->up[l].block[b].name);
            Var *both = concat(pass->tape, h, skip[--skips], 3);
            discard(h), discard(skip[skips]);
            h = block_forward(pass, &u->up[l], b, both, e);
            discard(both);
        }
        if (l == 0) break;
        Var *up = upsample_forward(pass, &u->up[l].resample, h);
        discard(h);
        h = up;
    }

    tape_scope(pass->tape, "conv_out");
    a = group_norm_silu_forward(pass, &u->norm_out, h);
    discard(h);
    Var *y = conv2d_forward(pass, &u->conv_out, a);
    discard(a);
    if (c->patch > 1) y = depth_to_space(pass->tape, y, c->patch);
    tape_scope(pass->tape, outer);
    return y;
}
