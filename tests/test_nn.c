/* Parameters, blocks, the U-Net and checkpoints. */
#include <string.h>

#include "nn/checkpoint.h"
#include "nn/inception.h"
#include "nn/published.h"
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
    UNetConfig ddpm = {.height = 32, .width = 32, .channels = 3, .out_channels = 3,
                       .base = 128, .levels = 4, .mult = {1, 2, 2, 2}, .blocks = 2,
                       .attention = {16}, .style = {.heads = 1, .groups = 32}};
    check_int((long long)count_parameters(ddpm), 35746307);
    UNetConfig small = {.height = 32, .width = 32, .channels = 1, .out_channels = 1,
                        .base = 32, .levels = 3, .mult = {1, 2, 2}, .blocks = 2,
                        .attention = {8}, .style = {.heads = 1, .groups = 32}};
    check_int((long long)count_parameters(small), 1623169);
    UNetConfig large = {.height = 256, .width = 256, .channels = 3, .out_channels = 3,
                        .base = 128, .levels = 6, .mult = {1, 1, 2, 2, 4, 4}, .blocks = 2,
                        .attention = {16}, .style = {.heads = 1, .groups = 32}};
    check_int((long long)count_parameters(large), 113673219);
}

/* Keras' InceptionV3 has 23,851,784 parameters, for 1000 classes and without the gammas of
 * the batch norms. */
static void inception_is_as_large_as_published(void)
{
    Inception net = inception_create();
    Arena a = arena_create();
    Published w = inception_arrays(&a, &net);
    long long classes = (INCEPTION_CLASSES - 1000) * (INCEPTION_FEATURES + 1), gammas = 0;
    for (int i = 0; i < INCEPTION_CONVS; i++)
        gammas += (long long)net.params.list[net.conv[i].gamma].size;
    check_int((long long)net.params.size - classes - gammas, 23851784);
    check_int(w.count, 5 * INCEPTION_CONVS + 2);
    arena_destroy(&a);
    inception_destroy(&net);
}

/* The papers' networks by the arguments with which their code makes them. */
#define ADM_IMAGENET(channels, mult, attention) \
    "{\"image_size\": 0, \"in_channels\": 3, \"out_channels\": 6, " \
    "\"num_classes\": 1000, " \
    "\"model_channels\": " channels ", \"channel_mult\": [" mult "], " \
    "\"attention_resolutions\": [" attention "], \"num_head_channels\": 64, " \
    "\"use_scale_shift_norm\": true, \"resblock_updown\": true, "
#define CLASSIFIER(mult, attention) \
    "{\"image_size\": 0, \"in_channels\": 3, \"out_channels\": 1000, " \
    "\"model_channels\": 128, \"channel_mult\": [" mult "], \"pool\": \"attention\", " \
    "\"attention_resolutions\": [" attention "], \"num_head_channels\": 64, " \
    "\"use_scale_shift_norm\": true, \"resblock_updown\": true, "
#define EDM_CIFAR \
    "{\"img_resolution\": 32, \"in_channels\": 3, \"out_channels\": 3, " \
    "\"augment_dim\": 9, " \
    "\"channel_mult\": [2, 2, 2]"

static const struct {
    const char *name, *class, *arguments;
    int size, parameters;
} papers[] = {
    {"Improved DDPM, CIFAR-10", "UNetModel",
     "{\"in_channels\": 3, \"model_channels\": 128, \"out_channels\": 6, "
     "\"num_res_blocks\": 3, \"attention_resolutions\": [2, 4], "
     "\"channel_mult\": [1, 2, 2, 2], \"num_heads\": 4, \"use_scale_shift_norm\": true}",
     32, 52546438},
    {"Improved DDPM, ImageNet 64", "UNetModel",
     "{\"in_channels\": 3, \"model_channels\": 192, \"out_channels\": 6, "
     "\"num_res_blocks\": 3, \"attention_resolutions\": [4, 8], "
     "\"channel_mult\": [1, 2, 3, 4], \"num_heads\": 4, \"use_scale_shift_norm\": true, "
     "\"num_classes\": 1000}", 64, 273049350},
    {"ADM 64", "UNetModel", ADM_IMAGENET("192", "1, 2, 3, 4", "2, 4, 8")
     "\"num_res_blocks\": 3}", 64, 295904454},
    {"ADM 128", "UNetModel", ADM_IMAGENET("256", "1, 1, 2, 3, 4", "4, 8, 16")
     "\"num_res_blocks\": 2}", 128, 421529606},
    {"ADM 256", "UNetModel", ADM_IMAGENET("256", "1, 1, 2, 2, 4, 4", "8, 16, 32")
     "\"num_res_blocks\": 2}", 256, 553838086},
    {"ADM 512", "UNetModel", ADM_IMAGENET("256", "0.5, 1, 1, 2, 2, 4, 4", "16, 32, 64")
     "\"num_res_blocks\": 2}", 512, 558997638},
    {"ADM 64 to 256", "SuperResModel",
     ADM_IMAGENET("192", "1, 1, 2, 2, 4, 4", "8, 16, 32")
     "\"num_res_blocks\": 2}", 256, 311795910},
    {"classifier 64", "EncoderUNetModel", CLASSIFIER("1, 2, 3, 4", "2, 4, 8")
     "\"num_res_blocks\": 4}", 64, 65438568},
    {"classifier 128", "EncoderUNetModel", CLASSIFIER("1, 1, 2, 3, 4", "4, 8, 16")
     "\"num_res_blocks\": 2}", 128, 42568040},
    {"EDM's DDPM++, CIFAR-10", "SongUNet", EDM_CIFAR "}", 32, 55733891},
    {"the same with classes", "SongUNet", EDM_CIFAR ", \"label_dim\": 10}", 32, 55735299},
    {"EDM's NCSN++, CIFAR-10", "SongUNet", EDM_CIFAR ", \"embedding_type\": \"fourier\", "
     "\"channel_mult_noise\": 2, \"encoder_type\": \"residual\", "
     "\"resample_filter\": [1, 3, 3, 1]}", 32, 56397827},
    {"EDM's ADM 64", "DhariwalUNet", "{\"img_resolution\": 64, \"in_channels\": 3, "
     "\"out_channels\": 3, \"label_dim\": 1000}", 64, 295899267},
    {"google/ddpm-cifar10-32", "UNet2DModel",
     "{\"block_out_channels\": [128, 256, 256, 256], \"down_block_types\": "
     "[\"DownBlock2D\", \"AttnDownBlock2D\", \"DownBlock2D\", \"DownBlock2D\"], "
     "\"up_block_types\": [\"UpBlock2D\", \"UpBlock2D\", \"AttnUpBlock2D\", "
     "\"UpBlock2D\"], \"downsample_padding\": 0, \"flip_sin_to_cos\": false, "
     "\"freq_shift\": 1, \"norm_eps\": 1e-06, \"attention_head_dim\": null}",
     32, 35746307},
};

