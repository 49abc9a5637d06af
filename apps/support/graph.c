/* The graph of a tape, as numbers and as text: see graph.h. */
#include "apps/support/graph.h"

#include <string.h>

/* Was the leaf x an input before input i of line `line`?  Each use of a parameter makes a
 * leaf of its own, so it is the array that tells. */
static bool seen_before(const Tape *t, const Var *x, int line, int i)
{
    for (int l = 0; l <= line; l++)
        for (int k = 0; k < (l < line ? t->line[l]->inputs : i); k++)
            if (t->line[l]->in[k]->value == x->value) return true;
    return false;
}

/* The numbers in the parameters that line `line` is the first to use. */
static size_t count_parameters(const Tape *t, int line)
{
    size_t sum = 0;
    const Var *y = t->line[line];
    for (int i = 0; i < y->inputs; i++)
        if (!y->in[i]->op && y->in[i]->needs_grad && !seen_before(t, y->in[i], line, i))
            sum += y->in[i]->size;
    return sum;
}

/* Adds a line's costs to a sum.  After forward, what discard did not free is kept. */
static void add_line(GraphBlock *b, const Tape *t, int line)
{
    const Var *y = t->line[line];
    b->lines++;
    b->parameters += count_parameters(t, line);
    if (y->value) b->kept += y->size * sizeof(Real);
    if (y->op->flops) b->flops += y->op->flops(y);
}

/* Neighbours in one scope are one block; a scope that comes back later is another. */
Graph graph_create(Arena *a, const Tape *t)
{
    Graph g = {.tape = t, .block = arena_new(a, GraphBlock, (size_t)t->lines),
               .total = {.name = "total"}};
    GraphBlock *b = NULL;
    for (int i = 0; i < t->lines; i++) {
        const char *scope = t->line[i]->scope ? t->line[i]->scope : "(no block)";
        if (!b || strcmp(b->name, scope) != 0) {
            b = &g.block[g.blocks++];
            *b = (GraphBlock){.name = scope, .first = i};
        }
        add_line(b, t, i);
        add_line(&g.total, t, i);
    }
    return g;
}

int graph_line(const Graph *g, const Var *x)
{
    int i = g->tape->lines - 1;
    while (i >= 0 && g->tape->line[i] != x) i--;
    return i;
}

/* The conditions of discard in autograd/tape.c. */
const char *graph_state(const Var *x)
{
    bool needed = x->wanted || (x->needs_grad && x->op->reads_output);
    return x->value ? "kept" : needed ? "again" : "freed";
}

const char *graph_leaf(const Var *y, int i)
{
    const char *name = y->in[i]->name;
    size_t n = y->scope ? strlen(y->scope) : 0;
    return n && strncmp(name, y->scope, n) == 0 && name[n] == '.' ? name + n + 1 : name;
}

/* Operations by number, leaves by name. */
static void print_inputs(const Graph *g, const Var *y, FILE *to)
{
    for (int i = 0; i < y->inputs; i++)
        if (y->in[i]->op) fprintf(to, " %d", graph_line(g, y->in[i]));
        else fprintf(to, " %s", graph_leaf(y, i));
    fprintf(to, "\n");
}

void graph_print_operations(const Graph *g, FILE *to)
{
    fprintf(to, "%4s  %-20s %-15s %-20s %9s %-5s %10s  inputs\n", "", "block",
            "operation", "output", "kB", "", "MFLOP");
    for (int i = 0; i < g->tape->lines; i++) {
        const Var *y = g->tape->line[i];
        fprintf(to, "%4d  %-20s %-15s %-20s %9.1f %-5s %10.3f ", i,
                y->scope ? y->scope : "", y->op->name, SHOW(y->shape),
                (double)(y->size * sizeof(Real)) / 1e3, graph_state(y),
                y->op->flops ? y->op->flops(y) * 1e-6 : 0);
        print_inputs(g, y, to);
    }
}

/* The columns of the header in graph_print_blocks. */
static void print_block(const GraphBlock *b, FILE *to)
{
    fprintf(to, "%-20s %10d %12zu %12.1f %12.3f\n", b->name, b->lines, b->parameters,
            (double)b->kept / 1e3, b->flops * 1e-6);
}

void graph_print_blocks(const Graph *g, FILE *to)
{
    fprintf(to, "%-20s %10s %12s %12s %12s\n", "block", "operations", "parameters",
            "kept kB", "MFLOP");
    for (int b = 0; b < g->blocks; b++) print_block(&g->block[b], to);
    print_block(&g->total, to);
}
