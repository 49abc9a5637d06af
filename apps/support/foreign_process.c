/* Diffusion processes as other programs write them: DDPMScheduler of diffusers,
 * create_gaussian_diffusion of OpenAI's code, the preconditionings of NVlabs'.  See
 * foreign.h. */
#include <string.h>

#include "apps/support/foreign.h"
#include "apps/support/run.h"
#include "nn/published_class.h"
#include "tensor/error.h"

/* ---- words --------------------------------------------------------------------- */

/* Of several words of theirs for one of ours the first is written. */
typedef struct { const char *theirs, *ours; } Word;

static const Word schedules[] = {
    {"linear", "linear"}, {"scaled_linear", "quadratic"}, {"squaredcos_cap_v2", "cosine"},
    {"sigmoid", "sigmoid_beta"}, {NULL, NULL}};
static const Word predictions[] = {
    {"epsilon", "eps"}, {"sample", "x0"}, {"v_prediction", "v"}, {NULL, NULL}};
static const Word variances[] = {
    {"fixed_small", "fixed_small"}, {"fixed_large", "fixed_large"},
    {"fixed_small_log", "fixed_small"}, {"fixed_large_log", "fixed_large"},
    {"learned", "learned"}, {"learned_range", "learned_range"}, {NULL, NULL}};
static const Word openai_schedules[] = {
    {"linear", "linear_scaled"}, {"cosine", "cosine"}, {NULL, NULL}};

static const char *read_word(const Arguments *a, const char *key, const Word *w)
{
    const char *text = json_text(argument_holder(a, key), key, a->where), *list = "";
    for (; w->theirs; w++) {
        if (strcmp(w->theirs, text) == 0) return w->ours;
        list = arena_printf(scratch(), "%s%s%s", list, *list ? ", " : "", w->theirs);
    }
    fail("%s: %s \"%s\" is not supported; there are %s", a->where, key, text, list);
}

/* The first word if there is none: reading it back shows the difference. */
static const char *find_theirs(const Word *words, const char *ours)
{
    for (const Word *w = words; w->theirs; w++)
        if (strcmp(w->ours, ours) == 0) return w->theirs;
    return words->theirs;
}

static Arguments open_arguments(const Json *given, const char *defaults,
                                const char *fixed, const char *where)
{
    const char *of = "the diffusion process";
    Arena *s = scratch();
    Bytes d = {.data = (const uint8_t *)defaults, .size = strlen(defaults)};
    Bytes f = {.data = (const uint8_t *)fixed, .size = strlen(fixed)};
    Arguments a = {given, json_parse(s, d), where, 0};
    arguments_check(&a, json_parse(s, f), of);
    return a;
}

static void finish(Config *c, const char *where)
{
    bool learned = variance_find(c->variance)->learned;
    int C = config_picture_channels(c), out = c->unet.out_channels;
    if (is_classifier(c)) return;
    c->loss = learned ? "rescaled_mse" : "mse";
    if (out != C * (learned ? 2 : 1))
        fail("%s: the variance %s needs %d channels out of the network, it has %d", where,
             c->variance, C * (learned ? 2 : 1), out);
}

/* ---- diffusers ----------------------------------------------------------------- */

/* How its schedulers choose among the times is no part of the process, and not used. */
static const char scheduler_defaults[] =
    "{\"num_train_timesteps\": 1000, \"beta_start\": 1e-4, \"beta_end\": 0.02, "
    "\"beta_schedule\": \"linear\", \"prediction_type\": \"epsilon\", "
    "\"variance_type\": \"fixed_small\", \"clip_sample\": true, "
    "\"timestep_spacing\": null, \"steps_offset\": null, \"set_alpha_to_one\": null, "
    "\"skip_prk_steps\": null, \"sample_max_value\": null, "
    "\"dynamic_thresholding_ratio\": null}";
static const char scheduler_fixed[] =
    "{\"trained_betas\": null, \"thresholding\": false, \"clip_sample_range\": 1, "
    "\"rescale_betas_zero_snr\": false}";

static void read_scheduler(Config *c, const Json *process, const char *where)
{
    size_t mark = arena_mark(scratch());
    Arguments a = open_arguments(process, scheduler_defaults, scheduler_fixed, where);
    c->diffusion_steps = argument_integer(&a, "num_train_timesteps");
    c->beta_first = argument_number(&a, "beta_start");
    c->beta_last = argument_number(&a, "beta_end");
    c->schedule = read_word(&a, "beta_schedule", schedules);
    c->prediction = read_word(&a, "prediction_type", predictions);
    c->variance = read_word(&a, "variance_type", variances);
    c->no_clip = !argument_bool(&a, "clip_sample");
    arena_rewind(scratch(), mark);
    finish(c, where);
}

static void write_scheduler(Text *t, const Config *c)
{
    json_put_text(t, "_class_name", "DDPMScheduler");
    json_put_number(t, "beta_end", c->beta_last);
    json_put_text(t, "beta_schedule", find_theirs(schedules, c->schedule));
    json_put_number(t, "beta_start", c->beta_first);
    json_put_bool(t, "clip_sample", !c->no_clip);
    json_put_integer(t, "num_train_timesteps", c->diffusion_steps);
    json_put_text(t, "prediction_type", find_theirs(predictions, c->prediction));
    json_put_null(t, "trained_betas");
    json_put_text(t, "variance_type", find_theirs(variances, c->variance));
}

