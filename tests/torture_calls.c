/* A world in which calls go wrong, for `make torture`.
 *
 * The linker (--wrap) puts these functions between the objects of `drift`, compiled as
 * ever, and the system.  DRIFT_FAULT tells what happens, and at which call:
 *
 *     kill N          the process is killed before the Nth call that changes the disk
 *     tear N          ... after it; of a write, half has happened
 *     ENOSPC N        from that call on the disk is full; EDQUOT: the quota is used up;
 *                     EROFS: the disk has become read-only
 *     EIO N           that call alone fails
 *     EINTR 0         every such call is interrupted once
 *     short 0         every write takes half of what it is given
 *     page N          the Nth request of pages from the system is refused; pages N: all from
 *                     there on
 *     place N         the Nth place in the program that asks for memory, counted by first use,
 *                     asks for more than the machine has; places N: all from there on
 *     count 0         nothing; at the end the three counts are printed */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tensor/memory.h"

static char action[16];
static long chosen, disk_calls, page_calls, places;

static void print_counts(void)
{
    fprintf(stderr, "counts %ld %ld %ld\n", disk_calls, page_calls, places);
}

static bool is(const char *name)
{
    static bool ready;
    if (!ready) {
        const char *fault = getenv("DRIFT_FAULT");
        ready = true;
        if (fault) sscanf(fault, "%15s %ld", action, &chosen);
        if (strcmp(action, "count") == 0) atexit(print_counts);
    }
    return strcmp(action, name) == 0;
}

/* ---- the disk ---------------------------------------------------------------------- */

int __real_open(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *data, size_t bytes);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);

static bool torn;       /* this call is the last */

/* Counts a call; true if it must fail with errno as set. */
static bool goes_wrong(void)
{
    bool here = ++disk_calls == chosen;
    if (here && is("kill")) raise(SIGKILL);
    torn = here && is("tear");
    static const struct { const char *name; int error; } lasting[] = {
        {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
    };
    for (int i = 0; i < 3; i++)
        if (disk_calls >= chosen && is(lasting[i].name)) {
            errno = lasting[i].error;
            return true;
        }
    errno = EIO;
    return here && is("EIO");
}

static bool is_interrupted(void)
{
    static bool before;
    before = is("EINTR") && !before;
    errno = EINTR;
    return before;
}

static void end_if_torn(void) { if (torn) raise(SIGKILL); }

int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    if (flags & O_CREAT && goes_wrong()) return -1;
    int fd = __real_open(path, flags, mode);
    end_if_torn();
    return fd;
}

ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    if (is_interrupted() || goes_wrong()) return -1;
    ssize_t n = __real_write(fd, data, torn || is("short") ? (bytes + 1) / 2 : bytes);
    end_if_torn();
    return n;
}

int __wrap_fsync(int fd)
{
    if (is_interrupted() || goes_wrong()) return -1;
    int result = __real_fsync(fd);
    end_if_torn();
    return result;
}

int __wrap_rename(const char *from, const char *to)
{
    if (goes_wrong()) return -1;
    int result = __real_rename(from, to);
    end_if_torn();
    return result;
}

/* ---- memory ------------------------------------------------------------------------ */

int __real_mprotect(void *at, size_t bytes, int how);
void *__real_arena_alloc(Arena *a, size_t bytes);
void *__real_arena_alloc_array(Arena *a, size_t size, size_t count);
void *__real_pool_alloc(Pool *p, size_t bytes);
int __wrap_mprotect(void *at, size_t bytes, int how);
void *__wrap_arena_alloc(Arena *a, size_t bytes);
void *__wrap_arena_alloc_array(Arena *a, size_t size, size_t count);
char *__wrap_arena_printf(Arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void *__wrap_pool_alloc(Pool *p, size_t bytes);

int __wrap_mprotect(void *at, size_t bytes, int how)
{
    page_calls++;
    if ((page_calls == chosen && is("page")) || (page_calls >= chosen && is("pages"))) {
        errno = ENOMEM;
        return -1;
    }
    return __real_mprotect(at, bytes, how);
}

enum { MOST_PLACES = 4096 };

/* Counts the places that asked so far; true if this one is the chosen and must get
 * nothing. */
static bool is_refused(const void *place)
{
    static const void *seen[MOST_PLACES];
    long i = 0;
    if (!is("place") && !is("places") && !is("count")) return false;
    while (i < places && seen[i] != place) i++;
    if (i == places && places < MOST_PLACES) seen[places++] = place;
    else if (places < chosen || !is("places")) return false;
    return is("places") ? places >= chosen : places == chosen && is("place");
}

/* So much that the real allocator must refuse it, with its own sentence. */
static const size_t too_much = SIZE_MAX / 4;
#define CALLER __builtin_return_address(0)

void *__wrap_arena_alloc(Arena *a, size_t bytes)
{
    return __real_arena_alloc(a, is_refused(CALLER) ? too_much : bytes);
}

void *__wrap_arena_alloc_array(Arena *a, size_t size, size_t count)
{
    return is_refused(CALLER) ? __real_arena_alloc(a, too_much)
                              : __real_arena_alloc_array(a, size, count);
}

void *__wrap_pool_alloc(Pool *p, size_t bytes)
{
    return __real_pool_alloc(p, is_refused(CALLER) ? too_much : bytes);
}

char *__wrap_arena_printf(Arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = (size_t)vsnprintf(NULL, 0, format, args) + 1;
    va_end(args);
    char *text = __real_arena_alloc(a, is_refused(CALLER) ? too_much : n);
    va_start(args, format);
    vsnprintf(text, n, format, args);
    va_end(args);
    return text;
}
