/* The learning rate: see learning_rate.h. */
#include "nn/learning_rate.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"

static double constant(double f) { return (void)f, 1; }
static double linear(double f) { return fmax(1 - f, 0); }
static double cosine(double f)
{
    return (1 + cos(3.14159265358979323846 * fmin(f, 1))) / 2;
}
static double exponential(double f) { return pow(0.1, f); }

static const struct { const char *name; double (*shape)(double f); } decays[] = {
    {"constant", constant}, {"linear", linear}, {"cosine", cosine},
    {"exponential", exponential},
};

double learning_rate(const LearningRate *c, long step)
{
    for (size_t i = 0; i < sizeof decays / sizeof *decays; i++) {
        if (strcmp(decays[i].name, c->decay) != 0) continue;
        double f = c->decay_steps ? (double)step / (double)c->decay_steps : 0;
        if (step < c->warmup)
            return c->lr * decays[i].shape(f) * (double)step / (double)c->warmup;
        return fmax(c->floor, c->lr * decays[i].shape(f));
    }
    fail("there is no learning-rate decay %s; there are constant, linear, cosine and "
         "exponential", c->decay);
}
