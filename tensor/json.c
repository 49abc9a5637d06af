/* Reading JSON: see json.h for the rules.
 *
 * The reader is recursive descent: one function a rule of the grammar, each taking bytes
 * from where the one before stopped.  A decoded string and its zero are never longer than
 * its source with the quotes, so all strings go into one buffer as long as the text. */
#include "tensor/json.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"

typedef struct {
    Arena *arena;
    Bytes text;
    size_t at;              /* the next byte of the text */
    char *out;              /* where the next decoded byte goes */
    int depth, values;      /* arrays and objects open; values made */
} Parser;

static noreturn void stop(const Parser *p, const char *trouble, const char *detail)
{
    int line = 1;
    for (size_t i = 0; i < p->at; i++) line += p->text.data[i] == '\n';
    fail("%s, line %d, byte %zu: %s%s", p->text.path, line, p->at, trouble, detail);
}

/* The next byte, or -1 at the end. */
static int peek(const Parser *p)
{
    return p->at < p->text.size ? p->text.data[p->at] : -1;
}

static noreturn void stop_expecting(const Parser *p, const char *what)
{
    int c = peek(p);
    char detail[64];
    snprintf(detail, sizeof detail, c < 0 ? " was expected, but the text ends"
             : c > ' ' && c < 127 ? " was expected, found %c"
             : " was expected, found byte %#x", c);
    stop(p, what, detail);
}

static bool take(Parser *p, char c)
{
    if (peek(p) != c) return false;
    p->at++;
    return true;
}

static void skip_spaces(Parser *p)
{
    while (take(p, ' ') || take(p, '\n') || take(p, '\r') || take(p, '\t')) {}
}

/* As take, but a token: spaces may stand before it. */
static bool take_token(Parser *p, char c)
{
    skip_spaces(p);
    return take(p, c);
}

static void put_character(Parser *p, uint32_t code)
{
    int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    *p->out++ = (char)(lead[more] | code >> 6 * more);
    while (more--) *p->out++ = (char)(0x80 | (code >> 6 * more & 63));
}

static uint32_t take_hex4(Parser *p)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        int c = peek(p);
        int digit = c >= '0' && c <= '9' ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) stop_expecting(p, "one of four hexadecimal digits after \\u");
        code = code << 4 | (uint32_t)digit;
    }
    return code;
}

/* What follows a backslash.  Characters beyond U+FFFF are two escapes, \ud83d\ude00. */
static void take_escape(Parser *p)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    for (int i = 0; from[i]; i++)
        if (take(p, from[i])) {
            *p->out++ = to[i];
            return;
        }
    if (!take(p, 'u')) stop_expecting(p, "one of \" \\ / b f n r t u after a backslash");
    uint32_t code = take_hex4(p);
    if (code == 0) stop(p, "\\u0000 is not allowed: texts end with a zero here", "");
    if (code >> 10 == 0xd800 >> 10) {
        uint32_t low = take(p, '\\') && take(p, 'u') ? take_hex4(p) : 0;
        if (low >> 10 != 0xdc00 >> 10)
            stop(p, "the first half of a pair of \\u has no second", "");
        code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
    } else if (code >> 10 == 0xdc00 >> 10) {
        stop(p, "the second half of a pair of \\u has no first", "");
    }
    put_character(p, code);
}

static const char *parse_string(Parser *p)
{
    const char *start = p->out;
    if (!take_token(p, '"')) stop_expecting(p, "a string in quotes");
    while (!take(p, '"')) {
        if (peek(p) < ' ') stop_expecting(p, "a character or a closing quote");
        if (take(p, '\\')) {
            take_escape(p);
            continue;
        }
        const uint8_t *s = p->text.data + p->at;
        size_t n = utf8_length(s, p->text.size - p->at);
        if (n == 0) stop_expecting(p, "a character in UTF-8");
        memcpy(p->out, s, n);
        p->out += n;
        p->at += n;
    }
    *p->out++ = 0;
    return start;
}

static void take_digits(Parser *p)
{
    size_t start = p->at;
    while (peek(p) >= '0' && peek(p) <= '9') p->at++;
    if (p->at == start) stop_expecting(p, "a digit");
}

static void parse_number(Parser *p, Json *v)
{
    size_t start = p->at;
    bool whole = true;
    take(p, '-');
    if (!take(p, '0')) take_digits(p);
    if (take(p, '.')) {
        whole = false;
        take_digits(p);
    }
    if (take(p, 'e') || take(p, 'E')) {
        whole = false;
        if (!take(p, '+')) take(p, '-');
        take_digits(p);
    }
    /* The C library wants a zero at the end; the string buffer has room for one. */
    memcpy(p->out, p->text.data + start, p->at - start);
    p->out[p->at - start] = 0;
    v->kind = JSON_NUMBER;
    v->number = strtod(p->out, NULL);
    if (isinf(v->number)) stop(p, "the number before is too large for a double", "");
    errno = 0;
    v->integer = strtoll(p->out, NULL, 10);
    v->is_integer = whole && errno == 0 && !(v->integer == 0 && p->out[0] == '-');
}

static bool take_word(Parser *p, const char *word)
{
    size_t n = strlen(word);
    bool here = n <= p->text.size - p->at && !memcmp(p->text.data + p->at, word, n);
    if (here) p->at += n;
    return here;
}

static int compare_names(const void *x, const void *y)
{
    return strcmp((*(const Json *const *)x)->name, (*(const Json *const *)y)->name);
}

