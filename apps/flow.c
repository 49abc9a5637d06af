/* drift flow: what a sampler does, seen.  On points of the plane the best denoiser has a
 * formula (points.h), so there is no network and no error but the sampler's own.
 *
 * Drawn is x / sqrt(1 + sigma^2): data and noise of any level then fill the same square.
 *
 *     left     the ways of samples from noise (hollow) to data (full); of noisy ways,
 *              which are long, only the first are drawn
 *     right    at four noise levels: the density p(x; sigma), D(x; sigma) - x as arrows
 *              (the score points along them), and the samples where they were then */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/points.h"
#include "apps/support/sampling.h"
#include "apps/support/svg.h"
#include "tensor/error.h"

enum { BIG = 476, SMALL = 230, GAP = 16, TOP = 44, GRID = 13, PANELS = 4 };
enum { MOST = 1 << 17 };        /* places of a way that are kept */

static const double reach = 2.3;            /* the square goes from -reach to reach */
static const double most_ink = 120;         /* longer ways get their two ends only */
static const double levels[PANELS] = {2, 0.6, 0.25, 0.05};

/* ---- ways -------------------------------------------------------------------------- */

typedef struct { double x, y, sigma; } Place;

/* A denoiser that notes where it is asked first in each step: there the step begins. */
typedef struct {
    Denoiser base;
    Denoiser *inner;
    Place *place;               /* [MOST] */
    int count;
    bool asked;                 /* within this step? */
} Way;

static void note(Way *w, double x, double y, double sigma)
{
    if (w->count < MOST) w->place[w->count++] = (Place){x, y, sigma};
}

static void way_predict(Denoiser *self, const double *x, const Level *l, const int *label,
                        int N, Answer *answer)
{
    Way *w = (Way *)self;
    if (!w->asked) note(w, x[0] / l->a, x[1] / l->a, l->s / l->a);
    w->asked = true;
    w->inner->predict(w->inner, x, l, label, N, answer);
}

static void way_watch(void *context, const double *x, const double *x0, int left)
{
    Way *w = context;
    (void)x0;
    w->asked = false;
    if (left == 0) note(w, x[0], x[1], 0);
}

/* Where it was at the level: between the two places around it, linearly in sigma. */
static Place way_at(const Way *w, double sigma)
{
    int i = 1;
    while (i < w->count - 1 && w->place[i].sigma > sigma) i++;
    Place p = w->place[i - 1], q = w->place[i];
    double f = p.sigma > q.sigma ? fmin((p.sigma - sigma) / (p.sigma - q.sigma), 1) : 1;
    return (Place){p.x + f * (q.x - p.x), p.y + f * (q.y - p.y), sigma};
}

/* ---- drawing ----------------------------------------------------------------------- */

typedef struct {
    Svg svg;
    const Points *points;
    Denoiser *denoiser;
    const char *title;
    double ink;                 /* the length of all ways drawn, in units of x */
} Drawing;

/* A square part of the drawing. */
typedef struct { double left, top, side; } Panel;

static double across(const Panel *p, double x)
{
    return p->left + (x / reach + 1) / 2 * p->side;
}
static double down(const Panel *p, double y)
{
    return p->top + (1 - y / reach) / 2 * p->side;
}

static double shrink(double sigma) { return 1 / sqrt(1 + sigma * sigma); }

static bool inside(Place at)
{
    double c = shrink(at.sigma);
    return fabs(c * at.x) < reach && fabs(c * at.y) < reach;
}

/* Appends a dot, a line without length, for a style with round ends; or nothing if it is
 * not in the square. */
static void put_dot(Text *path, const Panel *p, Place at)
{
    double c = shrink(at.sigma);
    if (inside(at))
        text_printf(path, "M%.1f %.1fh0", across(p, c * at.x), down(p, c * at.y));
}

static void draw_dots(Svg *s, const Text *path, const char *colour, double width)
{
    if (path->length)
        svg_path(s, arena_printf(&s->arena, "stroke='%s' stroke-width='%g' "
                                 "stroke-linecap='round'", colour, width), path->bytes);
}

