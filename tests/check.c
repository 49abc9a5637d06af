/* The test harness: see check.h. */
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/error.h"
#include "tensor/file.h"

static int failures;        /* in the test that runs now */

static void fault(const char *file, int line)
{
    failures++;
    printf("%s:%d: ", file, line);
}

void check_at(const char *file, int line, bool ok, const char *what)
{
    if (ok) return;
    fault(file, line);
    printf("not true: %s\n", what);
}

void check_int_at(const char *file, int line, long long got, long long want,
                  const char *what)
{
    if (got == want) return;
    fault(file, line);
    printf("%s is %lld, want %lld\n", what, got, want);
}

void check_text_at(const char *file, int line, const char *got, const char *want,
                   const char *what)
{
    if (got && strcmp(got, want) == 0) return;
    fault(file, line);
    printf("%s is \"%s\", want \"%s\"\n", what, got ? got : "(null)", want);
}

static bool is_close(double got, double want, double tolerance)
{
    return fabs(got - want) <= tolerance * fmax(1, fabs(want));
}

void check_close_at(const char *file, int line, double got, double want, double tolerance,
                    const char *what)
{
    if (is_close(got, want, tolerance)) return;
    fault(file, line);
    printf("%s is %.12g, want %.12g within %.3g\n", what, got, want, tolerance);
}

void check_reals_at(const char *file, int line, const Real *got, const Real *want,
                    size_t n, double tolerance, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!is_close(got[i], want[i], tolerance)) {
            fault(file, line);
            printf("%s[%zu] of %zu is %.12g, want %.12g within %.3g\n", what, i, n,
                   (double)got[i], (double)want[i], tolerance);
            return;
        }
}

void check_at_most_at(const char *file, int line, double got, double limit,
                      const char *what)
{
    if (got <= limit) return;
    fault(file, line);
    printf("%s: %.3g, want at most %.3g\n", what, got, limit);
}

void check_stops_at(const char *file, int line, void (*f)(void *), void *argument,
                    const char *words)
{
    const char *message = error_catch(f, argument);
    if (message && strstr(message, words)) return;
    fault(file, line);
    if (message) printf("stopped with \"%s\"", message);
    else printf("did not stop");
    printf(", want a message with \"%s\"\n", words);
}

void fill_uniform(Real *x, size_t n, unsigned seed)
{
    unsigned long long state = seed * 0x9e3779b97f4a7c15ull + 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        x[i] = (Real)((double)(state >> 40) / (1 << 23) - 1);
    }
}

static char folder[64];

static void remove_folder(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) fprintf(stderr, "could not remove %s\n", folder);
}

const char *test_folder(void)
{
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "build/test-XXXXXX");
        if (!mkdtemp(folder)) {
            perror("cannot make a folder under build/");
            exit(1);
        }
        atexit(remove_folder);
    }
    return folder;
}

/* Of what lives as long as the program. */
static Arena *arena(void)
{
    static Arena a;
    if (!a.region.base) a = arena_create();
    return &a;
}

char *in_folder(const char *name)
{
    return arena_printf(arena(), "%s/%s", test_folder(), name);
}

bool same_files(const char *x, const char *y)
{
    size_t mark = arena_mark(arena());
    Bytes a = file_read(arena(), x), b = file_read(arena(), y);
    bool same = a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
    arena_rewind(arena(), mark);
    return same;
}

int drift_run(const char **output, const char *before, const char *args)
{
    const char *program = getenv("DRIFT"), *log = in_folder("output");
    if (!program) program = "build/drift";
    int status =
        system(arena_printf(arena(), "(%s %s %s) > %s 2>&1", before, program, args, log));
    Bytes text = file_read(arena(), log);
    *output = arena_printf(arena(), "%.*s", (int)text.size, (const char *)text.data);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void check_drift_at(const char *file, int line, int code, const char *words,
                    const char *args)
{
    const char *output;
    int got = drift_run(&output, "", args);
    check_int_at(file, line, got, code, args);
    if (!strstr(output, words)) check_text_at(file, line, output, words, args);
}

int run_tests(int argc, char **argv, const Test tests[], int count)
{
    int passed = 0, failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < count; i++) {
        if (argc > 1 && !strstr(tests[i].name, argv[1])) continue;
        failures = 0;
        tests[i].run();
        if (failures) printf("FAILED %s\n", tests[i].name);
        failures ? failed++ : passed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed || !passed;
}

/* LLVM's OpenMP never gives back some memory of the threads it made.  The leak sanitizer
 * asks here what to overlook; without it nobody calls these. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libomp"; }
const char *__lsan_default_options(void);
const char *__lsan_default_options(void) { return "print_suppressions=0"; }
