/* The road between a golden file and our blocks: parameters in, gradients and outputs of
 * modules out.  See golden_networks.h. */
#include <stdio.h>
#include <string.h>

#include "tensor/error.h"
#include "tests/golden_networks.h"
#include "tests/golden_weights.h"

static const char *under(const char *folder, const char *name)
{
    return arena_printf(scratch(), "%s/%s", folder, name);
}

/* ---- parameters ---------------------------------------------------------------- */

static const char *header(const Golden *g, const char *key)
{
    const char *text = safetensors_metadata(&g->file, key);
    if (!text) fail("%s has no header entry %s", g->file.path, key);
    return text;
}

/* The file's shape of an array is that of our list. */
static void check_shape(Golden *g, const PublishedArray *a)
{
    const char *name = under("shape", a->name);
    const int *d = golden_integers(g, name);
    Shape want = shape_make((int)golden_size(g, name), d);
    if (!shape_equal(a->shape, want))
        fail("%s is %s here, %s in the file", a->name, SHOW(a->shape), SHOW(want));
}

static void check_count(const Golden *g, int count)
{
    int n = 0;
    const char *prefix = arena_printf(scratch(), "%sshape/", g->group);
    for (int i = 0; i < g->file.count; i++)
        n += strncmp(g->file.entries[i].name, prefix, strlen(prefix)) == 0;
    if (n != count) fail("%d arrays here, %d in the file", count, n);
}

void golden_fill(Golden *g, const Published *w, Real *value)
{
    check_count(g, w->count);
    for (int i = 0; i < w->count; i++) {
        const PublishedArray *a = &w->list[i];
        check_shape(g, a);
        GoldenWeights rule = golden_weights(header(g, "weight_rule"), header(g, "salt"),
                                            a->name, a->shape);
        Real *theirs = arena_new(&g->arena, Real, a->size);
        for (size_t k = 0; k < a->size; k++)
            theirs[k] = (Real)golden_weights_value(&rule, (uint32_t)k);
        published_read(a, theirs, value);
    }
}

/* [L2 norm, sum over k of g_k sin k], k from 1. */
static void summarise(const Real *x, size_t n, double out[2])
{
    double squares = 0, waves = 0;
    for (size_t k = 0; k < n; k++) {
        squares += (double)x[k] * (double)x[k];
        waves += (double)x[k] * sin((double)(k + 1));
    }
    out[0] = sqrt(squares);
    out[1] = waves;
}

void golden_compare_gradients(Golden *g, const Published *w, const Real *grad)
{
    double squares = 0;
    for (int i = 0; i < w->count; i++) {
        const PublishedArray *a = &w->list[i];
        double stat[2];
        Real *theirs = arena_new(&g->arena, Real, a->size);
        published_write(a, grad, theirs);
        summarise(theirs, a->size, stat);
        squares += stat[0] * stat[0];
        golden_compare_reals(g, under("gstat", a->name),
                             (Real[]){(Real)stat[0], (Real)stat[1]}, 2);
        golden_compare_reals(g, under("grad", a->name), theirs, a->size);
        golden_compare_reals(g, under("dw", a->name), theirs, a->size);
    }
    golden_compare_reals(g, "grad_total_norm", (Real[]){(Real)sqrt(squares)}, 1);
}

/* ---- images -------------------------------------------------------------------- */

Var *golden_image(Golden *g, Tape *t, const char *name, Real *grad)
{
    Var *x = tape_leaf(t, name, golden_shape(g, name), golden_reals(g, name), grad);
    return permute(t, x, (int[]){0, 2, 3, 1});
}

Var *golden_channels_first(Tape *t, Var *x) { return permute(t, x, (int[]){0, 3, 1, 2}); }

/* ---- outputs of modules -------------------------------------------------------- */

void golden_watch(Tape *t, void (*f)(Var *y), Var *y)
{
    Watcher *w = t->watcher;
    size_t n = y->size / (size_t)y->shape.dim[0];
    f(y);
    if (f != y->op->forward || t->done) return;
    require(t->lines <= w->room, "more than %d lines", w->room);
    Real *copy = w->kept[t->lines - 1] = arena_new(w->arena, Real, n);
    memcpy(copy, y->value, n * sizeof(Real));
}

static bool is_within(const char *name, const char *module)
{
    size_t n = strlen(module);
    return strncmp(name, module, n) == 0 && name[n] == '.';
}

static bool reads(const Var *y, const Real *value)
{
    for (int i = 0; i < y->inputs; i++)
        if (!y->in[i]->op && y->in[i]->value == value) return true;
    return false;
}

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* The line that computes a module's output: the last that reads a parameter of it and, as
 * a block ends with a sum, what follows in its scope.  Two scopes hold more than one
 * module: the embedding, and the pyramid with the sum into which it goes. */
static int find_output(const Published *w, const Pass *pass, const char *module)
{
    const Tape *t = pass->tape;
    int y = -1;
    for (int i = 0; i < w->count; i++)
        for (int k = 0; is_within(w->list[i].name, module) && k < t->lines; k++)
            if (k > y && reads(t->line[k], pass->weights + w->list[i].first)) y = k;
    if (y < 0) fail("module %s reads no parameter here", module);
    const char *scope = t->line[y]->scope;
    if (same_text(scope, "time") || same_text(scope, "conv_out")) return y;
    bool pyramid = scope && strstr(scope, "pyramid");
    while (y + 1 < t->lines && same_text(t->line[y + 1]->scope, scope) &&
           !(pyramid && same_text(t->line[y + 1]->op->name, "add")))
        y++;
    return y;
}

/* The norm before the last convolution is one operation with its SiLU: without, it is
 * computed again from its input. */
static const Real *find_value(Pass *pass, int line, const GroupNorm *norm_out)
{
    Tape *t = pass->tape;
    Watcher *watcher = t->watcher;
    Var *y = t->line[line], *x = y->in[0];
    if (!same_text(y->op->name, "group_norm_silu")) return watcher->kept[line];
    int source = 0;
    while (t->line[source] != x) source++;
    const int *d = x->shape.dim;
    Var *kept =
        tape_leaf(t, "kept", SHAPE(1, d[1], d[2], d[3]), watcher->kept[source], NULL);
    return group_norm_forward(pass, norm_out, kept)->value;
}

/* The file has the first channels of the first sample: [channels, H, W], or [channels].
 * */
static void compare_module(Golden *g, const char *name, const Var *y, const Real *value)
{
    size_t n = golden_size(g, name), C = (size_t)shape_last(y->shape);
    size_t pixels = y->size / C / (size_t)y->shape.dim[0];
    Real *theirs = arena_new(&g->arena, Real, n);
    for (size_t i = 0; i < n; i++) theirs[i] = value[i % pixels * C + i / pixels];
    golden_compare_reals(g, name, theirs, n);
}

void golden_compare_modules(Golden *g, const Published *w, Pass *pass,
                            const GroupNorm *norm_out)
{
    const char *prefix = arena_printf(&g->arena, "%sact/", g->group);
    size_t n = strlen(prefix);
    for (int i = 0; i < g->file.count; i++) {
        const char *name = g->file.entries[i].name;
        if (strncmp(name, prefix, n) != 0) continue;
        int line = find_output(w, pass, name + n);
        const Real *value = find_value(pass, line, norm_out);
        compare_module(g, name + strlen(g->group), pass->tape->line[line], value);
    }
}
