/* Run folders and checkpoints that were changed by hand: each gets a sentence. */
#include <string.h>

#include "apps/support/run.h"
#include "tensor/error.h"
#include "tests/check.h"

static Arena arena;
#define TEXT(...) arena_printf(&arena, __VA_ARGS__)
#define check_drift(code, words, ...) check_drift_at(HERE, code, words, TEXT(__VA_ARGS__))

static Config small(void)
{
    Config c = preset_find("mini")->config;
    c.preset = "mini", c.dataset = "dots", c.pool = "";
    c.unet.height = c.unet.width = 8, c.unet.channels = c.unet.out_channels = 1;
    c.unet.base = 8, c.unet.mult[2] = 0, c.unet.levels = 2;
    c.unet = unet_defaults(c.unet);
    return c;
}

static const char *saved(const char *name, const Config *c)
{
    const char *path = TEXT("%s/%s.safetensors", test_folder(), name);
    Model m;
    model_create(&m, c);
    model_save(&m, path);
    model_destroy(&m);
    return path;
}

typedef struct { const char *path; ModelKind kind; bool for_training; } Request;

static void load(void *argument)
{
    const Request *r = argument;
    Model m;
    model_load(&m, r->path, r->kind, r->for_training);
    model_destroy(&m);
}

/* The arrays of `from` with other texts, unsummed as those of other programs are. */
static Request with_texts(const char *from, const SafeMeta texts[], int count)
{
    SafeTensors f = safetensors_read(&arena, from);
    Request r = {TEXT("%s/changed.safetensors", test_folder()), MODEL_ANY, true};
    safetensors_write(r.path, f.entries, f.count, texts, count);
    return r;
}

/* ---- checkpoints ------------------------------------------------------------------- */

static void the_step_must_be_one(void)
{
    static const char *const bad[] = {"", "x", "1x", "-1", "99999999999999999999"};
    Config c = small();
    const char *path = saved("steps", &c);
    SafeTensors f = safetensors_read(&arena, path);
    SafeMeta texts[] = {{"config", safetensors_metadata(&f, "config")}, {"step", "7"}};
    Request r = with_texts(path, texts, 2);
    check(error_catch(load, &r) == NULL);
    for (int i = 0; i < NELEM(bad); i++) {
        texts[1].text = bad[i];
        r = with_texts(path, texts, 2);
        check_stops(load, &r, TEXT("its step is \"%s\"", bad[i]));
    }
    r = with_texts(path, texts, 1);
    check_stops(load, &r, "is not a checkpoint of drift: its metadata has no \"step\"");
    r = with_texts(path, texts + 1, 1);
    check_stops(load, &r, "its metadata has no \"config\"");
}

/* Every text of a configuration is the name of something, which must exist. */
static void names_must_mean_something(void)
{
    Config good = small();
    struct { const char **name, *words; } names[] = {
        {&good.schedule, "there is no schedule magic"},
        {&good.prediction, "a network cannot predict magic"},
        {&good.variance, "there is no variance magic"},
        {&good.conditioning, "there is no conditioning magic"},
        {&good.timesteps, "timesteps cannot be drawn magic"},
        {&good.optimizer.rule, "there is no optimiser magic"},
        {&good.optimizer.rate.decay, "there is no learning-rate decay magic"},
        {&good.unet.resample, "there is no resampling magic"},
        {&good.unet.waves, "there is no embedding magic"},
        {&good.unet.init, "there is no initialisation magic"},
    };
    const char *path = saved("names", &good);
    for (int i = 0; i < NELEM(names); i++) {
        const char *kept = *names[i].name;
        Text text = {.arena = &arena};
        *names[i].name = "magic";
        config_put(&text, NULL, &good);
        *names[i].name = kept;
        SafeMeta texts[] = {{"config", text.bytes}, {"step", "7"}};
        Request r = with_texts(path, texts, 2);
        check_stops(load, &r, names[i].words);
    }
}

