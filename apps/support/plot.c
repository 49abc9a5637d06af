/* Curves: see plot.h. */
#include "apps/support/plot.h"

#include <math.h>
#include <stdio.h>

#include "apps/support/svg.h"

static const Box area = {70, 44, 470, 300};
static const char *const colours[] = {"#1f6fb4", "#d1632a", "#3b8f4f", "#8a5aa8",
                                      "#b8860b", "#5a6270"};
enum { COLOURS = 6, MOST_TICKS = 9 };

/* Where numbers lie along one side: low at `from`, high at `to`, in pixels. */
typedef struct { bool log; double low, high, from, to; } Axis;

static bool shown(const Axis *a, double v) { return isfinite(v) && (!a->log || v > 0); }
static double bend(const Axis *a, double v) { return a->log ? log10(v) : v; }

static double place(const Axis *a, double v)
{
    return a->from + (bend(a, v) - a->low) / (a->high - a->low) * (a->to - a->from);
}

/* 1, 2 or 5 times a power of ten, a step that cuts the range into at most MOST_TICKS. */
static double tick_step(double range)
{
    static const double steps[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(range / MOST_TICKS)));
    for (int i = 0; i < 4; i++)
        if (range / (steps[i] * power) <= MOST_TICKS) return steps[i] * power;
    return 10 * power;
}

static Axis find_axis(const Curve c[], int count, bool along_x, bool logarithmic)
{
    Axis a = {.log = logarithmic, .low = INFINITY, .high = -INFINITY};
    for (int k = 0; k < count; k++)
        for (int i = 0; i < c[k].count; i++) {
            double v = along_x ? c[k].x[i] : c[k].y[i];
            if (!shown(&a, v)) continue;
            a.low = fmin(a.low, bend(&a, v)), a.high = fmax(a.high, bend(&a, v));
        }
    if (!(a.low <= a.high)) a.low = 0, a.high = 1;
    if (a.low == a.high) a.low -= 0.5, a.high += 0.5;
    double step = logarithmic ? 1 : tick_step(a.high - a.low);
    a.low = floor(a.low / step + 1e-9) * step, a.high = ceil(a.high / step - 1e-9) * step;
    a.from = along_x ? area.x : area.y + area.height;
    a.to = along_x ? area.x + area.width : area.y;
    return a;
}

static void draw_ticks(Svg *s, const Axis *a, bool along_x)
{
    double range = a->high - a->low;
    double step = a->log ? ceil(range / MOST_TICKS) : tick_step(range);
    for (int i = 0; a->low + i * step <= a->high + 1e-9 * range; i++) {
        double v = a->low + i * step, number = a->log ? pow(10, v) : v;
        double at = a->from + (v - a->low) / range * (a->to - a->from);
        char text[32], path[96];
        snprintf(text, sizeof text, "%.4g", fabs(number) < 1e-12 ? 0 : number);
        if (along_x) snprintf(path, sizeof path, "M%g %g v%g", at, area.y, area.height);
        else snprintf(path, sizeof path, "M%g %g h%g", area.x, at, area.width);
        svg_path(s, "stroke='#dde' stroke-width='1'", path);
        if (along_x) svg_text(s, at, area.y + area.height + 16,
                              "font-size='11' fill='#445' text-anchor='middle'", text);
        else svg_text(s, area.x - 6, at + 4,
                      "font-size='11' fill='#445' text-anchor='end'", text);
    }
}

static void draw_curve(Svg *s, const Curve *c, const Axis *x, const Axis *y,
                       const char *colour)
{
    Text path = {.arena = &s->arena};
    bool down = false;                      /* is the pen? */
    double at_x = 0, at_y = 0;
    for (int i = 0; i < c->count; i++) {
        bool here = shown(x, c->x[i]) && shown(y, c->y[i]);
        double to_x = here ? place(x, c->x[i]) : 0, to_y = here ? place(y, c->y[i]) : 0;
        bool moves = fabs(to_x - at_x) + fabs(to_y - at_y) > 1 || i == c->count - 1;
        if (here && (!down || moves)) {
            text_printf(&path, "%c%.1f %.1f ", down ? 'L' : 'M', to_x, to_y);
            at_x = to_x, at_y = to_y;
        }
        down = here;
    }
    if (!path.length) return;
    char style[64];
    snprintf(style, sizeof style, "stroke='%s' stroke-width='1.8'", colour);
    svg_path(s, style, path.bytes);
}

static void draw_marks(Svg *s, const Curve *c, const Axis *x, const Axis *y,
                       const char *colour)
{
    for (int i = 0; c->mark && i < c->count; i++) {
        if (!shown(x, c->x[i]) || !shown(y, c->y[i])) continue;
        double h = place(x, c->x[i]), v = place(y, c->y[i]);
        char style[64], dot[64];
        snprintf(style, sizeof style,
                 "stroke='%s' stroke-width='7' stroke-linecap='round'", colour);
        snprintf(dot, sizeof dot, "M%.1f %.1f h0.01", h, v);
        svg_path(s, style, dot);
        snprintf(style, sizeof style, "font-size='11' fill='%s'", colour);
        svg_text(s, h + 6, v - 6, style, c->mark[i]);
    }
}

void plot_write(const char *path, const Plot *p, const Curve curves[], int count)
{
    Svg s = {.arena = arena_create()};
    Axis x = find_axis(curves, count, true, p->log_x);
    Axis y = find_axis(curves, count, false, p->log_y);
    svg_begin(&s, 720, 400);
    svg_text(&s, area.x, 20, "font-size='15' font-weight='bold' fill='#223'", p->title);
    draw_ticks(&s, &x, true);
    draw_ticks(&s, &y, false);
    svg_text(&s, area.x + area.width / 2, area.y + area.height + 36,
             "font-size='12' fill='#223' text-anchor='middle'", p->x_label);
    svg_text(&s, area.x, area.y - 6, "font-size='12' fill='#223'", p->y_label);
    for (int k = 0; k < count; k++) {
        const char *colour = colours[k % COLOURS];
        char style[64];
        double row = area.y + 14 + 18 * k;
        draw_curve(&s, &curves[k], &x, &y, colour);
        draw_marks(&s, &curves[k], &x, &y, colour);
        snprintf(style, sizeof style, "font-size='12' fill='%s'", colour);
        svg_text(&s, area.x + area.width + 12, row, style, curves[k].name);
    }
    svg_end(&s, path);
}
