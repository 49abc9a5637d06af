/* Tables of the forward process: see schedule.h. */
#include "diffusion/schedule.h"

#include <math.h>

#include "tensor/error.h"

static Schedule new_schedule(Arena *a, int T)
{
    return (Schedule){T, arena_new(a, double, (size_t)T), arena_new(a, double, (size_t)T),
                      arena_new(a, double, (size_t)T)};
}

Schedule schedule_linear(Arena *a, int T, double first, double last)
{
    require(T >= 1 && first > 0 && last < 1, "a linear schedule of %d steps from %g to %g", T,
            first, last);
    Schedule s = new_schedule(a, T);
    double product = 1;
    for (int t = 0; t < T; t++) {
        s.beta[t] = T > 1 ? first + (last - first) * t / (T - 1) : first;
        s.alpha_bar[t] = product *= 1 - s.beta[t];
        s.told[t] = t;
    }
    return s;
}

Schedule schedule_respace(Arena *a, const Schedule *s, int steps)
{
    require(steps >= 1 && steps <= s->T, "%d of %d steps", steps, s->T);
    Schedule r = new_schedule(a, steps);
    double before = 1;
    for (int i = 0; i < steps; i++) {
        int t = steps > 1 ? (int)lround((double)i * (s->T - 1) / (steps - 1)) : s->T - 1;
        r.alpha_bar[i] = s->alpha_bar[t];
        r.beta[i] = 1 - s->alpha_bar[t] / before;
        r.told[i] = s->told[t];
        before = s->alpha_bar[t];
    }
    return r;
}

Level schedule_level(const Schedule *s, int t)
{
    require(t >= -1 && t < s->T, "step %d of a schedule of %d", t, s->T);
    if (t == -1) return (Level){.a = 1, .s = 0, .t = -1};
    return (Level){.a = sqrt(s->alpha_bar[t]), .s = sqrt(1 - s->alpha_bar[t]), .t = s->told[t]};
}
