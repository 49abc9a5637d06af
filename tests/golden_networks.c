/* Whole networks, forward and backward, against the papers' official code.
 *
 * Ours is made from their constructor's arguments and filled by the formula, both through
 * nn/published.h, so each file proves the names and the layouts too.  Compared are the
 * output, the outputs of modules on the way, the loss, and the gradients of the image and
 * of every array. */
#include "tests/golden_networks.h"

#include <stdio.h>
#include <string.h>

#include "tensor/error.h"

enum { MAX_LINES = 4000 };

typedef struct Network Network;

/* How the networks of a file are made and run. */
typedef struct {
    const char *file, *class;
    void (*also)(Network *n);           /* what else the file compares, or NULL */
} Row;

struct Network {
    Golden *golden;
    const Row *row;
    PublishedNet net;
    Params params;
    UNet unet;
    Classifier classifier;              /* if the net has a pool; then there is no unet */
    Published arrays;
    Condition condition;
    Tape tape;
    Watcher watcher;
};

/* ---- inputs -------------------------------------------------------------------- */

static double *read_doubles(Golden *g, const char *name)
{
    size_t n = golden_size(g, name);
    double *out = arena_new(&g->arena, double, n);
    for (size_t i = 0; i < n; i++) out[i] = golden_number(g, name, i);
    return out;
}

/* EDM's class labels are rows of 0 ... 1 ... 0. */
static int *read_one_hot(Golden *g, const char *name, int N, int K)
{
    int *label = arena_new(&g->arena, int, (size_t)N);
    for (int n = 0; n < N; n++) {
        label[n] = -1;
        for (int k = 0; k < K; k++)
            if (golden_number(g, name, (size_t)(n * K + k)) == 1) label[n] = k;
    }
    return label;
}

static Condition read_condition(Golden *g, int N)
{
    Condition c = {.t = read_doubles(g, golden_has(g, "t") ? "t" : "noise_labels")};
    if (golden_has(g, "y")) c.label = golden_integers(g, "y");
    if (golden_has(g, "class_labels")) {
        int K = (int)golden_size(g, "class_labels") / N;
        c.label = K > 1 ? read_one_hot(g, "class_labels", N, K)
                        : golden_integers(g, "class_labels");
    }
    if (golden_has(g, "augment_labels")) c.augment = read_doubles(g, "augment_labels");
    return c;
}

/* The arguments: under "config", or under the name of the network where there are
 * several. */
static const Json *read_arguments(Golden *g)
{
    const char *key =
        arena_printf(&g->arena, "%.*s", (int)strlen(g->group) - 1, g->group);
    const char *text =
        safetensors_metadata(&g->file, strcmp(key, "golden") ? key : "config");
    if (!text)
        fail("%s has no header entry for the arguments of %s", g->file.path, g->group);
    return json_parse(&g->arena,
                      (Bytes){.data = (const uint8_t *)text, .size = strlen(text)});
}

/* ---- running ------------------------------------------------------------------- */

static void make_network(Network *n)
{
    Golden *g = n->golden;
    Shape x = golden_shape(g, "x");
    const Json *arguments = read_arguments(g);
    n->net = published_net(n->row->class, arguments, x.dim[2], x.dim[3], g->file.path);
    if (n->net.pool) {
        n->classifier = classifier_init(&n->params, &n->net.unet, n->net.pool);
        n->arrays = published_classifier(&g->arena, &n->net, &n->params, &n->classifier);
    } else {
        n->unet = unet_init(&n->params, &n->net.unet);
        n->arrays = published_unet(&g->arena, &n->net, &n->params, &n->unet);
    }
    params_allocate(&n->params, 0);
    golden_fill(g, &n->arrays, n->params.value);
    n->condition = read_condition(g, x.dim[0]);
    n->watcher = (Watcher){&g->arena, arena_new(&g->arena, Real *, MAX_LINES), MAX_LINES};
}

