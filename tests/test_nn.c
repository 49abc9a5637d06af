/* Parameters, blocks, the U-Net and checkpoints. */
#include <string.h>

#include "nn/checkpoint.h"
#include "nn/unet.h"
#include "tensor/error.h"
#include "tests/check.h"

static const UNetConfig tiny = {
    .height = 8, .width = 8, .channels = 2, .out_channels = 2, .base = 8, .levels = 2,
    .mult = {1, 2}, .blocks = 1, .attention = {4}, .classes = 3,
    .style = {.heads = 2, .groups = 4, .dropout = 0.1}};

static size_t count_parameters(UNetConfig c)
{
    Params p = params_create();
    unet_init(&p, &c);
    size_t size = p.size;
    params_destroy(&p);
    return size;
}

/* The counts of the papers' networks and of the reference networks of bench/. */
static void the_parameters_are_as_many_as_published(void)
{
    UNetConfig ddpm = {.height = 32, .width = 32, .channels = 3, .out_channels = 3, .base = 128,
                       .levels = 4, .mult = {1, 2, 2, 2}, .blocks = 2, .attention = {16},
                       .style = {.heads = 1, .groups = 32}};
    check_int((long long)count_parameters(ddpm), 35746307);
    UNetConfig small = {.height = 32, .width = 32, .channels = 1, .out_channels = 1, .base = 32,
                        .levels = 3, .mult = {1, 2, 2}, .blocks = 2, .attention = {8},
                        .style = {.heads = 1, .groups = 32}};
    check_int((long long)count_parameters(small), 1623169);
    UNetConfig large = {.height = 256, .width = 256, .channels = 3, .out_channels = 3,
                        .base = 128, .levels = 6, .mult = {1, 1, 2, 2, 4, 4}, .blocks = 2,
                        .attention = {16}, .style = {.heads = 1, .groups = 32}};
    check_int((long long)count_parameters(large), 113673219);
}

/* DDPM's embedding of t = 10 in 8 numbers, from the official code. */
static void the_waves_are_those_of_the_papers(void)
{
    Real out[8];
    embedding_waves(out, "ddpm", (double[]){10}, 1, 8, NULL);
    check_reals(out, ((Real[]){-0.544021, 0.447671, 0.021543, 0.001000,
                               -0.839072, 0.894198, 0.999768, 1.0}), 8, 1e-6);
}

typedef struct { Params params; UNet net; Tape tape; Real x[2 * 8 * 8 * 2]; } Fixture;

static void set_up(Fixture *f, const UNetConfig *c, uint64_t seed)
{
    f->params = params_create();
    f->net = unet_init(&f->params, c);
    params_allocate(&f->params, seed);
    f->tape = tape_create();
    fill_uniform(f->x, NELEM(f->x), 7);
}

static void tear_down(Fixture *f)
{
    params_destroy(&f->params);
    tape_destroy(&f->tape);
}

static Var *run(Fixture *f, Pass *pass)
{
    tape_reset(&f->tape);
    Var *x = tape_leaf(&f->tape, "x", SHAPE(2, 8, 8, 2), f->x, NULL);
    return unet_forward(pass, &f->net, x, 
                        &(Condition){.t = (double[]){3, 500}, .label = (int[]){2, 0}});
}

/* At the start each block adds (almost) nothing, and the last convolution gives 0. */
static void an_untrained_network_gives_zero(void)
{
    Fixture f;
    set_up(&f, &tiny, 1);
    Pass pass = pass_inference(&f.tape, &f.params, f.params.value);
    Var *y = run(&f, &pass);
    for (size_t i = 0; i < y->size; i++) check_close(y->value[i], 0, 1e-3);
    tear_down(&f);
}

static double loss_of(Fixture *f, bool backwards)
{
    Pass pass = pass_training(&f->tape, &f->params, random_stream(1, 1, 1));
    Var *loss = mean(&f->tape, run(f, &pass), ALL_AXES);
    double value = (double)loss->value[0];
    if (backwards) backward(loss);
    return value;
}

/* The gradient of a whole network, dropout, classes, patches and all, in the direction of
 * a random change of all parameters at once, against the slope. */
