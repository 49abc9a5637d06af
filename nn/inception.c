/* InceptionV3: see inception.h.
 *
 * The network is a row of modules.  A module is a list of rows, each a convolution or a
 * pool; what some of them make is joined and is what the next module reads. */
#include "nn/inception.h"

#include <math.h>
#include <string.h>

#include "nn/published_file.h"
#include "tensor/error.h"

typedef enum { CONV, AVERAGE, MAX } Kind;

/* What a row reads: what the row before made; what the module reads; the same as the row
 * before. */
typedef enum { BEFORE, MODULE, BESIDE } From;

enum { SAME, VALID };           /* zeros all round, or none */
enum { INSIDE, JOINED };
enum { WIDTH = 0 };             /* channels: the module's width */

typedef struct {
    Kind kind;
    const char *name;
    From from;
    int out, KH, KW, stride, padding, joined;
} Row;

static const Row stem[] = {
    {CONV, "Conv2d_1a_3x3", MODULE, 32, 3, 3, 2, VALID, INSIDE},
    {CONV, "Conv2d_2a_3x3", BEFORE, 32, 3, 3, 1, VALID, INSIDE},
    {CONV, "Conv2d_2b_3x3", BEFORE, 64, 3, 3, 1, SAME, INSIDE},
    {MAX, "", BEFORE, 0, 3, 3, 2, VALID, INSIDE},
    {CONV, "Conv2d_3b_1x1", BEFORE, 80, 1, 1, 1, VALID, INSIDE},
    {CONV, "Conv2d_4a_3x3", BEFORE, 192, 3, 3, 1, VALID, INSIDE},
    {MAX, "", BEFORE, 0, 3, 3, 2, VALID, JOINED},
    {0},
};

static const Row at_35x35[] = {
    {CONV, ".branch1x1", MODULE, 64, 1, 1, 1, SAME, JOINED},
    {CONV, ".branch5x5_1", MODULE, 48, 1, 1, 1, SAME, INSIDE},
    {CONV, ".branch5x5_2", BEFORE, 64, 5, 5, 1, SAME, JOINED},
    {CONV, ".branch3x3dbl_1", MODULE, 64, 1, 1, 1, SAME, INSIDE},
    {CONV, ".branch3x3dbl_2", BEFORE, 96, 3, 3, 1, SAME, INSIDE},
    {CONV, ".branch3x3dbl_3", BEFORE, 96, 3, 3, 1, SAME, JOINED},
    {AVERAGE, "", MODULE, 0, 3, 3, 1, SAME, INSIDE},
    {CONV, ".branch_pool", BEFORE, WIDTH, 1, 1, 1, SAME, JOINED},
    {0},
};

static const Row to_17x17[] = {
    {CONV, ".branch3x3", MODULE, 384, 3, 3, 2, VALID, JOINED},
    {CONV, ".branch3x3dbl_1", MODULE, 64, 1, 1, 1, SAME, INSIDE},
    {CONV, ".branch3x3dbl_2", BEFORE, 96, 3, 3, 1, SAME, INSIDE},
    {CONV, ".branch3x3dbl_3", BEFORE, 96, 3, 3, 2, VALID, JOINED},
    {MAX, "", MODULE, 0, 3, 3, 2, VALID, JOINED},
    {0},
};

static const Row at_17x17[] = {
    {CONV, ".branch1x1", MODULE, 192, 1, 1, 1, SAME, JOINED},
    {CONV, ".branch7x7_1", MODULE, WIDTH, 1, 1, 1, SAME, INSIDE},
    {CONV, ".branch7x7_2", BEFORE, WIDTH, 1, 7, 1, SAME, INSIDE},
    {CONV, ".branch7x7_3", BEFORE, 192, 7, 1, 1, SAME, JOINED},
    {CONV, ".branch7x7dbl_1", MODULE, WIDTH, 1, 1, 1, SAME, INSIDE},
    {CONV, ".branch7x7dbl_2", BEFORE, WIDTH, 7, 1, 1, SAME, INSIDE},
    {CONV, ".branch7x7dbl_3", BEFORE, WIDTH, 1, 7, 1, SAME, INSIDE},
    {CONV, ".branch7x7dbl_4", BEFORE, WIDTH, 7, 1, 1, SAME, INSIDE},
    {CONV, ".branch7x7dbl_5", BEFORE, 192, 1, 7, 1, SAME, JOINED},
    {AVERAGE, "", MODULE, 0, 3, 3, 1, SAME, INSIDE},
    {CONV, ".branch_pool", BEFORE, 192, 1, 1, 1, SAME, JOINED},
    {0},
};

static const Row to_8x8[] = {
    {CONV, ".branch3x3_1", MODULE, 192, 1, 1, 1, SAME, INSIDE},
    {CONV, ".branch3x3_2", BEFORE, 320, 3, 3, 2, VALID, JOINED},
    {CONV, ".branch7x7x3_1", MODULE, 192, 1, 1, 1, SAME, INSIDE},
    {CONV, ".branch7x7x3_2", BEFORE, 192, 1, 7, 1, SAME, INSIDE},
    {CONV, ".branch7x7x3_3", BEFORE, 192, 7, 1, 1, SAME, INSIDE},
    {CONV, ".branch7x7x3_4", BEFORE, 192, 3, 3, 2, VALID, JOINED},
    {MAX, "", MODULE, 0, 3, 3, 2, VALID, JOINED},
    {0},
};

