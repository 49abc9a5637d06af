/* `make torture`: the program under a disk that fills up, breaks or is interrupted, under memory
 * that runs out, and killed at every call that changes the disk (torture_calls.c tells how).
 *
 * Whatever happened, the checkpoint must be that of some step, whole; and the run, gone on with
 * in a world in order and with other threads, must end in the same bytes as one that nothing
 * ever happened to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "apps/support/png.h"
#include "tensor/error.h"
#include "tests/check.h"

enum { FIRST = 1, LAST = 2 };       /* steps: of the run to begin with, of the whole */

static Arena arena;
#define TEXT(...) arena_printf(&arena, __VA_ARGS__)

static const char *in_folder(const char *name) { return TEXT("%s/%s", test_folder(), name); }

/* Runs drift under a fault; returns the exit code, or 128 + signal. */
static int drift(const char *fault, const char *args)
{
    const char *program = getenv("DRIFT");
    if (!program) fail("say with DRIFT=... which program to torture");
    int status = system(TEXT("DRIFT_FAULT='%s' exec %s %s > %s 2>&1", fault, program, args,
                             in_folder("output")));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool output_has(const char *words)
{
    Bytes text = file_read(&arena, in_folder("output"));
    return strstr(TEXT("%.*s", (int)text.size, (const char *)text.data), words) != NULL;
}

static bool same_files(const char *x, const char *y)
{
    size_t mark = arena_mark(&arena);
    Bytes a = file_read(&arena, x), b = file_read(&arena, y);
    bool same = a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
    arena_rewind(&arena, mark);
    return same;
}

/* ---- the runs ------------------------------------------------------------------------ */

static const char *options(void)
{
    return TEXT("%s --base 4 --mult 1,1 --blocks 1 --batch 4 --patch 1 --attention 4 "
                "--save-seconds 0", in_folder("dots"));
}

static const char *checkpoint(const char *run)
{
    return TEXT("%s/%s/checkpoint.safetensors", test_folder(), run);
}

/* The run in order, a copy of it for each step; called before anything else. */
static void prepare(void)
{
    if (file_exists(in_folder("dots"))) return;
    folder_make(in_folder("dots"));
    for (int i = 0; i < 8; i++) {
        uint8_t pixels[64] = {0};
        pixels[i * 8] = 255;
        Image image = {8, 8, 1, pixels};
        png_write(TEXT("%s/dots/%c_%d.png", test_folder(), "ab"[i % 2], i), &image);
    }
    for (int step = 1; step <= LAST; step++)
        if (drift("", TEXT("train %s --steps %d --threads 1 --out %s/step%d", options(), step,
                           test_folder(), step)))
            fail("drift does not even train in a world in order");
}

/* The two commands to torture, on a folder of their own: a run from its beginning, and one
 * that goes on from step FIRST. */
static const char *command(bool fresh, const char *run)
{
    const char *t = test_folder();
    const char *copy = fresh ? "true" : TEXT("cp -r %s/step%d %s/%s", t, FIRST, t, run);
    if (system(TEXT("rm -rf %s/%s; %s", t, run, copy)) != 0) fail("cannot copy a run");
    return fresh ? TEXT("train %s --steps %d --threads 1 --out %s/%s", options(), LAST, t, run)
                 : TEXT("train --resume %s/%s --steps %d --save-seconds 0 --threads 1", t, run,
                        LAST);
}

/* Is the checkpoint whole: there is none yet, or it is that of a step? */
static bool is_whole(const char *run)
{
    bool whole = !file_exists(checkpoint(run));
    for (int step = 1; step <= LAST && !whole; step++)
        whole = same_files(checkpoint(run), checkpoint(TEXT("step%d", step)));
    return whole;
}

/* Goes on with the run, or begins anew if it has no checkpoint; does it end as it should? */
static bool recovers(const char *run)
{
    bool begun = file_exists(checkpoint(run));
    const char *t = test_folder();
    int code = drift("", begun ? TEXT("train --resume %s/%s --steps %d --threads 2", t, run, LAST)
                               : TEXT("train %s --steps %d --threads 2 --out %s/%s", options(),
                                      LAST, t, run));
    return code == 0 && same_files(checkpoint(run), checkpoint(TEXT("step%d", LAST)));
}

/* ---- faults -------------------------------------------------------------------------- */

typedef struct { long disk, pages, places; } Counts;

static Counts count_calls(const char *args)
{
    Counts c = {0};
    check_int(drift("count 0", args), 0);
    Bytes text = file_read(&arena, in_folder("output"));
    const char *line = strstr(TEXT("%.*s", (int)text.size, (const char *)text.data), "counts ");
    if (!line || sscanf(line, "counts %ld %ld %ld", &c.disk, &c.pages, &c.places) != 3)
        fail("this drift was not linked with torture_calls.c");
    return c;
}

/* Does the fault, checks what it left behind, and that the run recovers. */
static void suffer(const char *action, long n, bool fresh, int code, const char *words)
{
    size_t mark = arena_mark(&arena);
    const char *args = command(fresh, "x"), *fault = TEXT("%s %ld", action, n);
    const char *trouble = NULL;
    int got = drift(fault, args);
    if (got != code) trouble = TEXT("exit code %d", got);
    else if (words && !output_has(words)) trouble = "not the sentence";
    else if (!is_whole("x")) trouble = "the checkpoint is not that of a step";
    else if (code == 1 && file_exists(TEXT("%s.new", checkpoint("x")))) trouble = "a file is left";
    else if (!recovers("x")) trouble = "the run does not end in the same bytes";
    if (trouble) {
        printf("%s: %s: %s\n", args, fault, trouble);
        check(!"recovered");
    }
    arena_rewind(&arena, mark);
}

static void suffer_everywhere(const char *action, int code, const char *words)
{
    prepare();
    for (int fresh = 0; fresh < 2; fresh++) {
        long calls = count_calls(command(fresh, "x")).disk;
        for (long n = 1; n <= calls; n++) suffer(action, n, fresh, code, words);
        printf("%s at each of %ld calls, %s\n", action, calls, fresh ? "a new run" : "resumed");
    }
}

static void killed_before_each_call(void) { suffer_everywhere("kill", 128 + 9, NULL); }
static void killed_within_each_call(void) { suffer_everywhere("tear", 128 + 9, NULL); }
static void the_disk_is_full(void) { suffer_everywhere("ENOSPC", 1, "cannot write "); }
static void a_call_fails(void) { suffer_everywhere("EIO", 1, "cannot write "); }

static void interrupted_and_short_writes_go_on(void)
{
    prepare();
    for (int fresh = 0; fresh < 2; fresh++) {
        suffer("EINTR", 0, fresh, 0, "done at step");
        suffer("short", 0, fresh, 0, "done at step");
    }
}

/* Thirty kills at moments of chance, each run gone on with until it is through. */
static void killed_at_any_moment(void)
{
    enum { KILLS = 30 };
    prepare();
    const char *t = test_folder(), *program = getenv("DRIFT");
    int kills = 0, completed = 0;
    unsigned state = 1;
    check_int(drift("", TEXT("train %s --steps 60 --threads 1 --out %s/whole", options(), t)), 0);
    system(TEXT("rm -rf %s/k", t));
    for (int rounds = 0; kills < KILLS && rounds < 10 * KILLS; rounds++) {
        state = state * 1664525u + 1013904223u;
        const char *what = file_exists(checkpoint("k")) ? TEXT("--resume %s/k --save-seconds 0", t)
                                                        : TEXT("%s --out %s/k", options(), t);
        int status = system(TEXT("exec timeout -s KILL 0.%03u %s train %s --steps 60 --threads %u "
                                 "> %s 2>&1", 20 + (state >> 16) % 180, program, what,
                                 1 + (state >> 8) % 3, in_folder("output")));
        if (status != 0) {
            kills++;
            continue;
        }
        check(same_files(checkpoint("k"), checkpoint("whole")));
        completed++;
        system(TEXT("rm -rf %s/k", t));
    }
    printf("killed at %d moments, %d runs completed\n", kills, completed);
    check(kills == KILLS);
    if (!file_exists(checkpoint("k"))) return;
    check_int(drift("", TEXT("train --resume %s/k --steps 60", t)), 0);
    check(same_files(checkpoint("k"), checkpoint("whole")));
}

/* ---- memory -------------------------------------------------------------------------- */

static void memory_runs_out_in_training(void)
{
    prepare();
    Counts c = count_calls(command(false, "x"));
    for (long n = 1; n <= c.places; n++) suffer("place", n, false, 1, "out of memory: wanted ");
    for (long n = 1; n <= c.pages; n++) suffer("page", n, false, 1, "out of memory: wanted ");
    printf("memory refused at %ld places, %ld times by the system\n", c.places, c.pages);
}

static void memory_runs_out_in_sampling(void)
{
    prepare();
    const char *args = TEXT("sample %s/step%d --count 2 --sample-steps 2 --threads 1 --out %s/s.npz",
                            test_folder(), LAST, test_folder());
    Counts c = count_calls(args);
    for (long n = 1; n <= c.places + c.pages; n++) {
        bool page = n > c.places;
        check_int(drift(TEXT("%s %ld", page ? "page" : "place", page ? n - c.places : n), args), 1);
        check(output_has("out of memory: wanted "));
        check(!file_exists(in_folder("s.npz.new")));
    }
    printf("memory refused at %ld places, %ld times by the system\n", c.places, c.pages);
}

static const Test tests[] = {
    T(killed_before_each_call), T(killed_within_each_call), T(killed_at_any_moment),
    T(the_disk_is_full), T(a_call_fails), T(interrupted_and_short_writes_go_on),
    T(memory_runs_out_in_training), T(memory_runs_out_in_sampling),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
