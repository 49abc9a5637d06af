/* UNet2DModel of huggingface/diffusers (unet_2d.py), the home of DDPM's weights:
 * published.h. */
#include <string.h>

#include "nn/published_class.h"

#define NAMES \
    .norm1 = "norm1", .conv1 = "conv1", .embed = "time_emb_proj", \
    .norm2 = "norm2", .conv2 = "conv2", .skip = "conv_shortcut", \
    .norm = "group_norm", .projection_rank = 2, \
    .linear1 = "time_embedding.linear_1", .linear2 = "time_embedding.linear_2", \
    .class_layer = "class_embedding", .class_table = true, \
    .conv_in = "conv_in", .norm_out = "conv_norm_out", .conv_out = "conv_out", \
    .down = "down_blocks.{l}.resnets.{b}", \
    .down_attention = "down_blocks.{l}.attentions.{b}", \
    .downsample = "down_blocks.{l}.downsamplers.0", .downsample_conv = "conv", \
    .middle = {"mid_block.resnets.0", "mid_block.resnets.1"}, \
    .middle_attention = "mid_block.attentions.0", \
    .up = "up_blocks.{u}.resnets.{b}", .up_attention = "up_blocks.{u}.attentions.{b}", \
    .upsample = "up_blocks.{u}.upsamplers.0", .upsample_conv = "conv"

static const PublishedNames names = {
    NAMES, .q = "to_q", .k = "to_k", .v = "to_v", .out = "to_out.0",
};
static const PublishedNames old_names = {
    NAMES, .q = "query", .k = "key", .v = "value", .out = "proj_attn",
};

/* The last are notes of EMAModel, which keeps the average: nothing follows from them. */
static const char defaults[] =
    "{\"sample_size\": null, \"in_channels\": 3, \"out_channels\": 3, \"freq_shift\": 0, "
    "\"flip_sin_to_cos\": true, \"block_out_channels\": [224, 448, 672, 896], "
    "\"down_block_types\": [\"DownBlock2D\", \"AttnDownBlock2D\", \"AttnDownBlock2D\", "
    "\"AttnDownBlock2D\"], \"up_block_types\": [\"AttnUpBlock2D\", \"AttnUpBlock2D\", "
    "\"AttnUpBlock2D\", \"UpBlock2D\"], \"layers_per_block\": 2, "
    "\"downsample_padding\": 1, \"dropout\": 0, \"act_fn\": \"silu\", "
    "\"attention_head_dim\": 8, \"attn_norm_num_groups\": null, "
    "\"norm_num_groups\": 32, \"norm_eps\": 1e-5, "
    "\"resnet_time_scale_shift\": \"default\", \"num_class_embeds\": null, "
    "\"add_attention\": true, \"num_train_timesteps\": null, \"decay\": null, "
    "\"min_decay\": null, \"inv_gamma\": null, \"power\": null, "
    "\"optimization_step\": null, \"update_after_step\": null, "
    "\"use_ema_warmup\": null}";

static const char fixed[] =
    "{\"center_input_sample\": false, \"time_embedding_type\": \"positional\", "
    "\"time_embedding_dim\": null, \"mid_block_scale_factor\": 1, "
    "\"downsample_type\": \"conv\", \"upsample_type\": \"conv\", "
    "\"class_embed_type\": null, \"mid_block_type\": \"UNetMidBlock2D\"}";

/* Which blocks of a list attend: attends[i] for entry i. */
static void read_types(const Arguments *a, const char *key, const char *plain,
                       bool attends[], int count)
{
    const Json *list = json_get(argument_holder(a, key), key, JSON_ARRAY, a->where);
    const char *with = arena_printf(scratch(), "Attn%s", plain);
    if (list->count != count)
        fail("%s: %s has %d entries, block_out_channels %d", a->where, key, list->count,
             count);
    for (const Json *j = list->child; j; j = j->next) {
        const char *type = j->kind == JSON_TEXT ? j->text : "";
        bool with_attention = strcmp(type, with) == 0;
        if (!with_attention && strcmp(type, plain) != 0)
            fail("%s: %s: block \"%s\" is not supported; %s and %s are", a->where, key,
                 type, plain, with);
        *attends++ = with_attention;
    }
}

static void read_attention(const Arguments *a, UNetConfig *c)
{
    bool down[MAX_LEVELS], up[MAX_LEVELS];
    read_types(a, "down_block_types", "DownBlock2D", down, c->levels);
    read_types(a, "up_block_types", "UpBlock2D", up, c->levels);
    for (int l = 0, k = 0; l < c->levels; l++) {
        if (down[l] != up[c->levels - 1 - l])
            fail("%s: up_block_types is not down_block_types backwards at level %d",
                 a->where, l);
        if (down[l]) c->attention[k++] = a->height >> l;
    }
}

static void read_widths(const Arguments *a, UNetConfig *c)
{
    int width[MAX_LEVELS];
    c->levels = argument_integers(a, "block_out_channels", width);
    if (!c->levels) fail("%s: block_out_channels is empty", a->where);
    c->base = width[0];
    for (int l = 0; l < c->levels; l++) c->mult[l] = (double)width[l] / c->base;
}

