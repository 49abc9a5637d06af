/* From the arguments of a published network to a UNetConfig: see published.h.
 *
 * A class has two lists in JSON: the arguments that we follow, with the class's own
 * defaults, and those of which we follow one value only.  An argument in neither is
 * refused. */
#include <string.h>

#include "nn/published_class.h"
#include "tensor/error.h"

/* ---- one argument -------------------------------------------------------------- */

/* A required one that is missing is then found missing by the json_ functions. */
const Json *argument_holder(const Arguments *a, const char *key)
{
    return json_find(a->given, key) ? a->given : a->defaults;
}

bool argument_is_null(const Arguments *a, const char *key)
{
    return json_find(argument_holder(a, key), key)->kind == JSON_NULL;
}

bool argument_bool(const Arguments *a, const char *key)
{
    return json_bool(argument_holder(a, key), key, a->where);
}

/* -1 stands for "none" in some classes. */
int argument_integer(const Arguments *a, const char *key)
{
    int64_t n = json_integer(argument_holder(a, key), key, a->where);
    if (n < -1 || n > 1 << 20)
        fail("%s: %s is %lld; want -1 to %d", a->where, key, (long long)n, 1 << 20);
    return (int)n;
}

int argument_integers(const Arguments *a, const char *key, int out[])
{
    int n = json_integers(argument_holder(a, key), key, a->where, out, MAX_LEVELS);
    for (int i = 0; i < n; i++)
        if (out[i] < 1 || out[i] > 1 << 20)
            fail("%s: %s has %d; want 1 to %d", a->where, key, out[i], 1 << 20);
    return n;
}

double argument_number(const Arguments *a, const char *key)
{
    return json_number(argument_holder(a, key), key, a->where);
}

int argument_numbers(const Arguments *a, const char *key, double out[])
{
    return json_numbers(argument_holder(a, key), key, a->where, out, MAX_LEVELS);
}

bool argument_choice(const Arguments *a, const char *key, const char *no, const char *yes)
{
    const char *text = json_text(argument_holder(a, key), key, a->where);
    if (strcmp(text, no) != 0 && strcmp(text, yes) != 0)
        fail("%s: %s \"%s\" is not supported; \"%s\" and \"%s\" are", a->where, key, text,
             no, yes);
    return strcmp(text, yes) == 0;
}

/* ---- all arguments ------------------------------------------------------------- */

static bool same_value(const Json *a, const Json *b)
{
    if (a->kind != b->kind) return false;
    if (a->kind == JSON_BOOL) return a->truth == b->truth;
    if (a->kind == JSON_NUMBER) return a->number == b->number;
    if (a->kind == JSON_TEXT) return strcmp(a->text, b->text) == 0;
    return a->kind == JSON_NULL;
}

void arguments_check(const Arguments *a, const Json *fixed, const char *of)
{
    if (a->given->kind != JSON_OBJECT)
        fail("%s: the arguments are not an object", a->where);
    for (const Json *j = a->given->child; j; j = j->next) {
        const Json *only = json_find(fixed, j->name);
        if (only && !same_value(only, j))
            fail("%s: of %s only the default of %s is supported", a->where, j->name, of);
        if (!only && !json_find(a->defaults, j->name) && j->name[0] != '_')
            fail("%s: %s is no argument of %s that is supported", a->where, j->name, of);
    }
}

static const PublishedClass *const families[] = {openai_classes, edm_classes,
                                                 diffusers_classes};
enum { FAMILIES = sizeof families / sizeof *families };

const PublishedClass *published_class(const char *name)
{
    const char *list = "";
    for (size_t i = 0; i < FAMILIES; i++)
        for (const PublishedClass *k = families[i]; k->name; k++) {
            if (strcmp(k->name, name) == 0) return k;
            list = arena_printf(scratch(), "%s%s%s", list, *list ? ", " : "", k->name);
        }
    fail("there is no class of networks %s; there are %s", name, list);
}

const PublishedClass *published_recognise(const SafeTensors *file)
{
    for (size_t i = 0; i < FAMILIES; i++)
        for (const PublishedClass *k = families[i]; k->name; k++)
            for (int n = 0; k->mark && n < file->count; n++)
                if (strstr(file->entries[n].name, k->mark)) return k;
    return NULL;
}

static const Json *parse(Arena *a, const char *text)
{
    return json_parse(a, (Bytes){.data = (const uint8_t *)text, .size = strlen(text)});
}

/* What the layers below would take at its word. */
static void check_numbers(const UNetConfig *c, const char *where)
{
    const BlockStyle *s = &c->style;
    if (!(s->dropout >= 0 && s->dropout < 1) || !(s->eps > 0))
        fail("%s: dropout %g and norms with eps %g; want 0 to 1 (not 1), and above 0",
             where, s->dropout, s->eps);
    for (int l = 0; l < c->levels; l++) {
        double width = c->base * c->mult[l];
        if (!(width >= 1 && width <= WIDEST && c->base <= WIDEST))
            fail("%s: %d channels, times %g at level %d; want 1 to %d", where, c->base,
                 c->mult[l], l, WIDEST);
    }
}

PublishedNet published_net(const char *class, const Json *arguments, int height,
                           int width, const char *where)
{
    const PublishedClass *k = published_class(class);
    size_t mark = arena_mark(scratch());
    Arguments a = {arguments, parse(scratch(), k->defaults), where, height};
    PublishedNet net = {.class = k->name, .names = k->names, .order = k->names->order,
                        .unet = {.height = height, .width = width}};
    arguments_check(&a, parse(scratch(), k->fixed), k->name);
    k->read(&a, &net);
    check_numbers(&net.unet, where);
    arena_rewind(scratch(), mark);
    return net;
}

/* ---- back to arguments --------------------------------------------------------- */

void arguments_put_attention(Text *t, const char *key, const UNetConfig *c, bool factors)
{
    int list[MAX_LEVELS], n = 0;
    for (int l = 0; l < c->levels; l++)
        if (unet_attends(c, l))
            list[n++] = factors ? 1 << l : c->height >> l;
    json_put_integers(t, key, list, n);
}

void arguments_put_count(Text *t, const char *key, int n, bool minus)
{
    if (n || minus) json_put_integer(t, key, n ? n : -1);
    else json_put_null(t, key);
}

static void put_fixed(Text *t, const Json *fixed)
{
    for (const Json *j = fixed->child; j; j = j->next) {
        if (j->kind == JSON_BOOL) json_put_bool(t, j->name, j->truth);
        if (j->kind == JSON_NUMBER) json_put_number(t, j->name, j->number);
        if (j->kind == JSON_TEXT) json_put_text(t, j->name, j->text);
        if (j->kind == JSON_NULL) json_put_null(t, j->name);
    }
}

void published_put_arguments(Text *t, const char *class, const UNetConfig *c)
{
    const PublishedClass *k = published_class(class);
    require(k->write, "no arguments can be written for %s", class);
    json_put_text(t, "_class_name", k->name);
    k->write(t, c);
    put_fixed(t, parse(t->arena, k->fixed));
}
