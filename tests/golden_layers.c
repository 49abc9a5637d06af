/* Single layers, forward and backward, against PyTorch: layers.safetensors.
 *
 * Each group of tensors is one call: inputs, the gradient gy that comes from above, the
 * result y, and a gradient dNAME for each input NAME.  With
 *
 *     L = sum(gy y)        dL/dy = gy
 *
 * so backward(L) leaves all dNAME.
 *
 * PyTorch's images are [N, C, H, W] and its filters [O, I, kh, kw]; ours have channels
 * last.  The leaves keep PyTorch's order, and permute, an operation like any other, turns
 * them on the tape; so their gradients come out in PyTorch's order too. */
#include "tests/golden_layers.h"

#include <stdio.h>
#include <string.h>

#include "autograd/ops.h"

typedef struct Row Row;

typedef struct {
    Golden *golden;
    const Row *row;
    Tape tape;
    int inputs;                 /* that get a gradient: */
    Var *input[MAX_INPUTS];
} Layer;

/* How a group is computed: by an operation of x alone, by a builder of y from the inputs,
 * or by code of its own.  The first row whose name begins the group's name is taken. */
struct Row {
    const char *group;
    Var *(*op)(Tape *t, Var *x);
    Var *(*build)(Layer *l, Tape *t);
    void (*run)(Golden *g);
};

/* ---- inputs and layouts ------------------------------------------------------------ */

static Var *constant(Layer *l, const char *name)
{
    return tape_leaf(&l->tape, name, golden_shape(l->golden, name),
                     golden_reals(l->golden, name), NULL);
}

static Var *input(Layer *l, const char *name)
{
    Golden *g = l->golden;
    size_t size = golden_size(g, name);
    Real *grad = arena_new(&g->arena, Real, size);
    memset(grad, 0, size * sizeof(Real));
    return l->input[l->inputs++] = tape_leaf(&l->tape, name, golden_shape(g, name),
                                             golden_reals(g, name), grad);
}

static Var *channels_last(Tape *t, Var *x) { return permute(t, x, (int[]){0, 2, 3, 1}); }
static Var *channels_first(Tape *t, Var *x) { return permute(t, x, (int[]){0, 3, 1, 2}); }

static Var *image(Layer *l, const char *name)
{
    return channels_last(&l->tape, input(l, name));
}

/* Axis i of the gradient from above: the size that the result must have. */
static int wanted_size(Layer *l, int i) { return golden_shape(l->golden, "gy").dim[i]; }

/* ---- one builder a group ----------------------------------------------------------- */

static Var *build_conv2d(Layer *l, Tape *t)
{
    const int *pad = golden_integers(l->golden, "pad");     /* top, left, bottom, right */
    Var *x = image(l, "x"), *w = image(l, "w"), *b = input(l, "b");
    int stride = golden_integer(l->golden, "stride", 0);
    return channels_first(t, conv2d(t, x, w, b, stride,
                                    (Padding){pad[0], pad[2], pad[1], pad[3]}));
}

static Var *build_linear(Layer *l, Tape *t)
{
    Var *x = input(l, "x"), *w = input(l, "w"), *b = input(l, "b");
    return linear(t, x, w, b);
}

static Var *build_matmul(Layer *l, Tape *t)
{
    Var *x = input(l, "x"), *z = input(l, "z");
    return matmul(t, x, false, z, false);
}

static Var *build_group_norm(Layer *l, Tape *t)
{
    Var *x = image(l, "x"), *w = input(l, "w"), *b = input(l, "b");
    int groups = golden_integer(l->golden, "groups", 0);
    double eps = golden_number(l->golden, "eps", 0);
    return channels_first(t, group_norm(t, x, w, b, groups, eps));
}

static Var *build_layer_norm(Layer *l, Tape *t)
{
    Var *x = input(l, "x"), *w = input(l, "w"), *b = input(l, "b");
    return layer_norm(t, x, w, b, 1e-5);        /* PyTorch's default */
}

/* [B, heads, T, D] to [B, T, heads D], and back. */
static Var *merge_heads(Tape *t, Var *x)
{
    const int *d = x->shape.dim;
    return reshape(t, permute(t, x, (int[]){0, 2, 1, 3}), SHAPE(d[0], d[2], d[1] * d[3]));
}

static Var *build_attention(Layer *l, Tape *t)
{
    Var *q = input(l, "q"), *k = input(l, "k"), *v = input(l, "v");
    const int *d = q->shape.dim;
    Var *y = attention(t, merge_heads(t, q), merge_heads(t, k), merge_heads(t, v), d[1]);
    return permute(t, reshape(t, y, SHAPE(d[0], d[2], d[1], d[3])), (int[]){0, 2, 1, 3});
}

static Var *build_upsample(Layer *l, Tape *t)
{
    return channels_first(t, upsample(t, image(l, "x")));
}

static Var *build_average_pool(Layer *l, Tape *t)
{
    Var *x = image(l, "x");
    int K = x->shape.dim[1] / wanted_size(l, 2);
    return channels_first(t, average_pool(t, x, K, K, 0));
}

static Var *build_resize(Layer *l, Tape *t)
{
    int H = wanted_size(l, 2), W = wanted_size(l, 3);
    return channels_first(t, resize(t, image(l, "x"), H, W, 0.5));
}

static Var *build_global_average(Layer *l, Tape *t)
{
    return mean(t, image(l, "x"), AXIS(1) | AXIS(2));
}

