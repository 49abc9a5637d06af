/* The command line: see options.h. */
#include "apps/support/options.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/memory.h"

/* ---- help ------------------------------------------------------------------------ */

static const char *show_value(const Option *o)
{
    Arena *a = scratch();
    const int *ints = o->value;
    const double *reals = o->value;
    const NumberList *list = o->value;
    const char *text = "";
    switch (o->kind) {
    case OPTION_FLAG: return "";
    case OPTION_INT: return arena_printf(a, "%d", *(int *)o->value);
    case OPTION_LONG: return arena_printf(a, "%ld", *(long *)o->value);
    case OPTION_REAL: return arena_printf(a, "%g", *(double *)o->value);
    case OPTION_TEXT: return *(char **)o->value ? *(char **)o->value : "";
    case OPTION_INTS:
        for (int i = 0; i < MAX_LIST && ints[i]; i++)
            text = arena_printf(a, "%s%s%d", text, i ? "," : "", ints[i]);
        return text;
    case OPTION_REALS:
        for (int i = 0; i < MAX_LIST && reals[i]; i++)
            text = arena_printf(a, "%s%s%g", text, i ? "," : "", reals[i]);
        return text;
    case OPTION_LIST:
        for (int i = 0; i < list->count; i++)
            text = arena_printf(a, "%s%s%g", text, i ? "," : "", list->x[i]);
        return text;
    }
    return "";
}

static void print_help(const Usage *u, const Option options[])
{
    printf("usage: %s\n\n%s\n\noptions:\n", u->synopsis, u->about);
    for (const Option *o = options; o->name; o++) {
        size_t mark = arena_mark(scratch());
        const char *value = show_value(o);
        const char *argument = o->argument ? o->argument : "";
        char *left = arena_printf(scratch(), "--%s %s", o->name, argument);
        printf("  %-24s %s", left, o->help);
        if (value[0]) printf(" [%s]", value);
        printf("\n");
        arena_rewind(scratch(), mark);
    }
    printf("  %-24s %s\n", "--help", "print this");
}

/* ---- parsing --------------------------------------------------------------------- */

static noreturn void bad_value(const Option *o, const char *text, const char *wanted)
{
    fail_usage("--%s %s: want %s", o->name, text, wanted);
}

static long parse_long(const Option *o, const char *text, long most)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end == text || *end || errno || n < 0 || n > most)
        bad_value(o, text, "a whole number, not negative");
    return n;
}

static void parse_ints(const Option *o, const char *text)
{
    int *out = o->value, n = 0;
    for (const char *p = text; ; p++) {
        char *end;
        long k = strtol(p, &end, 10);
        if (end == p || k < 1 || k > INT_MAX || n == MAX_LIST || (*end && *end != ','))
            bad_value(o, text, "one to eight whole numbers above 0, like 1,2,2");
        out[n++] = (int)k;
        if (!*end) break;
        p = end;
    }
    while (n < MAX_LIST) out[n++] = 0;
}

/* x[MAX_LIST], filled up with zeros; returns how many there were. */
static int parse_numbers(const Option *o, const char *text, double least, double *x,
                         const char *wanted)
{
    int n = 0;
    for (const char *p = text; ; p++) {
        char *end;
        double number = strtod(p, &end);
        if (end == p || !(number >= least) || number > 1e6 || n == MAX_LIST ||
            (*end && *end != ','))
            bad_value(o, text, wanted);
        x[n++] = number;
        if (!*end) break;
        p = end;
    }
    for (int i = n; i < MAX_LIST; i++) x[i] = 0;
    return n;
}

static void parse_value(const Option *o, const char *text)
{
    char *end;
    double x;
    NumberList *list = o->value;
    switch (o->kind) {
    case OPTION_FLAG: *(bool *)o->value = true; break;
    case OPTION_INT: *(int *)o->value = (int)parse_long(o, text, INT_MAX); break;
    case OPTION_LONG: *(long *)o->value = parse_long(o, text, LONG_MAX); break;
    case OPTION_TEXT: *(const char **)o->value = text; break;
    case OPTION_INTS: parse_ints(o, text); break;
    case OPTION_REALS:
        parse_numbers(o, text, DBL_MIN, o->value,
                      "one to eight numbers above 0, like 0.5,1,2");
        break;
    case OPTION_LIST:
        list->count = parse_numbers(o, text, 0, list->x,
                                    "one to eight numbers, not negative, like 0,1,2");
        break;
    case OPTION_REAL:
        x = strtod(text, &end);
        if (end == text || *end || !(x >= 0) || x > 1e300)
            bad_value(o, text, "a number, not negative");
        *(double *)o->value = x;
        break;
    }
}

/* How many letters two names share at the start: enough for "did you mean". */
static size_t common_start(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] && a[n] == b[n]) n++;
    return n;
}

static Option *find(Option options[], const char *name, size_t length, const Usage *u)
{
    const Option *nearest = NULL;
    for (Option *o = options; o->name; o++) {
        if (strlen(o->name) == length && strncmp(o->name, name, length) == 0) return o;
        if (!nearest || common_start(o->name, name) > common_start(nearest->name, name))
            nearest = o;
    }
    if (nearest && common_start(nearest->name, name) >= 2)
        fail_usage("unknown option --%.*s; did you mean --%s?  usage: %s", (int)length,
                   name, nearest->name, u->synopsis);
    fail_usage("unknown option --%.*s; --help lists them.  usage: %s", (int)length, name,
               u->synopsis);
}

int options_parse(int argc, char **argv, const Usage *u, Option options[],
                  const char **words)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            print_help(u, options);
            exit(0);
        }
        if (strncmp(arg, "--", 2) != 0) {
            if (count == u->words)
                fail_usage("one word too many: %s.  usage: %s", arg, u->synopsis);
            words[count++] = arg;
            continue;
        }
        const char *equals = strchr(arg, '=');
        size_t length = equals ? (size_t)(equals - arg) - 2 : strlen(arg) - 2;
        Option *o = find(options, arg + 2, length, u);
        if (o->kind == OPTION_FLAG) {
            if (equals) fail_usage("--%s takes no value", o->name);
            parse_value(o, NULL);
        } else {
            if (!equals && i + 1 == argc)
                fail_usage("--%s needs a value: %s", o->name, o->argument);
            parse_value(o, equals ? equals + 1 : argv[++i]);
        }
        o->given = true;
    }
    return count;
}

bool options_given(const Option options[], const char *name)
{
    for (const Option *o = options; o->name; o++)
        if (strcmp(o->name, name) == 0) return o->given;
    require(false, "no option --%s", name);
    return false;
}
