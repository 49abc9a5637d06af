/* Runs: see run.h. */
#include "apps/support/run.h"

#include <stdlib.h>
#include <string.h>

#include "diffusion/augment.h"
#include "tensor/error.h"

static UNetConfig complete(const Config *c)
{
    UNetConfig u = c->unet;
    if (c->augment > 0) u.augment = augment_label_count(augment_kinds(augment_edm));
    return unet_defaults(u);
}

void model_create(Model *m, const Config *c)
{
    *m = (Model){.config = *c, .params = params_create(), .arena = arena_create()};
    config_own(&m->arena, &m->config);
    if (!c->pool) m->config.pool = "";
    m->config.unet = complete(&m->config);
    if (is_classifier(&m->config))
        m->classifier = classifier_init(&m->params, &m->config.unet, m->config.pool);
    else m->net = unet_init(&m->params, &m->config.unet);
    m->process = (Process){
        .schedule = schedule_make(&m->arena, c->schedule, c->diffusion_steps,
                                  c->beta_first, c->beta_last),
        .prediction = prediction_find(c->prediction),
        .variance = variance_find(c->variance),
        .loss = m->config.loss,
    };
    if (c->rescale_t) schedule_rescale_told(&m->process.schedule);
    m->process.conditioning =
        conditioning_make(&m->arena, c->conditioning, &m->process.schedule);
    conditioning_tell(&m->process.conditioning, &m->process.schedule);
    m->timesteps = timesteps_create(&m->arena, c->timesteps, c->diffusion_steps, 10,
                                    0.001);
    params_allocate(&m->params, c->seed);
    m->optimizer = optimizer_init(&m->params, &m->config.optimizer);
    m->ema = ema_init(&m->params, 1, &c->ema, c->ema_ramp);
}

bool is_classifier(const Config *c) { return c->pool && c->pool[0]; }

enum { BLOCKS = 4, OTHERS = 2, SAMPLING_BLOCKS = 2 };

/* What a checkpoint holds; sampling needs the first two blocks only. */
static CheckpointParts list_parts(const Model *m, CheckpointBlock blocks[BLOCKS],
                                  SafeEntry others[OTHERS])
{
    CheckpointParts p = {.blocks = blocks, .others = others};
    blocks[p.count++] = (CheckpointBlock){"model", m->params.value};
    blocks[p.count++] = (CheckpointBlock){"ema", m->ema.value[0]};
    blocks[p.count++] = (CheckpointBlock){"moment1", m->optimizer.m};
    if (m->optimizer.v) blocks[p.count++] = (CheckpointBlock){"moment2", m->optimizer.v};
    const Timesteps *t = &m->timesteps;
    if (strcmp(t->kind, "loss_aware") == 0) {
        others[p.other_count++] =
            (SafeEntry){.name = "timesteps.loss", .dtype = DTYPE_F64, .rank = 2,
                        .dim = {t->T, t->history}, .data = t->loss};
        others[p.other_count++] =
            (SafeEntry){.name = "timesteps.count", .dtype = DTYPE_I32, .rank = 1,
                        .dim = {t->T}, .data = t->count};
    }
    return p;
}

static const char *need(const SafeTensors *f, const char *key)
{
    const char *text = safetensors_metadata(f, key);
    if (!text)
        fail("%s is not a checkpoint of drift: its metadata has no \"%s\"", f->path, key);
    return text;
}

/* The network has names and shapes before it has numbers: they are compared with the
 * file's, so that no configuration can ask for more memory than the file justifies. */
static void check_network(const SafeTensors *f, const Config *c)
{
    Params p = params_create();
    UNetConfig u = complete(c);
    if (is_classifier(c)) classifier_init(&p, &u, c->pool);
    else unet_init(&p, &u);
    checkpoint_check(f, &p, "ema");
    params_destroy(&p);
}

static void check_kind(const Config *c, const char *checkpoint, ModelKind kind)
{
    if (kind == MODEL_DENOISER && is_classifier(c))
        fail("%s is a classifier, which draws nothing; `drift train` makes a model that "
             "does, and `drift sample RUN --guide` takes a classifier", checkpoint);
    if (kind == MODEL_CLASSIFIER && !is_classifier(c))
        fail("%s draws pictures, it does not classify them; `drift classifier` makes a "
             "model that does", checkpoint);
}

