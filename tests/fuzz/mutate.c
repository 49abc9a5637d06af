/* `make fuzz`: feeds each format with damaged copies of its seeds, for MINUTES in all.
 *
 * An input is a seed, or two cut and joined, with one to eight changes: a bit, a byte, a
 * number of interest, a piece removed, repeated or set to one byte, an end cut off.  A
 * child process does the work; the input on trial lies in memory shared with it, so when
 * the child dies, or hangs, the parent keeps it as build/fuzz/crash-FORMAT. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/clock.h"
#include "tensor/error.h"
#include "tests/fuzz/targets.h"

enum { MOST = 1 << 13, ROUND = 1024, HANG_SECONDS = 60 };

typedef struct {
    long inputs;                /* tried so far */
    size_t size;                /* of the one on trial */
    uint8_t data[MOST];
} Trial;

static uint64_t state = 1;

/* A number below n. */
static size_t chance(size_t n)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return n ? (size_t)(state >> 33) % n : 0;
}

static void append(Trial *in, const uint8_t *data, size_t size)
{
    if (size > MOST - in->size) size = MOST - in->size;
    memcpy(in->data + in->size, data, size);
    in->size += size;
}

/* Removes [at, at + n), or puts it in again behind itself. */
static void cut(Trial *in, size_t at, size_t n)
{
    memmove(in->data + at, in->data + at + n, in->size - at - n);
    in->size -= n;
}

static void repeat(Trial *in, size_t at, size_t n)
{
    if (in->size + n > MOST) return;
    memmove(in->data + at + n, in->data + at, in->size - at);
    in->size += n;
}

static void change(Trial *in)
{
    static const uint8_t bytes[] = "\x00\x01\x7f\x80\xff\"\\{}[],:0-.e \n=";
    if (in->size == 0) return;
    size_t at = chance(in->size), n = 1 + chance(in->size - at < 32 ? in->size - at : 32);
    if (n > in->size - at) n = in->size - at;
    switch (chance(7)) {
    case 0: in->data[at] ^= (uint8_t)(1 << chance(8)); break;
    case 1: in->data[at] = (uint8_t)chance(256); break;
    case 2: in->data[at] = bytes[chance(sizeof bytes - 1)]; break;
    case 3: cut(in, at, n); break;
    case 4: repeat(in, at, n); break;
    case 5: memset(in->data + at, bytes[chance(5)], n > 8 ? 8 : n); break;
    case 6: if (chance(4) == 0) in->size = at; break;
    }
}

static void make_input(Trial *in, const Bytes seeds[], int count)
{
    const Bytes *seed = &seeds[chance((size_t)count)];
    const Bytes *other = &seeds[chance((size_t)count)];
    in->size = 0;
    append(in, seed->data, seed->size);
    if (chance(8) == 0) {
        in->size = chance(in->size + 1);
        size_t from = chance(other->size);
        append(in, other->data + from, other->size - from);
    }
    for (size_t k = 1 + chance(8); k; k--) change(in);
}

/* The child: feeds the target until the time is up. */
static void work(const Target *t, const Bytes seeds[], int count, double end,
                 Trial *trial)
{
    do {
        alarm(HANG_SECONDS);
        for (int i = 0; i < ROUND; i++) {
            make_input(trial, seeds, count);
            target_run(t, trial->data, trial->size);
            trial->inputs++;
        }
    } while (seconds_now() < end);
}

static void keep(const char *name, const Trial *trial, int status)
{
    char path[64];
    snprintf(path, sizeof path, "build/fuzz/crash-%s", name);
    file_write(path, trial->data, trial->size);
    bool hangs = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    printf("%s: %s; the input is %s\n", name, hangs ? "hangs" : "crashes", path);
}

/* Feeds one target for so many seconds; returns whether it took all of it. */
static bool feed(const Target *t, double seconds, Trial *trial)
{
    Arena a = arena_create();
    Bytes *seeds;
    int count = target_seeds(&a, t, &seeds), status = 0;
    double end = seconds_now() + seconds;
    trial->inputs = 0;
    pid_t child = fork();
    if (child < 0) fail("cannot start a process");
    if (child == 0) {
        work(t, seeds, count, end, trial);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (status) keep(t->name, trial, status);
    printf("%-12s %10ld inputs\n", t->name, trial->inputs);
    arena_destroy(&a);
    return status == 0;
}

int main(int argc, char **argv)
{
    double minutes = argc > 1 ? strtod(argv[1], NULL) : 1;
    const char *only = argc > 2 ? argv[2] : "";
    int count = 0, passed = 0, failed = 0;
    long total = 0;
    folder_make("build/fuzz");
    setvbuf(stdout, NULL, _IOLBF, 0);
    Trial *trial = mmap(NULL, sizeof *trial, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (trial == MAP_FAILED) fail("out of memory");
    state = (uint64_t)(seconds_now() * 1e6);
    for (const Target *t = targets; t->name; t++) count += strstr(t->name, only) != NULL;
    for (const Target *t = targets; t->name; t++) {
        if (!strstr(t->name, only)) continue;
        feed(t, 60 * minutes / count, trial) ? passed++ : failed++;
        total += trial->inputs;
    }
    printf("%-12s %10ld inputs\n%d passed, %d failed\n", "all", total, passed, failed);
    return failed || !passed;
}
