/* Points and arrows of the plane: see scatter.h. */
#include "apps/support/scatter.h"

#include <math.h>
#include <string.h>

enum { PANEL = 220, GAP = 10, MARGIN = 28,          /* on paper, in pixels */
       SIDE = 36 };                                 /* of a panel in the terminal */

static const double edge = 3;                       /* of the square that is shown */

static const struct { const char *stroke; uint8_t pixel[3]; } colours[] = {
    [SCATTER_BLUE] = {"#1f6fb4' stroke-opacity='0.55", {90, 170, 255}},
    [SCATTER_GREEN] = {"#138a5e' stroke-opacity='0.55", {80, 220, 150}},
    [SCATTER_GREY] = {"#c9ced6", {0, 0, 0}},
};

static Box panel(int row, int column)
{
    return (Box){MARGIN + column * (PANEL + GAP), MARGIN + row * (PANEL + GAP), PANEL,
                 PANEL};
}

/* Of the terminal's panel: pixel (h, w). */
static uint8_t *pixel_at(Scatter *s, int row, int column, int h, int w)
{
    return s->pixels.pixels + (((row * s->columns + column) * SIDE + h) * SIDE + w) * 3;
}

void scatter_begin(Scatter *s, int rows, int columns)
{
    *s = (Scatter){.svg = {.arena = arena_create()}, .rows = rows, .columns = columns};
    size_t bytes = (size_t)(rows * columns * SIDE * SIDE * 3);
    s->pixels = (Pictures){rows * columns, SIDE, SIDE, 3,
                           arena_alloc(&s->svg.arena, bytes)};
    memset(s->pixels.pixels, 0, bytes);
    svg_begin(&s->svg, panel(0, columns).x, panel(rows, 0).y);
    for (int i = 0; i < rows * columns; i++)
        svg_rect(&s->svg, panel(i / columns, i % columns),
                 "fill='none' stroke='#dde1e8'");
}

void scatter_column(Scatter *s, int column, const char *title)
{
    Box b = panel(0, column);
    svg_text(&s->svg, b.x + PANEL / 2.0, MARGIN - 9,
             "font-size='14' fill='#223' text-anchor='middle'", title);
}

void scatter_row(Scatter *s, int row, const char *title)
{
    Box b = panel(row, 0);
    double x = MARGIN - 10, y = b.y + PANEL / 2.0;
    svg_text(&s->svg, x, y, arena_printf(&s->svg.arena, "font-size='14' fill='#223' "
             "text-anchor='middle' transform='rotate(-90 %g %g)'", x, y), title);
}

void scatter_points(Scatter *s, int row, int column, const double *x, int N,
                    ScatterColour colour)
{
    Box b = panel(row, column);
    Text dots = {.arena = &s->svg.arena};
    for (int n = 0; n < N; n++) {
        double u = (x[2 * n] / edge + 1) / 2, v = (1 - x[2 * n + 1] / edge) / 2;
        if (!(u > 0 && u < 1 && v > 0 && v < 1)) continue;
        text_printf(&dots, "M%.1f %.1fh.1", b.x + u * PANEL, b.y + v * PANEL);
        uint8_t *pixel = pixel_at(s, row, column, (int)(v * SIDE), (int)(u * SIDE));
        for (int c = 0; c < 3; c++) {               /* brighter with every point */
            int full = colours[colour].pixel[c];
            pixel[c] = (uint8_t)(pixel[c] + (full - pixel[c]) / 2);
        }
    }
    if (!dots.bytes) return;
    svg_path(&s->svg, arena_printf(&s->svg.arena, "stroke-linecap='round' "
             "stroke-width='1.8' stroke='%s'", colours[colour].stroke), dots.bytes);
}

void scatter_grid(double *x)
{
    for (int i = 0; i < SCATTER_ARROWS * SCATTER_ARROWS; i++) {
        x[2 * i] = edge * ((i % SCATTER_ARROWS + 0.5) / SCATTER_ARROWS * 2 - 1);
        x[2 * i + 1] = edge * (1 - (i / SCATTER_ARROWS + 0.5) / SCATTER_ARROWS * 2);
    }
}

/* A colour on the wheel: red to the right, green up left, blue down left. */
static void set_hue(uint8_t *pixel, double u, double v, double strength)
{
    double angle = atan2(v, u), third = 2 * 3.14159265358979323846 / 3;
    for (int c = 0; c < 3; c++)
        pixel[c] = (uint8_t)(255 * strength * (0.5 + 0.5 * cos(angle - c * third)));
}

/* The shaft from (x, y), and two strokes of the head; lengths in pixels. */
static void draw_arrow(Text *t, double x, double y, double u, double v)
{
    text_printf(t, "M%.1f %.1fl%.1f %.1f", x, y, u, v);
    double length = hypot(u, v), head = fmin(3.5, 0.5 * length) / fmax(length, 1e-9);
    for (double side = -0.5; side < 1; side++)
        text_printf(t, "M%.1f %.1fl%.1f %.1f", x + u, y + v,
                    head * (-0.87 * u - side * v), head * (-0.87 * v + side * u));
}

void scatter_arrows(Scatter *s, int row, int column, const double *to)
{
    enum { A = SCATTER_ARROWS, N = A * A, CELL = SIDE / A };
    const double mesh = (double)PANEL / A;
    Box b = panel(row, column);
    double x[2 * N], longest = 0;
    scatter_grid(x);
    for (int i = 0; i < N; i++) {
        x[2 * i] = to[2 * i] - x[2 * i], x[2 * i + 1] = to[2 * i + 1] - x[2 * i + 1];
        longest = fmax(longest, hypot(x[2 * i], x[2 * i + 1]));
    }
    Text lines = {.arena = &s->svg.arena};
    for (int i = 0; i < N; i++) {
        int h = i / A, w = i % A;
        double u = x[2 * i] / longest, v = x[2 * i + 1] / longest;
        draw_arrow(&lines, b.x + (w + 0.5) * mesh, b.y + (h + 0.5) * mesh, u * mesh,
                   -v * mesh);
        for (int k = 0; k < CELL * CELL; k++)
            set_hue(pixel_at(s, row, column, h * CELL + k / CELL, w * CELL + k % CELL), u,
                    v, sqrt(hypot(u, v)));
    }
    svg_path(&s->svg, "stroke='#c2501d' stroke-width='1.1' stroke-linecap='round'",
             lines.bytes);
}

void scatter_end(Scatter *s, const char *path, FILE *terminal)
{
    Image grid = image_grid(&s->svg.arena, &s->pixels, s->columns, 1);
    image_show(&grid, terminal);
    svg_end(&s->svg, path);
}