void model_load(Model *m, const char *checkpoint, ModelKind kind, bool for_training)
{
    Arena a = arena_create();
    SafeTensors f = safetensors_read(&a, checkpoint);
    const char *text = need(&f, "config"), *step = need(&f, "step");
    Config c = config_parse(&a, (Bytes){checkpoint, (const uint8_t *)text, strlen(text)});

    char *end;
    long steps = strtol(step, &end, 10);
    if (end == step || *end || steps < 0 || steps > INT64_MAX >> 16)
        fail("%s: its step is \"%s\"", checkpoint, step);
    check_kind(&c, checkpoint, kind);
    check_network(&f, &c);
    model_create(m, &c);
    m->optimizer.step = steps;
    CheckpointBlock blocks[BLOCKS];
    SafeEntry others[OTHERS];
    CheckpointParts parts = list_parts(m, blocks, others);
    if (for_training) checkpoint_load(&f, &m->params, &parts);
    else if (is_classifier(&c)) checkpoint_load_some(&f, &m->params, blocks + 1, 1);
    else checkpoint_load_some(&f, &m->params, blocks, SAMPLING_BLOCKS);
    arena_destroy(&a);
}

static void save(const Model *m, const char *path, const CheckpointParts *parts)
{
    size_t mark = arena_mark(scratch());
    Text config = {.arena = scratch(), .pretty = true};
    config_put(&config, NULL, &m->config);
    const SafeMeta metadata[] = {
        {"step", arena_printf(scratch(), "%ld", m->optimizer.step)},
        {"config", config.bytes},
    };
    checkpoint_save(path, &m->params, parts, metadata, 2);
    arena_rewind(scratch(), mark);
}

void model_save(const Model *m, const char *checkpoint)
{
    CheckpointBlock blocks[BLOCKS];
    SafeEntry others[OTHERS];
    CheckpointParts parts = list_parts(m, blocks, others);
    save(m, checkpoint, &parts);
}

void model_save_half(const Model *m, const char *path)
{
    CheckpointBlock average = {"ema", m->ema.value[0]};
    save(m, path, &(CheckpointParts){.blocks = &average, .count = 1, .half = true});
}

void model_destroy(Model *m)
{
    params_destroy(&m->params);
    arena_destroy(&m->arena);
}

const char *run_path(Arena *a, const char *run, const char *name)
{
    return arena_printf(a, "%s/%s", run, name);
}

void run_lock(const char *run)
{
    size_t mark = arena_mark(scratch());
    file_lock(run_path(scratch(), run, "lock"), run);
    arena_rewind(scratch(), mark);
}

const char *run_checkpoint(Arena *a, const char *run)
{
    if (!file_exists(run))
        fail("there is no run %s; `drift train` makes one under runs/", run);
    if (!file_is_folder(run)) return run;
    const char *path = run_path(a, run, "checkpoint.safetensors");
    if (!file_exists(path))
        fail("%s has no checkpoint.safetensors: not a run, or one that was stopped before "
             "its first checkpoint", run);
    return path;
}

void run_write_config(const char *run, const RunPlan *plan, const Config *c)
{
    Arena a = arena_create();
    Text text = {.arena = &a, .pretty = true};
    json_open_object(&text, NULL);
    json_put_text(&text, "source", plan->source);
    json_put_text(&text, "data", plan->data ? plan->data : "");
    json_put_integer(&text, "steps", plan->steps);
    json_put_number(&text, "minutes", plan->minutes);
    config_put(&text, "config", c);
    json_close(&text);
    text_printf(&text, "\n");
    file_write(run_path(&a, run, "config.json"), text.bytes, text.length);
    arena_destroy(&a);
}

const Json *log_line(Arena *a, Bytes log, size_t *at)
{
    const uint8_t *line = log.data + *at, *end = memchr(line, '\n', log.size - *at);
    if (!end) return NULL;
    *at += (size_t)(end - line) + 1;
    return json_parse(a, (Bytes){log.path, line, (size_t)(end - line)});
}

void run_source(Arena *a, const char *run, const char **source, const char **data)
{
    if (!file_is_folder(run))
        fail("%s is a file; say with --on which data set to take", run);
    Bytes text = file_read(a, run_path(a, run, "config.json"));
    const Json *config = json_parse(a, text);
    *source = json_text(config, "source", text.path);
    if (!(*source)[0]) fail("%s was imported, so no data set belongs to it", run);
    if (!data) return;
    *data = json_text(config, "data", text.path);
    if (!(*data)[0]) *data = NULL;
}

void to_bytes(uint8_t *out, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)lround(fmin(fmax((x[i] + 1) * 127.5, 0), 255));
}

int *make_labels(Arena *a, int classes, int count, int label)
{
    if (!classes) return NULL;
    if (label >= classes)
        fail_usage("--class %d: this model has the classes 0 to %d", label, classes - 1);
    int *labels = arena_new(a, int, (size_t)count);
    int each = (count + classes - 1) / classes;
    for (int i = 0; i < count; i++) labels[i] = label >= 0 ? label : i / each;
    return labels;
}
