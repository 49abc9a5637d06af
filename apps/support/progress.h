/* A line that tells how far a long task has come.
 *
 * On a terminal it is one live line, rewritten a few times a second; elsewhere (a file, a
 * pipe) it is a plain line every ten seconds and one at the end. */
#ifndef APPS_SUPPORT_PROGRESS_H
#define APPS_SUPPORT_PROGRESS_H

#include <stdbool.h>

#include "tensor/clock.h"

typedef struct {
    const char *what;           /* "step", "image" */
    double start, last_shown;   /* seconds */
    double begin;               /* the fraction at the first call, if the task resumes */
    bool started, live;
} Progress;

Progress progress_start(const char *what);

/* Shows "what done/total  37%  <details>  12:34 left", if it is time to.  total 0:
 * unknown.  `fraction` of the task is done, in [0, 1]; the time left is judged from what
 * this process did. */
void progress_show(Progress *p, long done, long total, double fraction,
                   const char *details);

/* Ends a live line, so that what is printed next starts on a line of its own. */
void progress_break(Progress *p);

#endif
