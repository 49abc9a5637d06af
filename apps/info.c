/* drift info: what is in a run, a .safetensors file or a preset. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/example.h"
#include "apps/support/graph.h"
#include "apps/support/statistics.h"
#include "tensor/error.h"
#include "tensor/npy.h"

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

static void print_metadata(const SafeTensors *f)
{
    if (!f->metadata) return;
    for (const Json *m = f->metadata->child; m; m = m->next)
        printf("%-15s %s\n", m->name, m->text);
}

int info_main(int argc, char **argv)
{
    const char *words[1];
    bool tensors = false;
    Example e = EXAMPLE;
    Option options[] = {
        {"tensors", OPTION_FLAG, &tensors, NULL, "list the arrays of a run too", 0},
        EXAMPLE_OPTIONS(&e),
        {0},
    };
    Usage usage = {
        "drift info RUN|FILE|PRESET [options]",
        "Tells what a run folder or a preset holds: for a model what each block\n"
        "costs.  Of another .safetensors, .npy or .npz file it lists the arrays,\n"
        "with the range and mean of their numbers.", 1};
    if (options_parse(argc, argv, &usage, options, words) != 1)
        fail_usage("which run, file or preset?  usage: %s", usage.synopsis);

    Arena a = arena_create();
    SafeTensors f = {0};
    const char *config = NULL;
    if (file_exists(words[0])) {
        Bytes b = file_read(&a, run_checkpoint(&a, words[0]));
        f = npy_is(b) ? npy_parse(&a, b) : safetensors_parse(&a, b);
        if (safetensors_metadata(&f, "format") &&
            strcmp(safetensors_metadata(&f, "format"), "drift") == 0)
            config = safetensors_metadata(&f, "config");
        printf("%s: %d arrays\n", f.path, f.count);
        print_metadata(&f);
    }
    if (config || !f.path) {
        example_open(&e, words[0], options);
        describe_model(&e);
        example_close(&e);
    }
    if (f.path && (tensors || !config)) statistics_print(&f);
    return 0;
}
