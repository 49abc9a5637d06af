/* The frame of the golden numbers: that wrong, missing and unreadable results are seen,
 * and that parameters follow from their names. */
#include <stdio.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/check.h"
#include "tests/golden.h"
#include "tests/golden_weights.h"

/* The check values of tests/golden/README.md. */
static void parameters_follow_from_their_names(void)
{
    static const struct {
        const char *rule, *name;
        int rank, dim[4];
        uint32_t key, i, h;
        double value;
    } rows[] = {
        {"A1", "time_embed.0.weight", 2, {128, 32}, 1779648190u, 0, 1246709440u,
         -0.129762486},
        {"A1", "time_embed.0.weight", 2, {128, 32}, 1779648190u, 4095, 1998638139u,
         -0.0214421805},
        {"A1", "time_embed.0.bias", 1, {128}, 330495579u, 5, 4048390288u, 0.0885178596},
        {"A1", "input_blocks.0.0.weight", 4, {32, 3, 3, 3}, 588805988u, 863, 3284775873u,
         0.178360373},
        {"A1", "out.0.weight", 1, {32}, 2970316537u, 3, 3651136080u, 1.14003849},
        {"A1", "label_emb.weight", 2, {10, 128}, 3073409420u, 7, 347835775u,
         -0.419013172},
        {"A1", "map_noise.freqs", 1, {32}, 2335929913u, 1, 625581500u, -11.3390551},
        {"B1", "conv_in.weight", 4, {8, 1, 3, 3}, 2984744775u, 71, 1716157100u,
         -0.0401704162},
        {"B1", "conv_norm_out.weight", 1, {8}, 301644941u, 3, 2254208972u, 1.00993955},
    };
    for (int k = 0; k < NELEM(rows); k++) {
        GoldenWeights w = golden_weights(rows[k].rule, "", rows[k].name,
                                         shape_make(rows[k].rank, rows[k].dim));
        check_int(w.key, rows[k].key);
        check_int(golden_weights_hash(&w, rows[k].i), rows[k].h);
        double got = (double)golden_weights_value(&w, rows[k].i);
        check_close(got / rows[k].value, 1, 1e-8);
    }
}

static void salt_changes_them(void)
{
    GoldenWeights w = golden_weights("A1", "b", "a", SHAPE(2));
    check_int(w.key, 0x4d2505ca);               /* FNV-1a of "ab" */
}

static void use_an_unknown_rule(void *unused)
{
    (void)unused;
    golden_weights("C9", "", "w", SHAPE(1));
}

static void an_unknown_rule_stops(void)
{
    check_stops(use_an_unknown_rule, NULL, "A1 and B1");
}

/* ---- a folder with one small file -------------------------------------------------- */

#define HEADER "file\ttensor\tatol_f64\trtol_f64\tatol_f32\trtol_f32\tdev_f32\n"

static void write_folder(const char *manifest)
{
    double y[] = {1, 100};
    SafeEntry e[] = {{"y", DTYPE_F64, 1, {2}, .data = y}};
    Arena a = arena_create();
    safetensors_write(arena_printf(&a, "%s/a.safetensors", test_folder()), e, 1, NULL, 0);
    file_write(arena_printf(&a, "%s/MANIFEST.tsv", test_folder()), manifest,
               strlen(manifest));
    arena_destroy(&a);
}

static void hand_in(Golden *g, double a, double b)
{
    golden_compare_numbers(g, "y", (double[]){a, b}, 2);
}

static void right(Golden *g) { hand_in(g, 1.01, 101); }
static void too_far(Golden *g) { hand_in(g, 1, 103); }
static void not_a_number(Golden *g) { hand_in(g, NAN, 100); }
static void too_few(Golden *g) { golden_compare_numbers(g, "y", (double[]){1}, 1); }
static void forgotten(Golden *g) { (void)g; }
static void unlisted(Golden *g) { golden_compare_numbers(g, "x", (double[]){1}, 1); }
static void stopped(Golden *g) { golden_number(g, "absent", 0); }
static void beyond_the_end(Golden *g) { golden_number(g, "y", 2); }

static void results_are_counted(void)
{
    static const struct { void (*run)(Golden *); int passed; } rows[] = {
        {right, 1}, {too_far, 0}, {not_a_number, 0}, {too_few, 0}, {forgotten, 0},
        {unlisted, 0}, {stopped, 0}, {beyond_the_end, 0}, {NULL, 0},
    };
    write_folder(HEADER "a.safetensors\ty\t0.02\t0.01\t0\t0\t0\n"
                 "absent.safetensors\tz\t0\t0\t0\t0\t0\n");
    for (int i = 0; i < NELEM(rows); i++) {
        GoldenTopic topics[] = {{"?.safe*", rows[i].run}, {NULL, NULL}};
        GoldenTally tally = golden_run(test_folder(), (char *[]){NULL}, topics);
        check_int(tally.passed, rows[i].passed);
        check_int(tally.failed, 1 - rows[i].passed);
        tally = golden_run(test_folder(), (char *[]){"absent", NULL}, topics);
        check_int(tally.passed + tally.failed, 0);
    }
}

static void a_result_that_the_file_lacks_has_failed(void)
{
    write_folder(HEADER "a.safetensors\tx\t0.02\t0.01\t0\t0\t0\n");
    GoldenTopic topics[] = {{"a.*", unlisted}, {NULL, NULL}};
    check_int(golden_run(test_folder(), (char *[]){NULL}, topics).failed, 1);
}

static void a_damaged_file_has_failed(void)
{
    write_folder(HEADER "a.safetensors\ty\t0.02\t0.01\t0\t0\t0\n");
    Arena a = arena_create();
    file_write(arena_printf(&a, "%s/a.safetensors", test_folder()), "damaged", 7);
    arena_destroy(&a);
    GoldenTopic topics[] = {{"a.*", right}, {NULL, NULL}};
    check_int(golden_run(test_folder(), (char *[]){NULL}, topics).failed, 1);
}

static void run_folder(void *folder)
{
    golden_run(folder, (char *[]){NULL}, (GoldenTopic[]){{NULL, NULL}});
}

static void a_folder_without_a_manifest_stops(void)
{
    check_stops(run_folder, "tensor", "tensor/MANIFEST.tsv: there is no such file");
    write_folder("something else\n");
    check_stops(run_folder, (void *)test_folder(), "the first line must name the");
    write_folder(HEADER "a.safetensors\ty\t0.02\tbig\t0\t0\t0\n");
    check_stops(run_folder, (void *)test_folder(), "line 2: want file, tensor and four");
}

static const Test tests[] = {
    T(parameters_follow_from_their_names), T(salt_changes_them),
    T(an_unknown_rule_stops), T(results_are_counted),
    T(a_result_that_the_file_lacks_has_failed), T(a_damaged_file_has_failed),
    T(a_folder_without_a_manifest_stops),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
