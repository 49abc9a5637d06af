/* The run that is tortured, and the judgement of what was left of it: see torture.h. */
#include "tests/torture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "apps/support/png.h"
#include "tensor/error.h"

Arena arena;

const char *checkpoint(const char *run)
{
    return TEXT("%s/%s/checkpoint.safetensors", test_folder(), run);
}

const char *program(void)
{
    const char *name = getenv("DRIFT");
    if (!name) fail("say with DRIFT=... which program to torture");
    return name;
}

int drift(const char *fault, const char *args)
{
    int status = system(TEXT("DRIFT_FAULT='%s' exec %s %s > %s 2>&1", fault, program(),
                             args, in_folder("output")));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool output_has(const char *words)
{
    Bytes text = file_read(&arena, in_folder("output"));
    return strstr(TEXT("%.*s", (int)text.size, (const char *)text.data), words) != NULL;
}

const char *options(void)
{
    return TEXT("%s --base 4 --mult 1,1 --blocks 1 --batch 4 --patch 1 --attention 4 "
                "--save-seconds 0", in_folder("dots"));
}

void prepare(void)
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
        if (drift("", TEXT("train %s --steps %d --threads 1 --out %s/step%d", options(),
                           step, test_folder(), step)))
            fail("drift does not even train in a world in order");
}

const char *command(bool fresh, const char *run)
{
    const char *t = test_folder();
    const char *copy = fresh ? "true" : TEXT("cp -r %s/step%d %s/%s", t, FIRST, t, run);
    if (system(TEXT("rm -rf %s/%s; %s", t, run, copy)) != 0) fail("cannot copy a run");
    const char *how = TEXT("--steps %d --save-seconds 0 --threads 1", LAST);
    return fresh ? TEXT("train %s %s --out %s/%s", options(), how, t, run)
                 : TEXT("train --resume %s/%s %s", t, run, how);
}

Counts count_calls(const char *args)
{
    Counts c = {0};
    check_int(drift("count 0", args), 0);
    Bytes text = file_read(&arena, in_folder("output"));
    const char *said = TEXT("%.*s", (int)text.size, (const char *)text.data);
    const char *line = strstr(said, "counts ");
    if (!line || sscanf(line, "counts %ld %ld %ld", &c.disk, &c.pages, &c.places) != 3)
        fail("this drift was not linked with torture_calls.c");
    return c;
}

/* Is the checkpoint whole: there is none yet, or it is that of a step? */
static bool is_whole(const char *run)
{
    bool whole = !file_exists(checkpoint(run));
    for (int step = 1; step <= LAST && !whole; step++)
        whole = same_files(checkpoint(run), checkpoint(TEXT("step%d", step)));
    return whole;
}

/* Goes on with the run, or begins anew if it has no checkpoint; does it end as it
 * should? */
static bool recovers(const char *run)
{
    bool begun = file_exists(checkpoint(run));
    const char *what = begun ? TEXT("--resume %s", in_folder(run))
                             : TEXT("%s --out %s", options(), in_folder(run));
    int code = drift("", TEXT("train %s --steps %d --threads 2", what, LAST));
    return code == 0 && same_files(checkpoint(run), checkpoint(TEXT("step%d", LAST)));
}

void suffer(const char *action, long n, bool fresh, int code, const char *words)
{
    size_t mark = arena_mark(&arena);
    const char *args = command(fresh, "x"), *fault = TEXT("%s %ld", action, n);
    const char *trouble = NULL;
    int got = drift(fault, args);
    if (got != code) trouble = TEXT("exit code %d", got);
    else if (words && !output_has(words)) trouble = "not the sentence";
    else if (!is_whole("x")) trouble = "the checkpoint is not that of a step";
    else if (code == 1 && file_exists(TEXT("%s.new", checkpoint("x"))))
        trouble = "a file is left";
    else if (!recovers("x")) trouble = "the run does not end in the same bytes";
    if (trouble) {
        printf("%s: %s: %s\n", args, fault, trouble);
        check(!"recovered");
    }
    arena_rewind(&arena, mark);
}
