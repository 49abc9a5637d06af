/* drift gradcheck: is the derivative of an operation right?
 *
 * Whoever adds an operation writes a row in autograd/cases.c and points this at it.  The
 * check itself is autograd/gradcheck.h; here are the table and the verdicts. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/options.h"
#include "autograd/gradcheck.h"
#include "tensor/error.h"

/* From the best: the first band whose limit holds is the verdict.  Float can suspect, not
 * convict: only a build in double ends with exit code 1. */
typedef struct {
    double limit;
    const char *verdict, *about;
} Band;
enum { BANDS = 4, LOOK = 2, WRONG = 3, CAN_TELL = sizeof(Real) == 8 };

static const Band in_double[BANDS] = {
    {1e-9, "right", "what is left is the rounding of the slope"},
    {1e-7, "right, steep", "right, but rounding weighs much: large numbers or slopes"},
    {1e-4, "look at it", "a kink or a jump within the step, or a small term is missing"},
    {HUGE_VAL, "WRONG", "the gradient is not the slope; the worst entry is shown"},
};
static const Band in_float[BANDS] = {
    {1e-4, "plausible", "as near as float can tell, which hides a small missing term"},
    {2e-3, "plausible, steep", "the same, with large numbers or large slopes"},
    {2e-2, "look at it", "a kink or a jump within the step, or a term is missing"},
    {HUGE_VAL, "WRONG?", "the gradient is not the slope, or a kink lies within the step"},
};
static const Band *const bands = CAN_TELL ? in_double : in_float;
static const char *const advice = CAN_TELL ? "" :
    "This drift computes in float.  `make REAL=double` builds one that can tell.\n";

/* "up to 1e-09  right   ..." a line a band. */
static const char *explain_bands(void)
{
    const char *text = "";
    for (int i = 0; i < BANDS; i++)
        text = arena_printf(scratch(), "%s  %s %-8.2g %-17s %s\n", text,
                            i < WRONG ? "up to" : "above",
                            bands[i < WRONG ? i : i - 1].limit, bands[i].verdict,
                            bands[i].about);
    return text;
}

static int band_of(double error)
{
    int i = 0;
    while (i < WRONG && !(error <= bands[i].limit)) i++;       /* a NaN is wrong */
    return i;
}

static void print_entry(const Case *c, const Mismatch *m)
{
    printf("    input %d, entry %zu: gradient %.9g, slope %.9g", m->input, m->index,
           m->gradient, m->slope);
    for (int i = 0; i < case_inputs(c); i++)
        if (!(m->varying >> i & 1)) printf("; input %d constant", i);
    printf("\n");
}

/* One row of the table; returns its band. */
static int check_case(const Case *c, int number)
{
    const char *shapes = "";
    for (int i = 0; i < case_inputs(c); i++)
        shapes = arena_printf(scratch(), "%s%s%s", shapes, i ? " " : "",
                              SHOW(c->shape[i]));
    Mismatch m = gradcheck(c);
    int band = band_of(m.error);
    printf("%-21s %4d  %-44s %8.1e  %s\n", c->op, number, shapes, m.error,
           bands[band].verdict);
    if (band >= LOOK) print_entry(c, &m);
    return band;
}

static noreturn void fail_unknown(const char *op)
{
    const char *names = "", *before = "";
    for (const Case *c = cases; c->op; before = c->op, c++)
        if (strcmp(c->op, before) != 0)
            names = arena_printf(scratch(), "%s%s%s", names, before[0] ? ", " : "",
                                 c->op);
    fail_usage("no operation %s has a row in autograd/cases.c; there are %s", op, names);
}

int gradcheck_main(int argc, char **argv)
{
    const char *words[1] = {NULL};
    Option options[] = {{0}};
    const char *about = arena_printf(scratch(),
        "Compares the gradients of an operation (of all operations) with the slopes of\n"
        "the function: every row of autograd/cases.c, with every subset of the inputs\n"
        "held constant.  The error is |gradient - slope| / max(1, |gradient|):\n\n%s%s",
        explain_bands(), advice);
    Usage usage = {"drift gradcheck [OP]", about, 1};
    options_parse(argc, argv, &usage, options, words);

    int number = 0, rows = 0, wrong = 0;
    const char *before = "";
    for (const Case *c = cases; c->op; before = c->op, c++) {
        number = strcmp(c->op, before) == 0 ? number + 1 : 1;
        if (words[0] && strcmp(c->op, words[0]) != 0) continue;
        if (rows++ == 0)
            printf("%-21s %4s  %-44s %8s  %s\n", "operation", "case", "inputs", "error",
                   "verdict");
        wrong += check_case(c, number) == WRONG;
    }
    if (!rows) fail_unknown(words[0]);
    printf("\n%s%s\n%d of %d %s\n", explain_bands(), advice, wrong, rows,
           bands[WRONG].verdict);
    return CAN_TELL && wrong > 0;
}
