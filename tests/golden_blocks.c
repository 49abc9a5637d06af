/* Building blocks of the published networks, forward and backward: blocks.safetensors.
 *
 * Each group of tensors is one block: inputs, the gradient gy that comes from above, the
 * result y, a gradient dNAME for each input, and of each parameter as in a whole
 * network.  With L = sum(gy y), backward(L) leaves them all.  What kind of block it is
 * follows from the shapes; only whose style it has, from the group's name. */
#include <stdio.h>
#include <string.h>

#include "nn/published_class.h"
#include "tensor/error.h"
#include "tests/golden_networks.h"

enum { MAX_LEAVES = 2 };

typedef struct Block Block;

struct Block {
    Golden *golden;
    Var *(*build)(Block *b);
    Params params;
    Published arrays;
    Tape tape;
    Pass pass;
    int leaves;
    const char *leaf[MAX_LEAVES];
    Real *grad[MAX_LEAVES];
};

/* ---- inputs -------------------------------------------------------------------- */

static Var *input(Block *b, const char *name)
{
    Golden *g = b->golden;
    size_t n = golden_size(g, name);
    Real *grad = arena_new(&g->arena, Real, n);
    memset(grad, 0, n * sizeof(Real));
    b->leaf[b->leaves] = name;
    b->grad[b->leaves++] = grad;
    return tape_leaf(&b->tape, name, golden_shape(g, name), golden_reals(g, name), grad);
}

static Var *channels_last(Block *b, Var *x)
{
    return permute(&b->tape, x, (int[]){0, 2, 3, 1});
}

static Var *vector(Block *b, const char *name)
{
    Var *x = input(b, name);
    return reshape(&b->tape, x, SHAPE(x->shape.dim[0], 1, 1, x->shape.dim[1]));
}

static int size_of(Block *b, const char *name, int axis)
{
    return golden_shape(b->golden, name).dim[axis];
}

/* The change from x to y. */
static Direction direction(Block *b)
{
    int before = size_of(b, "x", 2), after = size_of(b, "gy", 2);
    return after > before ? RESAMPLE_UP : after < before ? RESAMPLE_DOWN : RESAMPLE_NONE;
}

/* Number i of shape/NAME, or 0 if there is no such parameter. */
static int parameter_size(Block *b, const char *name, size_t i)
{
    const char *shape = arena_printf(&b->golden->arena, "shape/%s", name);
    return golden_has(b->golden, shape) ? golden_integer(b->golden, shape, i) : 0;
}

/* The list of arrays of a block of that class. */
static void begin_arrays(Block *b, const PublishedClass *class)
{
    PublishedNet net = {.names = class->names, .order = class->names->order};
    b->arrays = published_begin(&b->golden->arena, &net, &b->params);
}

static void fill(Block *b)
{
    published_end(&b->arrays);
    params_allocate(&b->params, 0);
    golden_fill(b->golden, &b->arrays, b->params.value);
    b->pass = pass_inference(&b->tape, &b->params, b->params.value);
    b->pass.grads = b->params.grad;
}

/* ---- blocks -------------------------------------------------------------------- */

static Padding all_round(int n) { return (Padding){n, n, n, n}; }

/* EDM's Conv2d: a filter of fixed taps to half or double size, then a convolution.
 * Fused, one pads for both: on the way down the convolution, which then comes first; on
 * the way up the two paddings are taken off each other, as the filter's was cropping. */
static Var *build_edm_conv(Block *b)
{
    Golden *g = b->golden;
    Tape *t = &b->tape;
    int K = golden_integer(g, "kernel", 0), taps = (int)golden_size(g, "filter");
    bool fused = golden_integer(g, "fused", 0);
    Direction way = golden_integer(g, "up", 0) ? RESAMPLE_UP : RESAMPLE_DOWN;
    int filter_pad = taps / 2 - 1, pad = K / 2;
    Conv2d conv = {0};
    int in = size_of(b, "x", 1), out = size_of(b, "gy", 1);
    if (K) conv = conv2d_init(&b->params, "conv", in, out, K, ROLE_PLAIN);
    begin_arrays(b, edm_classes);
    if (K) published_conv(&b->arrays, "", "", conv);
    fill(b);
    Var *x = channels_last(b, input(b, "x"));
    if (!K) return change_size(t, x, way, taps, filter_pad);
    if (fused && way == RESAMPLE_DOWN) {
        conv.pad = all_round(pad + filter_pad);
        return change_size(t, conv2d_forward(&b->pass, &conv, x), way, taps, 0);
    }
    int shared = !fused ? 0 : pad < filter_pad ? pad : filter_pad;
    conv.pad = all_round(pad - shared);
    return conv2d_forward(&b->pass, &conv,
                          change_size(t, x, way, taps, filter_pad - shared));
}

