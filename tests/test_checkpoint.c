/* Checkpoints: every single bit of one is guarded, and what does not fit gets a
 * sentence. */
#include <string.h>

#include "nn/checkpoint.h"
#include "tensor/error.h"
#include "tests/check.h"

typedef struct {
    Arena arena;
    Params params;
    int count;                  /* an array beside the blocks */
    CheckpointBlock block;
    SafeEntry other;
    CheckpointParts parts;
    Bytes bytes;                /* the checkpoint, in memory */
} Fixture;

static void load(void *argument)
{
    Fixture *f = argument;
    SafeTensors file = safetensors_parse(&f->arena, f->bytes);
    checkpoint_load(&file, &f->params, &f->parts);
}

static void set_up(Fixture *f)
{
    *f = (Fixture){.arena = arena_create(), .params = params_create(), .count = 7};
    params_add(&f->params, SHAPE(2, 3), (Init){0}, "weight");
    params_add(&f->params, SHAPE(3), (Init){0}, "bias");
    params_allocate(&f->params, 1);
    f->block = (CheckpointBlock){"model", f->params.value};
    f->other = (SafeEntry){.name = "count", .dtype = DTYPE_I32, .data = &f->count};
    f->parts = (CheckpointParts){&f->block, 1, &f->other, 1};
    char *path = arena_printf(&f->arena, "%s/c.safetensors", test_folder());
    checkpoint_save(path, &f->params, &f->parts, &(SafeMeta){"step", "100"}, 1);
    f->bytes = file_read(&f->arena, path);
}

static void tear_down(Fixture *f)
{
    params_destroy(&f->params);
    arena_destroy(&f->arena);
}

static void one_bit_is_noticed(void)
{
    Fixture f;
    set_up(&f);
    load(&f);
    uint8_t *bytes = (uint8_t *)f.bytes.data;
    size_t mark = arena_mark(&f.arena);
    int unnoticed = 0;
    for (size_t bit = 0; bit < 8 * f.bytes.size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (!error_catch(load, &f)) unnoticed++;
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        arena_rewind(&f.arena, mark);
        arena_rewind(scratch(), 0);
    }
    check_int(unnoticed, 0);
    bytes[f.bytes.size - 1] ^= 1;
    check_stops(load, &f, "is damaged: its checksum should be");
    tear_down(&f);
}

/* Files of other programs have no checksum of ours. */
static void a_file_without_a_sum_is_read(void)
{
    Fixture f;
    set_up(&f);
    char *path = arena_printf(&f.arena, "%s/foreign.safetensors", test_folder());
    const Real numbers[9] = {1};
    SafeEntry entries[] = {
        {.name = "model.weight", .dtype = DTYPE_REAL, .rank = 2, .dim = {2, 3}, .data = numbers},
        {.name = "model.bias", .dtype = DTYPE_REAL, .rank = 1, .dim = {3}, .data = numbers},
        f.other,
    };
    static const SafeMeta metadata[] = {{"format", "pt"}, {"made", "elsewhere"}};
    for (int first = 0; first < 2; first++) {       /* one that says so, one that does not */
        f.params.value[0] = 0;
        safetensors_write(path, entries, 3, metadata + first, 1);
        f.bytes = file_read(&f.arena, path);
        load(&f);
        check_close((double)f.params.value[0], 1, 0);
    }
    safetensors_write(path, entries, 3, &(SafeMeta){"format", "drift 2"}, 1);
    f.bytes = file_read(&f.arena, path);
    check_stops(load, &f, "its checksum should be there and is");
    tear_down(&f);
}

static void what_does_not_fit_is_told(void)
{
    Fixture f;
    set_up(&f);
    f.other.name = "counts";
    check_stops(load, &f, "want the array counts of 4 bytes, found none");
    f.other.name = "count";
    f.other.dtype = DTYPE_I64;
    check_stops(load, &f, "of 8 bytes, found one of another type or size");
    f.other.dtype = DTYPE_I32;
    f.other.rank = 1, f.other.dim[0] = 2;
    check_stops(load, &f, "of 8 bytes, found one of another type or size");
    f.parts.other_count = 0;
    check_stops(load, &f, "holds 1 arrays that this model does not have");
    tear_down(&f);
}

/* Rule 22 of tests/test_safetensors.c: another model's names or shapes, found before
 * there is memory for its parameters. */
static void another_model_is_refused(void)
{
    Fixture f;
    set_up(&f);
    Params p = params_create(), own = f.params;
    params_add(&p, SHAPE(3, 2), (Init){0}, "weight");
    for (int i = 0; i < 7; i++) params_add(&p, SHAPE(3), (Init){0}, "bias%d", i);
    f.params = p;
    check_stops(load, &f, "8 arrays of model do not fit this model:\n"
                "  model.weight: want [3, 2], found [2, 3]\n"
                "  model.bias0: want [3], found no such array");
    check_stops(load, &f, "\n  ...");
    params_destroy(&p);
    f.params = params_create();
    params_add(&f.params, SHAPE(2, 3, 1), (Init){0}, "weight");
    check_stops(load, &f, "want [2, 3, 1], found [2, 3]");
    params_destroy(&f.params);
    f.params = own;
    tear_down(&f);
}

static void save_again(void *argument)
{
    Fixture *f = argument;
    checkpoint_save(f->bytes.path, &f->params, &f->parts, NULL, 0);
}

/* In half precision, and without a text to go with it.  1 + 2^-11 is 1 there. */
static void halves_are_read_back(void)
{
    Fixture f;
    set_up(&f);
    f.parts.half = true, f.parts.other_count = 0;
    for (int i = 0; i < 9; i++) f.params.value[i] = i % 2 ? (Real)(1 + 0x1p-11) : -2;
    save_again(&f);
    f.bytes = file_read(&f.arena, f.bytes.path);
    load(&f);
    for (int i = 0; i < 9; i++) check_close((double)f.params.value[i], i % 2 ? 1 : -2, 0);
    tear_down(&f);
}

static void what_is_not_finite_is_not_written(void)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        Fixture f;
        set_up(&f);
        f.params.value[f.params.list[1].offset + 2] = (Real)bad[i];
        check_stops(save_again, &f, "is not written: number 2 of model.bias is");
        Bytes now = file_read(&f.arena, f.bytes.path);
        check(now.size == f.bytes.size && memcmp(now.data, f.bytes.data, now.size) == 0);
        tear_down(&f);
    }
}

static const Test tests[] = {
    T(one_bit_is_noticed), T(a_file_without_a_sum_is_read), T(what_does_not_fit_is_told),
    T(another_model_is_refused), T(halves_are_read_back),
    T(what_is_not_finite_is_not_written),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
