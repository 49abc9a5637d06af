/* drift graph: what a training step does, as a list of operations and as a drawing. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/example.h"
#include "apps/support/graph.h"
#include "tensor/error.h"

static GraphLevel level_find(const char *name)
{
    static const char *const names[] = {"block", "op"};  /* in the order of GraphLevel */
    for (int i = 0; i < 2; i++)
        if (strcmp(name, names[i]) == 0) return (GraphLevel)i;
    fail_usage("--level %s: want block or op", name);
}

int graph_main(int argc, char **argv)
{
    const char *words[1], *out = NULL, *level = "block";
    Example e = EXAMPLE;
    Option options[] = {
        {"out", OPTION_TEXT, &out, "FILE.svg", "draw it there [only list it]", 0},
        {"level", OPTION_TEXT, &level, "block|op", "what a node of the drawing is", 0},
        EXAMPLE_OPTIONS(&e),
        {0},
    };
    Usage usage = {"drift graph PRESET|RUN [options]",
                   "Lists the operations of a training step, forward, and draws their\n"
                   "graph.", 1};
    if (options_parse(argc, argv, &usage, options, words) != 1)
        fail_usage("which preset or run?  usage: %s", usage.synopsis);
    GraphLevel l = level_find(level);
    example_open(&e, words[0], options);

    Arena a = arena_create();
    Tape t = tape_create();
    example_loss(&e, &t);
    Graph g = graph_create(&a, &t);
    graph_print_operations(&g, stdout);
    const UNetConfig *c = &e.model.config.unet;
    char *title = arena_printf(&a, "%s: a training step, %d x %dx%dx%d", words[0],
                               e.batch, c->height, c->width, c->channels);
    printf("%s: %zu parameters, %.3f GFLOP forward, %.1f MB kept for backward\n", title,
           g.total.parameters, g.total.flops * 1e-9, (double)g.total.kept / 1e6);
    if (out) {
        graph_draw(&g, l, title, out);
        printf("  %s\n", out);
    }
    tape_destroy(&t);
    arena_destroy(&a);
    example_close(&e);
    return 0;
}
