/* Augmentation: see augment.h.
 *
 * Mirrors, quarter turns and whole shifts move pixels.  Everything else is one matrix of
 * the plane, kept as its inverse because each output pixel asks where it comes from, and
 * one matrix of the colours.  Both are 4 x 4 on (x, y, z, 1) or (r, g, b, 1). */
#include "diffusion/augment.h"

#include <math.h>
#include <string.h>

#include "diffusion/warp.h"
#include "tensor/error.h"
#include "tensor/memory.h"

static const double pi = 3.14159265358979323846;
static const double largest_shift = 0.125;      /* of the side */
static const double vertical[3] = {0, 0, 1};    /* turning about it turns the plane */
static const double gray[3] = {0.57735026918962576, 0.57735026918962576,
                               0.57735026918962576};

const char augment_edm[] = "xflip,yflip,scale,rotate_frac,aniso,translate_frac";

/* An image on its way. */
typedef struct {
    Picture size;
    double *x;
    Matrix inverse, colour;
    bool warped, coloured;
} Work;

/* ---- draws: the numbers of a kind from row r, index i on --------------------------- */

static void draw_coin(Random r, uint64_t i, const Picture *p, double *w)
{
    (void)p, w[0] = random_below(r, i, 2);
}

static void draw_turns(Random r, uint64_t i, const Picture *p, double *w)
{
    (void)p, w[0] = random_below(r, i, 4);
}

static void draw_pixels(Random r, uint64_t i, const Picture *p, double *w)
{
    w[0] = nearbyint((2 * random_uniform(r, i) - 1) * p->W * largest_shift);
    w[1] = nearbyint((2 * random_uniform(r, i + 1) - 1) * p->H * largest_shift);
}

static void draw_normals(Random r, uint64_t i, const Picture *p, double *w)
{
    (void)p, random_normals(r, i, 2, w);
}

static void draw_angle(Random r, uint64_t i, const Picture *p, double *w)
{
    (void)p, w[0] = (2 * random_uniform(r, i) - 1) * pi;
}

static void draw_axis(Random r, uint64_t i, const Picture *p, double *w)
{
    (void)p, w[0] = random_normal(r, i);
    w[1] = random_below(r, i + 2, 2) ? (2 * random_uniform(r, i + 3) - 1) * pi : 0;
}

/* ---- labels ------------------------------------------------------------------------ */

static void label_same(const double *w, const Picture *p, double *y)
{
    (void)p, y[0] = w[0];
}

static void label_both(const double *w, const Picture *p, double *y)
{
    (void)p, y[0] = w[0], y[1] = w[1];
}

static void label_turns(const double *w, const Picture *p, double *y)
{
    (void)p, y[0] = w[0] == 1 || w[0] == 2, y[1] = w[0] == 2 || w[0] == 3;
}

static void label_pixels(const double *w, const Picture *p, double *y)
{
    y[0] = w[0] / (p->W * largest_shift), y[1] = w[1] / (p->H * largest_shift);
}

static void label_angle(const double *w, const Picture *p, double *y)
{
    (void)p, y[0] = cos(w[0]) - 1, y[1] = sin(w[0]);
}

static void label_axis(const double *w, const Picture *p, double *y)
{
    (void)p, y[0] = w[0] * cos(w[1]), y[1] = w[0] * sin(w[1]);
}

/* ---- pixels moved: y(h, w) = x(from(h, w)) ----------------------------------------- */

static void move_pixels(Work *k, const double *w,
                        void (*from)(const Picture *p, const double *w, int *row,
                                     int *column))
{
    size_t C = (size_t)k->size.C, n = (size_t)(k->size.H * k->size.W) * C;
    size_t mark = arena_mark(scratch());
    double *x = arena_new(scratch(), double, n), *y = k->x;
    memcpy(x, k->x, n * sizeof *x);
    for (int i = 0; i < k->size.H; i++)
        for (int j = 0; j < k->size.W; j++, y += C) {
            int row = i, column = j;
            from(&k->size, w, &row, &column);
            memcpy(y, x + (size_t)(row * k->size.W + column) * C, C * sizeof *y);
        }
    arena_rewind(scratch(), mark);
}

