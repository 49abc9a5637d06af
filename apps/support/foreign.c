/* Networks in the files of other programs: see foreign.h. */
#include "apps/support/foreign.h"

#include <string.h>

#include "apps/support/pickle.h"
#include "apps/support/run.h"
#include "nn/published_class.h"
#include "tensor/error.h"

/* ---- families ------------------------------------------------------------------ */

static const struct Family {
    const char *name, *classes[4];      /* ended by a NULL, as the next: */
    const ProcessNotation *notations[3];
    bool assumed;           /* a process that is not told has the first one's defaults */
    const char *weights, *arguments, *process;  /* files; process NULL: in arguments */
} families[] = {
    {"diffusers", {"UNet2DModel"}, {&diffusers_process}, true,
     "diffusion_pytorch_model.safetensors", "config.json", "scheduler_config.json"},
    {"adm", {"UNetModel", "SuperResModel", "EncoderUNetModel"}, {&openai_process}, true,
     "model.safetensors", "model.json", NULL},
    {"edm", {"SongUNet", "DhariwalUNet"}, {&openai_process, &edm_process}, false,
     "model.safetensors", "model.json", NULL},
};
enum { FAMILIES = sizeof families / sizeof *families };

/* By the beginning of the class, as versions of it have a tail. */
static const struct Family *family_of(const char *class)
{
    for (int i = 0; i < FAMILIES; i++)
        for (const char *const *k = families[i].classes; *k; k++)
            if (strncmp(class, *k, strlen(*k)) == 0) return &families[i];
    fail("%s is a network that no run is made of", class);
}

/* What the two networks are that do not simply denoise. */
static bool enlarges(const char *class) { return strcmp(class, "SuperResModel") == 0; }
static bool classifies(const char *class)
{
    return strcmp(class, "EncoderUNetModel") == 0;
}

static const struct Family *find_family(const char *name)
{
    for (int i = 0; i < FAMILIES; i++)
        if (strcmp(families[i].name, name) == 0) return &families[i];
    fail_usage("--to %s: there are diffusers, adm and edm", name);
}

/* ---- finding the files --------------------------------------------------------- */

/* The folder of a path, with its slash: "" for a bare name. */
static const char *folder_of(Arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? arena_printf(a, "%.*s", (int)(slash + 1 - path), path) : "";
}

/* The first of the names that exists in the folder, or NULL. */
static const char *find_file(Arena *a, const char *folder, const char *const names[])
{
    for (; *names; names++) {
        const char *path = arena_printf(a, "%s%s", folder, *names);
        if (file_exists(path)) return path;
    }
    return NULL;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static const char *find_weights(Arena *a, const char *path)
{
    static const char *const names[] = {
        "diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.safetensors",
        "model.safetensors", NULL};
    static const char *const pickles[] = {".bin", ".pt", ".pth", ".pkl", ".ckpt"};
    if (!file_exists(path)) fail("there is no file or folder %s", path);
    if (!file_is_folder(path)) return path;
    const char *found = find_file(a, arena_printf(a, "%s/", path), names);
    if (found) return found;
    int count;
    char **list = folder_list(a, path, &count);
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < sizeof pickles / sizeof *pickles; k++)
            if (ends_in(list[i], pickles[k]))
                pickle_fail(arena_printf(a, "%s/%s", path, list[i]));
    fail("%s holds no %s; name the .safetensors file itself", path, names[0]);
}

static SafeTensors read_weights(Arena *a, const char *path)
{
    Bytes b = file_read(a, path);
    pickle_refuse(b);
    return safetensors_parse(a, b);
}

static const Json *read_json(Arena *a, const char *path)
{
    const Json *j = json_parse(a, file_read(a, path));
    if (j->kind != JSON_OBJECT) fail("%s: an object {...} was expected", path);
    return j;
}

static const char *find_arguments(Arena *a, const char *weights)
{
    const char *stem = arena_printf(a, "%.*s", (int)strlen(weights) -
                                    (ends_in(weights, ".safetensors") ? 12 : 0), weights);
    const char *beside = arena_printf(a, "%s.json", stem);
    if (file_exists(beside)) return beside;
    const char *found = find_file(a, folder_of(a, weights),
                                  (const char *const[]){"config.json", NULL});
    if (!found)
        fail("%s needs the arguments of its network's constructor: in %s, or in "
             "another file that --config names", weights, beside);
    return found;
}

/* ---- reading ------------------------------------------------------------------- */

static const char *recognise(const SafeTensors *f, const Json *arguments,
                             const char *where)
{
    const PublishedClass *k = published_recognise(f);
    if (!k)
        fail("%s: its %d arrays have the names of no network that drift knows; there are "
             "those of UNet2DModel, UNetModel, SongUNet and DhariwalUNet",
             f->path, f->count);
    if (json_find(arguments, "_class_name")) {
        const char *told = json_text(arguments, "_class_name", where);
        if (enlarges(told) && strcmp(k->name, "UNetModel") == 0) return told;
        if (strncmp(k->name, told, strlen(told)) != 0)
            fail("%s is of class %s, but the arrays of %s have the names of %s", where,
                 told, f->path, k->name);
    }
    return k->name;
}

/* A number, or height and width. */
static void read_size(const Json *arguments, const char *key, const char *where,
                      int size[2])
{
    const Json *j = json_find(arguments, key);
    if (size[0]) return;
    if (!j || j->kind == JSON_NULL)
        fail("%s does not tell the size of the images in %s; --size H,W does", where,
             key);
    int n = j->kind == JSON_ARRAY ? json_integers(arguments, key, where, size, 2) : 1;
    if (j->kind != JSON_ARRAY) {
        int64_t side = json_integer(arguments, key, where);
        size[0] = side < 1 || side > 4096 ? 0 : (int)side;
    }
    if (n == 1) size[1] = size[0];
    if (size[0] < 1 || size[1] < 1 || size[0] > 4096 || size[1] > 4096)
        fail("%s: %s is no size of images; want 1 to 4096", where, key);
}

