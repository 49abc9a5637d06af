/* Published networks: arguments are followed or refused by name, and every array goes
 * there and back unchanged.  That the numbers are theirs is proved by tests/golden. */
#include <string.h>

#include "nn/published.h"
#include "tensor/error.h"
#include "tests/check.h"

/* One network a layout: three orders of q, k, v, and q, k, v apart. */
static const struct Case { const char *class, *arguments; } cases[] = {
    {"UNetModel", "{\"in_channels\": 3, \"out_channels\": 3, \"model_channels\": 32, "
     "\"num_res_blocks\": 2, \"attention_resolutions\": [2], \"channel_mult\": [1, 2], "
     "\"num_heads\": 4}"},
    {"UNetModel", "{\"image_size\": 16, \"in_channels\": 3, \"out_channels\": 6, "
     "\"model_channels\": 32, \"num_res_blocks\": 1, \"attention_resolutions\": [1, 4], "
     "\"channel_mult\": [1, 2, 3], \"num_classes\": 5, \"num_head_channels\": 16, "
     "\"resblock_updown\": true, \"use_new_attention_order\": true, "
     "\"use_scale_shift_norm\": true}"},
    {"SuperResModel", "{\"image_size\": 16, \"in_channels\": 3, \"out_channels\": 3, "
     "\"model_channels\": 32, \"num_res_blocks\": 1, \"attention_resolutions\": [], "
     "\"channel_mult\": [2, 2], \"conv_resample\": false}"},
    {"SongUNet", "{\"img_resolution\": 16, \"in_channels\": 3, \"out_channels\": 3, "
     "\"model_channels\": 16, \"channel_mult\": [2, 2, 1], \"num_blocks\": 2, "
     "\"attn_resolutions\": [8], \"label_dim\": 3, \"augment_dim\": 9, "
     "\"embedding_type\": \"fourier\", \"channel_mult_noise\": 2, "
     "\"channel_mult_emb\": 2, "
     "\"encoder_type\": \"residual\", \"resample_filter\": [1, 3, 3, 1]}"},
    {"DhariwalUNet", "{\"img_resolution\": 16, \"in_channels\": 3, \"out_channels\": 3, "
     "\"model_channels\": 64, \"channel_mult\": [1, 2], \"num_blocks\": 1, "
     "\"attn_resolutions\": [8], \"label_dim\": 3, \"augment_dim\": 9}"},
    {"UNet2DModel", "{\"_class_name\": \"UNet2DModel\", "
     "\"block_out_channels\": [48, 64, 16], "
     "\"down_block_types\": [\"DownBlock2D\", \"AttnDownBlock2D\", \"DownBlock2D\"], "
     "\"up_block_types\": [\"UpBlock2D\", \"AttnUpBlock2D\", \"UpBlock2D\"], "
     "\"norm_num_groups\": 16, \"num_class_embeds\": 4, "
     "\"resnet_time_scale_shift\": \"scale_shift\"}"},
    {"UNet2DModel-0.9", "{\"block_out_channels\": [32], \"down_block_types\": "
     "[\"AttnDownBlock2D\"], \"up_block_types\": [\"AttnUpBlock2D\"], "
     "\"attention_head_dim\": null, \"add_attention\": false}"},
};

static PublishedNet read_net(Arena *a, const struct Case *c)
{
    const uint8_t *text = (const uint8_t *)c->arguments;
    const Json *arguments =
        json_parse(a, (Bytes){.data = text, .size = strlen(c->arguments)});
    return published_net(c->class, arguments, 16, 16, "config.json");
}

/* Every array is read from our block and written into another: the copy has the same
 * bytes, so each number went somewhere and no two to the same place. */
static void arrays_go_there_and_back(void)
{
    for (int i = 0; i < NELEM(cases); i++) {
        Arena a = arena_create();
        Params p = params_create();
        PublishedNet net = read_net(&a, &cases[i]);
        UNet u = unet_init(&p, &net.unet);
        Published w = published_unet(&a, &net, &p, &u);
        params_allocate(&p, 1);
        fill_uniform(p.value, p.size, 5);
        Real *theirs = arena_new(&a, Real, p.size);
        for (int k = 0; k < w.count; k++) {
            published_write(&w.list[k], p.value, theirs);
            published_read(&w.list[k], theirs, p.grad);
            for (int j = 0; j < k; j++)
                check(strcmp(w.list[j].name, w.list[k].name) != 0);
        }
        check(memcmp(p.value, p.grad, p.size * sizeof(Real)) == 0);
        params_destroy(&p);
        arena_destroy(&a);
    }
}

static int count_names(const Published *w, const char *part)
{
    int n = 0;
    for (int i = 0; i < w->count; i++) n += strstr(w->list[i].name, part) != NULL;
    return n;
}