/* The density from white to blue; its root, or else little would be seen. */
static void draw_density(Drawing *d, const Panel *p, double sigma)
{
    int side = (int)p->side / 4;
    size_t size = (size_t)(side * side);
    double *density = arena_new(&d->svg.arena, double, size), most = 0,
           step = 2 * reach / side;
    Image image = {side, side, 3, arena_new(&d->svg.arena, uint8_t, 3 * size)};
#pragma omp parallel for schedule(static)
    for (int i = 0; i < side * side; i++) {
        double x = -reach + (i % side + 0.5) * step, y = reach - (i / side + 0.5) * step;
        density[i] = points_density(d->points, x / shrink(sigma), y / shrink(sigma),
                                    sigma);
    }
    for (size_t i = 0; i < size; i++) most = fmax(most, density[i]);
    static const double white[] = {252, 253, 255}, blue[] = {150, 186, 224};
    for (size_t i = 0; i < 3 * size; i++) {
        double f = sqrt(density[i / 3] / most);
        image.pixels[i] = (uint8_t)(white[i % 3] + f * (blue[i % 3] - white[i % 3]));
    }
    svg_image(&d->svg, (Box){p->left, p->top, p->side, p->side}, "", &image);
}

static void draw_frame(Drawing *d, const Panel *p, const char *words)
{
    svg_rect(&d->svg, (Box){p->left, p->top, p->side, p->side},
             "fill='none' stroke='#99a'");
    double top = p->top + p->side - 24, width = svg_text_width(words, 12) + 8;
    svg_rect(&d->svg, (Box){p->left + 1, top, width, 23},
             "fill='#ffffff' fill-opacity='0.85'");
    svg_text(&d->svg, p->left + 8, top + 16, "font-size='12' fill='#334'", words);
}

/* From points of a grid towards the denoiser's answer; a long arrow is cut. */
static void draw_field(Drawing *d, const Panel *p, double sigma)
{
    double spacing = 2 * reach / GRID, scale = 1 / shrink(sigma);
    for (int i = 0; i < GRID * GRID; i++) {
        double at[2] = {(i % GRID + 0.5) * spacing - reach,
                        (i / GRID + 0.5) * spacing - reach};
        double x[2] = {at[0] * scale, at[1] * scale}, x0[2];
        d->denoiser->predict(d->denoiser, x, &(Level){.a = 1, .s = sigma}, NULL, 1,
                             &(Answer){.x0 = x0});
        double dx = (x0[0] - x[0]) / scale, dy = (x0[1] - x[1]) / scale,
               length = hypot(dx, dy);
        double cut = fmin(1, 0.85 * spacing / length);
        if (length * cut < 0.1 * spacing) continue;
        svg_path(&d->svg, "stroke='#667' stroke-width='1' marker-end='url(#arrow)'",
                 arena_printf(&d->svg.arena, "M%.1f %.1f L%.1f %.1f", across(p, at[0]),
                              down(p, at[1]), across(p, at[0] + cut * dx),
                              down(p, at[1] + cut * dy)));
    }
}

/* Within the square; where it leaves, the line is broken. */
static void draw_line(Drawing *d, const Panel *p, const Way *w)
{
    Text line = {.arena = &d->svg.arena}, dots = line;
    for (int i = 0; i < w->count; i++) {
        Place at = w->place[i], before = w->place[i ? i - 1 : 0];
        double c = shrink(at.sigma), from = shrink(before.sigma);
        d->ink += hypot(c * at.x - from * before.x, c * at.y - from * before.y);
        if (!inside(at)) continue;
        text_printf(&line, "%c%.1f %.1f", i && inside(before) ? 'L' : 'M',
                    across(p, c * at.x), down(p, c * at.y));
        put_dot(&dots, p, at);
    }
    if (!line.length) return;
    svg_path(&d->svg, "stroke='#1f6fb4' stroke-width='1' stroke-opacity='0.7'",
             line.bytes);
    if (w->count < 60) draw_dots(&d->svg, &dots, "#1f6fb4", 2.6);
}

/* Its line, if there is ink left, and its ends. */
static void draw_way(Drawing *d, const Panel *p, const Way *w)
{
    Text start = {.arena = &d->svg.arena}, end = start;
    if (d->ink < most_ink) draw_line(d, p, w);
    put_dot(&start, p, w->place[0]);
    put_dot(&end, p, w->place[w->count - 1]);
    draw_dots(&d->svg, &start, "#334", 5.6);
    draw_dots(&d->svg, &start, "#fff", 3.6);
    draw_dots(&d->svg, &end, "#d1632a", 6.4);
}

