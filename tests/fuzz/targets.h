/* The formats that `make fuzz` feeds with damaged files. */
#ifndef TESTS_FUZZ_TARGETS_H
#define TESTS_FUZZ_TARGETS_H

#include "tensor/file.h"

typedef struct {
    const char *name;               /* and its folder of seeds in tests/fuzz/seeds */
    void (*run)(Bytes input);       /* may fail; must not do worse */
} Target;

extern const Target targets[];      /* ended by a NULL name */

/* Runs the target on a copy of the input with nothing behind it, and forgets what it
 * left. Returns NULL if the input was read, else the sentence that refused it. */
const char *target_run(const Target *t, const uint8_t *data, size_t size);

/* Reads the seeds of a target into the arena; returns how many. */
int target_seeds(Arena *a, const Target *t, Bytes **seeds);

#endif