/* EDM's UNetBlock, which has its attention within. */
static Var *build_edm_block(Block *b)
{
    Golden *g = b->golden;
    bool song = strstr(g->group, "/song_") != NULL;
    const char *filter = "w/conv0.resample_filter";
    Widths w = {size_of(b, "x", 1), size_of(b, "gy", 1), size_of(b, "emb", 1)};
    BlockStyle s = block_style((BlockStyle){
        .groups = 32, .group_size = 4, .heads = golden_integer(g, "heads", 0),
        .scale_shift = !song, .eps = song ? 1e-6 : 1e-5, .project_resampled = song,
        .residual_scale = song ? sqrt(0.5) : 1,
        .taps = golden_has(g, filter) ? size_of(b, filter, 3) : 2});
    ResBlock block = res_block_init(&b->params, "block", &s, w, direction(b));
    bool attends = parameter_size(b, "qkv.weight", 0);
    AttentionBlock attention = {0};
    if (attends) attention = attention_block_init(&b->params, "attention", &s, w.out);
    begin_arrays(b, edm_classes);
    published_block(&b->arrays, "", &block);
    if (attends) published_attention(&b->arrays, "", &attention);
    fill(b);
    Var *x = channels_last(b, input(b, "x")), *e = vector(b, "emb");
    Var *y = res_block_forward(&b->pass, &block, x, e);
    return attends ? attention_block_forward(&b->pass, &attention, y) : y;
}

/* OpenAI's ResBlock, whose SiLU of the embedding our networks compute once for all
 * blocks. */
static Var *build_openai_block(Block *b)
{
    Widths w = {size_of(b, "x", 1), size_of(b, "gy", 1), size_of(b, "emb", 1)};
    BlockStyle s = block_style((BlockStyle){
        .groups = 32, .heads = 1, .eps = 1e-5,
        .scale_shift = parameter_size(b, "emb_layers.1.bias", 0) == 2 * w.out,
        .skip_kernel = parameter_size(b, "skip_connection.bias", 0)
                     ? parameter_size(b, "skip_connection.weight", 2) : 0});
    ResBlock block = res_block_init(&b->params, "block", &s, w, direction(b));
    begin_arrays(b, openai_classes);
    published_block(&b->arrays, "", &block);
    fill(b);
    Var *x = channels_last(b, input(b, "x")), *e = vector(b, "emb");
    return res_block_forward(&b->pass, &block, x, silu(&b->tape, e));
}

static Var *build_attention_block(Block *b)
{
    BlockStyle s = block_style((BlockStyle){
        .groups = 32, .heads = golden_integer(b->golden, "heads", 0), .eps = 1e-5});
    AttentionBlock block =
        attention_block_init(&b->params, "attention", &s, size_of(b, "x", 1));
    begin_arrays(b, openai_classes);
    published_attention(&b->arrays, "", &block);
    fill(b);
    return attention_block_forward(&b->pass, &block, channels_last(b, input(b, "x")));
}

static Var *build_attention_pool(Block *b)
{
    Widths w = {.in = size_of(b, "x", 1), .out = size_of(b, "gy", 1)};
    int pixels = size_of(b, "x", 2) * size_of(b, "x", 3), head = 4; /* of the README */
    AttentionPool pool = attention_pool_init(&b->params, "pool", w, pixels, head);
    begin_arrays(b, openai_classes);
    published_attention_pool(&b->arrays, "", &pool);
    fill(b);
    return attention_pool_forward(&b->pass, &pool, channels_last(b, input(b, "x")));
}

