/* The graph of a tape: scopes, sums, the listing, a drawing that is XML and legible. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/support/graph.h"
#include "apps/support/svg.h"
#include "nn/unet.h"
#include "tests/check.h"

static const UNetConfig tiny = {
    .height = 8, .width = 8, .channels = 2, .out_channels = 2, .base = 8, .levels = 2,
    .mult = {1, 2}, .blocks = 1, .attention = {4}, .classes = 3,
    .style = {.heads = 2, .groups = 4, .dropout = 0.1}};

typedef struct {
    Arena arena;
    Params params;
    UNet net;
    Tape tape;
    Graph graph;
    Real x[2 * 8 * 8 * 2];
} Fixture;

static void set_up(Fixture *f)
{
    f->arena = arena_create();
    f->params = params_create();
    f->net = unet_init(&f->params, &tiny);
    params_allocate(&f->params, 1);
    f->tape = tape_create();
    fill_uniform(f->x, NELEM(f->x), 7);
    Var *x = tape_leaf(&f->tape, "x", SHAPE(2, 8, 8, 2), f->x, NULL);
    Pass pass = pass_training(&f->tape, &f->params, random_stream(1, 1, 1));
    Condition c = {.t = (double[]){3, 500}, .label = (int[]){2, 0}};
    mean(&f->tape, unet_forward(&pass, &f->net, x, &c), ALL_AXES);
    f->graph = graph_create(&f->arena, &f->tape);
}

static void tear_down(Fixture *f)
{
    arena_destroy(&f->arena);
    params_destroy(&f->params);
    tape_destroy(&f->tape);
}

static void scopes_are_recorded(void)
{
    static const char *const names[] = {
        "time", "conv_in", "down.0.0", "down.0.downsample", "down.1.0",
        "down.1.0.attention", "middle.0", "middle.attention", "middle.1", "up.1.0",
        "up.1.0.attention", "up.1.1", "up.1.1.attention", "up.1.upsample", "up.0.0",
        "up.0.1", "conv_out", "(no block)"};
    Fixture f;
    set_up(&f);
    check_int(f.graph.blocks, NELEM(names));
    for (int b = 0; b < NELEM(names) && b < f.graph.blocks; b++)
        check_text(f.graph.block[b].name, names[b]);
    check(tape_scope(&f.tape, "a") == NULL);        /* the network restored it */
    check_text(tape_scope(&f.tape, "b"), "a");
    tape_reset(&f.tape);
    check(tape_scope(&f.tape, NULL) == NULL);
    tear_down(&f);
}

static void the_blocks_add_up(void)
{
    Fixture f;
    set_up(&f);
    GraphBlock sum = {0};
    for (int b = 0; b < f.graph.blocks; b++) {
        const GraphBlock *block = &f.graph.block[b];
        check_int(block->first, sum.lines);
        sum.lines += block->lines, sum.parameters += block->parameters;
        sum.kept += block->kept, sum.flops += block->flops;
    }
    check_int(sum.lines, f.tape.lines);
    check_int((long long)sum.parameters, (long long)f.params.size);
    check_close(sum.flops / tape_flops(&f.tape), 1, 1e-12);
    check_close(f.graph.total.flops / sum.flops, 1, 1e-12);
    /* The pool rounds each value up to a cache line. */
    check(sum.kept == f.graph.total.kept && sum.kept <= f.tape.pool.in_use);
    check(f.tape.pool.in_use < sum.kept + 64 * (size_t)f.tape.lines);
    tear_down(&f);
}

/* A parameter that two operations share is one parameter. */
static void shared_parameters_count_once(void)
{
    Arena a = arena_create();
    Tape t = tape_create();
    Real x[4] = {0}, w[4] = {0}, dw[4];
    Var *h = tape_leaf(&t, "x", SHAPE(2, 2), x, NULL);
    for (int i = 0; i < 2; i++)
        h = linear(&t, h, tape_leaf(&t, "w", SHAPE(2, 2), w, dw), NULL);
    check_int((long long)graph_create(&a, &t).total.parameters, 4);
    tape_destroy(&t);
    arena_destroy(&a);
}

static char *read_text(Arena *a, const char *path)
{
    Bytes b = file_read(a, path);
    return arena_printf(a, "%.*s", (int)b.size, (const char *)b.data);
}

static int count_lines(const char *text)
{
    int n = 0;
    while ((text = strchr(text, '\n')) != NULL) n++, text++;
    return n;
}

static void the_listing_has_a_line_for_each_operation(void)
{
    Fixture f;
    set_up(&f);
    char *path = arena_printf(&f.arena, "%s/list", test_folder());
    FILE *out = fopen(path, "w");
    graph_print_operations(&f.graph, out);
    fclose(out);
    char *text = read_text(&f.arena, path);
    check_int(count_lines(text), f.tape.lines + 1);
    check(strstr(text, " 6  conv_in              conv2d          [2, 8, 8, 8]") != NULL);
    check(strstr(text, " x weight bias\n") != NULL);

    out = fopen(path, "w");
    graph_print_blocks(&f.graph, out);
    fclose(out);
    check_int(count_lines(read_text(&f.arena, path)), f.graph.blocks + 2);
    tear_down(&f);
}