static void the_kind_must_be_the_one_wanted(void)
{
    Config denoiser = small(), classifier = small();
    classifier.pool = "adaptive", classifier.unet.out_channels = 2;
    const char *of[2] = {saved("denoiser", &denoiser), saved("classifier", &classifier)};
    static const char *const words[2] = {"does not classify", "which draws nothing"};
    for (int i = 0; i < 2; i++)
        for (int kind = MODEL_ANY; kind <= MODEL_CLASSIFIER; kind++) {
            Request r = {of[i], (ModelKind)kind, false};
            bool wanted = kind == MODEL_ANY || (kind == MODEL_CLASSIFIER) == (i == 1);
            if (wanted) check(error_catch(load, &r) == NULL);
            else check_stops(load, &r, words[i]);
        }
}

/* The model, its average and one moment or two, of each of the parameters. */
static void each_optimiser_comes_back(void)
{
    static const struct { const char *rule; int blocks; } rows[] = {
        {"sgd", 3}, {"rmsprop", 4}, {"adam", 4}, {"adam_hat", 4}, {"adamw", 4},
    };
    for (int i = 0; i < NELEM(rows); i++) {
        Config c = small();
        c.optimizer.rule = rows[i].rule;
        Request r = {saved(rows[i].rule, &c), MODEL_ANY, true};
        Model m;
        model_create(&m, &c);
        int arrays = safetensors_read(&arena, r.path).count;
        check_int(arrays, rows[i].blocks * m.params.count);
        model_destroy(&m);
        check(error_catch(load, &r) == NULL);
    }
}

/* ---- folders ----------------------------------------------------------------------- */

static void a_changed_folder_is_told(void)
{
    static const struct { const char *text, *words; } bad[] = {
        {"[]", "config.json: an object with \"steps\" was expected, found an array"},
        {"{\"steps\": 3", "config.json, line 1, byte 11: , or } was expected"},
        {"{\"steps\": 3}", "config.json: \"minutes\" is missing"},
        {"{\"steps\": 3, \"minutes\": 0, \"source\": \"\"}",
         "was imported, so no data set belongs to it"},
        {"", "config.json, line 1, byte 0: a value was expected, but the text ends"},
    };
    const char *run = TEXT("%s/run", test_folder());
    const char *resume = TEXT("train --resume %s", run);
    Config c = small();
    folder_make(run);
    run_write_config(run, &(RunPlan){"leaves", NULL, 3, 0}, &c);
    check_drift(1, "has no checkpoint.safetensors", "%s", resume);
    const char *checkpoint = saved("run/checkpoint", &c);
    check_drift(1, "was trained on pictures of 8x8x1 with 0 classes", "%s", resume);
    check_drift(1, "say with --on which data set", "evaluate %s --nll", checkpoint);
    for (int i = 0; i < NELEM(bad); i++) {
        const char *path = run_path(&arena, run, "config.json");
        file_write(path, bad[i].text, strlen(bad[i].text));
        check_drift(1, bad[i].words, "%s", resume);
    }
}

/* A line that is none, at the end of a log whose run goes on. */
static void a_changed_log_is_told(void)
{
    const char *run = TEXT("%s/logged", test_folder());
    check_drift(0, "done at step 1", "train leaves --base 8 --mult 1 --blocks 1 "
                "--patch 4 --batch 1 --attention 9 --steps 1 --out %s", run);
    file_write(run_path(&arena, run, "log.jsonl"), "3\n", 2);
    check_drift(1, "log.jsonl: an object with \"step\" was expected, found a number",
                "train --resume %s --steps 2", run);
}

static const Test tests[] = {
    T(the_step_must_be_one), T(names_must_mean_something),
    T(the_kind_must_be_the_one_wanted), T(each_optimiser_comes_back),
    T(a_changed_folder_is_told), T(a_changed_log_is_told),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
