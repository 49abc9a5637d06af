/* What the parts of `make torture` share: a small run, and what happened to a copy of
 * it. */
#ifndef TESTS_TORTURE_H
#define TESTS_TORTURE_H

#include "tensor/file.h"
#include "tests/check.h"

enum { FIRST = 1, LAST = 2 };       /* steps: of the run to begin with, of the whole */

extern Arena arena;                 /* of everything below */
#define TEXT(...) arena_printf(&arena, __VA_ARGS__)

/* The path of a run's checkpoint in the folder of this test. */
const char *checkpoint(const char *run);

/* The program to torture, from the environment. */
const char *program(void);

/* Runs it under a fault (torture_calls.c); returns the exit code, or 128 + signal.  What
 * it said is in the file "output". */
int drift(const char *fault, const char *args);
bool output_has(const char *words);

/* Makes the pictures and, for each step, a run that ended there with nothing in its
 * way. */
void prepare(void);

/* A data set and options for `drift train`. */
const char *options(void);

/* A command on a folder of its own, made anew: a run from its beginning, or one that goes
 * on from step FIRST. */
const char *command(bool fresh, const char *run);

/* How many calls a command makes that can be made to fail. */
typedef struct { long disk, pages, places; } Counts;
Counts count_calls(const char *args);

/* Runs command(fresh) under the fault, which must end with `code` and a sentence with
 * `words` (unless NULL); then the checkpoint must be that of some step, and the run, gone
 * on with, end in the right bytes. */
void suffer(const char *action, long n, bool fresh, int code, const char *words);

/* The tests that watch a process from outside: torture_process.c. */
void killed_at_any_moment(void);
void a_long_run_stays_as_it_is(void);

#endif
