/* Sheets: see sheet.h. */
#include "apps/support/sheet.h"

#include "apps/support/svg.h"

enum { MARGIN = 10, FONT = 13 };

static const char style[] = "font-size='13' fill='#223'";
static const char right[] = "font-size='13' fill='#223' text-anchor='end'";
static const char middle[] = "font-size='13' fill='#223' text-anchor='middle'";

/* The room that the widest of the texts needs, with a margin. */
static double room_for(const char *const *texts, int count)
{
    double widest = 0;
    for (int i = 0; texts && i < count; i++) {
        double width = svg_text_width(texts[i], FONT);
        if (width > widest) widest = width;
    }
    return widest > 0 ? widest + MARGIN : 0;
}

void sheet_write(const char *path, const Sheet *s, const Pictures *p)
{
    Svg svg = {.arena = arena_create()};
    Image grid = image_grid(&svg.arena, p, s->columns, s->scale);
    int rows = (p->count - 1) / s->columns + 1;
    double left = MARGIN + room_for(s->rows, rows), end = left + grid.width;
    double top = s->heads ? MARGIN + 20 : MARGIN;
    double row = (double)grid.height / rows, column = (double)grid.width / s->columns;
    svg_begin(&svg, end + MARGIN + room_for(s->notes, rows), top + grid.height + MARGIN);
    svg_image(&svg, (Box){left, top, grid.width, grid.height}, SVG_SHARP, &grid);
    for (int i = 0; i < s->columns && s->heads; i++)
        svg_text(&svg, left + (i + 0.5) * column, top - 8, middle, s->heads[i]);
    for (int i = 0; i < rows; i++) {
        double y = top + (i + 0.5) * row + 4;
        svg_text(&svg, left - MARGIN, y, right, s->rows[i]);
        if (s->notes) svg_text(&svg, end + MARGIN, y, style, s->notes[i]);
    }
    svg_end(&svg, path);
}
