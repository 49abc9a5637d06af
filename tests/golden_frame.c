/* Reading and comparing golden numbers: see golden.h. */
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tensor/error.h"
#include "tests/golden.h"

enum { COMPLAINTS = 5 };        /* at most this many a file, then only the counts */

/* ---- reading ----------------------------------------------------------------------- */

static const char *full_name(const Golden *g, const char *name)
{
    return arena_printf(scratch(), "%s%s", g->group, name);
}

static const SafeEntry *find(const Golden *g, const char *name)
{
    const SafeEntry *e = safetensors_find(&g->file, full_name(g, name));
    if (!e) fail("%s has no tensor %s%s", g->file.path, g->group, name);
    if (e->dtype != DTYPE_F64 && e->dtype != DTYPE_F32 && e->dtype != DTYPE_I64)
        fail("%s: tensor %s is %s, want F64, F32 or I64", g->file.path, e->name,
             dtype_name(e->dtype));
    return e;
}

bool golden_has(const Golden *g, const char *name)
{
    return safetensors_find(&g->file, full_name(g, name)) != NULL;
}

size_t golden_size(const Golden *g, const char *name) { return find(g, name)->count; }

Shape golden_shape(const Golden *g, const char *name)
{
    const SafeEntry *e = find(g, name);
    int dim[MAX_RANK] = {1};
    if (e->rank > MAX_RANK)
        fail("%s: tensor %s has %d axes, at most %d fit", g->file.path, e->name, e->rank,
             MAX_RANK);
    for (int i = 0; i < e->rank; i++) {
        if (e->dim[i] < 1 || e->dim[i] > INT_MAX)
            fail("%s: axis %d of tensor %s is %lld long", g->file.path, i, e->name,
                 (long long)e->dim[i]);
        dim[i] = (int)e->dim[i];
    }
    return shape_make(e->rank ? e->rank : 1, dim);
}

Real *golden_reals(Golden *g, const char *name)
{
    const SafeEntry *e = find(g, name);
    Real *out = arena_new(&g->arena, Real, e->count);
    safetensors_to_reals(e, out);
    return out;
}

/* Integers below 2^53 are exact in a double; the files hold no larger ones. */
static double number_at(const SafeEntry *e, size_t i)
{
    const char *at = (const char *)e->data + i * dtype_size(e->dtype);
    union { double f64; float f32; int64_t i64; } x;
    memcpy(&x, at, dtype_size(e->dtype));
    return e->dtype == DTYPE_F64 ? x.f64
         : e->dtype == DTYPE_F32 ? (double)x.f32 : (double)x.i64;
}

double golden_number(const Golden *g, const char *name, size_t i)
{
    const SafeEntry *e = find(g, name);
    if (i >= e->count)
        fail("%s: tensor %s holds %zu numbers, number %zu is needed", g->file.path,
             e->name, e->count, i);
    return number_at(e, i);
}

double *golden_numbers(Golden *g, const char *name)
{
    size_t n = golden_size(g, name);
    double *out = arena_new(&g->arena, double, n);
    for (size_t i = 0; i < n; i++) out[i] = golden_number(g, name, i);
    return out;
}

int golden_integer(const Golden *g, const char *name, size_t i)
{
    double x = golden_number(g, name, i);
    if (!(x >= INT_MIN && x <= INT_MAX && x == (int)x))
        fail("%s: number %zu of tensor %s%s is %g, want an integer", g->file.path, i,
             g->group, name, x);
    return (int)x;
}

int *golden_integers(Golden *g, const char *name)
{
    size_t n = golden_size(g, name);
    int *out = arena_new(&g->arena, int, n);
    for (size_t i = 0; i < n; i++) out[i] = golden_integer(g, name, i);
    return out;
}

/* ---- comparing --------------------------------------------------------------------- */

static GoldenResult *find_result(const Golden *g, const char *name)
{
    const char *full = full_name(g, name);
    for (int i = 0; i < g->count; i++)
        if (strcmp(g->results[i].tensor, full) == 0) return &g->results[i];
    return NULL;
}

