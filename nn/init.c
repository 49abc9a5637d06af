/* Initialisation rules: see init.h. */
#include "nn/init.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"

static Init uniform(double scale) { return (Init){INIT_UNIFORM, scale}; }
static Init zero(int in, Role role)
{
    return (void)in, (void)role, (Init){INIT_CONSTANT, 0};
}

static Init ddpm_weight(int in, int out, Role role)
{
    return uniform(sqrt(6 * (role == ROLE_LAST ? 1e-10 : 1) / (in + out)));
}

static Init openai_weight(int in, int out, Role role)
{
    (void)out;
    return role == ROLE_LAST ? zero(in, role) : uniform(1 / sqrt(in));
}

static Init openai_bias(int in, Role role) { return openai_weight(in, 0, role); }

static Init song_weight(int in, int out, Role role)
{
    static const double scale[] = {[ROLE_PLAIN] = 1, [ROLE_LAST] = 1e-5,
                                   [ROLE_QKV] = 0.44721359549995794};
    return uniform(scale[role] * sqrt(6.0 / (in + out)));
}

static const InitRule rules[] = {
    {"ddpm", ddpm_weight, zero}, {"openai", openai_weight, openai_bias},
    {"song", song_weight, zero},
};

const InitRule *init_rule(const char *name)
{
    if (!name) return &rules[0];
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].name, name) == 0) return &rules[i];
    fail("there is no initialisation %s; there are ddpm, openai and song", name);
}