static void the_papers_networks_are_as_large_as_theirs(void)
{
    for (int i = 0; i < NELEM(papers); i++) {
        Arena a = arena_create();
        Params p = params_create();
        Bytes text = {.data = (const uint8_t *)papers[i].arguments,
                      .size = strlen(papers[i].arguments)};
        PublishedNet net = published_net(papers[i].class, json_parse(&a, text),
                                         papers[i].size, papers[i].size, papers[i].name);
        size_t waves = 0;           /* fixed frequencies are not counted as parameters */
        if (net.pool) {
            Classifier c = classifier_init(&p, &net.unet, net.pool);
            published_classifier(&a, &net, &p, &c);
        } else {
            UNet u = unet_init(&p, &net.unet);
            int f = u.encoder.embedding.frequencies;
            if (f >= 0) waves = p.list[f].size;
            published_unet(&a, &net, &p, &u);
        }
        check_int((long long)(p.size - waves), papers[i].parameters);
        params_destroy(&p);
        arena_destroy(&a);
    }
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
        for (size_t i = 0; i < p->size; i++)
            slope += (double)direction[i] * (double)p->grad[i];
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < p->size; i++)
                p->value[i] = kept[i] + (Real)(side ? h : -h) * direction[i];
            value[side] = loss_of(&f, false);
        }
        check(fabs(slope) > 1e-3);
        check_close((value[1] - value[0]) / (2 * h), slope,
                    sizeof(Real) == 4 ? 2e-2 : 1e-7);
        tear_down(&f);
    }
}

#define PART(name, data) \
    &(CheckpointParts){.blocks = &(CheckpointBlock){name, data}, .count = 1}

static void load_other(void *path)
{
    UNetConfig c = tiny;
    c.base = 16;
    Fixture f;
    set_up(&f, &c, 1);
    Arena a = arena_create();
    SafeTensors file = safetensors_read(&a, path);
    checkpoint_load(&file, &f.params, PART("model", f.params.value));
}

static void load_some_missing(void *path)
{
    Fixture f;
    set_up(&f, &tiny, 1);
    Arena a = arena_create();
    SafeTensors file = safetensors_read(&a, path);
    checkpoint_load(&file, &f.params, PART("ema", f.params.grad));
}

static void checkpoints_come_back_or_say_why_not(void)
{
    Fixture f, g;
    Arena a = arena_create();
    char *path = arena_printf(&a, "%s/c.safetensors", test_folder());
    set_up(&f, &tiny, 1);
    set_up(&g, &tiny, 2);
    check(memcmp(f.params.value, g.params.value, f.params.size * sizeof(Real)) != 0);
    checkpoint_save(path, &f.params, PART("model", f.params.value),
                    &(SafeMeta){"step", "7"}, 1);
    SafeTensors file = safetensors_read(&a, path);
    checkpoint_load(&file, &g.params, PART("model", g.params.value));
    check(memcmp(f.params.value, g.params.value, f.params.size * sizeof(Real)) == 0);
    check_text(safetensors_metadata(&file, "step"), "7");
    check_stops(load_other, path, "another architecture");
    check_stops(load_other, path,
                "model.time.linear1.weight: want [64, 16], found [32, 8]");
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
    T(the_parameters_are_as_many_as_published), T(inception_is_as_large_as_published),
    T(the_papers_networks_are_as_large_as_theirs), T(the_waves_are_those_of_the_papers),
    T(an_untrained_network_gives_zero), T(the_whole_network_has_the_right_gradient),
    T(checkpoints_come_back_or_say_why_not),
    T(sizes_that_cannot_be_halved_say_the_arithmetic),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
