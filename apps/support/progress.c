/* Progress lines: see progress.h. */
#include "apps/support/progress.h"

#include <stdio.h>
#include <unistd.h>

Progress progress_start(const char *what)
{
    double now = seconds_now();
    return (Progress){.what = what, .start = now, .last_shown = now - 1e9,
                      .live = isatty(STDOUT_FILENO)};
}

void progress_show(Progress *p, long done, long total, double fraction,
                   const char *details)
{
    double now = seconds_now(), interval = p->live ? 0.2 : 10;
    if (!p->started) p->begin = fraction, p->started = true;
    if (now - p->last_shown < interval && fraction < 1) return;
    p->last_shown = now;
    printf("%s%s %ld", p->live ? "\r" : "", p->what, done);
    if (total) printf("/%ld", total);
    printf("  %3.0f%%  %s", 100 * fraction, details);
    if (fraction < 1 && fraction > p->begin) {
        long left = (long)((now - p->start) * (1 - fraction) / (fraction - p->begin));
        printf("  %ld:%02ld left", left / 60, left % 60);
    }
    printf(p->live ? "\033[K" : "\n");
    fflush(stdout);
}

void progress_break(Progress *p)
{
    if (p->live) printf("\n");
    fflush(stdout);
}
