/* Published networks on disk: see published_file.h. */
#include "nn/published_file.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"

enum { NAMED = 20 };            /* complaints that are spelled out */

/* ---- reading ------------------------------------------------------------------- */

typedef struct {
    const SafeTensors *file;
    const char *prefix;         /* of all names: "" or "model." */
    Text text;                  /* what does not fit, a line each */
    int troubles;
} Reader;

static const char *find_prefix(const SafeTensors *f)
{
    static const char prefix[] = "model.";
    for (int i = 0; i < f->count; i++)
        if (strncmp(f->entries[i].name, prefix, strlen(prefix)) != 0) return "";
    return prefix;
}

static const SafeEntry *find(Reader *r, const char *name)
{
    size_t mark = arena_mark(scratch());
    const SafeEntry *e =
        safetensors_find(r->file, arena_printf(scratch(), "%s%s", r->prefix, name));
    arena_rewind(scratch(), mark);
    return e;
}

static void complain(Reader *r, const char *name, const char *trouble)
{
    if (r->troubles++ < NAMED) text_printf(&r->text, "\n  %s: %s", name, trouble);
}

static bool same_shape(const SafeEntry *e, Shape s)
{
    bool same = e->rank == s.rank;
    for (int i = 0; same && i < s.rank; i++) same = e->dim[i] == s.dim[i];
    return same;
}

static const char *show_shape(Arena *a, const SafeEntry *e)
{
    Text t = {.arena = a};
    text_printf(&t, "[");
    for (int i = 0; i < e->rank; i++)
        text_printf(&t, "%s%lld", i ? ", " : "", (long long)e->dim[i]);
    text_printf(&t, "]");
    return t.bytes;
}

/* The entry of that name, shape and a type of fractions, or NULL after a complaint. */
static const SafeEntry *need(Reader *r, const char *name, Shape shape)
{
    const SafeEntry *e = find(r, name);
    Arena *a = r->text.arena;
    if (!e) complain(r, name, "missing");
    else if (!same_shape(e, shape))
        complain(r, name,
                 arena_printf(a, "want %s, found %s", SHOW(shape), show_shape(a, e)));
    else if (e->dtype > DTYPE_BF16)
        complain(r, name, arena_printf(a, "elements of type %s", dtype_name(e->dtype)));
    else return e;
    return NULL;
}

static bool is_known(const Published *w, const char *name)
{
    for (int i = 0; i < w->count; i++)
        if (strcmp(w->list[i].name, name) == 0) return true;
    for (int i = 0; i < w->filter_count; i++)
        if (strcmp(w->filters[i], name) == 0) return true;
    return false;
}

/* f f' / (sum f)^2 of f = (1 1) or (1 3 3 1). */
static void make_filter(int taps, float out[16])
{
    static const float f[2][4] = {{0.5f, 0.5f}, {0.125f, 0.375f, 0.375f, 0.125f}};
    for (int i = 0; i < taps * taps; i++)
        out[i] = f[taps / 4][i / taps] * f[taps / 4][i % taps];
}

static void check_filter(Reader *r, const char *name, int taps)
{
    if (!find(r, name)) return;
    Real got[16];
    float want[16];
    const SafeEntry *e = need(r, name, SHAPE(1, 1, taps, taps));
    if (!e) return;
    make_filter(taps, want);
    safetensors_to_reals(e, got);
    for (int i = 0; i < taps * taps; i++)
        if (!(fabs((double)got[i] - (double)want[i]) < 1e-3)) {
            complain(r, name, "other taps than resample_filter's");
            return;
        }
}

void published_load(const SafeTensors *file, const Published *w, int taps, Real *ours)
{
    Arena a = arena_create();
    Reader r = {file, find_prefix(file), {.arena = &a}, 0};
    Real *theirs = arena_new(&a, Real, w->params->size);
    for (int i = 0; i < w->count; i++) {
        const SafeEntry *e = need(&r, w->list[i].name, w->list[i].shape);
        if (!e) continue;
        safetensors_to_reals(e, theirs);
        for (size_t k = 0; k < e->count; k++)
            if (!isfinite(theirs[k])) {
                complain(&r, e->name, "holds numbers that are not finite");
                break;
            }
        published_read(&w->list[i], theirs, ours);
    }
    for (int i = 0; i < w->filter_count; i++) check_filter(&r, w->filters[i], taps);
    for (int i = 0; i < file->count; i++) {
        const char *name = file->entries[i].name;
        if (!is_known(w, name + strlen(r.prefix))) complain(&r, name, "unexpected");
    }
    if (r.troubles)
        fail("%s does not fit its configuration; %d arrays differ:%s%s", file->path,
             r.troubles, r.text.bytes, r.troubles > NAMED ? "\n  ..." : "");
    arena_destroy(&a);
}

/* ---- writing ------------------------------------------------------------------- */

static int compare_names(const void *x, const void *y)
{
    return strcmp(((const SafeEntry *)x)->name, ((const SafeEntry *)y)->name);
}

static SafeEntry make_entry(Arena *a, const PublishedArray *p, const Real *ours)
{
    size_t mark = arena_mark(scratch());
    Real *theirs = arena_new(scratch(), Real, p->size);
    float *data = arena_new(a, float, p->size);
    published_write(p, ours, theirs);
    for (size_t i = 0; i < p->size; i++) data[i] = (float)theirs[i];
    arena_rewind(scratch(), mark);
    SafeEntry e = {.name = p->name, .dtype = DTYPE_F32, .rank = p->shape.rank,
                   .data = data};
    for (int i = 0; i < e.rank; i++) e.dim[i] = p->shape.dim[i];
    return e;
}

void published_save(const char *path, const Published *w, int taps, const Real *ours)
{
    Arena a = arena_create();
    float filter[16];
    int n = 0;
    SafeEntry *e = arena_new(&a, SafeEntry, (size_t)(w->count + w->filter_count));
    make_filter(taps, filter);
    for (int i = 0; i < w->count; i++) e[n++] = make_entry(&a, &w->list[i], ours);
    for (int i = 0; i < w->filter_count; i++)
        e[n++] = (SafeEntry){.name = w->filters[i], .dtype = DTYPE_F32, .rank = 4,
                             .dim = {1, 1, taps, taps}, .data = filter};
    qsort(e, (size_t)n, sizeof *e, compare_names);
    safetensors_write(path, e, n, (SafeMeta[]){{"format", "pt"}}, 1);
    arena_destroy(&a);
}
