/* A drawing as a file: SVG 1.1, the little of it that boxes, lines and words need.
 *
 *     Svg s = {.arena = arena_create()};          the drawing's texts may live there too
 *     svg_begin(&s, 200, 100);
 *     svg_rect(&s, (Box){10, 10, 80, 40}, "fill='#eef'");
 *     svg_text(&s, 20, 30, "font-size='13'", "x < y");
 *     svg_path(&s, "stroke='#888' marker-end='url(#arrow)'", "M50 50 V90");
 *     svg_end(&s, "drawing.svg");
 *
 * Lengths are in pixels, y grows downwards, a style is any attributes.  Text is escaped;
 * bytes that are not UTF-8 become '?'.  The file appears whole or not at all. */
#ifndef APPS_SUPPORT_SVG_H
#define APPS_SUPPORT_SVG_H

#include "apps/support/image.h"
#include "tensor/json.h"

typedef struct {
    Arena arena;
    Text text;
} Svg;

typedef struct { double x, y, width, height; } Box;

void svg_begin(Svg *s, double width, double height);
void svg_rect(Svg *s, Box box, const char *style);
void svg_text(Svg *s, double x, double y, const char *style, const char *text);
void svg_path(Svg *s, const char *style, const char *commands);
/* A picture of pixels, stretched over the box; SVG_SHARP keeps its pixels square. */
#define SVG_SHARP "style='image-rendering:pixelated'"
void svg_image(Svg *s, Box box, const char *style, const Image *image);
void svg_end(Svg *s, const char *path);

/* The width of a text: a safe guess, as the viewer chooses the font. */
double svg_text_width(const char *text, double font_size);

#endif
