/* The graph that a tape is: its operations, their blocks, what they cost.
 *
 * Made of a tape after the forward half of a training step, when what backward will read
 * is still there.  A block is a run of operations in one scope (autograd/tape.h); its
 * costs are the sums of theirs.  Nothing here knows a model.
 *
 * Memory.  Each value is in one of three states: kept for backward; "again": dropped by
 * discard and computed again in backward; "freed": nobody needs it any more. */
#ifndef APPS_SUPPORT_GRAPH_H
#define APPS_SUPPORT_GRAPH_H

#include <stdio.h>

#include "autograd/tape.h"

typedef struct {
    const char *name;           /* the scope */
    int first, lines;           /* its operations on the tape */
    size_t parameters;          /* numbers, where each is used first */
    size_t kept;                /* bytes of values kept for backward */
    double flops;               /* of forward */
} GraphBlock;

typedef struct {
    const Tape *tape;
    GraphBlock *block;
    int blocks;
    GraphBlock total;
} Graph;

/* The arena owns it; it reads the tape as long as it lives. */
Graph graph_create(Arena *a, const Tape *t);

/* The line of x, or -1 if it is a leaf. */
int graph_line(const Graph *g, const Var *x);

/* The name of the leaf y->in[i], without the block's name if it begins with it. */
const char *graph_leaf(const Var *y, int i);

/* "kept", "again" or "freed". */
const char *graph_state(const Var *x);

/* A table of one line an operation, or of one line a block and the total. */
void graph_print_operations(const Graph *g, FILE *to);
void graph_print_blocks(const Graph *g, FILE *to);

/* Draws it from top to bottom as SVG, in a file: each block a node, or each operation, in
 * the box of its block.  Values that are used further down run along the right side;
 * those with three or more such uses (the time embedding) along the left. */
typedef enum { GRAPH_BLOCKS, GRAPH_OPERATIONS } GraphLevel;
void graph_draw(const Graph *g, GraphLevel level, const char *title, const char *path);

#endif