/* DhariwalUNet asked for attention at 16 and 8, with 32 and 64 channels there. */
static void narrow_blocks_of_edm_have_no_heads(void)
{
    static const struct Case narrow = {"DhariwalUNet", "{\"img_resolution\": 16, "
        "\"in_channels\": 3, \"out_channels\": 3, \"model_channels\": 32, "
        "\"channel_mult\": [1, 2], \"num_blocks\": 1, \"attn_resolutions\": [16, 8]}"};
    Arena a = arena_create();
    Params p = params_create();
    PublishedNet net = read_net(&a, &narrow);
    UNet u = unet_init(&p, &net.unet);
    Published w = published_unet(&a, &net, &p, &u);
    check_int(count_names(&w, "qkv.bias"), 4);          /* one down, the middle, two up */
    check_int(count_names(&w, "8x8_block0.qkv.bias"), 2);
    params_destroy(&p);
    arena_destroy(&a);
}

/* C = 4 in 2 heads: number i of their bias is channel i / 4 * 2 + i % 2 of q, k or v. */
static void heads_are_put_in_order(void)
{
    static const struct { const char *order; int q[4]; } rows[] = {
        {"h3c", {0, 1, 6, 7}}, {"3hc", {0, 1, 2, 3}}, {"hc3", {0, 3, 6, 9}}};
    Arena a = arena_create();
    Params p = params_create();
    PublishedNet net = read_net(&a, &cases[0]);
    Linear qkv[3];
    for (int i = 0; i < 3; i++) qkv[i] = linear_init(&p, &"qkv"[i], 4, 4, ROLE_QKV);
    params_allocate(&p, 1);
    for (int r = 0; r < NELEM(rows); r++) {
        Published w = published_begin(&a, &net, &p);
        w.order = rows[r].order;
        published_qkv(&w, "", "qkv", qkv, 2);
        check_text(w.list[1].name, "qkv.bias");
        Real theirs[12];
        for (int i = 0; i < 12; i++) theirs[i] = (Real)i;
        published_read(&w.list[1], theirs, p.value);
        for (int c = 0; c < 4; c++)
            check_int((int)p.value[p.list[qkv[0].bias].offset + (size_t)c], rows[r].q[c]);
    }
    params_destroy(&p);
    arena_destroy(&a);
}

static void read_case(void *c)
{
    Arena a = arena_create();
    Params p = params_create();
    PublishedNet net = read_net(&a, c);
    unet_init(&p, &net.unet);
}

static void what_we_cannot_follow_is_refused_by_name(void)
{
    static const struct { struct Case c; const char *words;
    } rows[] = {
        {{"UNet3D", "{}"},
         "there is no class of networks UNet3D; there are UNetModel, Super"},
        {{"UNetModel", "[]"}, "the arguments are not an object"},
        {{"UNetModel", "{}"}, "\"in_channels\" is null, a number was expected"},
        {{"UNetModel", "{\"dims\": 3}"}, "dims"},
        {{"UNetModel", "{\"colour\": 3}"}, "colour is no argument of UNetModel"},
        {{"SongUNet", "{\"decoder_type\": \"skip\"}"}, "decoder_type"},
        {{"SongUNet",
          "{\"in_channels\": 3, \"out_channels\": 3, \"encoder_type\": \"skip\"}"},
         "encoder_type \"skip\" is not supported; \"standard\" and \"residual\" are"},
        {{"SongUNet",
          "{\"in_channels\": 3, \"out_channels\": 3, \"resample_filter\": [1, 2]}"},
         "resample_filter is neither"},
        {{"SongUNet", "{\"in_channels\": 3, \"out_channels\": 3, \"label_dim\": -1}"},
         "-1 classes"},
        {{"UNet2DModel", "{\"act_fn\": \"gelu\", \"norm_eps\": 1e-6}"},
         "act_fn \"gelu\""},
        {{"UNet2DModel", "{\"down_block_types\": [\"DownBlock2D\"]}"},
         "down_block_types has 1 entries, block_out_channels 4"},
        {{"UNet2DModel", "{\"block_out_channels\": [32], \"down_block_types\": "
                         "[\"ResnetDownsampleBlock2D\"]}"},
         "block \"ResnetDownsampleBlock2D\" is not"},
        {{"UNet2DModel", "{\"block_out_channels\": [32], \"down_block_types\": "
                         "[\"DownBlock2D\"], \"up_block_types\": [\"AttnUpBlock2D\"]}"},
         "backwards at level 0"},
    };
    for (int i = 0; i < NELEM(rows); i++)
        check_stops(read_case, (void *)&rows[i].c, rows[i].words);
}

static const Test tests[] = {
    T(arrays_go_there_and_back), T(narrow_blocks_of_edm_have_no_heads),
    T(heads_are_put_in_order),
    T(what_we_cannot_follow_is_refused_by_name),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