static void mirror(const Picture *p, const double *w, int *row, int *column)
{
    if (w[0]) *column = p->W - 1 - *column;
    if (w[1]) *row = p->H - 1 - *row;
}

/* Mirrored as the labels say, then rows and columns exchanged for an odd number. */
static void turn(const Picture *p, const double *w, int *row, int *column)
{
    double mirrored[2];
    int i = *row, j = *column;
    label_turns(w, p, mirrored);
    if (w[0] == 1 || w[0] == 3) *row = j, *column = i;
    mirror(p, mirrored, row, column);
}

static void shift(const Picture *p, const double *w, int *row, int *column)
{
    *column = reflect(*column - (int)w[0], p->W);
    *row = reflect(*row + (int)w[1], p->H);
}

static void apply_xflip(Work *k, const double *w)
{
    move_pixels(k, (double[]){w[0], 0}, mirror);
}
static void apply_yflip(Work *k, const double *w)
{
    move_pixels(k, (double[]){0, w[0]}, mirror);
}
static void apply_shift(Work *k, const double *w) { move_pixels(k, w, shift); }

static void apply_turns(Work *k, const double *w)
{
    require(k->size.H == k->size.W, "quarter turns of %dx%d", k->size.H, k->size.W);
    move_pixels(k, w, turn);
}

/* ---- the plane --------------------------------------------------------------------- */

static void warp(Work *k, Matrix m)
{
    k->inverse = matrix_product(k->inverse, m);
    k->warped = true;
}

static void apply_scale(Work *k, const double *w)
{
    double s = exp2(0.2 * w[0]);
    warp(k, matrix_scale(1 / s, 1 / s, 1));
}

static void apply_angle(Work *k, const double *w)
{
    warp(k, matrix_rotate(vertical, w[0]));
}

static void apply_aniso(Work *k, const double *w)
{
    double s = exp2(0.2 * w[0]);
    warp(k, matrix_rotate(vertical, -w[1]));
    warp(k, matrix_scale(1 / s, s, 1));
    warp(k, matrix_rotate(vertical, w[1]));
}

static void apply_translate(Work *k, const double *w)
{
    warp(k, matrix_translate(-w[0] * k->size.W * largest_shift,
                             -w[1] * k->size.H * largest_shift, 0));
}

/* ---- colours ----------------------------------------------------------------------- */

static void recolour(Work *k, Matrix m)
{
    k->colour = matrix_product(m, k->colour);
    k->coloured = true;
}

static void apply_brightness(Work *k, const double *w)
{
    recolour(k, matrix_translate(0.2 * w[0], 0.2 * w[0], 0.2 * w[0]));
}

static void apply_contrast(Work *k, const double *w)
{
    double c = exp2(0.5 * w[0]);
    recolour(k, matrix_scale(c, c, c));
}

static void apply_hue(Work *k, const double *w)
{
    recolour(k, matrix_rotate(gray, w[0]));
}
static void apply_lumaflip(Work *k, const double *w)
{
    recolour(k, matrix_stretch(gray, 1 - 2 * w[0], 1));
}
static void apply_saturation(Work *k, const double *w)
{
    recolour(k, matrix_stretch(gray, 1, exp2(w[0])));
}

/* Gray images take the mean of the three colours that their gray would become. */
static void execute_colour(Work *k)
{
    const double (*m)[4] = (const double (*)[4])k->colour.at;
    int C = k->size.C;
    require(C == 1 || C == 3, "the colours of %d channels", C);
    double *x = k->x;
    for (int p = 0; p < k->size.H * k->size.W; p++, x += C) {
        double in[4] = {x[0], x[C > 1], x[C > 1 ? 2 : 0], 1}, out[3] = {0};
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 4; j++) out[i] += m[i][j] * in[j];
        if (C == 1) x[0] = (out[0] + out[1] + out[2]) / 3;
        else memcpy(x, out, sizeof out);
    }
}

