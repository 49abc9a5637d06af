/* The graph of a tape as a drawing: see graph.h.
 *
 *     left lanes | labels | nodes, one below the other | labels | right lanes
 *
 * A value that the next node uses is an arrow down.  One that a later node uses goes out
 * of the node's side, down a lane, into the side of its user.  Short wires take the inner
 * lanes, so the skip connections of a U-Net nest.  Labels stand above the start of their
 * wire in a column that no lane passes, so no two texts meet. */
#include <string.h>

#include "apps/support/graph.h"
#include "apps/support/svg.h"

/* ---- what is drawn ----------------------------------------------------------------- */

typedef enum { LEFT, RIGHT, DOWN, SIDES } Side;

typedef struct {
    const char *name, *work, *detail, *memory;      /* the texts of its four corners */
    int kind, block;
    double y;
    int exits[SIDES], entries[SIDES];               /* wires drawn so far */
} Node;

typedef struct {
    const Var *value;
    int from, to;           /* nodes */
    int last;               /* the lane is taken from `from` to `last` */
    Side side;
    int lane;               /* 0 is the innermost; -1: none */
    bool labelled;          /* with its shape; of a bus only the first wire */
} Wire;

typedef struct {
    const Graph *g;
    GraphLevel level;
    Svg svg;                /* its arena owns all that follows */
    Node *node;
    Wire *wire;
    int nodes, wires, lanes[SIDES];
    double labels[SIDES];   /* the width of the column of labels */
    double left;            /* x of the nodes */
} Drawing;

