/* The formats that `make fuzz` feeds with damaged files. */
#ifndef TESTS_FUZZ_TARGETS_H
#define TESTS_FUZZ_TARGETS_H

#include "tensor/file.h"

typedef struct {
    const char *name;               /* and its folder of seeds */
    void (*run)(Bytes input);       /* may fail; must not do worse */
} Target;

extern const Target targets[];      /* ended by a NULL name */

/* Runs the target on a copy of the input with nothing behind it, and forgets what it left. */
void target_run(const Target *t, const uint8_t *data, size_t size);

#endif