/* ---- the table --------------------------------------------------------------------- */

static const struct Kind {
    const char *name;
    bool always;                /* w itself says whether; p does not */
    void (*draw)(Random r, uint64_t i, const Picture *p, double *w);
    int labels;
    void (*label)(const double *w, const Picture *p, double *y);
    void (*apply)(Work *k, const double *w);
} kinds[AUGMENTATIONS] = {
    {"xflip", true, draw_coin, 1, label_same, apply_xflip},
    {"yflip", false, draw_coin, 1, label_same, apply_yflip},
    {"rotate_int", false, draw_turns, 2, label_turns, apply_turns},
    {"translate_int", false, draw_pixels, 2, label_pixels, apply_shift},
    {"scale", false, draw_normals, 1, label_same, apply_scale},
    {"rotate_frac", false, draw_angle, 2, label_angle, apply_angle},
    {"aniso", false, draw_axis, 2, label_axis, apply_aniso},
    {"translate_frac", false, draw_normals, 2, label_both, apply_translate},
    {"brightness", false, draw_normals, 1, label_same, apply_brightness},
    {"contrast", false, draw_normals, 1, label_same, apply_contrast},
    {"lumaflip", false, draw_coin, 1, label_same, apply_lumaflip},
    {"hue", false, draw_angle, 2, label_angle, apply_hue},
    {"saturation", false, draw_normals, 1, label_same, apply_saturation},
};

unsigned augment_kinds(const char *names)
{
    unsigned set = 0;
    for (const char *p = names; *p;) {
        size_t n = strcspn(p, ",");
        int k = 0;
        while (k < AUGMENTATIONS &&
               (strlen(kinds[k].name) != n || strncmp(kinds[k].name, p, n) != 0)) k++;
        if (k == AUGMENTATIONS)
            fail("there is no augmentation %.*s; there are xflip, yflip, rotate_int, "
                 "translate_int, scale, rotate_frac, aniso, translate_frac, brightness, "
                 "contrast, lumaflip, hue and saturation", (int)n, p);
        set |= 1u << k;
        p += n + (p[n] == ',');
    }
    return set;
}

int augment_label_count(unsigned set)
{
    int n = 0;
    for (int k = 0; k < AUGMENTATIONS; k++) n += set >> k & 1 ? kinds[k].labels : 0;
    return n;
}

Augment augment_draw(unsigned set, double p, const Picture *size, Random r, uint64_t n)
{
    enum { NUMBERS = 8, DRAWS = 4 };        /* of each kind: whether, and from 4 on how */
    Augment a = {0};
    for (int k = 0; k < AUGMENTATIONS; k++) {
        uint64_t i = (n * AUGMENTATIONS + (uint64_t)k) * NUMBERS;
        bool used = kinds[k].always || random_uniform(r, i) < p;
        if (set >> k & 1 && used) kinds[k].draw(r, i + DRAWS, size, a.w[k]);
    }
    return a;
}

void augment_apply(unsigned set, const Augment *a, const Picture *size, double *x,
                   double *label)
{
    Work work = {.size = *size, .x = x, .inverse = matrix_scale(1, 1, 1),
                 .colour = matrix_scale(1, 1, 1)};
    for (int k = 0; k < AUGMENTATIONS; k++) {
        if (!(set >> k & 1)) continue;
        kinds[k].label(a->w[k], size, label);
        label += kinds[k].labels;
        if (a->w[k][0] != 0 || a->w[k][1] != 0) kinds[k].apply(&work, a->w[k]);
    }
    if (work.warped) warp_image(x, size->H, size->W, size->C, work.inverse);
    if (work.coloured) execute_colour(&work);
}
