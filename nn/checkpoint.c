/* Checkpoints: see checkpoint.h. */
#include "nn/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tensor/error.h"

static SafeEntry entry_of(Arena *a, const Param *q, const CheckpointBlock *b)
{
    SafeEntry e = {.name = arena_printf(a, "%s.%s", b->name, q->name),
                   .dtype = DTYPE_REAL, .rank = q->shape.rank,
                   .data = b->data + q->offset};
    for (int i = 0; i < e.rank; i++) e.dim[i] = q->shape.dim[i];
    return e;
}

/* ---- the checksum ------------------------------------------------------------------ */

static const char format[] = "drift 2";

/* All that is said is summed: the texts except the sum itself, then each array's name and
 * type, then the numbers. */
static uint32_t add_text(uint32_t sum, const char *key, const char *text)
{
    sum = crc32(sum, key, strlen(key) + 1);
    return crc32(sum, text, strlen(text) + 1);
}

static uint32_t add_names(uint32_t sum, const SafeEntry entries[], int count)
{
    for (int i = 0; i < count; i++)
        sum = add_text(sum, entries[i].name, dtype_name(entries[i].dtype));
    return sum;
}

static void check_sum(const SafeTensors *file)
{
    const char *made_by = safetensors_metadata(file, "format");
    const char *want = safetensors_metadata(file, "crc32");
    if (!want && (!made_by || strcmp(made_by, format) != 0)) return;

    uint32_t sum = 0;
    for (const Json *m = file->metadata->child; m; m = m->next)
        if (m->text != want) sum = add_text(sum, m->name, m->text);
    sum = add_names(sum, file->entries, file->count);
    for (int i = 0; i < file->count; i++) {
        const SafeEntry *e = &file->entries[i];
        sum = crc32(sum, e->data, e->count * dtype_size(e->dtype));
    }
    char found[9];
    snprintf(found, sizeof found, "%08x", (unsigned)sum);
    if (!want || strcmp(want, found) != 0)
        fail("%s is damaged: its checksum should be %s and is %s; go back to a copy of it",
             file->path, want ? want : "there", found);
}

/* ---- saving and loading ------------------------------------------------------------ */

/* What is not finite would be carried on for ever. */
static void check_finite(const char *path, const Params *p, const CheckpointBlock *b)
{
    for (int i = 0; i < p->count; i++)
        for (size_t k = 0; k < p->list[i].size; k++) {
            Real x = b->data[p->list[i].offset + k];
            if (!isfinite(x))
                fail("%s is not written: number %zu of %s.%s is %g; what was there is kept",
                     path, k, b->name, p->list[i].name, (double)x);
        }
}

static void halve(Arena *a, SafeEntry *e, size_t size)
{
    const Real *x = e->data;
    uint16_t *half = arena_new(a, uint16_t, size);
    for (size_t i = 0; i < size; i++) half[i] = half_of((double)x[i]);
    e->data = half, e->dtype = DTYPE_F16;
}

void checkpoint_save(const char *path, const Params *p, const CheckpointParts *parts,
                     const SafeMeta metadata[], int nmeta)
{
    for (int b = 0; b < parts->count; b++) check_finite(path, p, &parts->blocks[b]);
    Arena a = arena_create();
    int n = 0, all = parts->count * p->count + parts->other_count;
    SafeEntry *entries = arena_new(&a, SafeEntry, (size_t)all);
    for (int b = 0; b < parts->count; b++)
        for (int i = 0; i < p->count; i++)
            entries[n++] = entry_of(&a, &p->list[i], &parts->blocks[b]);
    for (int i = 0; i < n && parts->half; i++)
        halve(&a, &entries[i], p->list[i % p->count].size);
    for (int i = 0; i < parts->other_count; i++) entries[n++] = parts->others[i];

    SafeMeta *texts = arena_new(&a, SafeMeta, (size_t)nmeta + 2);
    texts[0] = (SafeMeta){"format", format};
    if (nmeta) memcpy(texts + 1, metadata, (size_t)nmeta * sizeof *texts);
    uint32_t sum = 0;
    for (int i = 0; i <= nmeta; i++) sum = add_text(sum, texts[i].key, texts[i].text);
    sum = safetensors_sum(add_names(sum, entries, n), entries, n);
    texts[nmeta + 1] = (SafeMeta){"crc32", arena_printf(&a, "%08x", (unsigned)sum)};
    safetensors_write(path, entries, n, texts, nmeta + 2);
    arena_destroy(&a);
}

static bool same_shape(const SafeEntry *e, Shape s)
{
    if (e->rank != s.rank) return false;
    for (int i = 0; i < s.rank; i++)
        if (e->dim[i] != s.dim[i]) return false;
    return true;
}

/* The shape in the file, in words. */
static const char *show(Arena *a, const SafeEntry *e)
{
    const char *text = "[";
    for (int i = 0; i < e->rank; i++)
        text = arena_printf(a, "%s%s%lld", text, i ? ", " : "", (long long)e->dim[i]);
    return arena_printf(a, "%s]", text);
}

void checkpoint_check(const SafeTensors *file, const Params *p, const char *block)
{
    Arena a = arena_create();
    const char *trouble = "";
    int troubles = 0;
    for (int i = 0; i < p->count; i++) {
        const char *name = arena_printf(&a, "%s.%s", block, p->list[i].name);
        const SafeEntry *e = safetensors_find(file, name);
        if ((e && same_shape(e, p->list[i].shape)) || troubles++ >= 5) continue;
        trouble = arena_printf(&a, "%s\n  %s: want %s, found %s", trouble, name,
                               SHOW(p->list[i].shape), e ? show(&a, e) : "no such array");
    }
    if (troubles)
        fail("%s is a checkpoint of another architecture; %d arrays of %s do not fit "
             "this model:%s%s", file->path, troubles, block, trouble,
             troubles > 5 ? "\n  ..." : "");
    arena_destroy(&a);
}

void checkpoint_load_some(const SafeTensors *file, const Params *p,
                          const CheckpointBlock blocks[], int count)
{
    check_sum(file);
    Arena a = arena_create();
    for (int b = 0; b < count; b++) {
        checkpoint_check(file, p, blocks[b].name);
        for (int i = 0; i < p->count; i++) {
            SafeEntry want = entry_of(&a, &p->list[i], &blocks[b]);
            safetensors_to_reals(safetensors_find(file, want.name), (Real *)want.data);
        }
    }
    arena_destroy(&a);
}

static size_t size_of(const SafeEntry *e)
{
    size_t n = dtype_size(e->dtype);
    for (int i = 0; i < e->rank; i++) n *= (size_t)e->dim[i];
    return n;
}

static void load_other(const SafeTensors *file, const SafeEntry *want)
{
    const SafeEntry *e = safetensors_find(file, want->name);
    if (!e || e->dtype != want->dtype || size_of(e) != size_of(want))
        fail("%s: want the array %s of %zu bytes, found %s", file->path, want->name,
             size_of(want), e ? "one of another type or size" : "none");
    safetensors_to_host(e, (void *)want->data);
}

void checkpoint_load(const SafeTensors *file, const Params *p,
                     const CheckpointParts *parts)
{
    int wanted = parts->count * p->count + parts->other_count;
    checkpoint_load_some(file, p, parts->blocks, parts->count);
    for (int i = 0; i < parts->other_count; i++) load_other(file, &parts->others[i]);
    if (wanted != file->count)
        fail("%s holds %d arrays that this model does not have", file->path,
             file->count - wanted);
}