static void the_whole_network_has_the_right_gradient(void)
{
    for (int patch = 1; patch <= 2; patch++) {
        UNetConfig c = tiny;
        Fixture f;
        c.patch = patch;
        set_up(&f, &c, 1);
        Params *p = &f.params;
        Real *direction = params_block(p), *kept = params_block(p);
        fill_uniform(direction, p->size, 3);
        for (size_t i = 0; i < p->size; i++) p->value[i] += (Real)0.1 * direction[i];
        fill_uniform(direction, p->size, 4);
        memcpy(kept, p->value, p->size * sizeof *kept);
        loss_of(&f, true);
        double slope = 0, h = sizeof(Real) == 4 ? 1e-3 : 1e-6, value[2];
        for (size_t i = 0; i < p->size; i++) slope += (double)direction[i] * (double)p->grad[i];
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < p->size; i++)
                p->value[i] = kept[i] + (Real)(side ? h : -h) * direction[i];
            value[side] = loss_of(&f, false);
        }
        check(fabs(slope) > 1e-3);
        check_close((value[1] - value[0]) / (2 * h), slope, sizeof(Real) == 4 ? 2e-2 : 1e-7);
        tear_down(&f);
    }
}

/* Each array starts with numbers of its own from U(-r, r), r^2 = 6 / (in + out). */
static void weights_start_as_the_rule_says(void)
{
    enum { IN = 300, OUT = 100 };
    Params p = params_create();
    linear_init(&p, "a", IN, OUT, ROLE_PLAIN);
    linear_init(&p, "b", IN, OUT, ROLE_PLAIN);
    params_allocate(&p, 1);
    const Real *a = p.value, *b = p.value + p.list[2].offset;
    double range = sqrt(6.0 / (IN + OUT)), square = 0, product = 0, largest = 0;
    for (int i = 0; i < IN * OUT; i++) {
        square += (double)a[i] * (double)a[i];
        product += (double)a[i] * (double)b[i];
        largest = fmax(largest, fabs((double)a[i]));
    }
    check_close(square / (IN * OUT) * 3 / (range * range), 1, 4 / sqrt(IN * OUT));
    check_close(product / square, 0, 4 / sqrt(IN * OUT));
    check(largest < range && largest > 0.99 * range);
    for (int i = 0; i < OUT; i++) check(a[IN * OUT + i] == 0);      /* the biases */
    params_destroy(&p);
}

/* Two dropouts of a pass draw different masks; while sampling there is none. */
static void dropout_is_for_training_and_drawn_anew(void)
{
    enum { SIZE = 200 };
    static Real ones[SIZE];
    for (int i = 0; i < SIZE; i++) ones[i] = 1;
    Params p = params_create();
    params_allocate(&p, 1);
    Tape t = tape_create();
    Var *x = tape_leaf(&t, "ones", SHAPE(2, SIZE / 2), ones, NULL);
    Pass pass = pass_training(&t, &p, random_stream(1, 2, 3));
    Var *first = dropout_forward(&pass, 0.5, x), *second = dropout_forward(&pass, 0.5, x);
    check(memcmp(first->value, second->value, sizeof ones) != 0);
    pass = pass_inference(&t, &p, p.value);
    check(dropout_forward(&pass, 0.5, x) == x);
    tape_destroy(&t);
    params_destroy(&p);
}

/* With nothing to say, scale 0 and shift 0, an adaptive norm is a plain one.  A sum of
 * two is multiplied by the block's factor.  A filter with its 1 in the middle changes
 * nothing. */
static void parts_of_a_block_by_hand(void)
{
    static const Real x[] = {1, -2, 3, 5, 0, 7, -4, 2}, nothing[8] = {0};
    Params p = params_create();
    GroupNorm norm = group_norm_init(&p, "norm", 4, 2, 1e-6);
    Conv2d conv = conv2d_init(&p, "conv", 1, 1, 3, ROLE_PLAIN);
    params_allocate(&p, 1);
    Tape t = tape_create();
    Pass pass = pass_inference(&t, &p, p.value);
    Var *h = tape_leaf(&t, "x", SHAPE(1, 1, 2, 4), x, NULL);
    Var *w = tape_leaf(&t, "w", SHAPE(1, 1, 1, 8), nothing, NULL);
    check_reals(group_norm_adaptive_forward(&pass, &norm, h, w)->value,
                group_norm_silu_forward(&pass, &norm, h)->value, 8, 1e-6);
    Var *a = tape_leaf(&t, "a", SHAPE(2), (Real[]){1, 2}, NULL);
    Var *b = scale(&t, a, 3, 0);
    check_reals(add_residual(&t, a, b, 0.5)->value, ((Real[]){2, 4}), 2, 1e-6);
    for (int i = 0; i < 9; i++) p.value[p.list[conv.weight].offset + (size_t)i] = i == 4;
    Var *image = tape_leaf(&t, "image", SHAPE(1, 4, 2, 1), x, NULL);
    check_reals(conv2d_forward(&pass, &conv, image)->value, x, 8, 1e-6);
    tape_destroy(&t);
    params_destroy(&p);
}

