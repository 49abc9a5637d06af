/* drift losses: how runs learned, beside each other, as a table and as a drawing. */
#include <stdio.h>

#include "apps/commands.h"
#include "apps/support/options.h"
#include "apps/support/plot.h"
#include "apps/support/run.h"
#include "tensor/error.h"

enum { MOST_RUNS = 6, ROWS = 12 };

/* The losses of a run's log, smoothed over the last hundred steps. */
static Curve read_curve(Arena *a, const char *run)
{
    Bytes log = file_read(a, run_path(a, run, "log.jsonl"));
    int most = 0, n = 0;
    for (size_t i = 0; i < log.size; i++) most += log.data[i] == '\n';
    double *step = arena_new(a, double, most), *loss = arena_new(a, double, most);
    size_t at = 0;
    for (const Json *line; (line = log_line(a, log, &at)); n++) {
        step[n] = (double)json_integer(line, "step", log.path);
        loss[n] = json_number(line, "smoothed", log.path);
    }
    if (!n) fail("%s has no line yet", log.path);
    return (Curve){run, step, loss, n, NULL};
}

/* The last logged step up to this one. */
static int find_step(const Curve *c, double step)
{
    int i = 0;
    while (i + 1 < c->count && c->x[i + 1] <= step) i++;
    return i;
}

static double last_step(const Curve *c) { return c->x[c->count - 1]; }

/* A row for each twelfth of the longest run; "-" after the end of another. */
static void print_table(const Curve curve[], int runs)
{
    const Curve *longest = curve;
    for (int r = 0; r < runs; r++) {
        printf("%s%c: %s\n", r ? "" : "\n", 'A' + r, curve[r].name);
        if (last_step(&curve[r]) > last_step(longest)) longest = &curve[r];
    }
    printf("\n    step");
    for (int r = 0; r < runs; r++) printf("  %10c", 'A' + r);
    for (int k = 1; k <= ROWS; k++) {
        double step = longest->x[find_step(longest, last_step(longest) * k / ROWS)];
        printf("\n%8.0f", step);
        for (int r = 0; r < runs; r++)
            if (step > last_step(&curve[r])) printf("  %10s", "-");
            else printf("  %10.5f", curve[r].y[find_step(&curve[r], step)]);
    }
    printf("\n");
}

int losses_main(int argc, char **argv)
{
    const char *words[MOST_RUNS], *out = NULL;
    Option options[] = {
        {"out", OPTION_TEXT, &out, "FILE.svg", "the drawing [RUN/losses.svg]", 0},
        {0},
    };
    Usage usage = {"drift losses RUN [RUN ...] [options]",
                   "Prints and draws the losses of up to six runs from their logs, also\n"
                   "of runs that are still training.", MOST_RUNS};
    int runs = options_parse(argc, argv, &usage, options, words);
    if (!runs) fail_usage("which runs?  usage: %s", usage.synopsis);
    Arena a = arena_create();
    Curve curve[MOST_RUNS];
    for (int r = 0; r < runs; r++) curve[r] = read_curve(&a, words[r]);
    print_table(curve, runs);
    if (!out) out = run_path(&a, words[0], "losses.svg");
    plot_write(out, &(Plot){"Training loss, mean of the last steps", "step", "loss",
                            .log_y = true}, curve, runs);
    printf("  %s\n", out);
    arena_destroy(&a);
    return 0;
}