/* An image in PyTorch's order, or logits. */
static Var *forward(Network *n, Pass *pass, Var *x)
{
    Golden *g = n->golden;
    const Condition *c = &n->condition;
    if (n->net.pool) return classifier_forward(pass, &n->classifier, x, c);
    Var *y = golden_has(g, "low_res")
                 ? unet_superres_forward(pass, &n->unet, x,
                                         golden_image(g, &n->tape, "low_res", NULL), c)
                 : unet_forward(pass, &n->unet, x, c);
    return golden_channels_first(&n->tape, y);
}

static Real *zeros(Golden *g, size_t n)
{
    Real *x = arena_new(&g->arena, Real, n);
    memset(x, 0, n * sizeof(Real));
    return x;
}

static Var *target_of(Network *n, Var *y)
{
    Golden *g = n->golden;
    Real *value = golden_has(g, "target") ? golden_reals(g, "target") : zeros(g, y->size);
    return tape_leaf(y->tape, "target", y->shape, value, NULL);
}

static void run_network(void *argument)
{
    Network *n = argument;
    Golden *g = n->golden;
    Tape *t = &n->tape;
    make_network(n);
    size_t size = golden_size(g, "x");
    Real *dx = zeros(g, size);
    Pass pass = pass_inference(t, &n->params, n->params.value);
    pass.grads = n->params.grad;
    t->watch = golden_watch;
    t->watcher = &n->watcher;

    Var *y = forward(n, &pass, golden_image(g, t, "x", dx));
    golden_compare_reals(g, "out", y->value, y->size);
    golden_compare_modules(g, &n->arrays, &pass, &n->unet.norm_out);
    Var *loss = mean(t, mse(t, y, target_of(n, y)), ALL_AXES);
    golden_compare_reals(g, "loss", loss->value, 1);
    backward(loss);
    golden_compare_reals(g, "grad/x", dx, size);
    golden_compare_gradients(g, &n->arrays, n->params.grad);
    t->watch = NULL;
    if (n->row->also) n->row->also(n);
}

/* ---- what only some files have ------------------------------------------------- */

/* What the first layer of the embedding is told: [N, dim]. */
static Real *make_waves(Network *n, const char *name)
{
    const Embedding *b = &n->unet.encoder.embedding;
    const Real *f = b->frequencies < 0 ? NULL
                  : n->params.value + n->params.list[b->frequencies].offset;
    Real *waves = arena_new(&n->golden->arena, Real, golden_size(n->golden, name));
    embedding_waves(waves, b->config.waves, n->condition.t,
                    golden_shape(n->golden, name).dim[0], b->config.dim, f);
    return waves;
}

static void compare_waves(Network *n)
{
    golden_compare_reals(n->golden, "temb", make_waves(n, "temb"),
                         golden_size(n->golden, "temb"));
}

/* D = c_skip x + c_out F(c_in x; c_noise), Karras 2022, table 1, with sigma_data 1/2. */
static void compare_denoiser(Network *n, const char *name, const int *label,
                             const double *augment)
{
    Golden *g = n->golden;
    size_t size = golden_size(g, "precond/x");
    int N = golden_shape(g, "precond/x").dim[0];
    const double *sigma = read_doubles(g, "precond/sigma");
    const Real *x = golden_reals(g, "precond/x");
    Real *scaled = arena_new(&g->arena, Real, size),
         *D = arena_new(&g->arena, Real, size);
    double *noise = arena_new(&g->arena, double, (size_t)N), s = 0.5;
    for (size_t i = 0, one = size / (size_t)N; i < size; i++) {
        double level = sigma[i / one];
        noise[i / one] = log(level) / 4;
        scaled[i] = (Real)((double)x[i] / sqrt(level * level + s * s));
    }

    Tape *t = &n->tape;
    tape_reset(t);
    Pass pass = pass_inference(t, &n->params, n->params.value);
    Condition c = {.t = noise, .label = label, .augment = augment};
    Var *in = tape_leaf(t, "x", golden_shape(g, "precond/x"), scaled, NULL);
    Var *F = unet_forward(&pass, &n->unet, permute(t, in, (int[]){0, 2, 3, 1}), &c);
    F = golden_channels_first(t, F);
    for (size_t i = 0, one = size / (size_t)N; i < size; i++) {
        double level = sigma[i / one], both = level * level + s * s;
        D[i] = (Real)(s * s / both * (double)x[i] +
                      level * s / sqrt(both) * (double)F->value[i]);
    }
    golden_compare_reals(g, name, D, size);
}

