/* A process watched from outside: killed when it does not expect it, or left alone for
 * long. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/clock.h"
#include "tensor/error.h"
#include "tests/torture.h"

/* Its words go to the file `output` of the test's folder. */
static pid_t start(const char *args, const char *output)
{
    const char *line = TEXT("exec %s %s > %s 2>&1", program(), args, in_folder(output));
    pid_t child = fork();
    if (child < 0) fail("cannot start a process");
    if (child > 0) return child;
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(127);
}

/* Kills drift after so many seconds.  True if it died of that, false if it was through
 * before; a run that ended in any other way is a failure. */
static bool kill_after(double seconds, const char *args)
{
    int status;
    pid_t child = start(args, "output");
    usleep((useconds_t)(1e6 * seconds));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
    check_int(status, 0);
    return false;
}

/* The run in `folder` is through: is it the same as `whole`?  Removes it. */
static void compare_and_remove(const char *folder, const char *whole)
{
    check(same_files(checkpoint(folder), checkpoint(whole)));
    if (system(TEXT("rm -r %s", in_folder(folder))) != 0) fail("cannot remove a run");
}

/* A hundred kills at moments of chance, each run gone on with, by one to three threads,
 * until it is through; then it must be the same as one that was left in peace. */
void killed_at_any_moment(void)
{
    enum { KILLS = 100, STEPS = 20 };
    prepare();
    const char *t = test_folder(), *fresh = TEXT("train %s --steps %d", options(), STEPS);
    const char *resume = TEXT("train --resume %s/k --save-seconds 0 --steps %d", t,
                              STEPS);
    int kills = 0, resumed = 0, completed = 0;
    unsigned state = 1;
    double begin = seconds_now();
    check_int(drift("", TEXT("%s --threads 1 --out %s/whole", fresh, t)), 0);
    double whole = seconds_now() - begin;
    for (int round = 0; kills < KILLS && round < 4 * KILLS; round++) {
        state = state * 1664525u + 1013904223u;
        bool begun = file_exists(checkpoint("k"));
        const char *what = begun ? resume : TEXT("%s --out %s/k", fresh, t);
        if (kill_after(0.7 * whole * (state >> 16) / 65536,
                       TEXT("%s --threads %u", what, 1 + (state >> 8) % 3))) {
            kills++, resumed += begun;
        } else {
            compare_and_remove("k", "whole");
            completed++;
        }
    }
    if (file_exists(checkpoint("k"))) {
        check_int(drift("", resume), 0);
        compare_and_remove("k", "whole");
        completed++;
    }
    printf(
        "killed at %d moments, %d of them after a first checkpoint; %d runs completed\n",
        kills, resumed, completed);
    check_int(kills, KILLS);
    check(resumed >= KILLS / 3 && completed >= 2);
}

/* ---- a long run -------------------------------------------------------------------- */

/* In a third of the time: the most memory that the process ever had (kB), the fewest open
 * files. */
typedef struct { long peak; int files; } Use;

static void look_at(pid_t process, Use *u)
{
    size_t mark = arena_mark(&arena);
    char line[256];
    long peak = 0;
    int files;
    FILE *f = fopen(TEXT("/proc/%d/status", process), "r");
    if (!f) fail("cannot see the memory of a process");
    while (fgets(line, sizeof line, f)) sscanf(line, "VmHWM: %ld", &peak);
    fclose(f);
    folder_list(&arena, TEXT("/proc/%d/fd", process), &files);
    if (peak > u->peak) u->peak = peak;
    if (files < u->files && files > 0) u->files = files;
    arena_rewind(&arena, mark);
}

/* Trains for MINUTES with a checkpoint every second and pictures in between.  After the
 * first third of the time it needs no page more than before, and keeps no more files
 * open.  Beside it the first piece of the same run is made, which ends early, is gone on
 * with, and ends in the same bytes. */
void a_long_run_stays_as_it_is(void)
{
    prepare();
    const char *t = test_folder(), *told = getenv("MINUTES");
    double minutes = told ? strtod(told, NULL) : 1, begin = seconds_now();
    const char *args =
        TEXT("train %s --save-seconds 1 --threads 1 --out %s", options(), t);
    pid_t child = start(TEXT("%s/long --minutes %g", args, minutes), "output");
    pid_t piece =
        start(TEXT("%s/piece --minutes %g", args, 0.7 * minutes), "piece.output");
    Use third[3] = {{0, INT_MAX}, {0, INT_MAX}, {0, INT_MAX}};
    int status;
    for (; waitpid(child, &status, WNOHANG) == 0; usleep(50000)) {
        int k = (int)((seconds_now() - begin) / (20 * minutes));
        if (k < 3) look_at(child, &third[k]);   /* then it ends: new pages of the program */
    }
    check_int(status, 0);
    check(waitpid(piece, &status, 0) == piece && status == 0);
    check_at_most((double)third[2].peak, (double)third[0].peak, "kB");
    check(third[2].files <= third[1].files);

    Bytes output = file_read(&arena, in_folder("output"));
    const char *text = TEXT("%.*s", (int)output.size, (const char *)output.data);
    const char *done = strstr(text, "done at step ");
    long steps = done ? strtol(done + 13, NULL, 10) : 0;
    printf("%ld steps: %ld kB and %d files, then %ld kB and %d files\n", steps,
           third[0].peak, third[1].files, third[2].peak, third[2].files);
    const char *rest = TEXT("train --resume %s/piece --steps %ld --minutes 0 --threads 1",
                            t, steps);
    check_int(drift("", rest), 0);
    compare_and_remove("piece", "long");
}