static double tolerance_at(double ref, Tolerance allowed)
{
    return allowed.atol + allowed.rtol * fabs(ref);
}

/* How much of the tolerance an error takes up.  Equal infinities are no error; a NaN on
 * either side takes up more than there is. */
static double share_of(double got, double ref, Tolerance allowed)
{
    double share = got == ref ? 0 : fabs(got - ref) / tolerance_at(ref, allowed);
    return isnan(share) ? INFINITY : share;
}

__attribute__((format(printf, 2, 3)))
static void complain(Golden *g, const char *format, ...)
{
    if (g->complaints++ >= COMPLAINTS) return;
    va_list args;
    va_start(args, format);
    printf("  ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

/* r->share becomes the largest share; returns the number that has it. */
static size_t find_worst(GoldenResult *r, const SafeEntry *ref, const double got[],
                         const Tolerance *allowed)
{
    size_t worst = 0;
    r->share = 0;
    for (size_t i = 0; i < ref->count; i++) {
        double share = share_of(got[i], number_at(ref, i), *allowed);
        if (share > r->share) {
            r->share = share;
            worst = i;
        }
    }
    return worst;
}

static void compare(Golden *g, const char *name, const double got[], size_t n,
                    bool in_float)
{
    GoldenResult *r = find_result(g, name);
    if (!r) return;
    const SafeEntry *ref = find(g, name);
    if (n != ref->count) {
        r->state = RESULT_WRONG;
        r->share = INFINITY;
        complain(g, "%s: %zu numbers, want %zu", r->tensor, n, ref->count);
        return;
    }
    Tolerance allowed = in_float ? r->in_float : r->in_double;
    size_t i = find_worst(r, ref, got, &allowed);
    r->state = r->share <= 1 ? RESULT_AGREES : RESULT_WRONG;
    if (r->state == RESULT_WRONG)
        complain(g, "%s[%zu] of %zu is %.12g, want %.12g within %.3g", r->tensor, i, n,
                 got[i], number_at(ref, i), tolerance_at(number_at(ref, i), allowed));
}

void golden_compare_numbers(Golden *g, const char *name, const double got[], size_t n)
{
    compare(g, name, got, n, false);
}

void golden_compare_reals(Golden *g, const char *name, const Real got[], size_t n)
{
    double *x = arena_new(&g->arena, double, n);
    for (size_t i = 0; i < n; i++) x[i] = (double)got[i];
    compare(g, name, x, n, DTYPE_REAL == DTYPE_F32);
}

void golden_compare_integers(Golden *g, const char *name, const int64_t got[], size_t n)
{
    double *x = arena_new(&g->arena, double, n);
    for (size_t i = 0; i < n; i++) x[i] = (double)got[i];
    compare(g, name, x, n, false);
}

/* ---- the manifest ------------------------------------------------------------------ */

typedef struct {
    const char *folder;
    GoldenResult *results;
    int count;
} Manifest;

/* The next line without its end, and where the one after begins; NULL at the end. */
static char *next_line(char **rest)
{
    char *line = *rest, *end = strchr(line, '\n');
    if (!*line) return NULL;
    *rest = end ? end + 1 : line + strlen(line);
    if (end) *end = 0;
    return line;
}

static Manifest read_manifest(Arena *a, const char *folder)
{
    const char *path = arena_printf(a, "%s/MANIFEST.tsv", folder);
    if (!file_exists(path))
        fail("%s: there is no such file; a folder of golden numbers has one, and "
             "GOLDEN=DIR names the folder", path);
    Bytes b = file_read(a, path);
    char *text = arena_new(a, char, b.size + 1), *line;
    memcpy(text, b.data, b.size);
    text[b.size] = 0;
    int room = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++) room++;
    Manifest m = {folder, arena_new(a, GoldenResult, (size_t)room + 1), 0};
    if (strncmp(text, "file\ttensor\t", 12) != 0)
        fail("%s: the first line must name the columns: file, tensor, atol_f64 ...",
             path);
    next_line(&text);
    while ((line = next_line(&text))) {
        GoldenResult r = {.state = RESULT_MISSING};
        Tolerance *d = &r.in_double, *f = &r.in_float;
        char file[256], tensor[SAFE_NAME + 1];
        if (sscanf(line, "%255[^\t]\t%512[^\t]\t%lg\t%lg\t%lg\t%lg", file, tensor,
                   &d->atol, &d->rtol, &f->atol, &f->rtol) != 6)
            fail("%s: line %d: want file, tensor and four tolerances, separated by tabs",
                 path, m.count + 2);
        r.file = arena_printf(a, "%s", file);
        r.tensor = arena_printf(a, "%s", tensor);
        m.results[m.count++] = r;
    }
    return m;
}

/* The results of one file, in the manifest's order. */
static Golden select_results(const Manifest *m, const char *file)
{
    Golden g = {.group = "", .arena = arena_create()};
    g.results = arena_new(&g.arena, GoldenResult, (size_t)m->count);
    for (int i = 0; i < m->count; i++)
        if (strcmp(m->results[i].file, file) == 0) g.results[g.count++] = m->results[i];
    return g;
}

/* ---- topics ------------------------------------------------------------------------ */

void golden_try(const Golden *g, void (*f)(void *), void *argument)
{
    const char *message = error_catch(f, argument);
    if (message) printf("  %s%s%s\n", g->group, *g->group ? ": " : "", message);
}

static void report(const char *file, const Golden *g, GoldenTally *tally)
{
    int number[] = {[RESULT_MISSING] = 0, [RESULT_AGREES] = 0, [RESULT_WRONG] = 0};
    const GoldenResult *worst = NULL;
    for (int i = 0; i < g->count; i++) {
        const GoldenResult *r = &g->results[i];
        number[r->state]++;
        if (r->state != RESULT_MISSING && !(worst && r->share <= worst->share)) worst = r;
    }
    printf("%s: %d agree, %d wrong, %d not computed", file, number[RESULT_AGREES],
           number[RESULT_WRONG], number[RESULT_MISSING]);
    if (worst)
        printf("; at worst %.2g of the tolerance, %s", worst->share, worst->tensor);
    tally->passed += number[RESULT_AGREES];
    tally->failed += number[RESULT_WRONG] + number[RESULT_MISSING];
}

/* Everything that may stop because a file is bad. */
typedef struct { const char *path; const GoldenTopic *topic; Golden *golden; } Job;

static void run_job(void *argument)
{
    Job *job = argument;
    job->golden->file = safetensors_read(&job->golden->arena, job->path);
    job->topic->run(job->golden);
}

static void run_file(const Manifest *m, const char *file, const GoldenTopic *topic,
                     GoldenTally *tally)
{
    size_t mark = arena_mark(scratch());
    Golden g = select_results(m, file);
    const char *path = arena_printf(&g.arena, "%s/%s", m->folder, file);
    while (topic->run && fnmatch(topic->files, file, 0) != 0) topic++;
    if (!file_exists(path)) {
        printf("%s: not in %s, skipped\n", file, m->folder);
    } else {
        if (topic->run) golden_try(&g, run_job, &(Job){path, topic, &g});
        report(file, &g, tally);
        printf(topic->run ? "\n" : ": tests/golden.c has no topic for it\n");
    }
    arena_destroy(&g.arena);
    arena_rewind(scratch(), mark);
}

static bool is_wanted(const char *file, char *const words[])
{
    bool wanted = !*words;
    for (; *words; words++) wanted |= strstr(file, *words) != NULL;
    return wanted;
}

GoldenTally golden_run(const char *folder, char *const words[],
                       const GoldenTopic topics[])
{
    Arena a = arena_create();
    Manifest m = read_manifest(&a, folder);
    GoldenTally tally = {0};
    for (int i = 0; i < m.count; i++) {
        const char *file = m.results[i].file;
        bool seen = false;
        for (int j = 0; j < i && !seen; j++) seen = strcmp(m.results[j].file, file) == 0;
        if (!seen && is_wanted(file, words)) run_file(&m, file, topics, &tally);
    }
    arena_destroy(&a);
    return tally;
}
