/* What must hold for every operation, run over all rows of autograd/cases.c:
 *
 *   - its gradient agrees with finite differences, for every subset of its inputs held
 *     constant; in double, to 1e-7 (`make test` builds this file in double too)
 *   - if it is linear in an input, its backward is the transpose of its forward
 *   - its value and gradients are the same bytes with 1, 2, 3, 4 and 8 threads, on the
 *     row as it is and on one with thousands of samples
 *   - it has a row at all */
#include <stdio.h>
#include <string.h>

#include "autograd/gradcheck.h"
#include "tensor/file.h"
#include "tensor/parallel.h"
#include "tests/check.h"

/* "conv2d, row 3 of its rows" */
static const char *name_of(const Case *c)
{
    static char text[80];
    int row = 1;
    for (const Case *b = cases; b < c; b++) row += strcmp(b->op, c->op) == 0;
    snprintf(text, sizeof text, "%s, case %d", c->op, row);
    return text;
}

#ifdef REAL_DOUBLE      /* in float the rounding of slopes would hide a wrong gradient */
static void gradients_agree_with_finite_differences(void)
{
    for (const Case *c = cases; c->op; c++)
        check_at_most(gradcheck(c).error, 1e-7, name_of(c));
}
#endif

enum { LARGE = 1 << 17 };

/* The row with so many samples that its first input has LARGE numbers. */
static Case enlarged(const Case *c)
{
    return case_enlarge(c, LARGE / (int)shape_size(c->shape[0]));
}

/* Large rows too, where sums are taken piece by piece. */
static void linear_operations_are_transposed_backwards(void)
{
    double small_error = sizeof(Real) == 4 ? 1e-5 : 1e-13, large_error = 20 * small_error;
    for (const Case *c = cases; c->op; c++)
        for (int i = 0; i < case_inputs(c); i++) {
            if (!(c->linear >> i & 1)) continue;
            Case large = enlarged(c);
            check_at_most(check_transpose(c, i), small_error, name_of(c));
            check_at_most(check_transpose(&large, i), large_error, name_of(c));
        }
}

/* Value and gradients of sum(y^2), one after the other. */
static Bytes record(Arena *a, const Case *c)
{
    Tape t = tape_create();
    Var *in[MAX_INPUTS];
    Real *grad[MAX_INPUTS];
    size_t size[MAX_INPUTS], all = 0;
    for (int i = 0; i < case_inputs(c); i++) {
        size[i] = shape_size(c->shape[i]);
        Real *value = tape_save(&t, Real, size[i]);
        grad[i] = tape_save(&t, Real, size[i]);
        fill_uniform(value, size[i], (unsigned)i);
        memset(grad[i], 0, size[i] * sizeof(Real));
        Var *leaf = tape_leaf(&t, "x", c->shape[i], value, grad[i]);
        in[i] = reshape(&t, leaf, c->shape[i]);         /* its gradient is the tape's */
        all += size[i];
    }
    Var *y = c->build(&t, in, c->options);
    Real *out = arena_new(a, Real, y->size + all), *end = out + y->size;
    memcpy(out, y->value, y->size * sizeof(Real));
    backward(sum(&t, square(&t, y), ALL_AXES));
    for (int i = 0; i < case_inputs(c); end += size[i], i++)
        memcpy(end, grad[i], size[i] * sizeof(Real));
    tape_destroy(&t);
    return (Bytes){.data = (uint8_t *)out, .size = (size_t)(end - out) * sizeof(Real)};
}

static void check_threads(const Case *c, const char *name)
{
    static const int threads[] = {2, 3, 4, 8};
    Arena a = arena_create();
    parallel_set_threads(1);
    Bytes one = record(&a, c);
    for (int i = 0; i < NELEM(threads); i++) {
        parallel_set_threads(threads[i]);
        check_at_most(memcmp(one.data, record(&a, c).data, one.size) != 0, 0, name);
    }
    parallel_set_threads(0);
    arena_destroy(&a);
}

/* Small: threads without work.  Large: loops are cut into more pieces than there are
 * threads (reduce.c cuts every 16384 numbers), and sums over pieces are sums. */
static void any_number_of_threads_gives_the_same_bytes(void)
{
    for (const Case *c = cases; c->op; c++) {
        Case large = enlarged(c);
        check_threads(c, name_of(c));
        check_threads(&large, name_of(c));
    }
}

static void check_has_row(const char *op, size_t length)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s has no row in cases.c", (int)length, op);
    for (const Case *c = cases; c->op; c++)
        if (strlen(c->op) == length && strncmp(c->op, op, length) == 0) return;
    check_at_most(1, 0, name);
}

/* Looks for the operations' records in the source, however they are written. */
static void every_operation_has_a_row(void)
{
    static const char *const marks[] = {".name = \"", "\nUNARY(", "\nBINARY("};
    Arena a = arena_create();
    int files, found = 0;
    char **names = folder_list(&a, "autograd", &files);
    for (int i = 0; i < files; i++) {
        size_t length = strlen(names[i]);
        if (strcmp(names[i] + length - 2, ".c") != 0 ||
            strstr("stop_gradient.c gradcheck.c", names[i]))
            continue;
        Bytes b = file_read(&a, arena_printf(&a, "autograd/%s", names[i]));
        char *text = arena_printf(&a, "%.*s", (int)b.size, (const char *)b.data);
        for (int m = 0; m < NELEM(marks); m++)
            for (char *p = text; (p = strstr(p, marks[m])); found++) {
                p += strlen(marks[m]);
                check_has_row(p, strcspn(p, "\","));
            }
    }
    check(found > 40);
    arena_destroy(&a);
}

static const Test tests[] = {
#ifdef REAL_DOUBLE
    T(gradients_agree_with_finite_differences),
#endif
    T(linear_operations_are_transposed_backwards),
    T(any_number_of_threads_gives_the_same_bytes), T(every_operation_has_a_row),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