/* What a Config needs beyond the network and the process. */
static Config new_config(const PublishedNet *net)
{
    Config c = preset_find("ddpm")->config;
    c.unet = net->unet;
    c.preset = net->class;
    c.dataset = "imported";
    c.optimizer = (OptimizerConfig){.rule = "sgd", .rate = {.decay = "constant"}};
    c.flip = false;
    if (net->pool) c.pool = net->pool;
    return c;
}

/* process NULL: it is a member of the arguments, or not told. */
static void read_process(Config *c, const Json *arguments, const char *where,
                         const Json *process, const char *process_where)
{
    static const Json nothing = {.kind = JSON_OBJECT};
    const struct Family *f = family_of(c->preset);
    if (process) {
        f->notations[0]->read(c, process, process_where);
        return;
    }
    for (const ProcessNotation *const *n = f->notations; *n; n++) {
        const Json *told = json_find(arguments, (*n)->key);
        if (!told) continue;
        (*n)->read(c, told, where);
        return;
    }
    if (!f->assumed)
        fail("%s: what %s predicts is not told; \"_precond\": {\"_class_name\": "
             "\"EDMPrecond\"} beside its arguments does (or VPPrecond, VEPrecond, "
             "iDDPMPrecond)", where, c->preset);
    f->notations[0]->read(c, &nothing, where);
}

/* From parsed files. */
static Config make_config(const PublishedNet *net, const Json *arguments,
                          const char *where, const Json *process,
                          const char *process_where)
{
    Config c = new_config(net);
    if (enlarges(net->class)) {
        c.upsample = json_find(arguments, "_upsample")
                         ? (int)json_integer(arguments, "_upsample", where) : 4;
        if (c.upsample < 2 || c.unet.height % c.upsample || c.unet.width % c.upsample)
            fail("%s: _upsample %d does not divide %dx%d", where, c.upsample,
                 c.unet.height, c.unet.width);
    }
    read_process(&c, arguments, where, process, process_where);
    c.unet = unet_defaults(c.unet);
    return c;
}

Foreign foreign_open(Arena *a, const char *path, const char *where, const int size[2])
{
    static const char *const schedulers[] = {"scheduler_config.json",
                                             "scheduler/scheduler_config.json",
                                             "../scheduler/scheduler_config.json", NULL};
    const char *weights = find_weights(a, path);
    Foreign f = {.file = read_weights(a, weights)};
    if (!where) where = find_arguments(a, weights);
    const Json *arguments = read_json(a, where);
    f.class = recognise(&f.file, arguments, where);
    int image[2] = {size[0], size[1]};
    read_size(arguments, published_class(f.class)->size, where, image);
    f.net = published_net(f.class, arguments, image[0], image[1], where);
    const struct Family *family = family_of(f.class);
    const char *scheduler =
        family->process ? find_file(a, folder_of(a, weights), schedulers) : NULL;
    f.config = make_config(&f.net, arguments, where,
                           scheduler ? read_json(a, scheduler) : NULL, scheduler);
    return f;
}

/* ---- writing ------------------------------------------------------------------- */

static const Json *parse_text(Arena *a, const Text *t, const char *where)
{
    return json_parse(a, (Bytes){where, (const uint8_t *)t->bytes, t->length});
}

/* One class and notation of the family; returns what in the model they cannot express, or
 * NULL. */
static const char *describe(Arena *a, const struct Family *f, const char *class,
                            const ProcessNotation *notation, const Config *c,
                            ForeignText *out)
{
    Text text = {.arena = a, .pretty = true}, process = {.arena = a, .pretty = true};
    json_open_object(&text, NULL);
    published_put_arguments(&text, class, &c->unet);
    if (is_classifier(c)) json_put_text(&text, "pool", c->pool);
    if (c->upsample) json_put_integer(&text, "_upsample", c->upsample);
    json_open_object(f->process ? &process : &text, f->process ? NULL : notation->key);
    notation->write(f->process ? &process : &text, c);
    json_close(f->process ? &process : &text);
    json_close(&text);
    *out = (ForeignText){.weights = f->weights, .arguments = f->arguments,
                         .process = f->process, .arguments_text = text.bytes,
                         .process_text = process.bytes};

    const Json *read = parse_text(a, &text, class);
    const Json *told = f->process ? parse_text(a, &process, class) : NULL;
    out->net = published_net(class, read, c->unet.height, c->unet.width, class);
    Config back = make_config(&out->net, read, class, told, class);
    return config_difference(c, &back);
}

ForeignText foreign_describe(Arena *a, const char *family, const Config *c)
{
    const struct Family *f = find_family(family);
    const char *shortest = NULL, *nearest = NULL;
    ForeignText text;
    for (const char *const *k = f->classes; *k; k++)
        for (const ProcessNotation *const *n = f->notations; *n; n++) {
            if (enlarges(*k) != (c->upsample > 0) || classifies(*k) != is_classifier(c) ||
                ((*n)->can_write && !(*n)->can_write(c)))
                continue;
            const char *differ = describe(a, f, *k, *n, c, &text);
            if (!differ) return text;
            if (shortest && strlen(differ) >= strlen(shortest)) continue;
            shortest = differ;
            nearest = *k;
        }
    if (!nearest) fail("%s has no network that does what this model does", family);
    fail("%s cannot express this model; its nearest network is %s, but here %s", family,
         nearest, shortest);
}
