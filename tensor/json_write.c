/* Writing JSON into a growing text: see json.h. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/json.h"

size_t utf8_length(const uint8_t *s, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};   /* code, by length */
    if (left == 0) return 0;
    if (s[0] < 0x80) return 1;
    size_t n = s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (n == 0 || n > left) return 0;
    uint32_t code = s[0] & 0x7fu >> n;
    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2) return 0;
        code = code << 6 | (s[i] & 63u);
    }
    bool surrogate = code >> 11 == 0xd800 >> 11;
    return code < least[n] || code > 0x10ffff || surrogate ? 0 : n;
}

/* Lengthens the text by n bytes and returns where they go. */
static char *extend(Text *t, size_t n)
{
    if (t->length + n + 1 > t->room) {
        t->room = 2 * (t->length + n) + 256;
        char *bytes = arena_alloc(t->arena, t->room);
        if (t->length) memcpy(bytes, t->bytes, t->length);
        t->bytes = bytes;
    }
    t->length += n;
    t->bytes[t->length] = 0;
    return t->bytes + t->length - n;
}

static void append(Text *t, const char *s, size_t n) { memcpy(extend(t, n), s, n); }

void text_printf(Text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *at = extend(t, (size_t)n);
    va_start(args, format);
    vsnprintf(at, (size_t)n + 1, format, args);
    va_end(args);
}

static void append_character(Text *t, const char *text, size_t n)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *named = strchr(from, *text);
    if (n == 0) append(t, "\xef\xbf\xbd", 3);               /* U+FFFD for a bad byte */
    else if (named) text_printf(t, "\\%c", to[named - from]);
    else if ((uint8_t)*text < ' ') text_printf(t, "\\u%04x", (unsigned)*text);
    else append(t, text, n);
}

static void append_quoted(Text *t, const char *text)
{
    append(t, "\"", 1);
    for (size_t left = strlen(text), step; left; text += step, left -= step) {
        size_t n = utf8_length((const uint8_t *)text, left);
        append_character(t, text, n);
        step = n ? n : 1;
    }
    append(t, "\"", 1);
}

static void break_line(Text *t) { text_printf(t, "\n%*s", 2 * t->depth, ""); }

/* What stands before a value: a comma unless it is the first, and its key.  A string ends
 * in a quote, so a last byte { or [ is an opening bracket. */
static void begin(Text *t, const char *key)
{
    bool in_object = t->depth && t->close[t->depth - 1] == '}';
    require(in_object == (key != NULL), "JSON: the key %s %s", key ? key : "(none)",
            in_object ? "in an object" : "outside an object");
    if (t->depth && !strchr("{[", t->bytes[t->length - 1]))
        append(t, ", ", t->pretty && !in_object ? 2 : 1);
    if (!in_object) return;
    if (t->pretty) break_line(t);
    append_quoted(t, key);
    append(t, ": ", t->pretty ? 2 : 1);
}

static void open_bracket(Text *t, const char *key, const char *open, char close)
{
    require(t->depth < JSON_DEPTH, "JSON: %d brackets are open already", t->depth);
    begin(t, key);
    append(t, open, 1);
    t->close[t->depth++] = close;
}

void json_open_object(Text *t, const char *key) { open_bracket(t, key, "{", '}'); }
void json_open_array(Text *t, const char *key) { open_bracket(t, key, "[", ']'); }

void json_close(Text *t)
{
    require(t->depth > 0, "JSON: nothing is open");
    char close = t->close[--t->depth];
    if (t->pretty && close == '}' && t->bytes[t->length - 1] != '{') break_line(t);
    append(t, &close, 1);
    if (t->pretty && t->depth == 0) append(t, "\n", 1);
}

void json_put_text(Text *t, const char *key, const char *text)
{
    begin(t, key);
    append_quoted(t, text);
}

void json_put_number(Text *t, const char *key, double number)
{
    if (!isfinite(number)) {
        json_put_null(t, key);
        return;
    }
    char digits[32];
    for (int n = 15; n <= 17; n++) {
        snprintf(digits, sizeof digits, "%.*g", n, number);
        if (strtod(digits, NULL) == number) break;
    }
    begin(t, key);
    append(t, digits, strlen(digits));
}

void json_put_integer(Text *t, const char *key, int64_t integer)
{
    begin(t, key);
    text_printf(t, "%" PRId64, integer);
}

void json_put_bool(Text *t, const char *key, bool truth)
{
    begin(t, key);
    text_printf(t, truth ? "true" : "false");
}

void json_put_null(Text *t, const char *key)
{
    begin(t, key);
    append(t, "null", 4);
}

void json_put_numbers(Text *t, const char *key, const double numbers[], int count)
{
    json_open_array(t, key);
    for (int i = 0; i < count; i++) json_put_number(t, NULL, numbers[i]);
    json_close(t);
}

void json_put_integers(Text *t, const char *key, const int integers[], int count)
{
    json_open_array(t, key);
    for (int i = 0; i < count; i++) json_put_integer(t, NULL, integers[i]);
    json_close(t);
}