/* ---- the drawing ------------------------------------------------------------------- */

/* Well-formed, of the XML that svg.c writes: elements with attributes in single quotes,
 * texts whose only special characters are &lt; and &amp;.  Returns where it is not, or
 * NULL. */
static const char *find_xml_error(const char *s)
{
    enum { DEPTH = 8, NAME = 16 };
    char open[DEPTH][NAME];
    int depth = 0;
    for (const char *p = strstr(s, "?>") ? strstr(s, "?>") + 2 : s; *p; p++) {
        bool entity = strncmp(p, "&lt;", 4) == 0 || strncmp(p, "&amp;", 5) == 0;
        if (*p == '&' && !entity) return p;
        if ((unsigned char)*p < ' ' && *p != '\n') return p;
        if (*p != '<') continue;
        bool closes = p[1] == '/', empty = false;
        p += closes ? 2 : 1;
        size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz");
        if (n == 0 || n >= NAME) return p;
        const char *name = p;
        for (p += n; *p != '>'; p++) {
            if (*p == '\'' && !(p = strchr(p + 1, '\''))) return name;
            if (*p == '<' || !*p) return name;
            empty = *p == '/' && p[1] == '>';
        }
        if (closes && (depth-- == 0 || strncmp(open[depth], name, n) != 0 ||
                       open[depth][n]))
            return name;
        if (!closes && !empty) {
            if (depth == DEPTH) return name;
            snprintf(open[depth++], NAME, "%.*s", (int)n, name);
        }
    }
    return depth == 0 ? NULL : "the end";
}

static const char *find_attribute(const char *element, const char *name)
{
    const char *end = strchr(element, '>'), *at = strstr(element, name);
    return at && at < end ? at + strlen(name) : NULL;
}

/* The boxes of all texts, judged as svg_text_width does.  Returns how many. */
static int find_texts(const char *svg, Box boxes[], int most)
{
    int n = 0;
    for (const char *p = svg; (p = strstr(p, "<text ")) != NULL && n < most; p++) {
        double size = atof(find_attribute(p, "font-size='"));
        const char *words = strchr(p, '>') + 1;
        size_t length = strcspn(words, "<");
        double x = atof(find_attribute(p, " x='")), y = atof(find_attribute(p, " y='"));
        Box b = {x, y - 0.8 * size, svg_text_width("x", size) * (double)length, size};
        if (find_attribute(p, "text-anchor='end'")) b.x -= b.width;
        if (length) boxes[n++] = b;
    }
    return n;
}

static bool overlap(Box a, Box b)
{
    return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height &&
           b.y < a.y + a.height;
}

static void check_drawing(Fixture *f, GraphLevel level, const char *title)
{
    enum { MOST = 2000 };
    const char *path = arena_printf(&f->arena, "%s/g.svg", test_folder());
    graph_draw(&f->graph, level, title, path);
    const char *svg = read_text(&f->arena, path), *error = find_xml_error(svg);
    check_text(error ? arena_printf(&f->arena, "%.60s", error) : "", "");

    Box *text = arena_new(&f->arena, Box, MOST);
    int texts = find_texts(svg, text, MOST), overlaps = 0, outside = 0;
    const char *root = strstr(svg, "<svg ");
    double width = atof(find_attribute(root, " width='"));
    double height = atof(find_attribute(root, " height='"));
    for (int i = 0; i < texts; i++) {
        Box b = text[i];
        outside += b.x < 0 || b.y < 0 || b.x + b.width > width || b.y + b.height > height;
        for (int k = 0; k < i; k++) overlaps += overlap(text[k], b);
    }
    check(texts > 3 * (level == GRAPH_BLOCKS ? f->graph.blocks : f->tape.lines));
    check_int(overlaps, 0);
    check_int(outside, 0);
}

static void drawings_are_well_formed_and_legible(void)
{
    Fixture f;
    set_up(&f);
    check_drawing(&f, GRAPH_BLOCKS, "blocks");
    check_drawing(&f, GRAPH_OPERATIONS, "a < b & 'c' \x01\xff");
    tear_down(&f);
}

static void the_checker_of_xml_sees_mistakes(void)
{
    check(!find_xml_error("<?xml?><a x='1>2'><b/>t &lt; &amp;</a>\n"));
    static const char *const wrong[] = {
        "<a>", "<a></b>", "<a x='1></a>", "<a>&</a>", "</a>", "<a>\x01</a>",
        "<a><b></a></b>", "<a", "<a><</a>"};
    for (int i = 0; i < NELEM(wrong); i++) check(find_xml_error(wrong[i]) != NULL);
}

static const Test tests[] = {
    T(scopes_are_recorded), T(the_blocks_add_up), T(shared_parameters_count_once),
    T(the_listing_has_a_line_for_each_operation), T(drawings_are_well_formed_and_legible),
    T(the_checker_of_xml_sees_mistakes),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
