/* Methods with their options: see sampling.h. */
#include "apps/support/sampling.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"

const char *sampling_about(const char *before)
{
    const char *text = arena_printf(scratch(), "%s\n\nsamplers:", before);
    for (const Method *m = methods; m->name; m++)
        text = arena_printf(scratch(), "%s\n  %-9s %s", text, m->name, m->about);
    return text;
}

void sampling_choose(Sampling *s, uint64_t seed)
{
    s->method = method_find(s->name);
    if (!s->steps) s->steps = s->method->steps;
    s->by_steps.sampler = s->method->sampler;
    s->on_path.solver = s->method->solver;
    s->by_steps.seed = s->on_path.seed = seed;
    if (s->method->sampler) return;
    char *end;
    long N = strtol(s->steps, &end, 10);
    if (*end || N < 2 || N > 100000)
        fail_usage("--sample-steps %s: want a number, 2 or more, for %s", s->steps,
                   s->name);
    s->on_path.N = (int)N;
}

void sampling_watch(Sampling *s, SamplingWatch *watch, void *context)
{
    s->by_steps.watch = s->on_path.watch = watch;
    s->by_steps.context = s->on_path.context = context;
}

static Schedule respace(const Sampling *s, const Schedule *schedule)
{
    return strcmp(s->steps, "0") == 0 ? *schedule
                                      : schedule_respace(scratch(), schedule, s->steps);
}

bool sampling_alone(const Sampling *s)
{
    return s->method->solver && solver_is_alone(s->method->solver);
}

int sampling_steps(const Sampling *s, const Schedule *schedule)
{
    return s->method->solver ? s->on_path.N : respace(s, schedule).T;
}

double sampling_run(const Sampling *s, Denoiser *d, const Schedule *schedule, Crowd c,
                    double *x)
{
    if (s->method->solver) return solve(d, &s->on_path, c, x);
    size_t mark = arena_mark(scratch());
    Schedule steps = respace(s, schedule);
    sample(d, &steps, &s->by_steps, c, x);
    arena_rewind(scratch(), mark);
    return steps.T;
}