#define AT_8x8(pool) {                                                                  \
    {CONV, ".branch1x1", MODULE, 320, 1, 1, 1, SAME, JOINED},                           \
    {CONV, ".branch3x3_1", MODULE, 384, 1, 1, 1, SAME, INSIDE},                         \
    {CONV, ".branch3x3_2a", BEFORE, 384, 1, 3, 1, SAME, JOINED},                        \
    {CONV, ".branch3x3_2b", BESIDE, 384, 3, 1, 1, SAME, JOINED},                        \
    {CONV, ".branch3x3dbl_1", MODULE, 448, 1, 1, 1, SAME, INSIDE},                      \
    {CONV, ".branch3x3dbl_2", BEFORE, 384, 3, 3, 1, SAME, INSIDE},                      \
    {CONV, ".branch3x3dbl_3a", BEFORE, 384, 1, 3, 1, SAME, JOINED},                     \
    {CONV, ".branch3x3dbl_3b", BESIDE, 384, 3, 1, 1, SAME, JOINED},                     \
    {pool, "", MODULE, 0, 3, 3, 1, SAME, INSIDE},                                       \
    {CONV, ".branch_pool", BEFORE, 192, 1, 1, 1, SAME, JOINED},                         \
    {0},                                                                                \
}

static const Row at_8x8[] = AT_8x8(AVERAGE), last_at_8x8[] = AT_8x8(MAX);

/* `spatial`: the first row's first channels are sFID's (mixed_6/conv in the graph). */
static const struct { const char *name; const Row *rows; int width; bool spatial; }
modules[] = {
    {"", stem},
    {"Mixed_5b", at_35x35, 32}, {"Mixed_5c", at_35x35, 64}, {"Mixed_5d", at_35x35, 64},
    {"Mixed_6a", to_17x17},
    {"Mixed_6b", at_17x17, 128}, {"Mixed_6c", at_17x17, 160},
    {"Mixed_6d", at_17x17, 160, .spatial = true}, {"Mixed_6e", at_17x17, 192},
    {"Mixed_7a", to_8x8},
    {"Mixed_7b", at_8x8}, {"Mixed_7c", last_at_8x8},
};

enum { MODULES = sizeof modules / sizeof *modules, MOST_ROWS = 12 };

/* ---- parameters ---------------------------------------------------------------- */

static NormedConv declare_conv(Params *p, const char *module, const Row *row, int in,
                               int out)
{
    static const Init zero = {INIT_CONSTANT, 0};
    const char *name = arena_printf(&p->arena, "%s%s", module, row->name);
    int top = row->padding == SAME ? row->KH / 2 : 0;
    int left = row->padding == SAME ? row->KW / 2 : 0;
    return (NormedConv){
        .conv = {.weight = params_add(p, SHAPE(out, row->KH, row->KW, in), zero,
                                      "%s.conv.weight", name),
                 .bias = params_add(p, SHAPE(out), zero, "%s.bn.bias", name),
                 .stride = row->stride, .pad = {top, top, left, left}},
        .gamma = params_add(p, SHAPE(out), zero, "%s.bn.weight", name),
        .mean = params_add(p, SHAPE(out), zero, "%s.bn.running_mean", name),
        .variance = params_add(p, SHAPE(out), zero, "%s.bn.running_var", name),
    };
}

/* Declares module m's convolutions, which go to `next` and on, and counts channels. */
static NormedConv *declare_module(Params *p, int m, int *channels, NormedConv *next)
{
    int in = 0, out = *channels, all = 0;
    for (const Row *row = modules[m].rows; row->KH; row++) {
        if (row->from != BESIDE) in = row->from == MODULE ? *channels : out;
        out = in;
        if (row->kind == CONV) {
            out = row->out == WIDTH ? modules[m].width : row->out;
            *next++ = declare_conv(p, modules[m].name, row, in, out);
        }
        if (row->joined) all += out;
    }
    *channels = all;
    return next;
}

Inception inception_create(void)
{
    static const Init zero = {INIT_CONSTANT, 0};
    Inception net = {.params = params_create()};
    NormedConv *next = net.conv;
    int channels = 3;
    for (int m = 0; m < MODULES; m++)
        next = declare_module(&net.params, m, &channels, next);
    require(next == net.conv + INCEPTION_CONVS && channels == INCEPTION_FEATURES,
            "Inception has %d convolutions and %d features", (int)(next - net.conv),
            channels);
    net.last.weight = params_add(&net.params, SHAPE(INCEPTION_CLASSES, channels), zero,
                                 "fc.weight");
    net.last.bias = params_add(&net.params, SHAPE(INCEPTION_CLASSES), zero, "fc.bias");
    params_allocate(&net.params, 0);
    return net;
}

