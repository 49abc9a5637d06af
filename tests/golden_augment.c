/* Augmentation against EDM's code (augment.safetensors).  A group is a set of kinds:
 * those whose numbers the file gives, each image's in a column. */
#include <string.h>

#include "diffusion/augment.h"
#include "diffusion/warp.h"
#include "tests/golden.h"

/* In the order of augment.h: where the file has the numbers of each kind. */
static const struct {
    const char *kind, *first, *second;
} given[AUGMENTATIONS] = {
    {"xflip", "w", NULL},      {"yflip", "w", NULL},
    {"rotate_int", "w", NULL}, {"translate_int", "tx_ty", NULL},
    {"scale", "w", NULL},      {"rotate_frac", "angle", NULL},
    {"aniso", "w", "r"},       {"translate_frac", "w", NULL},
    {"brightness", "w", NULL}, {"contrast", "w", NULL},
    {"lumaflip", "w", NULL},   {"hue", "angle", NULL},
    {"saturation", "w", NULL},
};

/* Number i of image n of N: from a tensor [N], from a row of [2, N], or from a second
 * tensor. */
static double number_of(Golden *g, int k, int i, int n, int N)
{
    const char *which = i && given[k].second ? given[k].second : given[k].first;
    const char *name = arena_printf(&g->arena, "param/%s/%s", given[k].kind, which);
    size_t at = (size_t)(given[k].second ? n : i * N + n);
    return at < golden_size(g, name) ? golden_number(g, name, at) : 0;
}

/* [N, C, H, W] in the file, [H, W, C] here. */
static void run_image(Golden *g, unsigned kinds, const double *in, double *out,
                      double *label, const Augment *a, const Picture *size)
{
    int pixels = size->H * size->W;
    double *x = arena_new(&g->arena, double, (size_t)(pixels * size->C));
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < size->C; c++) x[p * size->C + c] = in[c * pixels + p];
    augment_apply(kinds, a, size, x, label);
    for (int p = 0; p < pixels; p++)
        for (int c = 0; c < size->C; c++) out[c * pixels + p] = x[p * size->C + c];
}

static void run_group(Golden *g, const double *in, Shape shape)
{
    int N = shape.dim[0];
    Picture size = {shape.dim[2], shape.dim[3], shape.dim[1]};
    const char *names = "";
    for (int k = 0; k < AUGMENTATIONS; k++)
        if (golden_has(g, arena_printf(&g->arena, "param/%s/%s", given[k].kind,
                                       given[k].first)))
            names = arena_printf(&g->arena, "%s%s%s", names, *names ? "," : "",
                                 given[k].kind);
    unsigned kinds = augment_kinds(names);
    int labels = augment_label_count(kinds);
    size_t D = shape_size(shape) / (size_t)N;
    double *out = arena_new(&g->arena, double, (size_t)N * D);
    double *label = arena_new(&g->arena, double, (size_t)(N * labels));
    for (int n = 0; n < N; n++) {
        Augment a = {0};
        for (int k = 0; k < AUGMENTATIONS; k++)
            for (int i = 0; i < 2 && kinds >> k & 1; i++)
                a.w[k][i] = number_of(g, k, i, n, N);
        run_image(g, kinds, in + (size_t)n * D, out + (size_t)n * D, label + n * labels,
                  &a, &size);
    }
    golden_compare_numbers(g, "out", out, (size_t)N * D);
    golden_compare_numbers(g, "labels", label, (size_t)(N * labels));
}

void golden_augment(Golden *g)
{
    Shape shape = golden_shape(g, "in/images");
    const double *in = golden_numbers(g, "in/images");
    golden_compare_numbers(g, "sym6", warp_filter, WARP_TAPS);
    for (int i = 0; i < g->file.count; i++) {
        const char *name = g->file.entries[i].name, *end = strstr(name, "/out");
        if (!end) continue;
        g->group = arena_printf(&g->arena, "%.*s/", (int)(end - name), name);
        run_group(g, in, shape);
        g->group = "";
    }
}
