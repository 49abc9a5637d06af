/* The program as a user runs it: train, stop, resume, sample, and what it says when it
 * cannot.  The data are a folder of sixteen little pictures that the test writes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/support/png.h"
#include "tests/check.h"

static Arena arena;
#define TEXT(...) arena_printf(&arena, __VA_ARGS__)

/* The rest is `drift`'s arguments, as printf takes them. */
#define check_drift(code, words, ...) check_drift_at(HERE, code, words, TEXT(__VA_ARGS__))

static const char *pictures(void)
{
    const char *folder = in_folder("dots");
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

/* The beginning of a command that trains a small network on the pictures. */
static const char *train(void)
{
    return TEXT("train %s --base 8 --blocks 1 --batch 4 --patch 1 --attention 4",
                pictures());
}

static Bytes checkpoint(const char *run)
{
    return file_read(&arena, TEXT("%s/%s/checkpoint.safetensors", test_folder(), run));
}

static bool same(Bytes x, Bytes y)
{
    return x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
}

/* The checkpoint of 20 steps: in one go; in two pieces and with other threads.  The same
 * with batches taken in parts. */
static void resuming_gives_the_same_bytes(void)
{
    const char *t = test_folder();
    check_drift(0, "done at step 20", "%s --steps 20 --threads 1 --out %s/a", train(), t);
    check_drift(0, "done at step 7", "%s --steps 7 --threads 2 --out %s/b", train(), t);
    check_drift(0, "done at step 20", "train --resume %s/b --steps 20 --threads 3", t);
    check(same(checkpoint("a"), checkpoint("b")));
    check_drift(0, "done", "%s --steps 20 --seed 1 --out %s/c", train(), t);
    check(!same(checkpoint("a"), checkpoint("c")));
    check(file_exists(in_folder("a/samples/000020.png")));
    check_drift(0, "a/losses.svg", "losses %s/a %s/c", t, t);
    check_drift(1, "cannot read", "losses %s/nothing", t);
    check_drift(2, "which runs?", "losses");
    const char *parts = TEXT("%s --micro-batch 3", train());
    check_drift(0, "done at step 9", "%s --steps 9 --threads 1 --out %s/p", parts, t);
    check_drift(0, "done at step 4", "%s --steps 4 --threads 2 --out %s/q", parts, t);
    check_drift(0, "done at step 9", "train --resume %s/q --steps 9 --threads 3", t);
    check(same(checkpoint("p"), checkpoint("q")));
}

/* A signal in the middle: the step is finished, the state saved, the way on told; the
 * exit code is 128 and its number. */
static void a_signal_stops_in_order(void)
{
    static const struct { const char *name; int code; }
        signals[] = {{"INT", 130}, {"TERM", 143}};
    const char *t = test_folder(), *output;
    for (int i = 0; i < NELEM(signals); i++) {
        const char *run = TEXT("s%d", i), *name = signals[i].name;
        check_int(drift_run(&output, TEXT("timeout --preserve-status -s %s 2", name),
                            TEXT("%s --steps 100000000 --out %s/%s", train(), t, run)),
                  signals[i].code);
        check(strstr(output, "drift train --resume") != NULL);
        const char *step = strstr(output, "stopped at step");
        long done = step ? strtol(step + 16, NULL, 10) : 0, steps = done + 3;
        check(done > 0);
        const char *words = TEXT("done at step %ld", steps);
        check_drift(0, words, "train --resume %s/%s --steps %ld", t, run, steps);
        check_drift(0, words, "%s --steps %ld --out %s/whole%d", train(), steps, t, i);
        check(same(checkpoint(run), checkpoint(TEXT("whole%d", i))));
    }
}

/* Karras 2022 from training with augmentation to its sampler; and each network by the
 * samplers of the other kind. */
static void any_network_takes_any_sampler(void)
{
    const char *t = test_folder();
    check_drift(0, "done at step 3", "%s --preset edm --augment 0.5 --micro-batch 3 "
                "--steps 3 --out %s/net_edm", train(), t);
    check_drift(0, "done at step 3", "%s --steps 3 --out %s/net_eps", train(), t);
    static const char *const runs[] = {"edm", "eps"};
    for (int i = 0; i < NELEM(runs); i++) {
        const char *two = TEXT("sample %s/net_%s --count 2 --guidance 1 --out %s/two.npz",
                               t, runs[i], t);
        check_drift(0, "18 steps, 35 network calls each", "%s --sampler heun", two);
        check_drift(0, "4 steps, 4 network calls each",
                    "%s --sampler dpmpp --sample-steps 4 --churn 2 --churn-min 1", two);
        check_drift(0, "5 steps, 5 network calls each", "%s --sampler euler --stops vp "
                    "--path vp --scaling vp --sample-steps 5", two);
        check_drift(0, "6 steps, 6 network calls each",
                    "%s --sampler ddim --sample-steps 6", two);
        check_drift(0, "adaptive, steps as needed",
                    "%s --sampler adaptive --tolerance 0.5", two);
    }
    check_drift(0, "heun, 20 steps     39 calls",
                "sample %s/net_edm --compare --count 1 --out %s/c.svg "
                "--guidance 1",
                t, t);
    Bytes svg = file_read(&arena, TEXT("%s/c.svg", t));
    const char *text = TEXT("%.*s", (int)svg.size, (const char *)svg.data);
    check(strstr(text, "data:image/png;base64,iVBORw0KGgo") &&
          strstr(text, "ab2, 40 steps"));
    check_drift(2, "--compare takes all samplers",
                "sample %s/net_edm --compare --sampler ddim", t);
    check_drift(2, "want a number, 2 or more",
                "sample %s/net_edm --sampler heun --sample-steps 1", t);
    check_drift(2, "there is no sampler nope", "sample %s/net_edm --sampler nope", t);
    check_drift(2, "use --loss mse",
                "%s --preset edm --loss kl --steps 1 --out %s/net_kl", train(), t);
}

static void every_sampler_is_drawn_on_the_plane(void)
{
    const char *t = test_folder();
    check_drift(0, "3 ways of heun, 35 calls each",
                "flow swissroll --ways 3 --out %s/f.svg", t);
    check_drift(0, "3 ways of ddpm, 9 calls each",
                "flow ring --ways 3 --sampler ddpm --sample-steps 9 --out %s/f.svg", t);
    check_drift(0, "ways of adaptive",
                "flow pair --ways 2 --sampler adaptive --churn 1 --out %s/f.svg", t);
    check_drift(1, "want swissroll, ring, pair, or an .npy file",
                "flow %s/none --out %s/n.svg", t, t);
    check_drift(2, "which points?", "flow");
    check_drift(2, "want 1 to 1000", "flow ring --ways 0");
}

static void sampling_does_not_depend_on_batch_or_threads(void)
{
    const char *t = test_folder();
    check_drift(0, "done", "%s --steps 5 --out %s/m", train(), t);
    const char *six = TEXT("sample %s/m --count 6 --sample-steps 10", t);
    check_drift(0, "6 images with", "%s --out %s/1.npz --batch 6 --threads 1", six, t);
    check_drift(0, "6 images", "%s --out %s/2.npz --batch 4 --threads 3", six, t);
    Bytes one = file_read(&arena, in_folder("1.npz"));
    check(same(one, file_read(&arena, in_folder("2.npz"))));
    check_drift(0, "3 images with ddpm", "sample %s/m --count 3 --sampler ddpm "
                "--sample-steps 5 --class 1 --out %s/folder", t, t);
    check(file_exists(in_folder("folder/1_00002.png")));
    check_drift(0, "samples.png", "sample %s/m --count 4 --sample-steps 2 --show", t);
}

/* Numbers about a model: its bound, and how near its samples are to training pictures. */
static void a_model_is_measured(void)
{
    const char *t = test_folder();
    check_drift(0, "done", "%s --steps 5 --diffusion-steps 20 --variance learned_range "
                "--loss rescaled_mse --timesteps loss_aware --out %s/e", train(), t);
    check_drift(0, "bits/dim", "evaluate %s/e --nll --count 3 --part train", t);
    check_drift(0, "bits/dim by the flow",
                "evaluate %s/e --nll --ode 8 --count 2 --part train", t);
    check(file_exists(in_folder("e/nll.json")) && file_exists(in_folder("e/nll.svg")));
    check_drift(0, "2 images", "sample %s/e --count 2 --sample-steps 5 --out %s/new", t,
                t);
    check_drift(2, "which samples, and of which data?", "parzen %s/new", t);
    check_drift(1, "those of mnist 28x28x1", "parzen %s/new mnist", t);
    check_drift(0, "class as asked", "neighbours %s/new %s --out %s/n.png", t, pictures(),
                t);
    check_drift(0, "16       0.00", "neighbours %s %s --out %s/n.png", pictures(),
                pictures(), t);
    check_drift(0, "schedules.svg", "figures --out %s/figures", t);
    check_drift(0, "augment.svg", "figures --only augment --out %s/figures", t);
    check(file_exists(in_folder("figures/forward.png")));
    const char *two = "--count 2 --draws 2 --sample-steps 5";
    check_drift(0, "2 answers each",
                "inpaint %s/e --train --mask box %s --repeats 2 --out %s/i.png", t, two,
                t);
    check_drift(0, "2 answers each", "denoise %s/e --train %s --out %s/i.png", t, two, t);
    const char *way = "--sample-steps 5 --class 0";
    check_drift(0, "4 rows of 3", "progress %s/e %s --count 2 --columns 3 --out %s/w.png",
                t, way, t);
    check_drift(0, "2 rows of 4", "fork %s/e %s --count 3 --at 1,0.4 --out %s/w.png", t,
                way, t);
    const char *mix =
        TEXT("interpolate %s/e %s --train --count 3 --out %s/w.png", t, way, t);
    check_drift(0, "1 rows of 5", "%s --at 0.5", mix);
    check_drift(0, "4 rows of 5", "%s --sampler ddim", mix);
    check_drift(2, "has the pictures 0 to 15", "%s --to 16", mix);
    check_drift(2, "want shares of the chain", "%s --at 1.5", mix);
    const char *ddc = TEXT("--model %s/e --class 1 --channel 4 --out %s/x.ddc", t, t);
    const char *png = TEXT("%s/b_03.png", pictures());
    check_drift(0, "chain", "compress %s %s", png, ddc);
    check_drift(0, "8 x 8 pixels", "decompress %s/x.ddc --model %s/e --out %s/x.png", t,
                t, t);
    Image before = png_read(&arena, png), after = png_read(&arena, in_folder("x.png"));
    check(memcmp(before.pixels, after.pixels, 64) == 0);
    check_drift(0, "rmse", "compress %s %s --until 9", png, ddc);
    check_drift(0, "8 x 8", "decompress %s/x.ddc --model %s/e --out %s/x.png", t, t, t);
    check_drift(2, "the chain has 20 steps", "compress %s %s --until 20", png, ddc);
    check_drift(2, "which run?", "compress %s", png);
    check_drift(1, "was not made by", "decompress %s --model %s/e", png, t);
    check_drift(1, "with another model", "decompress %s/x.ddc --model %s/m", t, t);
    check_drift(2, "oval is neither a mask (left, right, box) nor a PNG file",
                "inpaint %s/e --train --mask oval --sample-steps 5", t);
    check_drift(0, "where it is hidden",
                "inpaint %s/e --train --mask %s/a_00.png %s --out %s/i.png", t,
                pictures(), two, t);
    check_drift(2, "are for inpaint", "denoise %s/e --as-noisy", t);
    check_drift(1, "not divided", "evaluate %s/e --nll --count 3", t);
    check_drift(1, "no feature network for dots", "evaluate %s/e", t);
    check_drift(2, "21 times from 20 steps", "sample %s/e --sample-steps 21", t);
}

/* The experiments of 2015, with hardly any training: they end, and tell their bound. */
static void the_first_diffusion_models_run(void)
{
    const char *t = test_folder();
    check_drift(0, "K - L_null", "swissroll --steps 5 --out %s/roll", t);
    check(file_exists(in_folder("roll/roll.svg")));
    check_drift(0, "ceiling",
                "swissroll --steps 5 --data moons --learn-schedule --constant-erasure "
                "--readout code --out %s/roll",
                t);
    check_drift(2, "there are paper, code, posterior and velocity",
                "swissroll --readout x0");
    check_drift(2, "--units must be", "swissroll --units 0");
    check_drift(0, "L_null     -14.4386 bits", "heartbeat --steps 5");
    check_drift(0, "K - L_null  0.0000 ", "pixels leaves --control");
    check_drift(0, "0           -2.0471          -2.0471                0.0000",
                "pixels mnist --control --importance 2");
    check_drift(2, "--scales must be from 1 to 5", "pixels mnist --scales 6");
    check_drift(2, "do not allow; try --scales 1", "pixels mnist --scales 5");
    check_drift(2, "wants a data set", "pixels");
}

/* The commands that take a training step apart, on a run and on a preset. */
static void a_step_can_be_seen(void)
{
    const char *t = test_folder();
    check_drift(0, "done", "%s --steps 5 --out %s/v", train(), t);
    check_drift(0, "step            5", "info %s/v", t);
    check_drift(0, "down.1.0.attention", "info %s/v", t);
    check_drift(0, "parameters      717569", "info mini");
    check_drift(2, "no run, file or preset huge; the presets are mini,", "info huge");
    check_drift(0, "v.svg", "graph %s/v --level op --out %s/v.svg", t, t);
    check(file_exists(in_folder("v.svg")));
    check_drift(0, "[2, 8, 8, 16]", "graph mini --size 8,8,3 --classes 0 --batch 2");
    check_drift(2, "want block or op", "graph mini --level leaf");
    check_drift(2, "want three numbers", "graph mini --size 8");
    check_drift(2, "which preset or run?", "graph");
    check_drift(0, "--level block|op         what a node of the drawing is [block]",
                "graph --help");
    check_drift(1, "cannot write /nowhere/g.svg", "graph mini --out /nowhere/g.svg");
    check_drift(2, "has its own", "graph %s/v --size 8,8,3", t);
    check_drift(0, "backward conv2d", "profile %s/v --steps 1 --batch 2 --threads 1", t);
    check_drift(0, "100.0 %", "profile %s/v --steps 1", t);
    check_drift(2, "must be at least 1", "profile mini --steps 0");
}

/* Right in double, plausible in float, which also takes a kink for a mistake. */
static void derivatives_can_be_checked(void)
{
    check_drift(0, "\n0 of ", "gradcheck conv2d");
    check_drift(0, "[2, 4, 3, 3] [5, 3, 3, 3] [5]", "gradcheck conv2d");
    check_drift(0, sizeof(Real) == 4 ? "plausible\n" : "right\n", "gradcheck silu");
    check_drift(0, sizeof(Real) == 4 ? "1 of 1 WRONG?" : "0 of 1 WRONG",
                "gradcheck clamp");
    check_drift(0, "the gradient is not the slope", "gradcheck --help");
    check_drift(2, "no operation convolve has a row in autograd/cases.c; there are neg,",
                "gradcheck convolve");
}

/* Twenty steps with any number of threads end in the same checkpoint. */
static void threads_do_not_change_the_training(void)
{
    static const int threads[] = {1, 2, 3, 4, 8};
    for (int i = 0; i < NELEM(threads); i++) {
        check_drift(0, "done at step 20", "%s --steps 20 --threads %d --out %s/t%d",
                    train(), threads[i], test_folder(), threads[i]);
        check(same(checkpoint("t1"), checkpoint(TEXT("t%d", threads[i]))));
    }
}

static void bad_input_gets_a_sentence(void)
{
    const char *t = test_folder();
    check_drift(2, "usage: drift COMMAND", " ");
    check_drift(0, "train a diffusion model", "--help");
    check_drift(0, "--ema", "train --help");
    check_drift(0, "[ddpm]", "sample --help");
    check_drift(2, "there is no command paint", "paint");
    check_drift(2, "name a data set", "train");
    check_drift(2, "did you mean --steps?", "train mnist --stepz 3");
    check_drift(2, "want a whole number", "train mnist --steps many");
    check_drift(2, "there is no preset huge", "train mnist --preset huge");
    check_drift(2, "nothing-here", "train nothing-here");
    check_drift(1, "= 16, and 8/16 = 0.5", "train %s --mult 1,2,2,2,2 --out %s/x",
                pictures(), t);
    check_drift(1, "cannot make the folder", "train %s --out /proc/nowhere", pictures());
    check_drift(1, "there is no run no-such-run", "sample no-such-run");
    check_drift(1, "has no checkpoint.safetensors", "sample %s", pictures());

    check_drift(0, "done", "%s --steps 2 --out %s/y", train(), t);
    check_drift(1, "holds a run already", "%s --steps 2 --out %s/y", train(), t);
    check_drift(2, "--lr cannot be changed", "train --resume %s/y --lr 1", t);
    check_drift(2, "no sampler magic", "sample %s/y --sampler magic", t);
    check_drift(2, "the classes 0 to 1", "sample %s/y --class 9", t);
    check_int(system(TEXT("truncate -s 1000 %s/y/checkpoint.safetensors", t)), 0);
    check_drift(1, "checkpoint.safetensors", "sample %s/y", t);
}

/* A learning rate that explodes: the run stops and names an operation. */
static void a_loss_that_is_not_finite_stops_the_run(void)
{
    check_drift(1, "the first number that is not finite",
                "%s --steps 500 --lr 1e30 --out %s/z", train(), test_folder());
}

/* No room on the disk: a sentence, and the old checkpoint is whole. */
static void a_full_disk_loses_nothing(void)
{
    const char *t = test_folder(), *output;
    check_drift(0, "done", "%s --steps 3 --out %s/d", train(), t);
    Bytes before = checkpoint("d");
    check_int(drift_run(&output, "ulimit -f 40; trap '' XFSZ; exec",
                    TEXT("train --resume %s/d --steps 6", t)), 1);
    check(strstr(output, "cannot write") != NULL);
    check(same(before, checkpoint("d")));
    check(!file_exists(in_folder("d/checkpoint.safetensors.new")));
}

/* A run belongs to one process at a time.  A lock left by one that was killed is none. */
static void two_processes_do_not_share_a_run(void)
{
    const char *t = test_folder(), *program = getenv("DRIFT"),
               *args = TEXT("train --resume %s/two", t);
    check_drift(0, "done", "%s --steps 2 --out %s/two", train(), t);
    check_int(
        system(TEXT("%s %s --steps 100000000 > %s/first 2>&1 & echo $! > %s/pid; sleep 1",
                    program ? program : "build/drift", args, t, t)),
        0);
    long pid = strtol((const char *)file_read(&arena, in_folder("pid")).data, NULL, 10);
    check_drift(1, TEXT("in use by process %ld;", pid), "%s --steps 3", args);
    kill((pid_t)pid, SIGKILL);
    check_int(system("sleep 0.2"), 0);
    check_drift(0, "done at step 3", "%s --steps 3", args);
}

/* One training set of sixteen pictures is learned by heart: the loss falls far below that
 * of guessing nothing, which is 1. */
static void a_small_set_is_learned(void)
{
    const char *output, *args = TEXT("%s --batch 16 --steps 300 --lr 3e-3 --out %s/l",
                                     train(), test_folder());
    check_int(drift_run(&output, "", args), 0);
    const char *loss = strstr(output, ": loss ");
    check(loss && strtod(loss + 7, NULL) < 0.25);
}

/* In halves: the run remembers it, the loss is that of the run in whole numbers or near
 * it, and so are pictures from the same noise. */
static void halves_do_as_well(void)
{
    const char *t = test_folder(), *output;
    double loss[2];
    for (int i = 0; i < 2; i++) {
        check_int(drift_run(&output, "", TEXT("%s --batch 16 --steps 100 --lr 3e-3 %s "
                                              "--out %s/h%d", train(), i ? "--bf16" : "",
                                              t, i)), 0);
        const char *text = strstr(output, ": loss ");
        check((strstr(output, "products of") != NULL) == i);
        loss[i] = text ? strtod(text + 7, NULL) : 0;
    }
    check_close(loss[1], loss[0], 0.05 * loss[0]);
    check(!same(checkpoint("h0"), checkpoint("h1")));
    check_drift(0, "products of", "train --resume %s/h1 --steps 103 --threads 1", t);
    check_drift(0, "products of", "%s --batch 16 --steps 103 --lr 3e-3 --bf16 "
                "--out %s/h2", train(), t);
    check(same(checkpoint("h1"), checkpoint("h2")));

    const char *draw = TEXT("sample %s/h0 --count 8 --sampler ddim --sample-steps 10", t);
    check_drift(0, "8 images", "%s --out %s/whole.npy", draw, t);
    check_drift(0, "8 images", "%s --out %s/halves.npy --bf16", draw, t);
    Bytes whole = file_read(&arena, in_folder("whole.npy"));
    Bytes halves = file_read(&arena, in_folder("halves.npy"));
    double difference = 0;
    for (size_t i = 0; i < whole.size; i++)
        difference += abs(whole.data[i] - halves.data[i]);
    check(difference > 0 || sizeof(Real) == 8);
    check_at_most(difference / (double)whole.size, 4, "grey levels");
}

static const Test tests[] = {
    T(resuming_gives_the_same_bytes), T(threads_do_not_change_the_training),
    T(a_signal_stops_in_order), T(any_network_takes_any_sampler),
    T(every_sampler_is_drawn_on_the_plane),
    T(sampling_does_not_depend_on_batch_or_threads), T(a_model_is_measured),
    T(a_step_can_be_seen), T(the_first_diffusion_models_run),
    T(derivatives_can_be_checked), T(bad_input_gets_a_sentence),
    T(a_loss_that_is_not_finite_stops_the_run), T(a_full_disk_loses_nothing),
    T(two_processes_do_not_share_a_run),
    T(a_small_set_is_learned), T(halves_do_as_well),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
