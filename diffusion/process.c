/* Predictions and variances: see process.h. */
#include "diffusion/process.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"

static double eps_target(double x0, double eps, const Level *l)
{
    return (void)x0, (void)l, eps;
}
static double eps_to_x0(double out, double x, const Level *l)
{
    return (x - l->s * out) / l->a;
}

static double x0_target(double x0, double eps, const Level *l)
{
    return (void)eps, (void)l, x0;
}
static double x0_to_x0(double out, double x, const Level *l)
{
    return (void)x, (void)l, out;
}

static double previous_target(double x0, double eps, const Level *l)
{
    return l->c0 * x0 + l->ct * (l->a * x0 + l->s * eps);
}

static double previous_to_x0(double out, double x, const Level *l)
{
    return (out - l->ct * x) / l->c0;
}

static double v_target(double x0, double eps, const Level *l)
{
    return l->a * eps - l->s * x0;
}
static double v_to_x0(double out, double x, const Level *l)
{
    return l->a * x - l->s * out;
}

static double unit_input(const Level *l) { return 1 / sqrt(l->a * l->a + l->s * l->s); }

static double score_target(double x0, double eps, const Level *l)
{
    return (void)x0, (void)l, -eps;
}

static double score_to_x0(double out, double x, const Level *l)
{
    return (x + l->s * out) / l->a;
}
static double score_input(const Level *l) { return 1 / l->a; }

/* ---- EDM: table 1 of the paper, in sigma = s / a ---------------------------------------- */

static const double d = 0.5;    /* sigma_data */

static double edm_to_x0(double out, double x, const Level *l)
{
    double sigma = l->s / l->a, v = sigma * sigma + d * d;
    return d * d / v * (x / l->a) + sigma * d / sqrt(v) * out;
}

/* From x0 = c_skip (x0 + sigma eps) + c_out F:  F = (sigma x0 - d^2 eps) / (d
 * sqrt(...)). */
static double edm_target(double x0, double eps, const Level *l)
{
    double sigma = l->s / l->a;
    return (sigma * x0 - d * d * eps) / (d * sqrt(sigma * sigma + d * d));
}

static double edm_input(const Level *l)
{
    return 1 / sqrt(l->a * l->a * d * d + l->s * l->s);
}

static const Prediction predictions[] = {
    {"eps", eps_target, eps_to_x0, unit_input, false},
    {"x0", x0_target, x0_to_x0, unit_input, false},
    {"previous", previous_target, previous_to_x0, unit_input, true},
    {"v", v_target, v_to_x0, unit_input, false},
    {"score", score_target, score_to_x0, score_input, false},
    {"edm", edm_target, edm_to_x0, edm_input, false},
};

const Prediction *prediction_find(const char *name)
{
    for (size_t i = 0; i < sizeof predictions / sizeof *predictions; i++)
        if (strcmp(predictions[i].name, name) == 0) return &predictions[i];
    fail("a network cannot predict %s; it can predict eps, x0, previous, v, "
         "score and edm", name);
}

static double small_log(double v, const Level *l) { return (void)v, l->log_variance; }
static double small(double v, const Level *l) { return (void)v, l->variance; }

static double large_log(double v, const Level *l)
{
    (void)v;
    return l->variance == 0 ? l->log_variance : l->log_beta;
}

static double learned_log(double v, const Level *l) { return (void)l, v; }

static double range_log(double v, const Level *l)
{
    double share = (v + 1) / 2;
    return share * l->log_beta + (1 - share) * l->log_variance;
}

static double large(double v, const Level *l) { return exp(large_log(v, l)); }
static double learned(double v, const Level *l) { return exp(learned_log(v, l)); }
static double range(double v, const Level *l) { return exp(range_log(v, l)); }

static const Variance variances[] = {
    {"fixed_large", false, large, large_log}, {"fixed_small", false, small, small_log},
    {"learned", true, learned, learned_log}, {"learned_range", true, range, range_log},
};

const Variance *variance_find(const char *name)
{
    for (size_t i = 0; i < sizeof variances / sizeof *variances; i++)
        if (strcmp(variances[i].name, name) == 0) return &variances[i];
    fail("there is no variance %s; there are fixed_large, fixed_small, learned and "
         "learned_range", name);
}
