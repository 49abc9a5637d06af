/* How time and memory grow: a training step of mnist-small with 16 images of 32x32 and 32
 * channels, and from there one thing at a time: images, pixels a side, channels, threads.
 *
 *     build/<config>/bench/growth [FOLDER]
 *
 * Each point is a run of its neighbour `step`, in a process of its own, since the peak of
 * memory is a process's.  A table on the terminal; with FOLDER, growth-time.svg and
 * growth-memory.svg in it.
 *
 * What to expect.  Convolutions cost images x pixels x channels^2, so time should be
 * straight lines with slopes 1, 2 and 2; small sizes lie above them, because loops are
 * started and filters transformed for little work.  Memory is the weights (channels^2)
 * and what is kept for backward (images x pixels x channels). */
#include <stdio.h>
#include <string.h>

#include "apps/support/plot.h"
#include "tensor/error.h"
#include "tensor/json.h"
#include "tensor/memory.h"

enum { MOST = 8 };

typedef struct {
    const char *what, *option;
    int count;
    double x[MOST], ms[MOST], mb[MOST];
} Sweep;

static Sweep sweeps[] = {
    {"images", "batch", 8, {1, 2, 4, 8, 16, 32, 64, 128}, {0}, {0}},
    {"pixels a side", "size", 4, {16, 32, 48, 64}, {0}, {0}},
    {"channels", "base", 4, {32, 64, 128, 256}, {0}, {0}},
    {"threads", "threads", 2, {1, 2}, {0}, {0}},
};
enum { SWEEPS = sizeof sweeps / sizeof *sweeps, DRAWN = 3 };

static double number(const Json *object, const char *key)
{
    const Json *found = json_find(object, key);
    if (!found || found->kind != JSON_NUMBER) fail("step printed no %s", key);
    return found->number;
}

/* One line of step, with one option changed. */
static const Json *run_step(Arena *a, const char *folder, const char *option, double x)
{
    const char *base = strcmp(option, "batch") == 0 ? "" : "--batch 16 ";
    const char *command =
        arena_printf(a, "%sstep --mode train --steps 3 --json %s--%s %g", folder, base,
                     option, x);
    FILE *f = popen(command, "r");
    if (!f) fail("cannot run %s", command);
    char line[4096] = "";
    size_t length = fread(line, 1, sizeof line - 1, f);
    if (pclose(f) != 0 || length == 0) fail("%s failed", command);
    return json_parse(a, (Bytes){"step", (const uint8_t *)line, length});
}

static void measure(Sweep *s, const char *folder)
{
    printf("%-14s      ms a step   MB at most   images/s\n", s->what);
    for (int i = 0; i < s->count; i++) {
        Arena a = arena_create();
        const Json *line = run_step(&a, folder, s->option, s->x[i]);
        s->ms[i] = number(line, "ms_median");
        s->mb[i] = number(line, "peak_rss_mb");
        printf("%14g %14.1f %12.0f %10.1f\n", s->x[i], s->ms[i], s->mb[i],
               number(line, "images_per_s"));
        fflush(stdout);
        arena_destroy(&a);
    }
}

static void draw(const char *folder, const char *name, const char *label, bool memory)
{
    Curve c[DRAWN];
    for (int k = 0; k < DRAWN; k++)
        c[k] = (Curve){sweeps[k].what, sweeps[k].x,
                       memory ? sweeps[k].mb : sweeps[k].ms, sweeps[k].count, NULL};
    const char *path = arena_printf(scratch(), "%s/growth-%s.svg", folder, name);
    plot_write(path, &(Plot){arena_printf(scratch(), "A training step: %s", name),
                             "images, pixels a side, channels", label, true, true},
               c, DRAWN);
    printf("  %s\n", path);
}

int main(int argc, char **argv)
{
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        printf("usage: growth [FOLDER]\n\nTimes a training step of mnist-small at many "
               "sizes; with FOLDER, draws\ngrowth-time.svg and growth-memory.svg in it. "
               " Some minutes.\n");
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    char *slash = strrchr(argv[0], '/');
    if (slash) slash[1] = '\0';
    for (int k = 0; k < SWEEPS; k++) measure(&sweeps[k], slash ? argv[0] : "");
    if (argc == 2) {
        draw(argv[1], "time", "ms", false);
        draw(argv[1], "memory", "MB", true);
    }
    return 0;
}
