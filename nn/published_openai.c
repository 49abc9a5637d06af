/* The networks of openai/improved-diffusion and openai/guided-diffusion (unet.py): published.h. */
#include "nn/published_class.h"

static const PublishedNames names = {
    .norm1 = "in_layers.0", .conv1 = "in_layers.2", .embed = "emb_layers.1",
    .norm2 = "out_layers.0", .conv2 = "out_layers.3", .skip = "skip_connection",
    .norm = "norm", .q = "qkv", .out = "proj_out", .projection_rank = 3, .order = "h3c",
    .linear1 = "time_embed.0", .linear2 = "time_embed.2", .class_layer = "label_emb",
    .class_table = true, .conv_in = "input_blocks.0.0", .norm_out = "out.0", .conv_out = "out.2",
    .down = "input_blocks.{n}.0", .down_attention = "input_blocks.{n}.1",
    .downsample = "input_blocks.{n}.0", .downsample_conv = "op",
    .middle = {"middle_block.0", "middle_block.2"}, .middle_attention = "middle_block.1",
    .up = "output_blocks.{n}.0", .up_attention = "output_blocks.{n}.1",
    .upsample = "output_blocks.{n}.{a}", .upsample_conv = "conv",
};

#define DEFAULTS \
    "\"image_size\": null, \"in_channels\": null, \"model_channels\": null, " \
    "\"out_channels\": null, \"num_res_blocks\": null, \"attention_resolutions\": null, " \
    "\"dropout\": 0, \"channel_mult\": [1, 2, 4, 8], \"conv_resample\": true, " \
    "\"num_classes\": null, \"num_heads\": 1, \"num_head_channels\": -1, " \
    "\"use_scale_shift_norm\": false, \"resblock_updown\": false, " \
    "\"use_new_attention_order\": false, \"use_checkpoint\": false, \"use_fp16\": false"

static const char fixed[] = "{\"dims\": 2, \"num_heads_upsample\": -1}";

/* Attention is given by factors: 2 is half the image's height. */
static void read_attention(const Arguments *a, UNetConfig *c)
{
    int factor[MAX_LEVELS], n = argument_integers(a, "attention_resolutions", factor), k = 0;
    for (int i = 0; i < n; i++)
        if (a->height % factor[i] == 0) c->attention[k++] = a->height / factor[i];
}

/* guided-diffusion's classes have an image_size; improved-diffusion's has none, and begins with
 * model_channels whatever channel_mult says. */
static void read_unet(const Arguments *a, PublishedNet *net)
{
    UNetConfig *c = &net->unet;
    c->channels = argument_integer(a, "in_channels");
    c->out_channels = argument_integer(a, "out_channels");
    c->base = argument_integer(a, "model_channels");
    c->blocks = argument_integer(a, "num_res_blocks");
    c->levels = argument_numbers(a, "channel_mult", c->mult);
    read_attention(a, c);
    if (argument_is_null(a, "image_size")) c->first = c->base;
    if (!argument_is_null(a, "num_classes")) c->classes = argument_integer(a, "num_classes");
    c->resample = argument_bool(a, "resblock_updown") ? "block"
                : argument_bool(a, "conv_resample") ? "conv_even" : "plain";
    c->waves = c->init = "openai";
    int head = argument_integer(a, "num_head_channels");        /* -1: num_heads counts */
    c->style = (BlockStyle){.groups = 32, .eps = 1e-5, .dropout = argument_number(a, "dropout"),
                            .scale_shift = argument_bool(a, "use_scale_shift_norm"),
                            .heads = argument_integer(a, "num_heads"),
                            .head_channels = head > 0 ? head : 0};
    if (argument_bool(a, "use_new_attention_order")) net->order = "3hc";
}

static void read_superres(const Arguments *a, PublishedNet *net)
{
    read_unet(a, net);
    net->unet.channels *= 2;
}

static void read_classifier(const Arguments *a, PublishedNet *net)
{
    read_unet(a, net);
    net->pool = argument_is_null(a, "pool") ? "adaptive" : json_text(a->given, "pool", a->where);
}

const PublishedClass openai_classes[] = {
    {"UNetModel", &names, read_unet, "{" DEFAULTS "}", fixed},
    {"SuperResModel", &names, read_superres, "{" DEFAULTS "}", fixed},
    {"EncoderUNetModel", &names, read_classifier, "{" DEFAULTS ", \"pool\": null}", fixed},
    {NULL},
};
