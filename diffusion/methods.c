/* The table of samplers: see methods.h. */
#include "diffusion/methods.h"

#include <string.h>

#include "tensor/error.h"

const Method methods[] = {
    {"ddpm", "ancestral: a draw from each p(x_{t-1} | x_t) (Ho 2020)", &sampler_ddpm,
     NULL, "50"},
    {"ddim", "keeps the predicted noise; --eta puts some back (Song 2021)", &sampler_ddim,
     NULL, "50"},
    {"euler", "a path, order 1: one call a step; as ddim", NULL, &solver_euler, "18"},
    {"heun", "a path, order 2: two calls a step (Karras 2022)", NULL, &solver_heun, "18"},
    {"dpmpp", "a path, order 2: one call, DPM-Solver++(2M) (Lu 2022)", NULL,
     &solver_dpmpp, "18"},
    {"ab2", "a path, order 2: one call, Adams-Bashforth", NULL, &solver_ab2, "18"},
    {"adaptive", "a path, steps as long as --tolerance allows; N: where it has to stop",
     NULL, &solver_adaptive, "2"},
    {NULL, NULL, NULL, NULL, NULL},
};

const char *method_names(void)
{
    const char *names = methods->name;
    for (const Method *m = methods + 1; m->name; m++)
        names = arena_printf(scratch(), "%s, %s", names, m->name);
    return names;
}

const Method *method_find(const char *name)
{
    for (const Method *m = methods; m->name; m++)
        if (strcmp(m->name, name) == 0) return m;
    fail_usage("there is no sampler %s; the samplers are %s", name, method_names());
}

const Sampler *sampler_find(const char *name)
{
    const Method *m = method_find(name);
    if (!m->sampler)
        fail_usage("%s goes along a path, not along the steps of a schedule", name);
    return m->sampler;
}

const Solver *solver_find(const char *name)
{
    const Method *m = method_find(name);
    if (!m->solver)
        fail_usage("%s goes along the steps of a schedule, not along a path", name);
    return m->solver;
}
