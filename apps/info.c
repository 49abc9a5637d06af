/* drift info: what is in a run, a .safetensors file or a preset. */
#include <stdio.h>

#include "apps/commands.h"
#include "apps/support/example.h"
#include "apps/support/graph.h"
#include "tensor/error.h"

/* By block: parameters, memory and work of a training step. */
static void describe_model(Example *e)
{
    Arena a = arena_create();
    Tape t = tape_create();
    const UNetConfig *c = &e->model.config.unet;
    Var *loss = example_loss(e, &t);
    Graph g = graph_create(&a, &t);
    printf("a training step, %d x %dx%dx%d:\n\n", e->batch, c->height, c->width,
           c->channels);
    graph_print_blocks(&g, stdout);
    backward(loss);
    printf("\nparameters      %zu in %d arrays\n", e->model.params.size,
           e->model.params.count);
    printf("work            %.3f GFLOP an image to sample, about three times that to "
           "train\n", g.total.flops * 1e-9 / e->batch);
    printf("peak memory     %.1f MB of values and gradients in a training step\n",
           (double)t.pool.peak / 1e6);
    tape_destroy(&t);
    arena_destroy(&a);
}

static void print_tensors(const SafeTensors *f)
{
    for (int i = 0; i < f->count; i++) {
        const SafeEntry *e = &f->entries[i];
        printf("  %-4s %-44s [", dtype_name(e->dtype), e->name);
        for (int k = 0; k < e->rank; k++)
            printf("%s%lld", k ? ", " : "", (long long)e->dim[k]);
        printf("]\n");
    }
}

int info_main(int argc, char **argv)
{
    const char *words[1];
    bool tensors = false;
    Example e = EXAMPLE;
    Option options[] = {
        {"tensors", OPTION_FLAG, &tensors, NULL, "list the arrays of a file too", 0},
        EXAMPLE_OPTIONS(&e),
        {0},
    };
    Usage usage = {
        "drift info RUN|FILE|PRESET [options]",
        "Tells what a run folder, a .safetensors file or a preset holds: for a\n"
        "model what each block costs.", 1};
    if (options_parse(argc, argv, &usage, options, words) != 1)
        fail_usage("which run, file or preset?  usage: %s", usage.synopsis);

    Arena a = arena_create();
    SafeTensors f = {0};
    const char *config = NULL;
    if (file_exists(words[0])) {
        f = safetensors_read(&a, run_checkpoint(&a, words[0]));
        config = safetensors_metadata(&f, "config");
        printf("%s: %d arrays\n", f.path, f.count);
        if (config) printf("configuration   %s\n", config);
    }
    if (config || !f.path) {
        example_open(&e, words[0], options);
        if (config) printf("step            %ld\n", e.model.optimizer.step);
        describe_model(&e);
        example_close(&e);
    }
    if (f.path && (tensors || !config)) print_tensors(&f);
    return 0;
}
