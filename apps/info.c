/* drift info: what is in a run or in a .safetensors file. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/options.h"
#include "apps/support/run.h"
#include "tensor/error.h"

/* The parameters, memory and work of a model, from one forward pass on zeros. */
static void describe_model(const Model *m)
{
    const UNetConfig *c = &m->net.config;
    size_t mark = arena_mark(scratch()), size = (size_t)(c->height * c->width * c->channels);
    Tape t = tape_create();
    t.recording = false;
    Real *x = arena_new(scratch(), Real, size);
    memset(x, 0, size * sizeof *x);
    Pass pass = pass_inference(&t, &m->params, m->params.value);
    Var *image = tape_leaf(&t, "x", SHAPE(1, c->height, c->width, c->channels), x, NULL);
    unet_forward(&pass, &m->net, image, (double[]){0}, (int[]){0});
    printf("parameters      %zu in %d arrays\n", m->params.size, m->params.count);
    printf("work            %.3f GFLOP an image to sample, about three times that to train\n",
           tape_flops(&t) * 1e-9);
    printf("operations      %d a pass, %.1f MB of activations an image when sampling\n", t.lines,
           (double)t.pool.peak / 1e6);
    tape_destroy(&t);
    arena_rewind(scratch(), mark);
}

static void print_tensors(const SafeTensors *f)
{
    for (int i = 0; i < f->count; i++) {
        const SafeEntry *e = &f->entries[i];
        printf("  %-4s %-44s [", dtype_name(e->dtype), e->name);
        for (int k = 0; k < e->rank; k++) printf("%s%lld", k ? ", " : "", (long long)e->dim[k]);
        printf("]\n");
    }
}

int info_main(int argc, char **argv)
{
    const char *words[1];
    bool tensors = false;
    Option options[] = {
        {"tensors", OPTION_FLAG, &tensors, NULL, "list the arrays too", 0},
        {0},
    };
    Usage usage = {"drift info RUN|FILE",
                   "Tells what a run folder or a .safetensors file holds.", 1};
    if (options_parse(argc, argv, &usage, options, words) != 1)
        fail_usage("which run or file?  usage: %s", usage.synopsis);

    Arena a = arena_create();
    const char *path = run_checkpoint(&a, words[0]);
    SafeTensors f = safetensors_read(&a, path);
    const char *step = safetensors_metadata(&f, "step");
    const char *config = safetensors_metadata(&f, "config");
    printf("%s: %d arrays\n", path, f.count);
    if (step && config) {
        Model m;
        model_load(&m, path, false);
        printf("step            %ld\n", m.optimizer.step);
        describe_model(&m);
        printf("configuration   %s\n", config);
        model_destroy(&m);
    }
    if (tensors || !config) print_tensors(&f);
    return 0;
}
