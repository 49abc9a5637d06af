/* Guidance: see guidance.h. */
#include "diffusion/guidance.h"

static void guided_predict(Denoiser *self, const double *x, const Level *level,
                           const int *label, int N, Answer *answer)
{
    const ClassifierFree *d = (const ClassifierFree *)self;
    if (d->w == 1) {
        d->inner->predict(d->inner, x, level, label, N, answer);
        return;
    }
    size_t n = (size_t)N * self->size, mark = arena_mark(scratch());
    int *none = arena_new(scratch(), int, (size_t)N);
    Answer without = {arena_new(scratch(), double, n), NULL, NULL};
    for (int i = 0; i < N; i++) none[i] = -1;
    d->inner->predict(d->inner, x, level, none, N, &without);
    d->inner->predict(d->inner, x, level, label, N, answer);
    for (size_t i = 0; i < n; i++)
        answer->x0[i] = without.x0[i] + d->w * (answer->x0[i] - without.x0[i]);
    arena_rewind(scratch(), mark);
}

ClassifierFree classifier_free(Denoiser *inner, double w)
{
    return (ClassifierFree){{.size = inner->size, .gives_v = inner->gives_v,
                             .predict = guided_predict, .conditioning = inner->conditioning},
                            inner, w};
}
