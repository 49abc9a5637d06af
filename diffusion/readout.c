/* Readouts of 2015: see readout.h. */
#include "diffusion/readout.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"

static Var *one_minus(Tape *t, Var *x) { return scale(t, x, -1, 1); }

/* u = c z + logit beta; ln sigmoid(u) = -softplus(-u). */
static Var *log_sigmoid_of(Tape *t, Var *z, double c, const Levels *l)
{
    Var *logit = subtract(t, logarithm(t, l->beta), logarithm(t, one_minus(t, l->beta)));
    return neg(t, softplus(t, neg(t, add(t, scale(t, z, c, 0), logit))));
}

static void paper(Tape *t, Var *x, Var *z_mu, Var *z_sigma, const Levels *l, Var **mean,
                  Var **log_variance)
{
    *log_variance = log_sigmoid_of(t, z_sigma, 1, l);
    Var *decay = multiply(t, exponential(t, *log_variance), subtract(t, z_mu, x));
    *mean = add(t, x, decay);
}

static void code(Tape *t, Var *x, Var *z_mu, Var *z_sigma, const Levels *l, Var **mean,
                 Var **log_variance)
{
    Var *kept = multiply(t, x, square_root(t, one_minus(t, l->beta)));
    *mean = add(t, kept, multiply(t, z_mu, square_root(t, l->beta)));
    *log_variance = log_sigmoid_of(t, z_sigma, 1 / sqrt(l->T), l);
}

static void posterior(Tape *t, Var *x, Var *z_mu, Var *z_sigma, const Levels *l,
                      Var **mean, Var **log_variance)
{
    *mean = add(t, multiply(t, z_mu, l->c0), multiply(t, x, l->ct));
    Var *unsure = multiply(t, exponential(t, z_sigma), square(t, l->c0));
    *log_variance = logarithm(t, add(t, unsure, l->variance));
}

static void velocity(Tape *t, Var *x, Var *z_mu, Var *z_sigma, const Levels *l,
                     Var **mean, Var **log_variance)
{
    Var *place = add(t, multiply(t, x, l->a), multiply(t, z_mu, l->s));
    Var *log_unsure = add(t, z_sigma, scale(t, logarithm(t, l->s), 2, 0));
    posterior(t, x, place, log_unsure, l, mean, log_variance);
}

static const Readout readouts[] = {
    {"paper", false, paper}, {"code", false, code}, {"posterior", true, posterior},
    {"velocity", false, velocity},
};

const Readout *readout_find(const char *name)
{
    for (size_t k = 0; k < sizeof readouts / sizeof *readouts; k++)
        if (strcmp(readouts[k].name, name) == 0) return &readouts[k];
    fail_usage("there is no readout %s; there are paper, code, posterior and velocity",
               name);
}