/* The stored waves have the cosines first, before SongUNet exchanges them with the sines.
 * */
static void compare_edm(Network *n)
{
    Golden *g = n->golden;
    size_t size = golden_size(g, "noise_embedding");
    int dim = n->unet.encoder.embedding.config.dim;
    int shift = strcmp(n->net.class, "SongUNet") == 0 ? dim / 2 : 0;
    Real *waves = make_waves(n, "noise_embedding"),
         *raw = arena_new(&g->arena, Real, size);
    for (int i = 0; i < (int)size; i++) raw[i] = waves[i / dim * dim + (i + shift) % dim];
    golden_compare_reals(g, "noise_embedding", raw, size);
    compare_denoiser(n, "precond/D", n->condition.label, n->condition.augment);
    compare_denoiser(n, "precond/D_nolabel", NULL, NULL);
}

static void compare_enlarged(Network *n)
{
    Golden *g = n->golden;
    Tape *t = &n->tape;
    tape_reset(t);
    Var *small = golden_image(g, t, "low_res", NULL);
    Var *large = resize(t, small, n->net.unet.height, n->net.unet.width, 0.5);
    Var *y = golden_channels_first(t, large);
    golden_compare_reals(g, "upsampled", y->value, y->size);
}

/* log p(y | x_t) of the labels, its gradient with respect to x_t, which guides, and the
 * mean cross-entropy, with which the classifier is trained. */
static void compare_guidance(Network *n)
{
    Golden *g = n->golden;
    Tape *t = &n->tape;
    size_t N = golden_size(g, "y"), size = golden_size(g, "x");
    Real *dx = zeros(g, size), *log_prob = arena_new(&g->arena, Real, N);
    tape_reset(t);
    Pass pass = pass_inference(t, &n->params, n->params.value);
    Var *logits = forward(n, &pass, golden_image(g, t, "x", dx));
    Var *nll = cross_entropy(t, logits, n->condition.label);
    Var *ce = mean(t, nll, ALL_AXES), *guide = neg(t, sum(t, nll, ALL_AXES));
    for (size_t i = 0; i < N; i++) log_prob[i] = -nll->value[i];
    golden_compare_reals(g, "log_prob", log_prob, N);
    golden_compare_reals(g, "ce", ce->value, 1);
    backward(guide);
    golden_compare_reals(g, "grad_logp_x", dx, size);
}

/* ---- all files ----------------------------------------------------------------- */

static const Row rows[] = {
    {"unet_iddpm", "UNetModel", compare_waves},
    {"unet_adm_", "UNetModel", compare_waves},
    {"superres_adm", "SuperResModel", compare_enlarged},
    {"unet_ddpmpp", "SongUNet", compare_edm},
    {"unet_ncsnpp", "SongUNet", compare_edm},
    {"unet_edm_adm", "DhariwalUNet", compare_edm},
    {"unet_diffusers.", "UNet2DModel-0.9", compare_waves},
    {"classifier_adm_", "EncoderUNetModel", compare_guidance},
    {"unet_diffusers_new", "UNet2DModel", NULL},
};

static const Row *find_row(const char *path)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strncmp(rows[i].file, file, strlen(rows[i].file)) == 0) return &rows[i];
    fail("%s: no class of networks is known for this file", path);
}

/* NETWORK/ for each tensor NETWORK/x. */
void golden_networks(Golden *g)
{
    for (int i = 0; i < g->file.count; i++) {
        const char *name = g->file.entries[i].name, *slash = strchr(name, '/');
        if (!slash || strcmp(slash, "/x") != 0) continue;
        Network n = {.golden = g, .row = find_row(g->file.path),
                     .params = params_create(),
                     .tape = tape_create()};
        g->group = arena_printf(&g->arena, "%.*s", (int)(slash + 1 - name), name);
        golden_try(g, run_network, &n);
        params_destroy(&n.params);
        tape_destroy(&n.tape);
    }
}
