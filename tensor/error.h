/* Two kinds of trouble, two doors.
 *
 *   require(ok, ...)  a broken contract inside the program: wrong shape, wrong order of
 *                     calls.  Prints file:line and the message, exit code 1 (abort under
 *                     DEBUG=1, so that a debugger shows the caller).
 *   fail(...)         the outside world: a file, an option, a disk.  Prints a sentence
 *                     that says what was expected, what was found and what to try.  Exit
 *                     code 1.
 *
 * Neither returns, so no function of the engine returns an error code or NULL, and no
 * caller has anything to undo: memory belongs to arenas, and a half-written file is
 * removed by its writer (tensor/file.h).  Tests and fuzzers catch both doors with
 * error_catch. */
#ifndef TENSOR_ERROR_H
#define TENSOR_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

#define require(ok, ...) ((ok) ? (void)0 : die_at(__FILE__, __LINE__, __VA_ARGS__))

noreturn void die_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As fail, with exit code 2: the command line itself is wrong. */
noreturn void fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs f(argument).  Returns NULL if it came back, else the message of the require or
 * fail that stopped it (a static buffer, valid until the next call).  Of several around
 * one another the innermost catches.  Not from inside a parallel loop. */
const char *error_catch(void (*f)(void *), void *argument);

/* f(argument) runs once before the program leaves through fail, die_at or error_catch; it
 * is how a writer removes its unfinished file.  NULL takes the promise back. */
void error_cleanup(void (*f)(void *), void *argument);

#endif
