/* The networks of NVlabs/edm (training/networks.py): published.h. */
#include <string.h>

#include "nn/published_class.h"

#define NAMES \
    .norm1 = "norm0", .conv1 = "conv0", .embed = "affine", \
    .norm2 = "norm1", .conv2 = "conv1", .skip = "skip", \
    .norm = "norm2", .q = "qkv", .out = "proj", .projection_rank = 4, .order = "hc3", \
    .linear1 = "map_layer0", .linear2 = "map_layer1", .class_layer = "map_label", \
    .augment = "map_augment", .conv_in = "enc.{h}x{h}_conv", \
    .down = "enc.{h}x{h}_block{b}", .down_attention = "enc.{h}x{h}_block{b}", \
    .downsample = "enc.{h}x{h}_down", .upsample = "dec.{h}x{h}_up", \
    .middle = {"dec.{h}x{h}_in0", "dec.{h}x{h}_in1"}, \
    .middle_attention = "dec.{h}x{h}_in0", \
    .filters = {"conv0.resample_filter", "skip.resample_filter"}, \
    .up = "dec.{h}x{h}_block{b}", .up_attention = "dec.{h}x{h}_block{b}"

static const PublishedNames song_names = {
    NAMES, .frequencies = "map_noise.freqs", .pyramid = "enc.{h}x{h}_aux_residual",
    .pyramid_filter = "resample_filter",
    .norm_out = "dec.{h}x{h}_aux_norm", .conv_out = "dec.{h}x{h}_aux_conv",
};
static const PublishedNames dhariwal_names = {
    NAMES, .norm_out = "out_norm", .conv_out = "out_conv",
};

#define DEFAULTS \
    "\"img_resolution\": null, \"in_channels\": null, \"out_channels\": null, " \
    "\"label_dim\": 0, \"augment_dim\": 0, \"channel_mult_emb\": 4, \"dropout\": 0.1, "

static const char song_fixed[] =
    "{\"label_dropout\": 0, \"decoder_type\": \"standard\"}";
static const char dhariwal_fixed[] = "{\"label_dropout\": 0}";

static const char song_defaults[] =
    "{" DEFAULTS "\"model_channels\": 128, \"channel_mult\": [1, 2, 2, 2], "
    "\"num_blocks\": 4, \"attn_resolutions\": [16], \"embedding_type\": \"positional\", "
    "\"channel_mult_noise\": 1, \"encoder_type\": \"standard\", "
    "\"resample_filter\": [1, 1]}";

static const char dhariwal_defaults[] =
    "{" DEFAULTS "\"model_channels\": 192, \"channel_mult\": [1, 2, 3, 4], "
    "\"num_blocks\": 3, \"attn_resolutions\": [32, 16, 8]}";

/* What both classes have. */
static void read_common(const Arguments *a, UNetConfig *c)
{
    c->channels = argument_integer(a, "in_channels");
    c->out_channels = argument_integer(a, "out_channels");
    c->classes = argument_integer(a, "label_dim");
    c->augment = argument_integer(a, "augment_dim");
    c->base = argument_integer(a, "model_channels");
    c->levels = argument_numbers(a, "channel_mult", c->mult);
    c->embed_mult = argument_integer(a, "channel_mult_emb");
    c->blocks = argument_integer(a, "num_blocks");
    argument_integers(a, "attn_resolutions", c->attention);
    c->resample = "block";
    c->style = (BlockStyle){.groups = 32, .group_size = 4,
                            .dropout = argument_number(a, "dropout")};
}

static void write_common(Text *t, const UNetConfig *c)
{
    json_put_integer(t, "img_resolution", c->height);
    json_put_integer(t, "in_channels", c->channels);
    json_put_integer(t, "out_channels", c->out_channels);
    json_put_integer(t, "label_dim", c->classes);
    json_put_integer(t, "augment_dim", c->augment);
    json_put_integer(t, "model_channels", c->base);
    json_put_numbers(t, "channel_mult", c->mult, c->levels);
    json_put_integer(t, "channel_mult_emb", c->embed_mult);
    json_put_integer(t, "num_blocks", c->blocks);
    arguments_put_attention(t, "attn_resolutions", c, false);
    json_put_number(t, "dropout", c->style.dropout);
}

static int read_taps(const Arguments *a)
{
    static const int filters[2][MAX_LEVELS] = {{1, 1}, {1, 3, 3, 1}};
    int f[MAX_LEVELS] = {0}, n = argument_integers(a, "resample_filter", f);
    if ((n != 2 && n != 4) || memcmp(f, filters[n / 4], sizeof f) != 0)
        fail("%s: resample_filter is neither [1, 1] nor [1, 3, 3, 1]", a->where);
    return n;
}

static void read_song(const Arguments *a, PublishedNet *net)
{
    UNetConfig *c = &net->unet;
    read_common(a, c);
    c->first = c->base;
    bool fourier = argument_choice(a, "embedding_type", "positional", "fourier");
    c->waves = fourier ? "fourier" : "ddpm";
    c->wave_mult = argument_integer(a, "channel_mult_noise");
    c->pyramid = argument_choice(a, "encoder_type", "standard", "residual");
    c->init = "song";
    c->class_first = c->attention_up_last = true;
    c->style.heads = 1;
    c->style.eps = 1e-6;
    c->style.residual_scale = sqrt(0.5);
    c->style.project_resampled = true;
    c->style.taps = read_taps(a);
}

static void write_song(Text *t, const UNetConfig *c)
{
    bool fourier = strcmp(c->waves, "fourier") == 0;
    write_common(t, c);
    json_put_text(t, "embedding_type", fourier ? "fourier" : "positional");
    json_put_integer(t, "channel_mult_noise", c->wave_mult);
    json_put_text(t, "encoder_type", c->pyramid ? "residual" : "standard");
    json_put_integers(t, "resample_filter", c->style.taps == 4 ? (int[]){1, 3, 3, 1}
                                                               : (int[]){1, 1},
                      c->style.taps == 4 ? 4 : 2);
}

enum { HEAD = 64 };             /* channels in a head of DhariwalUNet */

/* Its blocks have channels / 64 heads, rounded down: fewer channels, no attention. */
static void drop_narrow_attention(UNetConfig *c)
{
    const UNetConfig told = *c;
    int kept = 0;
    memset(c->attention, 0, sizeof c->attention);
    for (int l = 0; l < c->levels; l++) {
        bool wide = unet_channels(c, l) >= HEAD;
        if (wide && unet_attends(&told, l)) c->attention[kept++] = c->height >> l;
        c->no_middle_attention = !wide;     /* of the last level */
    }
}

static void read_dhariwal(const Arguments *a, PublishedNet *net)
{
    UNetConfig *c = &net->unet;
    read_common(a, c);
    c->waves = c->init = "openai";
    c->style.head_channels = HEAD;
    c->style.eps = 1e-5;
    c->style.scale_shift = true;
    drop_narrow_attention(c);
}

const PublishedClass edm_classes[] = {
    {"SongUNet", "_aux_norm.", "img_resolution", &song_names, read_song, write_song,
     song_defaults, song_fixed},
    {"DhariwalUNet", "out_norm.", "img_resolution", &dhariwal_names, read_dhariwal,
     write_common, dhariwal_defaults, dhariwal_fixed},
    {NULL},
};