/* q, k and v [N, T, C] of qkv [N, 3C, T]: as [outer, 3, inner, T], of which slice i is
 * one. */
static Var *build_attention(Block *b)
{
    Tape *t = &b->tape;
    Var *qkv = input(b, "qkv"), *one[3];
    const int *d = qkv->shape.dim;
    int N = d[0], C = d[1] / 3, T = d[2], heads = golden_integer(b->golden, "heads", 0);
    int outer = strstr(b->golden->group, "legacy") ? heads : 1;
    Var *all = reshape(t, qkv, SHAPE(N * outer, 3, C / outer, T));
    for (int i = 0; i < 3; i++)
        one[i] = permute(t, reshape(t, slice(t, all, 1, i, 1), SHAPE(N, C, T)),
                         (int[]){0, 2, 1});
    return permute(t, attention(t, one[0], one[1], one[2], heads), (int[]){0, 2, 1});
}

/* ---- all groups ---------------------------------------------------------------- */

static void run_block(void *argument)
{
    Block *b = argument;
    Golden *g = b->golden;
    Tape *t = &b->tape;
    Var *y = b->build(b), *gy;
    gy = tape_leaf(t, "gy", golden_shape(g, "gy"), golden_reals(g, "gy"), NULL);
    if (y->shape.rank == 4 && gy->shape.rank == 4) y = golden_channels_first(t, y);
    y = reshape(t, y, gy->shape);
    golden_compare_reals(g, "y", y->value, y->size);
    backward(sum(t, multiply(t, y, gy), ALL_AXES));
    for (int i = 0; i < b->leaves; i++) {
        const char *name = arena_printf(&g->arena, "d%s", b->leaf[i]);
        golden_compare_reals(g, name, b->grad[i], golden_size(g, b->leaf[i]));
    }
    if (b->params.grad) golden_compare_gradients(g, &b->arrays, b->params.grad);
}

/* The waves of all embeddings, of t. */
static void run_embedding(void *argument)
{
    static const struct { const char *tensor, *waves; } rows[] = {
        {"openai_8", "openai"}, {"openai_7", "openai"},
        {"edm_positional_endpoint0", "openai"}, {"edm_positional_endpoint1", "cosine"},
        {"diffusers_flip0_shift1", "ddpm"}, {"diffusers_flip1_shift0", "openai"},
    };
    Golden *g = argument;
    int N = (int)golden_size(g, "t");
    double *times = arena_new(&g->arena, double, (size_t)N);
    for (int n = 0; n < N; n++) times[n] = golden_number(g, "t", (size_t)n);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = golden_size(g, rows[i].tensor);
        Real *out = arena_new(&g->arena, Real, size);
        embedding_waves(out, rows[i].waves, times, N, (int)size / N, NULL);
        golden_compare_reals(g, rows[i].tensor, out, size);
    }
}

static const struct Row { const char *group; Var *(*build)(Block *b); } rows[] = {
    {"edm_conv/", build_edm_conv},
    {"edm_block/", build_edm_block},
    {"adm_resblock/", build_openai_block},
    {"adm_attention_block/", build_attention_block},
    {"adm_attention_pool/", build_attention_pool},
    {"adm_attention_", build_attention},
};

static void run_group(Golden *g)
{
    size_t k = 0, count = sizeof rows / sizeof *rows;
    while (k < count && strncmp(rows[k].group, g->group, strlen(rows[k].group)) != 0) k++;
    if (k == count) return;
    Block b = {.golden = g, .build = rows[k].build, .params = params_create(),
               .tape = tape_create()};
    golden_try(g, run_block, &b);
    params_destroy(&b.params);
    tape_destroy(&b.tape);
}

/* GROUP/ for each tensor GROUP/gy, and the embeddings. */
void golden_blocks(Golden *g)
{
    for (int i = 0; i < g->file.count; i++) {
        const char *name = g->file.entries[i].name, *slash = strrchr(name, '/');
        if (!slash || strcmp(slash, "/gy") != 0) continue;
        g->group = arena_printf(&g->arena, "%.*s", (int)(slash + 1 - name), name);
        run_group(g);
    }
    g->group = "embedding/";
    golden_try(g, run_embedding, g);
}
