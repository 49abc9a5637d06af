/* The U-Net: see unet.h.  Its way down is in encoder.c. */
#include "nn/unet.h"

#include "tensor/error.h"

#define NAME(...) arena_printf(&p->arena, __VA_ARGS__)

/* Level l of the way up.  *skip counts down what is left of the way down. */
static void init_level(Params *p, UNet *u, int l, int *channels, int *skip)
{
    const UNetConfig *c = &u->encoder.config;
    UNetLevel *level = &u->up[l];
    const UNetLevel *down = &u->encoder.down[l];
    int E = u->encoder.embedding.config.out, width = unet_channels(c, l);
    for (int b = 0; b <= c->blocks; b++) {
        const char *name = NAME("up.%d.%d", l, b);
        int both = *channels + u->encoder.skip_channels[--*skip];
        level->block[b] = res_block_init(p, name, &c->style, (Widths){both, width, E},
                                         RESAMPLE_NONE);
        level->attends[b] = down->attends[0] && (b == c->blocks || !c->attention_up_last);
        if (level->attends[b])
            level->attention[b] = attention_block_init(p, NAME("%s.attention", name),
                                                       &c->style, width);
        *channels = width;
    }
    if (l > 0)
        level->resample = resample_init(p, NAME("up.%d.upsample", l), c->resample,
                                        RESAMPLE_UP, &c->style,
                                        (Widths){width, width, E});
}

UNet unet_init(Params *p, const UNetConfig *config)
{
    UNet u = {.encoder = encoder_init(p, config)};
    const UNetConfig *c = &u.encoder.config;
    const BlockStyle *s = &c->style;
    int channels = u.encoder.channels, skip = u.encoder.skips;
    for (int l = c->levels - 1; l >= 0; l--) init_level(p, &u, l, &channels, &skip);
    int most = channels / s->group_size;
    u.norm_out = group_norm_init(p, "norm_out", channels,
                                 s->groups < most ? s->groups : most, s->eps);
    u.conv_out = conv2d_init(p, "conv_out", channels,
                             c->out_channels * c->patch * c->patch, 3, ROLE_LAST);
    return u;
}

Var *unet_forward(Pass *pass, const UNet *u, Var *x, const Condition *condition)
{
    const UNetConfig *c = &u->encoder.config;
    const char *outer = tape_scope(pass->tape, "conv_out");
    Var *skip[MAX_SKIPS];
    int n = u->encoder.skips;
    Var *e = encoder_embed(pass, &u->encoder, condition, x->shape.dim[0]);
    Var *h = encoder_forward(pass, &u->encoder, x, e, skip);

    for (int l = c->levels - 1; l >= 0; l--) {
        for (int b = 0; b <= c->blocks; b++) {
            tape_scope(pass->tape, u->up[l].block[b].name);
            Var *both = concat(pass->tape, h, skip[--n], 3);
            discard(h), discard(skip[n]);
            h = level_block_forward(pass, &u->up[l], b, both, e);
            discard(both);
        }
        if (l == 0) break;
        Var *up = resample_forward(pass, &u->up[l].resample, h, e);
        discard(h);
        h = up;
    }

    tape_scope(pass->tape, "conv_out");
    Var *a = group_norm_silu_forward(pass, &u->norm_out, h);
    discard(h);
    Var *y = conv2d_forward(pass, &u->conv_out, a);
    discard(a);
    if (c->patch > 1) y = depth_to_space(pass->tape, y, c->patch);
    tape_scope(pass->tape, outer);
    return y;
}

Var *unet_superres_forward(Pass *pass, const UNet *u, Var *x, Var *small,
                           const Condition *c)
{
    const UNetConfig *k = &u->encoder.config;
    Var *large = resize(pass->tape, small, k->height, k->width, 0.5);
    Var *both = concat(pass->tape, x, large, 3);
    discard(large);
    return unet_forward(pass, u, both, c);
}