static Var *build_concat(Layer *l, Tape *t)
{
    Var *x = image(l, "x"), *z = image(l, "z");
    return channels_first(t, concat(t, x, z, 3));
}

/* a c + e, where e lacks the first axis. */
static Var *build_broadcast(Layer *l, Tape *t)
{
    Var *a = input(l, "a"), *c = input(l, "c"), *e = input(l, "e");
    const int *d = e->shape.dim;
    return add(t, multiply(t, a, c), reshape(t, e, SHAPE(1, d[0], d[1])));
}

static Var *build_variance(Layer *l, Tape *t)
{
    Var *x = input(l, "x");
    unsigned last = AXIS(x->shape.rank - 1);
    return mean(t, square(t, subtract(t, x, mean(t, x, last))), last);
}

/* e^-x ln z + sqrt(x) / z - x^3 + clamp(z, 1/2, 1) */
static Var *build_elementwise(Layer *l, Tape *t)
{
    Var *x = input(l, "x"), *z = input(l, "z");
    Var *y = multiply(t, exponential(t, neg(t, x)), logarithm(t, z));
    y = add(t, y, divide(t, square_root(t, x), z));
    y = subtract(t, y, multiply(t, x, square(t, x)));
    return add(t, y, clamp(t, z, 0.5, 1));
}

static Var *build_embedding(Layer *l, Tape *t)
{
    int n = (int)golden_size(l->golden, "idx");
    return embedding(t, input(l, "w"), golden_integers(l->golden, "idx"), n);
}

static Var *build_cross_entropy(Layer *l, Tape *t)
{
    Var *x = input(l, "x");
    require(golden_size(l->golden, "labels") == (size_t)x->shape.dim[0], "a label a row");
    return cross_entropy(t, x, golden_integers(l->golden, "labels"));
}

static Var *build_mean_cross_entropy(Layer *l, Tape *t)
{
    return mean(t, build_cross_entropy(l, t), ALL_AXES);
}

static Var *build_mse(Layer *l, Tape *t)
{
    Var *x = input(l, "x"), *z = input(l, "z");
    return mean(t, mse(t, x, z), ALL_AXES);
}

static const Row rows[] = {
    {"conv2d/", .build = build_conv2d},
    {"linear/", .build = build_linear},
    {"matmul_batched/", .build = build_matmul},
    {"group_norm/", .build = build_group_norm},
    {"layer_norm", .build = build_layer_norm},
    {"softmax", .op = softmax},
    {"log_softmax/", .op = log_softmax},
    {"attention/", .build = build_attention},
    {"act/silu/", .op = silu},
    {"act/gelu/", .op = gelu},
    {"act/gelu_tanh/", .op = gelu_tanh},
    {"act/sigmoid/", .op = sigmoid},
    {"act/tanh/", .op = hyperbolic_tangent},
    {"act/relu/", .op = relu},
    {"act/softplus/", .op = softplus},
    {"upsample_nearest2/", .build = build_upsample},
    {"avg_pool2/", .build = build_average_pool},
    {"bilinear_up", .build = build_resize},
    {"global_avg/", .build = build_global_average},
    {"concat_channels/", .build = build_concat},
    {"broadcast/", .build = build_broadcast},
    {"reduce_var/", .build = build_variance},
    {"elementwise/", .build = build_elementwise},
    {"embedding/", .build = build_embedding},
    {"cross_entropy/", .build = build_mean_cross_entropy},
    {"cross_entropy_none/", .build = build_cross_entropy},
    {"mse/", .build = build_mse},
    {"optim/adamw", .run = golden_adamw},
    {"optim/adam", .run = golden_adam},
    {"ema/", .run = golden_ema},
    {"ema_edm/", .run = golden_ema_decay},
    {"lr_edm/", .run = golden_learning_rate},
    {"clip/", .run = golden_clip},
};

/* ---- all groups -------------------------------------------------------------------- */

static const Row *find_row(const char *group)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strncmp(rows[i].group, group, strlen(rows[i].group)) == 0) return &rows[i];
    return NULL;
}

static void run_group(void *argument)
{
    Layer *l = argument;
    Tape *t = &l->tape;
    if (l->row->run) {
        l->row->run(l->golden);
        return;
    }
    tape_reset(t);
    l->inputs = 0;
    Var *y = l->row->op ? l->row->op(t, input(l, "x")) : l->row->build(l, t);
    Var *gy = constant(l, "gy");
    y = reshape(t, y, gy->shape);
    golden_compare_reals(l->golden, "y", y->value, y->size);
    backward(sum(t, multiply(t, y, gy), ALL_AXES));
    for (int i = 0; i < l->inputs; i++) {
        char name[32];
        snprintf(name, sizeof name, "d%s", l->input[i]->name);
        golden_compare_reals(l->golden, name, l->input[i]->grad, l->input[i]->size);
    }
}

/* The name up to its last slash, which is included. */
static const char *group_of(Arena *a, const char *name)
{
    const char *slash = strrchr(name, '/');
    return arena_printf(a, "%.*s", slash ? (int)(slash + 1 - name) : 0, name);
}

/* Of one group at a time: its tensors lie side by side in the file. */
void golden_layers(Golden *g)
{
    Layer l = {.golden = g, .tape = tape_create()};
    for (int i = 0; i < g->file.count; i++) {
        const char *group = group_of(&g->arena, g->file.entries[i].name);
        if (strcmp(group, g->group) == 0) continue;
        g->group = group;
        l.row = find_row(group);
        if (l.row) golden_try(g, run_group, &l);
    }
    tape_destroy(&l.tape);
}
