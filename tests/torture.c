/* `make torture`: the program under a disk that fills up, breaks or is interrupted, under
 * memory that runs out, and killed at every call that changes the disk (torture_calls.c
 * tells how) and at moments of chance (torture_process.c).
 *
 * Whatever happened, the checkpoint must be that of some step, whole; and the run, gone
 * on with in a world in order and with other threads, must end in the same bytes as one
 * that nothing ever happened to. */
#include "tests/torture.h"

#include <stdio.h>

/* ---- the disk ---------------------------------------------------------------------- */

static void suffer_everywhere(const char *action, int code, const char *words)
{
    prepare();
    for (int fresh = 0; fresh < 2; fresh++) {
        long calls = count_calls(command(fresh, "x")).disk;
        for (long n = 1; n <= calls; n++) suffer(action, n, fresh, code, words);
        printf("%s at each of %ld calls, %s\n", action, calls,
               fresh ? "a new run" : "resumed");
    }
}

static void killed_before_each_call(void) { suffer_everywhere("kill", 128 + 9, NULL); }
static void killed_within_each_call(void) { suffer_everywhere("tear", 128 + 9, NULL); }
static void cannot_write(const char *why) { suffer_everywhere(why, 1, "cannot write "); }
static void the_disk_is_full(void) { cannot_write("ENOSPC"); }
static void the_quota_is_used_up(void) { cannot_write("EDQUOT"); }
static void the_disk_becomes_read_only(void) { cannot_write("EROFS"); }
static void a_call_fails(void) { cannot_write("EIO"); }

static void interrupted_and_short_writes_go_on(void)
{
    prepare();
    for (int fresh = 0; fresh < 2; fresh++) {
        suffer("EINTR", 0, fresh, 0, "done at step");
        suffer("short", 0, fresh, 0, "done at step");
    }
}

/* ---- memory ------------------------------------------------------------------------ */

/* Refused once, or from there on: then what is done on the way out finds none either. */
static const struct { const char *place, *page; } refusals[] = {
    {"place", "page"}, {"places", "pages"},
};

static void memory_runs_out_in_training(void)
{
    prepare();
    for (int fresh = 0; fresh < 2; fresh++) {
        Counts c = count_calls(command(fresh, "x"));
        for (int r = 0; r < NELEM(refusals); r++) {
            for (long n = 1; n <= c.places; n++)
                suffer(refusals[r].place, n, fresh, 1, "out of memory: wanted ");
            for (long n = 1; n <= c.pages; n++)
                suffer(refusals[r].page, n, fresh, 1, "out of memory: wanted ");
        }
        printf("memory refused at %ld places, %ld times by the system, %s\n", c.places,
               c.pages, fresh ? "a new run" : "resumed");
    }
}

static void refuse(const char *action, long n, const char *args)
{
    size_t mark = arena_mark(&arena);
    check_int(drift(TEXT("%s %ld", action, n), args), 1);
    check(output_has("out of memory: wanted "));
    check(!file_exists(in_folder("s.npz.new")));
    arena_rewind(&arena, mark);
}

static void memory_runs_out_in_sampling(void)
{
    prepare();
    const char *args = TEXT("sample %s/step%d --count 2 --sample-steps 2 --threads 1 "
                            "--out %s/s.npz", test_folder(), LAST, test_folder());
    Counts c = count_calls(args);
    for (int r = 0; r < NELEM(refusals); r++) {
        for (long n = 1; n <= c.places; n++) refuse(refusals[r].place, n, args);
        for (long n = 1; n <= c.pages; n++) refuse(refusals[r].page, n, args);
    }
    printf("memory refused at %ld places, %ld times by the system\n", c.places, c.pages);
}

static const Test tests[] = {
    T(killed_before_each_call), T(killed_within_each_call), T(killed_at_any_moment),
    T(the_disk_is_full), T(the_quota_is_used_up), T(the_disk_becomes_read_only),
    T(a_call_fails), T(interrupted_and_short_writes_go_on),
    T(memory_runs_out_in_training), T(memory_runs_out_in_sampling),
    T(a_long_run_stays_as_it_is),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
