/* SVG: see svg.h. */
#include "apps/support/svg.h"

#include <string.h>

#include "apps/support/png.h"

/* Fonts are named from the likely to the certain; arrows are a marker for the ends of
 * paths. */
void svg_begin(Svg *s, double width, double height)
{
    s->text = (Text){.arena = &s->arena};
    text_printf(&s->text,
                "<?xml version='1.0' encoding='UTF-8'?>\n"
                "<svg xmlns='http://www.w3.org/2000/svg' "
                "xmlns:xlink='http://www.w3.org/1999/xlink' width='%g' height='%g' "
                "viewBox='0 0 %g %g' "
                "font-family='Helvetica, Arial, \"DejaVu Sans\", sans-serif'>\n"
                "<defs><marker id='arrow' viewBox='0 0 8 8' refX='7' refY='4' "
                "markerWidth='7' markerHeight='7' orient='auto'>"
                "<path d='M0 0 L8 4 L0 8 z' fill='#667'/></marker></defs>\n",
                width, height, width, height);
    svg_rect(s, (Box){0, 0, width, height}, "fill='#ffffff'");
}

void svg_rect(Svg *s, Box b, const char *style)
{
    text_printf(&s->text, "<rect x='%g' y='%g' width='%g' height='%g' %s/>\n", b.x, b.y,
                b.width, b.height, style);
}

void svg_text(Svg *s, double x, double y, const char *style, const char *text)
{
    text_printf(&s->text, "<text x='%g' y='%g' %s>", x, y, style);
    for (size_t left = strlen(text), n; left; text += n, left -= n) {
        n = utf8_length((const uint8_t *)text, left);
        if (*text == '<') text_printf(&s->text, "&lt;");
        else if (*text == '&') text_printf(&s->text, "&amp;");
        else if (n && (uint8_t)*text >= ' ') text_printf(&s->text, "%.*s", (int)n, text);
        else text_printf(&s->text, "?"), n = 1;
    }
    text_printf(&s->text, "</text>\n");
}

void svg_path(Svg *s, const char *style, const char *commands)
{
    text_printf(&s->text, "<path d='%s' fill='none' %s/>\n", commands, style);
}

/* Three bytes become four letters of 6 bits (RFC 4648); = fills up the last four. */
static void put_base64(Text *t, Bytes b)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < b.size; i += 3) {
        char four[5] = "====";
        size_t left = b.size - i < 3 ? b.size - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < left; k++) bits |= (uint32_t)b.data[i + k] << (16 - 8 * k);
        for (size_t k = 0; k <= left; k++) four[k] = letters[bits >> (18 - 6 * k) & 63];
        text_printf(t, "%s", four);
    }
}

void svg_image(Svg *s, Box b, const char *style, const Image *image)
{
    Arena a = arena_create();
    text_printf(&s->text, "<image x='%g' y='%g' width='%g' height='%g' "
                "preserveAspectRatio='none' %s xlink:href='data:image/png;base64,",
                b.x, b.y, b.width, b.height, style);
    put_base64(&s->text, png_encode(&a, image));
    text_printf(&s->text, "'/>\n");
    arena_destroy(&a);
}

void svg_end(Svg *s, const char *path)
{
    text_printf(&s->text, "</svg>\n");
    file_write(path, s->text.bytes, s->text.length);
    arena_destroy(&s->arena);
}

double svg_text_width(const char *text, double font_size)
{
    return 0.62 * font_size * (double)strlen(text);
}
