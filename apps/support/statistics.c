/* Statistics of arrays: see statistics.h. */
#include "apps/support/statistics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tensor/memory.h"

/* Mean and deviation grow number by number (Welford 1962): with x the n-th,
 * mean += (x - mean) / n, and the squares by (x - old mean) (x - new mean). */
Statistics statistics_of(const SafeEntry *e)
{
    size_t mark = arena_mark(scratch()), n = 0;
    Real *value = arena_new(scratch(), Real, e->count);
    Statistics s = {0};
    double squares = 0;
    safetensors_to_reals(e, value);
    for (size_t i = 0; i < e->count; i++) {
        double x = (double)value[i], before = s.mean;
        if (!isfinite(x)) {
            s.odd++;
            continue;
        }
        s.min = n ? fmin(s.min, x) : x;
        s.max = n ? fmax(s.max, x) : x;
        s.mean += (x - s.mean) / (double)++n;
        squares += (x - before) * (x - s.mean);
    }
    if (n) s.deviation = sqrt(squares / (double)n);
    arena_rewind(scratch(), mark);
    return s;
}

static const char *show_shape(const SafeEntry *e)
{
    const char *text = "[";
    for (int i = 0; i < e->rank; i++)
        text = arena_printf(scratch(), "%s%s%lld", text, i ? ", " : "",
                            (long long)e->dim[i]);
    return arena_printf(scratch(), "%s]", text);
}

void statistics_print(const SafeTensors *f)
{
    size_t odd = 0;
    printf("  %-4s %-44s %-18s %11s %11s %11s %11s\n", "type", "name", "shape", "min",
           "max", "mean", "deviation");
    for (int i = 0; i < f->count; i++) {
        size_t mark = arena_mark(scratch());
        const SafeEntry *e = &f->entries[i];
        Statistics s = statistics_of(e);
        printf("  %-4s %-44s %-18s %11.4g %11.4g %11.4g %11.4g", dtype_name(e->dtype),
               e->name, show_shape(e), s.min, s.max, s.mean, s.deviation);
        if (s.odd) printf("  %zu NOT FINITE", s.odd);
        printf("\n");
        odd += s.odd;
        arena_rewind(scratch(), mark);
    }
    printf("%zu numbers are not finite\n", odd);
}