const ProcessNotation diffusers_process = {"_diffusion", read_scheduler, write_scheduler,
                                           NULL};

/* ---- OpenAI -------------------------------------------------------------------- */

/* The loss and the times of sampling are no part of the process. */
static const char openai_defaults[] =
    "{\"steps\": 1000, \"learn_sigma\": false, \"sigma_small\": false, "
    "\"noise_schedule\": \"linear\", \"use_kl\": false, \"predict_xstart\": false, "
    "\"rescale_timesteps\": false, \"rescale_learned_sigmas\": false, "
    "\"timestep_respacing\": \"\"}";

static void read_openai(Config *c, const Json *process, const char *where)
{
    size_t mark = arena_mark(scratch());
    Arguments a = open_arguments(process, openai_defaults, "{}", where);
    c->diffusion_steps = argument_integer(&a, "steps");
    c->beta_first = 1e-4;
    c->beta_last = 0.02;
    c->schedule = read_word(&a, "noise_schedule", openai_schedules);
    c->prediction = argument_bool(&a, "predict_xstart") ? "x0" : "eps";
    c->variance = argument_bool(&a, "learn_sigma") ? "learned_range"
                : argument_bool(&a, "sigma_small") ? "fixed_small" : "fixed_large";
    c->rescale_t = argument_bool(&a, "rescale_timesteps");
    arena_rewind(scratch(), mark);
    finish(c, where);
}

static void write_openai(Text *t, const Config *c)
{
    json_put_integer(t, "steps", c->diffusion_steps);
    json_put_bool(t, "learn_sigma", strcmp(c->variance, "learned_range") == 0);
    json_put_bool(t, "sigma_small", strcmp(c->variance, "fixed_small") == 0);
    json_put_text(t, "noise_schedule", find_theirs(openai_schedules, c->schedule));
    json_put_bool(t, "predict_xstart", strcmp(c->prediction, "x0") == 0);
    json_put_bool(t, "rescale_timesteps", c->rescale_t);
}

const ProcessNotation openai_process = {"_diffusion", read_openai, write_openai, NULL};

/* ---- NVlabs -------------------------------------------------------------------- */

/* Karras 2022, table 1: a class a row (conditioning.h).  Of its constants we follow the
 * defaults only; the range of sigma, and fp16, are no part of what the network is. */
static const struct Precond {
    const char *class, *prediction, *conditioning, *variance, *schedule, *timesteps;
    const char *fixed;
} preconds[] = {
    {"EDMPrecond", "edm", "edm", "fixed_small", "linear", "edm", "{\"sigma_data\": 0.5}"},
    {"VPPrecond", "eps", "vp", "fixed_small", "linear", "vp",
     "{\"beta_d\": 19.9, \"beta_min\": 0.1, \"M\": 1000, \"epsilon_t\": 1e-5}"},
    {"VEPrecond", "score", "ve", "fixed_small", "linear", "ve", "{}"},
    {"iDDPMPrecond", "eps", "schedule", "learned_range", "cosine", "uniform",
     "{\"C_1\": 0.001, \"C_2\": 0.008, \"M\": 1000}"},
};
enum { PRECONDS = sizeof preconds / sizeof *preconds };

static void read_precond(Config *c, const Json *process, const char *where)
{
    static const char defaults[] =
        "{\"sigma_min\": 0, \"sigma_max\": null, \"use_fp16\": false}";
    if (process->kind != JSON_OBJECT) fail("%s: _precond is no object {...}", where);
    const char *class = json_text(process, "_class_name", where);
    const struct Precond *p = preconds;
    while (p < preconds + PRECONDS && strcmp(p->class, class) != 0) p++;
    if (p == preconds + PRECONDS)
        fail("%s: the preconditioning \"%s\" is not supported; there are EDMPrecond, "
             "VPPrecond, VEPrecond and iDDPMPrecond", where, class);
    size_t mark = arena_mark(scratch());
    open_arguments(process, defaults, p->fixed, where);
    arena_rewind(scratch(), mark);
    c->prediction = p->prediction;
    c->conditioning = p->conditioning;
    c->variance = p->variance;
    c->schedule = p->schedule;
    c->timesteps = p->timesteps;
    finish(c, where);
}

static const struct Precond *find_precond(const Config *c)
{
    for (const struct Precond *p = preconds; p < preconds + PRECONDS; p++)
        if (strcmp(p->conditioning, c->conditioning) == 0 &&
            strcmp(p->prediction, c->prediction) == 0 &&
            strcmp(p->variance, c->variance) == 0) return p;
    return NULL;
}

static bool has_precond(const Config *c) { return find_precond(c) != NULL; }

static void write_precond(Text *t, const Config *c)
{
    json_put_text(t, "_class_name", find_precond(c)->class);
}

const ProcessNotation edm_process = {"_precond", read_precond, write_precond,
                                     has_precond};
