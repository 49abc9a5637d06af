/* The test harness: a test file ends with a table of its tests.
 *
 *     static void adds(void) { check_int(1 + 1, 2); }
 *     static const Test tests[] = {T(adds)};
 *     int main(int argc, char **argv)
 *     {
 *         return run_tests(argc, argv, tests, NELEM(tests));
 *     }
 *
 * A check that fails prints file:line, what it got and what it wanted, and the test goes
 * on.  `build/.../test_gemm odd` runs the tests whose names contain "odd".  The exit code
 * is 1 if a test failed or if no test ran. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/real.h"

typedef struct {
    const char *name;
    void (*run)(void);
} Test;

#define T(function) {#function, function}
#define NELEM(array) ((int)(sizeof(array) / sizeof *(array)))

int run_tests(int argc, char **argv, const Test tests[], int count);

#define HERE __FILE__, __LINE__

#define check(ok) check_at(HERE, ok, #ok)
#define check_int(got, want) check_int_at(HERE, got, want, #got)
#define check_text(got, want) check_text_at(HERE, got, want, #got)
/* |got - want| <= tolerance * max(1, |want|); a NaN never passes. */
#define check_close(got, want, tolerance) check_close_at(HERE, got, want, tolerance, #got)
/* The same for n numbers against the numbers listed after n. */
#define check_reals(got, want, n, tolerance) \
    check_reals_at(HERE, got, want, n, tolerance, #got)
/* got <= limit; a NaN never passes.  `what` says of what. */
#define check_at_most(got, limit, what) check_at_most_at(HERE, got, limit, what)
/* f(argument) must stop with a message that contains `words`. */
#define check_stops(f, argument, words) check_stops_at(HERE, f, argument, words)

void check_at(const char *file, int line, bool ok, const char *what);
void check_int_at(const char *file, int line, long long got, long long want,
                  const char *what);
void check_text_at(const char *file, int line, const char *got, const char *want,
                   const char *what);
void check_close_at(const char *file, int line, double got, double want, double tolerance,
                    const char *what);
void check_reals_at(const char *file, int line, const Real *got, const Real *want,
                    size_t n, double tolerance, const char *what);
void check_at_most_at(const char *file, int line, double got, double limit,
                      const char *what);
void check_stops_at(const char *file, int line, void (*f)(void *), void *argument,
                    const char *words);

/* Runs `BEFORE drift ARGS` in a shell and returns the exit code; *output is what was
 * printed.  The program is $DRIFT, or build/drift. */
int drift_run(const char **output, const char *before, const char *args);

/* It must end with this code and print the words. */
void check_drift_at(const char *file, int line, int code, const char *words,
                    const char *args);

/* Fills x with numbers in [-1, 1) that depend on the seed alone. */
void fill_uniform(Real *x, size_t n, unsigned seed);

/* A folder for this test's files, empty at the start, removed when the program ends, and
 * the path of a name in it. */
const char *test_folder(void);
char *in_folder(const char *name);

/* Do two files hold the same bytes? */
bool same_files(const char *x, const char *y);

#endif