/* Sorted, equal keys are neighbours: fast even for the largest object. */
static void refuse_equal_keys(const Parser *p, const Json *object)
{
    Arena *s = scratch();
    size_t mark = arena_mark(s);
    const Json **sorted = arena_new(s, const Json *, (size_t)object->count);
    int n = 0;
    for (const Json *m = object->child; m; m = m->next) sorted[n++] = m;
    if (n) qsort(sorted, (size_t)n, sizeof *sorted, compare_names);
    for (int i = 1; i < n; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            stop(p, "the object that ends here has twice the key ", sorted[i]->name);
    arena_rewind(s, mark);
}

static Json *parse_value(Parser *p);

static void parse_members(Parser *p, Json *v, char close)
{
    if (++p->depth > JSON_DEPTH) stop(p, "arrays and objects are nested too deep", "");
    v->kind = close == '}' ? JSON_OBJECT : JSON_ARRAY;
    const Json **tail = &v->child;
    if (!take_token(p, close)) {
        do {
            const char *name = NULL;
            if (close == '}') {
                name = parse_string(p);
                if (!take_token(p, ':')) stop_expecting(p, ": after the key");
            }
            Json *member = parse_value(p);
            member->name = name;
            *tail = member;
            tail = &member->next;
            v->count++;
        } while (take_token(p, ','));
        if (!take(p, close)) stop_expecting(p, close == '}' ? ", or }" : ", or ]");
    }
    if (close == '}') refuse_equal_keys(p, v);
    p->depth--;
}

static Json *parse_value(Parser *p)
{
    if (p->values++ == JSON_VALUES) stop(p, "the text holds too many values", "");
    Json *v = arena_new(p->arena, Json, 1);
    *v = (Json){.kind = JSON_NULL};
    skip_spaces(p);
    int c = peek(p);
    if (take(p, '{')) parse_members(p, v, '}');
    else if (take(p, '[')) parse_members(p, v, ']');
    else if (c == '"') *v = (Json){.kind = JSON_TEXT, .text = parse_string(p)};
    else if (c == '-' || (c >= '0' && c <= '9')) parse_number(p, v);
    else if (take_word(p, "true")) *v = (Json){.kind = JSON_BOOL, .truth = true};
    else if (take_word(p, "false")) *v = (Json){.kind = JSON_BOOL, .truth = false};
    else if (!take_word(p, "null")) stop_expecting(p, "a value");
    return v;
}

const Json *json_parse(Arena *a, Bytes text)
{
    Parser p = {.arena = a, .text = text, .out = arena_alloc(a, text.size + 1)};
    const Json *v = parse_value(&p);
    skip_spaces(&p);
    if (p.at < text.size) stop_expecting(&p, "the end of the text");
    return v;
}

/* ---- looking up ------------------------------------------------------------------- */

static const char *const kind_names[] = {"null", "true or false", "a number", "a text",
                                         "an array", "an object"};

const Json *json_find(const Json *object, const char *key)
{
    require(object->kind == JSON_OBJECT, "json_find in %s", kind_names[object->kind]);
    for (const Json *m = object->child; m; m = m->next)
        if (strcmp(m->name, key) == 0) return m;
    return NULL;
}

const Json *json_get(const Json *object, const char *key, JsonKind kind,
                     const char *where)
{
    if (object->kind != JSON_OBJECT)
        fail("%s: an object with \"%s\" was expected, found %s", where, key,
             kind_names[object->kind]);
    const Json *m = json_find(object, key);
    if (!m) fail("%s: \"%s\" is missing, %s was expected", where, key, kind_names[kind]);
    if (m->kind != kind)
        fail("%s: \"%s\" is %s, %s was expected", where, key, kind_names[m->kind],
             kind_names[kind]);
    return m;
}

double json_number(const Json *object, const char *key, const char *where)
{
    return json_get(object, key, JSON_NUMBER, where)->number;
}

int64_t json_integer(const Json *object, const char *key, const char *where)
{
    const Json *m = json_get(object, key, JSON_NUMBER, where);
    if (!m->is_integer)
        fail("%s: \"%s\" is %.17g, an integer was expected", where, key, m->number);
    return m->integer;
}

const char *json_text(const Json *object, const char *key, const char *where)
{
    return json_get(object, key, JSON_TEXT, where)->text;
}

bool json_bool(const Json *object, const char *key, const char *where)
{
    return json_get(object, key, JSON_BOOL, where)->truth;
}

static const Json *get_array(const Json *object, const char *key, const char *where,
                             int max)
{
    const Json *array = json_get(object, key, JSON_ARRAY, where);
    if (array->count > max)
        fail("%s: \"%s\" has %d numbers, at most %d were expected", where, key,
             array->count, max);
    return array->child;
}

int json_numbers(const Json *object, const char *key, const char *where, double out[],
                 int max)
{
    int n = 0;
    for (const Json *m = get_array(object, key, where, max); m; m = m->next) {
        if (m->kind != JSON_NUMBER) fail("%s: \"%s\"[%d] is not a number", where, key, n);
        out[n++] = m->number;
    }
    return n;
}

int json_integers(const Json *object, const char *key, const char *where, int out[],
                  int max)
{
    int n = 0;
    for (const Json *m = get_array(object, key, where, max); m; m = m->next) {
        bool fits = m->kind == JSON_NUMBER && m->is_integer && m->integer >= INT_MIN &&
                    m->integer <= INT_MAX;
        if (!fits) fail("%s: \"%s\"[%d] is not an integer of 32 bits", where, key, n);
        out[n++] = (int)m->integer;
    }
    return n;
}
