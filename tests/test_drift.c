/* The program as a user runs it: train, stop, resume, sample; and what it says when it cannot.
 * The data are a folder of sixteen little pictures that the test writes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "apps/support/png.h"
#include "tests/check.h"

static Arena arena;
#define TEXT(...) arena_printf(&arena, __VA_ARGS__)

/* Runs `drift ARGS` and returns its exit code; *output is what it printed. */
static int drift(const char **output, const char *args)
{
    const char *program = getenv("DRIFT"), *log = TEXT("%s/output", test_folder());
    int status = system(TEXT("%s %s > %s 2>&1", program ? program : "build/drift", args, log));
    Bytes text = file_read(&arena, log);
    *output = TEXT("%.*s", (int)text.size, (const char *)text.data);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define check_drift(args, code, words) check_drift_at(HERE, args, code, words)

static void check_drift_at(const char *file, int line, const char *args, int code, const char *words)
{
    const char *output;
    int got = drift(&output, args);
    check_int_at(file, line, got, code, TEXT("exit code of drift %s", args));
    if (!strstr(output, words)) {
        check_text_at(file, line, output, words, TEXT("(part of) the output of drift %s", args));
    }
}

static const char *pictures(void)
{
    const char *folder = TEXT("%s/dots", test_folder());
    if (file_exists(folder)) return folder;
    folder_make(folder);
    for (int i = 0; i < 16; i++) {
        uint8_t pixels[64] = {0};
        pixels[i * 4] = 255;
        Image image = {8, 8, 1, pixels};
        png_write(TEXT("%s/%c_%02d.png", folder, "ab"[i % 2], i), &image);
    }
    return folder;
}

static const char *train_options = "--base 8 --blocks 1 --batch 4 --patch 1 --attention 4";

static bool same_file(const char *a, const char *b)
{
    Bytes x = file_read(&arena, a), y = file_read(&arena, b);
    return x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
}

/* The checkpoint of 20 steps: in one go; in two pieces; after being killed; with more threads. */
static void resuming_gives_the_same_bytes(void)
{
    const char *t = test_folder(), *data = pictures();
    check_drift(TEXT("train %s %s --steps 20 --threads 1 --out %s/a", data, train_options, t), 0,
                "done at step 20");
    check_drift(TEXT("train %s %s --steps 7 --threads 2 --out %s/b", data, train_options, t), 0,
                "done at step 7");
    check_drift(TEXT("train --resume %s/b --steps 20 --threads 3", t), 0, "done at step 20");
    check(same_file(TEXT("%s/a/checkpoint.safetensors", t), TEXT("%s/b/checkpoint.safetensors", t)));
    check_drift(TEXT("train %s %s --steps 20 --seed 1 --out %s/c", data, train_options, t), 0, "done");
    check(!same_file(TEXT("%s/a/checkpoint.safetensors", t), TEXT("%s/c/checkpoint.safetensors", t)));
    check(file_exists(TEXT("%s/a/samples/000020.png", t)));
}

/* A signal in the middle: the step is finished, the state saved, and the way on told. */
static void a_signal_stops_in_order(void)
{
    const char *t = test_folder(), *program = getenv("DRIFT"), *output;
    check_int(system(TEXT("timeout -s INT 2 %s train %s %s --steps 100000000 --out %s/s > %s/o 2>&1",
                          program ? program : "build/drift", pictures(), train_options, t, t)) == 0, 0);
    Bytes text = file_read(&arena, TEXT("%s/o", t));
    output = TEXT("%.*s", (int)text.size, (const char *)text.data);
    check(strstr(output, "stopped at step") && strstr(output, "drift train --resume"));
    const char *step = strstr(output, "stopped at step");
    long steps = step ? strtol(step + 16, NULL, 10) : 0;
    check(steps > 0);
    check_drift(TEXT("train --resume %s/s --steps %ld", t, steps + 3), 0,
                TEXT("done at step %ld", steps + 3));
    check_drift(TEXT("train %s %s --steps %ld --out %s/whole", pictures(), train_options, steps + 3, t),
                0, "done");
    check(same_file(TEXT("%s/s/checkpoint.safetensors", t), TEXT("%s/whole/checkpoint.safetensors", t)));
}

static void sampling_does_not_depend_on_batch_or_threads(void)
{
    const char *t = test_folder();
    check_drift(TEXT("train %s %s --steps 5 --out %s/m", pictures(), train_options, t), 0, "done");
    check_drift(TEXT("sample %s/m --count 6 --sample-steps 10 --out %s/1.npz --batch 6 --threads 1", t, t), 0,
                "6 images with ddpm");
    check_drift(TEXT("sample %s/m --count 6 --sample-steps 10 --out %s/2.npz --batch 4 --threads 3", t, t), 0,
                "6 images");
    check(same_file(TEXT("%s/1.npz", t), TEXT("%s/2.npz", t)));
    check_drift(TEXT("sample %s/m --count 3 --sampler ddpm --sample-steps 5 --class 1 --out %s/folder", t, t),
                0, "3 images with ddpm");
    check(file_exists(TEXT("%s/folder/1_00002.png", t)));
    check_drift(TEXT("sample %s/m --count 4 --sample-steps 2 --show", t), 0, "samples.png");
}

/* The commands that take a training step apart, on a run and on a preset. */
static void a_step_can_be_seen(void)
{
    const char *t = test_folder();
    check_drift(TEXT("train %s %s --steps 5 --out %s/v", pictures(), train_options, t), 0, "done");
    check_drift(TEXT("info %s/v", t), 0, "step            5");
    check_drift(TEXT("info %s/v", t), 0, "down.1.0.attention");
    check_drift("info mini", 0, "parameters      687409");
    check_drift("info huge", 2, "no run, file or preset huge; the presets are mini,");
    check_drift(TEXT("graph %s/v --level op --out %s/v.svg", t, t), 0, "v.svg");
    check(file_exists(TEXT("%s/v.svg", t)));
    check_drift(TEXT("graph mini --size 8,8,3 --classes 0 --batch 2"), 0, "[2, 8, 8, 16]");
    check_drift("graph mini --level leaf", 2, "want block or op");
    check_drift("graph mini --size 8", 2, "want three numbers");
    check_drift("graph", 2, "which preset or run?");
    check_drift("graph --help", 0, "--level block|op         what a node of the drawing is [block]");
    check_drift("graph mini --out /nowhere/g.svg", 1, "cannot write /nowhere/g.svg");
    check_drift(TEXT("graph %s/v --size 8,8,3", t), 2, "has its own");
    check_drift(TEXT("profile %s/v --steps 1 --batch 2 --threads 1", t), 0, "backward conv2d");
    check_drift(TEXT("profile %s/v --steps 1", t), 0, "100.0 %");
    check_drift("profile mini --steps 0", 2, "must be at least 1");
}

static void bad_input_gets_a_sentence(void)
{
    const char *t = test_folder();
    check_drift("", 2, "usage: drift COMMAND");
    check_drift("--help", 0, "train a diffusion model");
    check_drift("train --help", 0, "--ema");
    check_drift("sample --help", 0, "[ddpm]");
    check_drift("paint", 2, "there is no command paint");
    check_drift("train", 2, "name a data set");
    check_drift("train mnist --stepz 3", 2, "did you mean --steps?");
    check_drift("train mnist --steps many", 2, "want a whole number");
    check_drift("train mnist --preset huge", 2, "there is no preset huge");
    check_drift("train nothing-here", 2, "nothing-here");
    check_drift(TEXT("train %s --mult 1,2,2,2,2 --out %s/x", pictures(), t), 1, "= 16, and 8/16 = 0.5");
    check_drift(TEXT("train %s --out /proc/nowhere", pictures()), 1, "cannot make the folder");
    check_drift("sample no-such-run", 1, "there is no run no-such-run");
    check_drift(TEXT("sample %s", pictures()), 1, "has no checkpoint.safetensors");

    check_drift(TEXT("train %s %s --steps 2 --out %s/y", pictures(), train_options, t), 0, "done");
    check_drift(TEXT("train %s %s --steps 2 --out %s/y", pictures(), train_options, t), 1,
                "holds a run already");
    check_drift(TEXT("train --resume %s/y --lr 1", t), 2, "--lr cannot be changed");
    check_drift(TEXT("sample %s/y --sampler magic", t), 2, "no sampler magic");
    check_drift(TEXT("sample %s/y --class 9", t), 2, "the classes 0 to 1");
    check_int(system(TEXT("truncate -s 1000 %s/y/checkpoint.safetensors", t)), 0);
    check_drift(TEXT("sample %s/y", t), 1, "checkpoint.safetensors");
}

/* A learning rate that explodes: the run stops, names an operation, and keeps its checkpoint. */
static void a_loss_that_is_not_finite_stops_the_run(void)
{
    const char *t = test_folder();
    check_drift(TEXT("train %s %s --steps 500 --lr 1e30 --out %s/z", pictures(), train_options, t), 1,
                "the first number that is not finite");
}

/* No room on the disk: a sentence, and the old checkpoint is whole. */
static void a_full_disk_loses_nothing(void)
{
    const char *t = test_folder();
    check_drift(TEXT("train %s %s --steps 3 --out %s/d", pictures(), train_options, t), 0, "done");
    Bytes before = file_read(&arena, TEXT("%s/d/checkpoint.safetensors", t));
    const char *program = getenv("DRIFT");
    int status = system(TEXT("(ulimit -f 40; trap '' XFSZ; exec %s train --resume %s/d --steps 6) > %s/o 2>&1",
                             program ? program : "build/drift", t, t));
    check_int(WEXITSTATUS(status), 1);
    Bytes after = file_read(&arena, TEXT("%s/d/checkpoint.safetensors", t));
    check(after.size == before.size && memcmp(after.data, before.data, after.size) == 0);
    Bytes text = file_read(&arena, TEXT("%s/o", t));
    check(strstr(TEXT("%.*s", (int)text.size, (const char *)text.data), "cannot write") != NULL);
    check(!file_exists(TEXT("%s/d/checkpoint.safetensors.new", t)));
}

/* One training set of sixteen pictures is learned by heart: the loss falls far below that of
 * guessing nothing, which is 1. */
static void a_small_set_is_learned(void)
{
    const char *t = test_folder(), *output;
    check_int(drift(&output, TEXT("train %s %s --batch 16 --steps 300 --lr 3e-3 --out %s/l", pictures(),
                                  train_options, t)), 0);
    const char *loss = strstr(output, ": loss ");
    check(loss && strtod(loss + 7, NULL) < 0.25);
}

static const Test tests[] = {
    T(resuming_gives_the_same_bytes), T(a_signal_stops_in_order),
    T(sampling_does_not_depend_on_batch_or_threads), T(a_step_can_be_seen),
    T(bad_input_gets_a_sentence),
    T(a_loss_that_is_not_finite_stops_the_run), T(a_full_disk_loses_nothing),
    T(a_small_set_is_learned),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
