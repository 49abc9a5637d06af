/* Golden numbers: what the papers' official code computed, and whether we do too.
 *
 * A folder (tests/golden, or another with the same files and other numbers) holds one
 * .safetensors file a topic, with inputs, settings and results side by side.
 * MANIFEST.tsv lists the results and how far off each may be.  For each file a topic, a
 * function,
 *
 *     reads inputs and settings        golden_reals, golden_integer, golden_number ...
 *     computes with the engine
 *     hands in what it computed        golden_compare_reals, _numbers, _integers
 *
 * and the frame counts.  Sizes and settings come from the file, never from the test.  A
 * result that the manifest lists and nobody handed in has failed, so nothing can be
 * forgotten; to hand in what it does not list is allowed and has no effect.
 *
 * A topic may stop through fail or require (a missing tensor does): the sentence is
 * printed and the rest of the file is "not computed".  Work that comes in independent
 * pieces should go through golden_try, piece by piece. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <stdint.h>

#include "tensor/safetensors.h"
#include "tensor/shape.h"

typedef enum { RESULT_MISSING, RESULT_AGREES, RESULT_WRONG } ResultState;

typedef struct { double atol, rtol; } Tolerance;

/* A line of MANIFEST.tsv.  A number agrees if |got - ref| <= atol + rtol |ref|: by the
 * second pair if the program computes in float. */
typedef struct {
    const char *file, *tensor;
    Tolerance in_double, in_float;
    ResultState state;
    double share;               /* the largest |got - ref| / (atol + rtol |ref|) */
} GoldenResult;

/* A file and its results. */
typedef struct {
    SafeTensors file;
    GoldenResult *results;
    int count;
    const char *group;          /* "" or "conv2d/k3s1p1/": put before every name below */
    int complaints;             /* printed so far */
    Arena arena;                /* for the topic; until the end of the file */
} Golden;

/* ---- reading: all fail with file and name if the tensor is not there -------------- */

bool golden_has(const Golden *g, const char *name);
size_t golden_size(const Golden *g, const char *name);
Shape golden_shape(const Golden *g, const char *name);
Real *golden_reals(Golden *g, const char *name);        /* a copy in the arena */
double *golden_numbers(Golden *g, const char *name);
int *golden_integers(Golden *g, const char *name);      /* fails beyond int */
double golden_number(const Golden *g, const char *name, size_t i);
int golden_integer(const Golden *g, const char *name, size_t i);

/* ---- comparing n numbers; doubles always by the tolerance for double -------------- */

void golden_compare_reals(Golden *g, const char *name, const Real got[], size_t n);
void golden_compare_numbers(Golden *g, const char *name, const double got[], size_t n);
void golden_compare_integers(Golden *g, const char *name, const int64_t got[], size_t n);

/* ---- topics ----------------------------------------------------------------------- */

/* f(argument); if it stops, says why and goes on. */
void golden_try(const Golden *g, void (*f)(void *), void *argument);

typedef struct {
    const char *files;          /* with the wildcards of a shell: "unet_adm_*" */
    void (*run)(Golden *g);
} GoldenTopic;

typedef struct { int passed, failed; } GoldenTally;

/* Compares the files of the folder whose names contain one of the words (all files, if
 * there are none), a line a file.  Words and topics end with a NULL; of several topics
 * that fit a file the first runs.  Fails without a readable manifest. */
GoldenTally golden_run(const char *folder, char *const words[],
                       const GoldenTopic topics[]);

void golden_layers(Golden *g);
void golden_networks(Golden *g);
void golden_inception(Golden *g);
void golden_blocks(Golden *g);
void golden_schedules(Golden *g);
void golden_spaced(Golden *g);
void golden_timesteps(Golden *g);
void golden_gaussian(Golden *g);
void golden_loops(Golden *g);
void golden_schedulers(Golden *g);
void golden_metrics(Golden *g);
void golden_augment(Golden *g);
void golden_edm(Golden *g);

#endif