/* A block has the first of these kinds that occurs in it. */
static const struct { const char *label, *colour, *names[4]; } kinds[] = {
    {"attention", "#fde0c4", {"attention"}},
    {"convolution", "#d3e5fb", {"conv2d"}},
    {"linear", "#d5f0da", {"linear", "embedding"}},
    {"loss", "#fad7dc", {"mse", "mean"}},
    {"norm, activation", "#fff2bf", {"group_norm_silu", "group_norm", "silu", "dropout"}},
    {"rearranging", "#e6defa", {"concat", "upsample", "depth_to_space"}},
    {"other", "#eceef2", {0}},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

enum {
    WIDTH = 360, HEIGHT = 44, GAP = 28,     /* of a node, and between two */
    PAD = 14, HEADER = 26,                  /* of a block's box */
    LANE = 12, LABEL = 10,                  /* distance of lanes, size of labels */
    MARGIN = 24, TOP = 96,                  /* of the page, with the heading */
    BUS = 3,                                /* so many far users make a bus */
};

static int kind_of(const Var *y)
{
    for (int k = 0; k < KINDS - 1; k++)
        for (int i = 0; i < 4 && kinds[k].names[i]; i++)
            if (strcmp(kinds[k].names[i], y->op->name) == 0) return k;
    return KINDS - 1;
}

#define TEXT(...) arena_printf(&d->svg.arena, __VA_ARGS__)

static const char *show_bytes(Drawing *d, size_t bytes)
{
    return bytes < 1000000 ? TEXT("%.1f kB", (double)bytes / 1e3)
                           : TEXT("%.1f MB", (double)bytes / 1e6);
}

static const char *show_flops(Drawing *d, double flops)
{
    return flops >= 1e6 ? TEXT("%.2f MFLOP", flops * 1e-6)
         : flops > 0    ? TEXT("%.1f kFLOP", flops * 1e-3) : "";
}

static Node describe_block(Drawing *d, int b)
{
    const GraphBlock *block = &d->g->block[b];
    Node n = {.name = block->name, .work = show_flops(d, block->flops), .kind = KINDS - 1,
              .detail = TEXT("%d operation%s, %zu parameters", block->lines,
                             block->lines == 1 ? "" : "s", block->parameters),
              .memory = TEXT("%s kept", show_bytes(d, block->kept)), .block = b};
    for (int i = block->first; i < block->first + block->lines; i++) {
        int kind = kind_of(d->g->tape->line[i]);
        if (kind < n.kind) n.kind = kind;
    }
    return n;
}

/* The second input of a layer is its weight. */
static Node describe_operation(Drawing *d, int line, int block)
{
    const Var *y = d->g->tape->line[line];
    const char *bytes = show_bytes(d, y->size * sizeof(Real));
    Node n = {.name = TEXT("%d  %s", line, y->op->name), .detail = "", .kind = kind_of(y),
              .work = show_flops(d, y->op->flops ? y->op->flops(y) : 0), .block = block,
              .memory = TEXT("%s %s", bytes, graph_state(y))};
    if (y->inputs > 1 && !y->in[1]->op)
        n.detail = TEXT("%s %s", graph_leaf(y, 1), SHOW(y->in[1]->shape));
    return n;
}

/* Makes the nodes and says where they stand; node_of[line] becomes the node of each line.
 * Returns the height of the page. */
static double place_nodes(Drawing *d, int *node_of)
{
    double y = TOP;
    bool boxes = d->level == GRAPH_OPERATIONS;
    for (int b = 0; b < d->g->blocks; b++) {
        const GraphBlock *block = &d->g->block[b];
        if (boxes) y += HEADER;
        for (int i = block->first; i < block->first + block->lines; i++) {
            if (boxes || i == block->first) {
                Node *n = &d->node[d->nodes++];
                *n = boxes ? describe_operation(d, i, b) : describe_block(d, b);
                n->y = y;
                y += HEIGHT + GAP;
            }
            node_of[i] = d->nodes - 1;
        }
        if (boxes) y += PAD;
    }
    return y;
}

/* ---- wires ------------------------------------------------------------------------- */

/* The nodes after `from` that use value x, in order and each once.  Returns how many. */
static int find_users(const Drawing *d, const Var *x, const int *node_of, int *users)
{
    const Tape *t = d->g->tape;
    int line = graph_line(d->g, x), count = 0;
    for (int l = line + 1; l < t->lines; l++)
        for (int i = 0; i < t->line[l]->inputs; i++)
            if (t->line[l]->in[i] == x && node_of[l] > node_of[line] &&
                (!count || users[count - 1] != node_of[l]))
                users[count++] = node_of[l];
    return count;
}

/* A wire for each node that uses a value.  The first user is often the next node; those
 * further down get the side by their number. */
static void find_wires(Drawing *d, const int *node_of, int *users)
{
    for (int l = 0; l < d->g->tape->lines; l++) {
        const Var *x = d->g->tape->line[l];
        int from = node_of[l], count = find_users(d, x, node_of, users);
        int down = count && users[0] == from + 1, far = count - down;
        Side side = far >= BUS ? LEFT : RIGHT;
        for (int u = 0; u < count; u++)
            d->wire[d->wires++] = (Wire){
                .value = x, .from = from, .to = users[u], .lane = -1,
                .last = users[side == LEFT ? count - 1 : u],
                .side = u < down ? DOWN : side,
                .labelled = side == RIGHT || u <= down,
            };
        double width = far ? svg_text_width(SHOW(x->shape), LABEL) + 12 : 0;
        if (width > d->labels[side]) d->labels[side] = width;
    }
}

/* Are they in one lane at one place?  The wires of a bus, left with one value, may be. */
static bool collide(const Wire *a, const Wire *b)
{
    bool bus = a->side == LEFT && a->value == b->value;
    return a != b && !bus && a->side == b->side && a->lane == b->lane &&
           a->from < b->last && b->from < a->last;
}

/* The innermost lane that no wire placed before takes. */
static void choose_lane(Drawing *d, Wire *w)
{
    bool taken = true;
    while (taken) {
        w->lane++;
        taken = false;
        for (int i = 0; i < d->wires; i++) taken |= collide(w, &d->wire[i]);
    }
    if (w->lane >= d->lanes[w->side]) d->lanes[w->side] = w->lane + 1;
}

/* Short wires first, so that they lie inside the long ones around them. */
static void choose_lanes(Drawing *d)
{
    for (int length = 1; length < d->nodes; length++)
        for (int i = 0; i < d->wires; i++) {
            Wire *w = &d->wire[i];
            if (w->side != DOWN && w->last - w->from == length) choose_lane(d, w);
        }
}

static const char *arrow_style =
    "stroke='#667' stroke-width='1.3' marker-end='url(#arrow)'";
static const char *label_style[SIDES] = {
    "font-size='10' fill='#556' text-anchor='end'", "font-size='10' fill='#556'",
    "font-size='10' fill='#556'"};

/* To the next node; several arrows stand side by side. */
static void draw_down(Drawing *d, const Wire *w)
{
    Node *from = &d->node[w->from];
    double x = d->left + WIDTH / 2.0 + 100 * from->exits[DOWN]++, y = from->y + HEIGHT;
    svg_path(&d->svg, arrow_style, TEXT("M%g %g V%g", x, y, d->node[w->to].y));
    svg_text(&d->svg, x + 8, y + 12, label_style[DOWN], SHOW(w->value->shape));
}

/* Out of the side of one node, round two corners, into the side of the other.  Wires
 * leave in the lower half of a node and come in in the upper. */
static void draw_aside(Drawing *d, const Wire *w)
{
    enum { ROUND = 8, SPACE = 7 };
    Node *from = &d->node[w->from], *to = &d->node[w->to];
    double sign = w->side == LEFT ? -1 : 1, r = sign * ROUND;
    double edge = d->left + (w->side == LEFT ? 0 : WIDTH);
    double lane = edge + sign * (PAD + d->labels[w->side] + LANE * w->lane);
    if (w->labelled) from->exits[w->side]++;
    double out = from->y + HEIGHT - 6 - 2 * SPACE * (from->exits[w->side] - 1);
    double in = to->y + 8 + SPACE * to->entries[w->side]++;
    svg_path(&d->svg, arrow_style,
             TEXT("M%g %g H%g Q%g %g %g %g V%g Q%g %g %g %g H%g",
                  edge, out, lane - r, lane, out, lane, out + ROUND,
                  in - ROUND, lane, in, lane - r, in, edge));
    if (w->labelled)
        svg_text(&d->svg, edge + sign * (PAD + 3), out - 3, label_style[w->side],
                 SHOW(w->value->shape));
}

/* ---- boxes and words --------------------------------------------------------------- */

static void draw_corners(Drawing *d, Box b, const Node *n)
{
    double left = b.x + 12, right = b.x + b.width - 12, upper = b.y + 18;
    double lower = b.y + 35;
    Svg *s = &d->svg;
    svg_text(s, left, upper, "font-size='13' font-weight='bold' fill='#223'", n->name);
    svg_text(s, left, lower, "font-size='10.5' fill='#556'", n->detail);
    svg_text(s, right, upper, "font-size='12' fill='#223' text-anchor='end'", n->work);
    svg_text(s, right, lower, "font-size='10' fill='#556' text-anchor='end'", n->memory);
}

static void draw_nodes(Drawing *d)
{
    for (int i = 0; i < d->nodes; i++) {
        const Node *n = &d->node[i];
        Box b = {d->left, n->y, WIDTH, HEIGHT};
        svg_rect(&d->svg, b,
                 TEXT("rx='6' fill='%s' stroke='#99a'", kinds[n->kind].colour));
        draw_corners(d, b, n);
    }
}

/* The box of each block round its operations, with the block's name and sums. */
static void draw_boxes(Drawing *d)
{
    for (int first = 0, end; first < d->nodes; first = end) {
        int block = d->node[first].block;
        for (end = first; end < d->nodes && d->node[end].block == block;) end++;
        double top = d->node[first].y - HEADER;
        double height = d->node[end - 1].y + HEIGHT + 17 - top;
        svg_rect(&d->svg, (Box){d->left - PAD, top, WIDTH + 2 * PAD, height},
                 "rx='9' fill='#f8f9fb' stroke='#ccd' stroke-dasharray='4 3'");
        Node n = describe_block(d, block);
        svg_text(&d->svg, d->left, top + 17,
                 "font-size='12' font-weight='bold' fill='#446'", n.name);
        svg_text(&d->svg, d->left + WIDTH, top + 17,
                 "font-size='10.5' fill='#446' text-anchor='end'",
                 TEXT("%s%s%s", n.work, n.work[0] ? ", " : "", n.memory));
    }
}

/* Title, totals, and what the colours mean. */
static void draw_heading(Drawing *d, const char *title)
{
    const GraphBlock *sum = &d->g->total;
    double x = MARGIN;
    svg_text(&d->svg, x, 30, "font-size='17' font-weight='bold' fill='#223'", title);
    svg_text(&d->svg, x, 50, "font-size='12' fill='#445'",
             TEXT("%d operations, %zu parameters, %.3f GFLOP forward, %s kept for "
                  "backward", sum->lines, sum->parameters, sum->flops * 1e-9,
                  show_bytes(d, sum->kept)));
    for (int k = 0; k < KINDS; k++) {
        svg_rect(&d->svg, (Box){x, 64, 11, 11},
                 TEXT("rx='2' fill='%s' stroke='#99a'", kinds[k].colour));
        svg_text(&d->svg, x + 15, 73, label_style[RIGHT], kinds[k].label);
        x += 15 + svg_text_width(kinds[k].label, LABEL) + 12;
    }
}

void graph_draw(const Graph *g, GraphLevel level, const char *title, const char *path)
{
    Drawing d = {.g = g, .level = level, .svg.arena = arena_create()};
    size_t lines = (size_t)g->tape->lines;
    Arena *a = &d.svg.arena;
    int *node_of = arena_new(a, int, lines), *users = arena_new(a, int, lines);
    d.node = arena_new(a, Node, lines);
    d.wire = arena_new(a, Wire, lines * MAX_INPUTS);

    double height = place_nodes(&d, node_of);
    find_wires(&d, node_of, users);
    choose_lanes(&d);
    double side[2];
    for (int s = LEFT; s <= RIGHT; s++)
        side[s] = PAD + d.labels[s] + LANE * d.lanes[s] + MARGIN;
    d.left = side[LEFT];

    svg_begin(&d.svg, side[LEFT] + WIDTH + side[RIGHT], height);
    if (level == GRAPH_OPERATIONS) draw_boxes(&d);
    draw_heading(&d, title);
    for (int i = 0; i < d.wires; i++)
        (d.wire[i].side == DOWN ? draw_down : draw_aside)(&d, &d.wire[i]);
    draw_nodes(&d);
    svg_end(&d.svg, path);
}
