/* drift info on files of arrays: what it tells, and what it says of broken ones. */
#include <math.h>
#include <string.h>

#include "tensor/file.h"
#include "tensor/npy.h"
#include "tests/check.h"

static Arena arena;
#define TEXT(...) arena_printf(&arena, __VA_ARGS__)
#define check_drift(code, words, ...) check_drift_at(HERE, code, words, TEXT(__VA_ARGS__))

/* Mean and deviation are of 1, 3 and 5: 3 and sqrt(8/3). */
static void statistics_leave_out_what_is_not_finite(void)
{
    const char *t = test_folder();
    float x[] = {1, 3, NAN, 5, INFINITY};
    SafeEntry e = {.name = "w", .dtype = DTYPE_F32, .rank = 2, .dim = {1, 5}, .data = x};
    SafeMeta format = {"format", "pt"};
    safetensors_write(in_folder("w.safetensors"), &e, 1, &format, 1);
    check_drift(0, "format          pt", "info %s/w.safetensors", t);
    check_drift(0, "1           5           3       1.633  2 NOT FINITE",
                "info %s/w.safetensors", t);
    check_drift(0, "2 numbers are not finite", "info %s/w.safetensors", t);
}

static void numpys_files_are_read(void)
{
    const char *t = test_folder();
    NpyArray bytes = {NPY_UINT8, 2, {1, 2}, "\1\3"};
    npy_write(in_folder("b.npy"), bytes);
    npz_write(in_folder("b.npz"), &bytes, 1);
    check_drift(0, "U8   array", "info %s/b.npy", t);
    check_drift(0, "U8   arr_0", "info %s/b.npz", t);
}

static void broken_files_get_a_sentence(void)
{
    static const char cut[] = "\x93NUMPY and no more", odd[] = "neither";
    const char *t = test_folder();
    file_write(in_folder("c.npy"), cut, sizeof cut - 1);
    file_write(in_folder("d.bin"), odd, sizeof odd - 1);
    check_drift(1, "cut short", "info %s/c.npy", t);
    check_drift(1, "is not a safetensors file", "info %s/d.bin", t);
    file_write(in_folder("e.pt"), "PK\3\4.....e/data.pkl", 20);
    check_drift(1, "apps/README.md tells how", "info %s/e.pt", t);
}

/* Dhariwal & Nichol 2021, tables 11 to 13, to the last parameter. */
static void counts_the_papers_networks(void)
{
    static const struct { const char *preset, *count; } rows[] = {
        {"adm-64", "295904454"}, {"adm-128", "421529606"}, {"adm-256", "553838086"},
        {"adm-512", "558997638"}, {"adm-upsample", "311795910"},
        {"adm-64", "65438568"}, {"adm-128", "42568040"},    /* the classifiers */
    };
    for (int i = 0; i < NELEM(rows); i++)
        check_drift(0, TEXT("parameters      %s in", rows[i].count), "info --preset %s",
                    rows[i].preset);
    check_drift(2, "of classifiers classifier, features, features-32",
                "info --preset adm-65");
}

static const Test tests[] = {
    T(statistics_leave_out_what_is_not_finite), T(numpys_files_are_read),
    T(broken_files_get_a_sentence), T(counts_the_papers_networks),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