/* ---- the command ------------------------------------------------------------------- */

typedef struct {
    const char *points, *out;
    int ways;
    long seed;
    double std;
    Sampling sampling;
} CommandLine;

/* Follows the samples one by one; returns the calls of the denoiser for each. */
static double follow(Drawing *d, const CommandLine *c, const Panel *big, Place *at)
{
    Way w = {{2, .predict = way_predict}, d->denoiser,
             arena_new(&d->svg.arena, Place, MOST), 0, false};
    Schedule schedule = schedule_make(&d->svg.arena, "linear", 1000, 1e-4, 0.02);
    Sampling s = c->sampling;
    double calls = 0, x[2];
    sampling_watch(&s, way_watch, &w);
    for (int n = 0; n < c->ways; n++) {
        w.count = 0, w.asked = false;
        calls += sampling_run(&s, &w.base, &schedule, (Crowd){(uint64_t)n, 1, NULL}, x) /
                 c->ways;
        draw_way(d, big, &w);
        for (int k = 0; k < PANELS; k++) at[k * c->ways + n] = way_at(&w, levels[k]);
    }
    return calls;
}

static double draw(Drawing *d, const CommandLine *c)
{
    Panel big = {GAP, TOP, BIG};
    Place *at = arena_new(&d->svg.arena, Place, (size_t)(PANELS * c->ways));
    svg_begin(&d->svg, BIG + 2 * SMALL + 4 * GAP, TOP + BIG + GAP);
    draw_density(d, &big, 0.06);
    double calls = follow(d, c, &big, at);
    draw_frame(d, &big, "from noise to data: x / sqrt(1 + sigma^2)");
    svg_text(&d->svg, GAP, 28, "font-size='16' font-weight='bold' fill='#223'",
             arena_printf(&d->svg.arena, "%s, %s: %.4g calls of the denoiser", d->title,
                          c->sampling.name, calls));
    for (int k = 0; k < PANELS; k++) {
        Panel p = {BIG + 2 * GAP + k % 2 * (SMALL + GAP), TOP + k / 2 * (SMALL + GAP),
                   SMALL};
        draw_density(d, &p, levels[k]);
        draw_field(d, &p, levels[k]);
        Text dots = {.arena = &d->svg.arena};
        for (int n = 0; n < c->ways; n++) put_dot(&dots, &p, at[k * c->ways + n]);
        draw_dots(&d->svg, &dots, "#d1632a", 5);
        draw_frame(d, &p, arena_printf(&d->svg.arena, "sigma = %g", levels[k]));
    }
    return calls;
}

int flow_main(int argc, char **argv)
{
    Usage usage = {
        "drift flow swissroll|ring|pair|POINTS.npy [options]",
        sampling_about(
            "Draws what a sampler does: the ways of some samples from noise to data,\n"
            "and where the best denoiser points.  The data are points of the plane,\n"
            "[N, 2] in a file, so that this denoiser is a formula."), 1};
    CommandLine c = {.out = "flow.svg", .ways = 60, .std = 0.03,
                     .sampling = {.name = "heun"}};
    Option options[] = {
        SAMPLING_OPTIONS(&c.sampling),
        {"ways", OPTION_INT, &c.ways, "N", "samples to follow", 0},
        {"std", OPTION_REAL, &c.std, "X", "of each point; 0: the data set itself", 0},
        {"seed", OPTION_LONG, &c.seed, "N", "of the noise", 0},
        {"out", OPTION_TEXT, &c.out, "PATH", "the drawing", 0},
        {0},
    };
    if (options_parse(argc, argv, &usage, options, &c.points) != 1)
        fail_usage("which points?  usage: %s", usage.synopsis);
    if (c.ways < 1 || c.ways > 1000) fail_usage("--ways %d: want 1 to 1000", c.ways);
    sampling_choose(&c.sampling, (uint64_t)c.seed);
    c.sampling.by_steps.no_clip = true;

    Arena a = arena_create();
    Points points = points_load(&a, c.points, c.std);
    MixtureDenoiser denoiser = points_denoiser(&points);
    Drawing d = {{.arena = arena_create()}, &points, &denoiser.base, c.points, 0};
    double calls = draw(&d, &c);
    svg_end(&d.svg, c.out);
    printf("%d ways of %s, %.4g calls each\n  %s\n", c.ways, c.sampling.name, calls,
           c.out);
    return 0;
}