/* Equal times: what is different in e comes from the class, and belongs to it. */
static void a_class_reaches_its_sample(void)
{
    Params p = params_create();
    EmbeddingConfig config = {.dim = 8, .out = 4, .classes = 3};
    Embedding b = embedding_init(&p, "time", &config);
    params_allocate(&p, 1);
    Tape t = tape_create();
    Pass pass = pass_inference(&t, &p, p.value);
    Condition c = {.t = (double[]){5, 5, 5, 5}, .label = (int[]){2, 0, 2, -1}};
    const Real *e = embedding_forward(&pass, &b, &c, 4)->value;
    check(memcmp(e, e + 8, 4 * sizeof *e) == 0);
    check(memcmp(e, e + 4, 4 * sizeof *e) != 0);
    check(memcmp(e, e + 12, 4 * sizeof *e) != 0);
    check(memcmp(e + 4, e + 12, 4 * sizeof *e) != 0);
    tape_destroy(&t);
    params_destroy(&p);
}

static void load_other(void *path)
{
    UNetConfig c = tiny;
    c.base = 16;
    Fixture f;
    set_up(&f, &c, 1);
    Arena a = arena_create();
    SafeTensors file = safetensors_read(&a, path);
    checkpoint_load(&file, &f.params, &(CheckpointBlock){"model", f.params.value}, 1);
}

static void load_some_missing(void *path)
{
    Fixture f;
    set_up(&f, &tiny, 1);
    Arena a = arena_create();
    SafeTensors file = safetensors_read(&a, path);
    checkpoint_load(&file, &f.params, &(CheckpointBlock){"ema", f.params.grad}, 1);
}

static void checkpoints_come_back_or_say_why_not(void)
{
    Fixture f, g;
    Arena a = arena_create();
    char *path = arena_printf(&a, "%s/c.safetensors", test_folder());
    set_up(&f, &tiny, 1);
    set_up(&g, &tiny, 2);
    check(memcmp(f.params.value, g.params.value, f.params.size * sizeof(Real)) != 0);
    checkpoint_save(path, &f.params, &(CheckpointBlock){"model", f.params.value}, 1,
                    &(SafeMeta){"step", "7"}, 1);
    SafeTensors file = safetensors_read(&a, path);
    checkpoint_load(&file, &g.params, &(CheckpointBlock){"model", g.params.value}, 1);
    check(memcmp(f.params.value, g.params.value, f.params.size * sizeof(Real)) == 0);
    check_text(safetensors_metadata(&file, "step"), "7");
    check_stops(load_other, path, "another architecture");
    check_stops(load_other, path, "model.time.linear1.weight: want [64, 16], found [32, 8]");
    check_stops(load_some_missing, path, "found no such array");
    tear_down(&f);
    tear_down(&g);
    arena_destroy(&a);
}

static void unet_28_by_4(void *unused)
{
    (void)unused;
    UNetConfig c = tiny;
    c.height = c.width = 28, c.levels = 4;
    c.mult[2] = c.mult[3] = 2;
    Params p = params_create();
    unet_init(&p, &c);
}

static void sizes_that_cannot_be_halved_say_the_arithmetic(void)
{
    check_stops(unet_28_by_4, NULL, "1 * 2^3 = 8, and 28/8 = 3.5");
}

static const Test tests[] = {
    T(the_parameters_are_as_many_as_published), T(the_waves_are_those_of_the_papers),
    T(weights_start_as_the_rule_says), T(dropout_is_for_training_and_drawn_anew),
    T(parts_of_a_block_by_hand), T(a_class_reaches_its_sample),
    T(an_untrained_network_gives_zero), T(the_whole_network_has_the_right_gradient),
    T(checkpoints_come_back_or_say_why_not),
    T(sizes_that_cannot_be_halved_say_the_arithmetic),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