void inception_destroy(Inception *net) { params_destroy(&net->params); }

Published inception_arrays(Arena *a, const Inception *net)
{
    Published w = published_begin(a, &(PublishedNet){0}, &net->params);
    for (int i = 0; i < INCEPTION_CONVS; i++) {
        const NormedConv *c = &net->conv[i];
        Conv2d bare = c->conv;
        bare.bias = -1;
        const char *array = net->params.list[bare.weight].name;
        int length = (int)(strlen(array) - strlen(".conv.weight"));
        const char *name = arena_printf(a, "%.*s", length, array);
        published_conv(&w, name, "conv", bare);
        published_plain(&w, name, "bn.weight", c->gamma, 1);
        published_plain(&w, name, "bn.bias", c->conv.bias, 1);
        published_plain(&w, name, "bn.running_mean", c->mean, 1);
        published_plain(&w, name, "bn.running_var", c->variance, 1);
    }
    published_linear(&w, "", "fc", net->last, 2);
    published_end(&w);
    return w;
}

void inception_fold(Inception *net)
{
    Params *p = &net->params;
    for (int i = 0; i < INCEPTION_CONVS; i++) {
        const NormedConv *c = &net->conv[i];
        const Param *weight = &p->list[c->conv.weight];
        size_t O = (size_t)weight->shape.dim[0], size = weight->size / O;
        Real *w = p->value + weight->offset;
        Real *beta = p->value + p->list[c->conv.bias].offset;
        const Real *gamma = p->value + p->list[c->gamma].offset;
        const Real *mean = p->value + p->list[c->mean].offset;
        const Real *variance = p->value + p->list[c->variance].offset;
        for (size_t o = 0; o < O; o++) {
            double factor = (double)gamma[o] / sqrt((double)variance[o] + 1e-3);
            for (size_t k = 0; k < size; k++)
                w[o * size + k] = (Real)((double)w[o * size + k] * factor);
            beta[o] = (Real)((double)beta[o] - (double)mean[o] * factor);
        }
    }
}

bool inception_recognise(const SafeTensors *file)
{
    return safetensors_find(file, "Mixed_7c.branch_pool.conv.weight") != NULL;
}

Inception inception_load(const SafeTensors *file)
{
    Inception net = inception_create();
    Arena a = arena_create();
    Published w = inception_arrays(&a, &net);
    published_load(file, &w, 0, net.params.value);
    inception_fold(&net);
    arena_destroy(&a);
    return net;
}

/* ---- looking ------------------------------------------------------------------- */

static Var *run_row(Pass *pass, const Row *row, const NormedConv *c, Var *x)
{
    Tape *t = pass->tape;
    int pad = row->padding == SAME ? row->KH / 2 : 0;
    if (row->kind == AVERAGE) return average_pool(t, x, row->KH, row->stride, pad);
    if (row->kind == MAX) return max_pool(t, x, row->KH, row->stride, pad);
    Var *h = conv2d_forward(pass, &c->conv, x), *y = relu(t, h);
    discard(h);
    return y;
}

/* y after what is already joined, if anything is. */
static Var *join(Tape *t, Var *joined, Var *y)
{
    if (!joined) return y;
    Var *both = concat(t, joined, y, 3);
    discard(joined), discard(y);
    return both;
}

/* Runs module m, whose convolutions begin at *c, which moves on.  Discards x. */
static Var *run_module(Pass *pass, int m, const NormedConv **c, Var *x, Var **map)
{
    Var *in = x, *y = x, *joined = NULL, *inside[MOST_ROWS];
    int count = 0;
    for (const Row *row = modules[m].rows; row->KH; row++) {
        if (row->from != BESIDE) in = row->from == MODULE ? x : y;
        y = run_row(pass, row, *c, in);
        *c += row->kind == CONV;
        if (modules[m].spatial && row == modules[m].rows)
            *map = slice(pass->tape, y, 3, 0, INCEPTION_SPATIAL);
        if (row->joined) joined = join(pass->tape, joined, y);
        else inside[count++] = y;
    }
    while (count > 0) discard(inside[--count]);
    discard(x);
    return joined;
}

InceptionAnswer inception_answer(Pass *pass, const Inception *net, Var *x)
{
    Tape *t = pass->tape;
    InceptionAnswer answer = {0};
    const NormedConv *c = net->conv;
    Var *large = resize(t, x, INCEPTION_SIZE, INCEPTION_SIZE, 0);
    Var *h = scale(t, large, 1 / 128.0, -1);
    discard(large);
    for (int m = 0; m < MODULES; m++) h = run_module(pass, m, &c, h, &answer.map);
    answer.features = mean(t, h, AXIS(1) | AXIS(2));
    discard(h);
    Var *logits = linear(t, answer.features, pass_param(pass, net->last.weight), NULL);
    int N = x->shape.dim[0];
    answer.probability = softmax(t, reshape(t, logits, SHAPE(N, INCEPTION_CLASSES)));
    return answer;
}