/* The norm before the attention in the middle has as many groups as the others; or none
 * is there, which is the default where the embedding scales and shifts. */
static void read_middle_norm(const Arguments *a, UNetConfig *c)
{
    static const char key[] = "attn_norm_num_groups";
    c->bare_middle_attention = argument_is_null(a, key) && c->style.scale_shift;
    if (!argument_is_null(a, key) && argument_integer(a, key) != c->style.groups)
        fail("%s: %s %d is not supported; null and norm_num_groups %d are", a->where, key,
             argument_integer(a, key), c->style.groups);
}

/* 0 or 1. */
static int read_bit(const Arguments *a, const char *key)
{
    int n = argument_integer(a, key);
    if (n != 0 && n != 1)
        fail("%s: %s %d is not supported; 0 and 1 are", a->where, key, n);
    return n;
}

static void read_unet(const Arguments *a, PublishedNet *net)
{
    static const char *const waves[2][2] = {{"sine", "ddpm"}, {"openai", "cosine"}};
    UNetConfig *c = &net->unet;
    c->channels = argument_integer(a, "in_channels");
    c->out_channels = argument_integer(a, "out_channels");
    c->blocks = argument_integer(a, "layers_per_block");
    read_widths(a, c);
    read_attention(a, c);
    c->no_middle_attention = !argument_bool(a, "add_attention");
    c->waves = waves[argument_bool(a, "flip_sin_to_cos")][read_bit(a, "freq_shift")];
    c->resample = read_bit(a, "downsample_padding") ? "conv_even" : "conv";
    if (!argument_is_null(a, "num_class_embeds"))
        c->classes = argument_integer(a, "num_class_embeds");
    argument_choice(a, "act_fn", "silu", "swish");              /* two names of one */
    c->style = (BlockStyle){
        .groups = argument_integer(a, "norm_num_groups"), .heads = 1,
        .eps = argument_number(a, "norm_eps"), .dropout = argument_number(a, "dropout"),
        .scale_shift = argument_choice(a, "resnet_time_scale_shift", "default",
                                       "scale_shift")};
    if (!argument_is_null(a, "attention_head_dim")) {
        c->style.head_channels = argument_integer(a, "attention_head_dim");
        if (c->style.head_channels < 1)
            fail("%s: attention_head_dim is below 1", a->where);
    }
    read_middle_norm(a, c);
}

static void write_types(Text *t, const char *key, const UNetConfig *c, bool down)
{
    json_open_array(t, key);
    for (int i = 0; i < c->levels; i++) {
        int l = down ? i : c->levels - 1 - i;
        json_put_text(t, NULL, arena_printf(t->arena, "%s%sBlock2D",
                                            unet_attends(c, l) ? "Attn" : "",
                                            down ? "Down" : "Up"));
    }
    json_close(t);
}

static void write_unet(Text *t, const UNetConfig *c)
{
    bool cosines_first =
        strcmp(c->waves, "openai") == 0 || strcmp(c->waves, "cosine") == 0;
    bool shifted = strcmp(c->waves, "ddpm") == 0 || strcmp(c->waves, "cosine") == 0;
    int width[MAX_LEVELS];
    for (int l = 0; l < c->levels; l++) width[l] = unet_channels(c, l);
    json_put_text(t, "act_fn", "silu");
    json_put_bool(t, "add_attention", !c->no_middle_attention);
    arguments_put_count(t, "attention_head_dim", c->style.head_channels, false);
    bool told = c->style.scale_shift && !c->bare_middle_attention;
    arguments_put_count(t, "attn_norm_num_groups", told ? c->style.groups : 0, false);
    json_put_integers(t, "block_out_channels", width, c->levels);
    write_types(t, "down_block_types", c, true);
    json_put_integer(t, "downsample_padding", strcmp(c->resample, "conv_even") == 0);
    json_put_number(t, "dropout", c->style.dropout);
    json_put_bool(t, "flip_sin_to_cos", cosines_first);
    json_put_integer(t, "freq_shift", shifted);
    json_put_integer(t, "in_channels", c->channels);
    json_put_integer(t, "layers_per_block", c->blocks);
    json_put_number(t, "norm_eps", c->style.eps);
    json_put_integer(t, "norm_num_groups", c->style.groups);
    arguments_put_count(t, "num_class_embeds", c->classes, false);
    json_put_integer(t, "out_channels", c->out_channels);
    json_put_text(t, "resnet_time_scale_shift",
                  c->style.scale_shift ? "scale_shift" : "default");
    if (c->width == c->height) json_put_integer(t, "sample_size", c->height);
    else json_put_integers(t, "sample_size", (int[]){c->height, c->width}, 2);
    write_types(t, "up_block_types", c, false);
}

const PublishedClass diffusers_classes[] = {
    {"UNet2DModel-0.9", ".query.weight", "sample_size", &old_names, read_unet, NULL,
     defaults, fixed},
    {"UNet2DModel", "conv_norm_out.", "sample_size", &names, read_unet, write_unet,
     defaults, fixed},
    {NULL},
};
