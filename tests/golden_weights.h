/* Parameters by formula.  The golden networks have millions of parameters, which no file
 * holds: number i of a parameter follows from its name (tests/golden/README.md),
 *
 *     h = hash(name and salt, i),   value = scale (h / 2^32 - 1/2) + offset
 *
 * with scale and offset by a rule that looks at the name and the shape.  The order is the
 * reference's; nn/published.h knows ours. */
#ifndef TESTS_GOLDEN_WEIGHTS_H
#define TESTS_GOLDEN_WEIGHTS_H

#include <stdint.h>

#include "tensor/shape.h"

typedef struct {
    uint32_t key;               /* of the name and the salt */
    double scale, offset;
    size_t size;
} GoldenWeights;

/* rule and salt are in the file's header, the name and the shape those of the reference's
 * parameter.  Fails if there is no such rule. */
GoldenWeights golden_weights(const char *rule, const char *salt, const char *name,
                             Shape shape);

uint32_t golden_weights_hash(const GoldenWeights *w, uint32_t i);
float golden_weights_value(const GoldenWeights *w, uint32_t i);

#endif
