/* The networks of openai/improved-diffusion and openai/guided-diffusion (unet.py):
 * published.h. */
#include <string.h>

#include "nn/published_class.h"

static const PublishedNames names = {
    .norm1 = "in_layers.0", .conv1 = "in_layers.2", .embed = "emb_layers.1",
    .norm2 = "out_layers.0", .conv2 = "out_layers.3", .skip = "skip_connection",
    .norm = "norm", .q = "qkv", .out = "proj_out", .projection_rank = 3, .order = "h3c",
    .linear1 = "time_embed.0", .linear2 = "time_embed.2", .class_layer = "label_emb",
    .class_table = true,
    .conv_in = "input_blocks.0.0", .norm_out = "out.0", .conv_out = "out.2",
    .down = "input_blocks.{n}.0", .down_attention = "input_blocks.{n}.1",
    .downsample = "input_blocks.{n}.0", .downsample_conv = "op",
    .middle = {"middle_block.0", "middle_block.2"}, .middle_attention = "middle_block.1",
    .up = "output_blocks.{n}.0", .up_attention = "output_blocks.{n}.1",
    .upsample = "output_blocks.{n}.{a}", .upsample_conv = "conv",
};

#define DEFAULTS \
    "\"image_size\": null, \"in_channels\": null, \"model_channels\": null, " \
    "\"out_channels\": null, \"num_res_blocks\": null, " \
    "\"attention_resolutions\": null, \"dropout\": 0, " \
    "\"channel_mult\": [1, 2, 4, 8], \"conv_resample\": true, " \
    "\"num_classes\": null, \"num_heads\": 1, \"num_head_channels\": -1, " \
    "\"use_scale_shift_norm\": false, \"resblock_updown\": false, " \
    "\"use_new_attention_order\": false, \"use_checkpoint\": false, \"use_fp16\": false"

static const char fixed[] = "{\"dims\": 2, \"num_heads_upsample\": -1}";

/* Attention is given by factors: 2 is half the image's height. */
static void read_attention(const Arguments *a, UNetConfig *c)
{
    int factor[MAX_LEVELS], k = 0;
    int n = argument_integers(a, "attention_resolutions", factor);
    for (int i = 0; i < n; i++)
        if (a->height % factor[i] == 0) c->attention[k++] = a->height / factor[i];
}

/* guided-diffusion's classes have an image_size; improved-diffusion's has none, and
 * begins with model_channels whatever channel_mult says. */
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
    if (!argument_is_null(a, "num_classes"))
        c->classes = argument_integer(a, "num_classes");
    c->resample = argument_bool(a, "resblock_updown") ? "block"
                : argument_bool(a, "conv_resample") ? "conv_even" : "plain";
    c->waves = c->init = "openai";
    int head = argument_integer(a, "num_head_channels");        /* -1: num_heads counts */
    c->style = (BlockStyle){.groups = 32, .eps = 1e-5,
                            .dropout = argument_number(a, "dropout"),
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
    net->pool = argument_is_null(a, "pool") ? "adaptive"
                                            : json_text(a->given, "pool", a->where);
}

/* What all three classes have, but for image_size, channels and classes. */
static void write_common(Text *t, const UNetConfig *c)
{
    bool block = strcmp(c->resample, "block") == 0;
    json_put_integer(t, "model_channels", c->base);
    json_put_integer(t, "out_channels", c->out_channels);
    json_put_integer(t, "num_res_blocks", c->blocks);
    arguments_put_attention(t, "attention_resolutions", c, true);
    json_put_number(t, "dropout", c->style.dropout);
    json_put_numbers(t, "channel_mult", c->mult, c->levels);
    json_put_bool(t, "conv_resample", block || strcmp(c->resample, "plain") != 0);
    json_put_integer(t, "num_heads", c->style.heads);
    json_put_bool(t, "use_scale_shift_norm", c->style.scale_shift);
    if (c->style.head_channels)
        json_put_integer(t, "num_head_channels", c->style.head_channels);
    if (block) json_put_bool(t, "resblock_updown", true);
}

static void write_unet(Text *t, const UNetConfig *c)
{
    if (c->first == unet_channels(c, 0)) json_put_integer(t, "image_size", c->height);
    json_put_integer(t, "in_channels", c->channels);
    arguments_put_count(t, "num_classes", c->classes, false);
    write_common(t, c);
}

static void write_superres(Text *t, const UNetConfig *c)
{
    json_put_integer(t, "image_size", c->height);
    json_put_integer(t, "in_channels", c->channels / 2);
    arguments_put_count(t, "num_classes", c->classes, false);
    write_common(t, c);
}

/* Its pool is no part of a UNetConfig. */
static void write_classifier(Text *t, const UNetConfig *c)
{
    json_put_integer(t, "image_size", c->height);
    json_put_integer(t, "in_channels", c->channels);
    write_common(t, c);
}

/* ---- the classifier's end ------------------------------------------------------ */

/* The channels of its q, k, v are in the new order in all classifiers. */
void published_attention_pool(Published *w, const char *at, const AttentionPool *b)
{
    const char *order = w->order;
    w->order = "3hc";
    published_transposed(w, at, "positional_embedding", b->position);
    published_qkv(w, at, "qkv_proj", (Linear[]){b->q, b->k, b->v}, b->heads);
    published_linear(w, at, "c_proj", b->out, 3);
    w->order = order;
}

/* `out` is a list of layers, some without parameters. */
static const struct End {
    const char *pool, *norm, *attention, *first, *last;
    int rank;
} ends[] = {
    {"adaptive", .norm = "out.0", .last = "out.3", .rank = 4},
    {"attention", .norm = "out.0", .attention = "out.2"},
    {"spatial", .first = "out.0", .last = "out.2", .rank = 2},
    {"spatial_v2", .first = "out.0", .norm = "out.1", .last = "out.3", .rank = 2},
};

Published published_classifier(Arena *a, const PublishedNet *net, const Params *p,
                               const Classifier *c)
{
    Published w = published_begin(a, net, p);
    const struct End *end = ends;
    while (strcmp(end->pool, classifier_pool(c)) != 0) end++;
    published_encoder(&w, &c->encoder);
    if (end->norm) published_norm(&w, end->norm, "", c->norm);
    if (end->attention) published_attention_pool(&w, end->attention, &c->attention);
    if (end->first) published_linear(&w, end->first, "", c->first, 2);
    if (end->last) published_linear(&w, end->last, "", c->last, end->rank);
    published_end(&w);
    return w;
}

/* ---- classes ------------------------------------------------------------------- */

const PublishedClass openai_classes[] = {
    {"UNetModel", "output_blocks.", "image_size", &names, read_unet, write_unet,
     "{" DEFAULTS "}", fixed},
    {"SuperResModel", NULL, "image_size", &names, read_superres, write_superres,
     "{" DEFAULTS "}", fixed},
    {"EncoderUNetModel", "input_blocks.", "image_size", &names, read_classifier,
     write_classifier,
     "{" DEFAULTS ", \"pool\": null}",
     fixed},
    {NULL},
};
