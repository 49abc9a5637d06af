/* Leaving the program, or a test, with a sentence. */
#include "tensor/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef struct Catcher { jmp_buf jump; struct Catcher *outer; } Catcher;
static Catcher *catcher;        /* of the innermost error_catch, NULL outside all */
static char message[2048];

static void (*cleanup)(void *);
static void *cleanup_argument;

void error_cleanup(void (*f)(void *), void *argument)
{
    cleanup = f;
    cleanup_argument = argument;
}

static noreturn void leave(int code)
{
    void (*f)(void *) = cleanup;
    cleanup = NULL;
    if (f) f(cleanup_argument);
    if (catcher) longjmp(catcher->jump, 1);
    fflush(stdout);
    fprintf(stderr, "drift: %s\n", message);
    exit(code);
}

/* Writes the message from byte `at` on.  Names come from files, and a terminal obeys the
 * control characters in them: '?' takes their place. */
static void compose(int at, const char *format, va_list args)
{
    vsnprintf(message + at, sizeof message - (size_t)at, format, args);
    for (char *c = message; *c; c++) {
        unsigned char code = (unsigned char)*c;
        if ((code < ' ' && code != '\n') || code == 127) *c = '?';
    }
}

noreturn void die_at(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    compose(snprintf(message, sizeof message, "%s:%d: ", file, line), format, args);
    va_end(args);
#ifdef DEBUG
    if (!catcher) {
        fflush(stdout);
        fprintf(stderr, "drift: %s\n", message);
        abort();
    }
#endif
    leave(EXIT_FAILED);
}

noreturn void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    compose(0, format, args);
    va_end(args);
    leave(EXIT_FAILED);
}

noreturn void fail_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    compose(0, format, args);
    va_end(args);
    leave(EXIT_USAGE);
}

const char *error_catch(void (*f)(void *), void *argument)
{
    Catcher c = {.outer = catcher};
    catcher = &c;
    const char *volatile caught = NULL;
    if (setjmp(c.jump) == 0) f(argument);
    else caught = message;
    catcher = c.outer;
    return caught;
}
