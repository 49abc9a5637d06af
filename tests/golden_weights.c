/* Parameters by formula: see golden_weights.h. */
#include "tests/golden_weights.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"

/* The first row that fits a parameter gives its scale and offset. */
static const struct {
    const char *rule;
    bool one_axis;              /* only for parameters of one axis */
    const char *ending;         /* of the name */
    double scale, offset;
    bool by_fan_in;             /* scale / sqrt(product of all axes but the first) */
} rows[] = {
    {"A1", false, "freqs", 32, 0, false},
    {"A1", true, "running_var", 0.5, 0.75, false},
    {"A1", true, "weight", 0.4, 1, false},
    {"A1", true, "", 0.2, 0, false},
    {"A1", false, "label_emb.weight", 1, 0, false},
    {"A1", false, "positional_embedding", 1, 0, false},
    {"A1", false, "", 3.5, 0, true},
    {"B1", true, ".weight", 0.4, 1, false},
    {"B1", false, "", 0.4, 0, false},
};

static bool ends_in(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

/* FNV-1a: goes on from k with the bytes of a text. */
static uint32_t hash_text(uint32_t k, const char *text)
{
    for (; *text; text++) k = (k ^ (unsigned char)*text) * 16777619u;
    return k;
}

GoldenWeights golden_weights(const char *rule, const char *salt, const char *name,
                             Shape shape)
{
    GoldenWeights w = {.key = hash_text(hash_text(2166136261u, name), salt),
                       .size = shape_size(shape)};
    double fan_in = (double)w.size / shape.dim[0];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].rule, rule) == 0 && (shape.rank == 1 || !rows[i].one_axis) &&
            ends_in(name, rows[i].ending)) {
            w.scale = rows[i].scale;
            w.offset = rows[i].offset;
            if (rows[i].by_fan_in) w.scale /= sqrt(fan_in);
            return w;
        }
    fail("parameter %s: there is no weight rule \"%s\"; there are A1 and B1", name, rule);
}

uint32_t golden_weights_hash(const GoldenWeights *w, uint32_t i)
{
    uint32_t h = i * 2654435761u + w->key;
    h = (h ^ h >> 15) * 2246822519u;
    return h ^ h >> 13;
}

float golden_weights_value(const GoldenWeights *w, uint32_t i)
{
    double u = golden_weights_hash(w, i) / 4294967296.0 - 0.5;
    return (float)(w->scale * u + w->offset);
}
