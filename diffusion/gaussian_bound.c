/* The bound of 2015: see gaussian_bound.h. */
#include "diffusion/gaussian_bound.h"

#include <math.h>

/* ln alpha_bar of the steps first ... T-1 [T-1 or T, 1]: sums over all steps before, and
 * with `itself` over the step too, as a product with a triangle of ones. */
static Var *log_alpha_bar(Tape *t, Var *log_alpha, int first, int itself)
{
    int T = log_alpha->shape.dim[0], rows = T - first;
    Real *ones = tape_save(t, Real, (size_t)(rows * T));
    for (int i = 0; i < rows * T; i++) ones[i] = i % T < i / T + first + itself;
    Var *triangle = tape_leaf(t, "ones", SHAPE(rows, T), ones, NULL);
    return matmul(t, triangle, false, log_alpha, false);
}

static Var *one_minus(Tape *t, Var *x) { return scale(t, x, -1, 1); }

/* The formulas of schedule.h, for all steps but the first. */
static Levels find_levels(Tape *t, Var *beta)
{
    int T = beta->shape.dim[0];
    Shape shape = SHAPE(T - 1, 1, 1);
    Var *log_alpha = logarithm(t, one_minus(t, beta));
    Var *now = exponential(t, reshape(t, log_alpha_bar(t, log_alpha, 1, 1), shape));
    Var *before = exponential(t, reshape(t, log_alpha_bar(t, log_alpha, 1, 0), shape));
    Levels l = {.T = T, .beta = reshape(t, slice(t, beta, 0, 1, T - 1), shape)};
    Var *noise = one_minus(t, now), *share = divide(t, one_minus(t, before), noise);
    l.a = square_root(t, now), l.s = square_root(t, noise);
    l.c0 = divide(t, multiply(t, l.beta, square_root(t, before)), noise);
    l.ct = multiply(t, share, square_root(t, one_minus(t, l.beta)));
    l.variance = multiply(t, share, l.beta);
    return l;
}

Levels levels_at(Tape *tape, const Schedule *s, const double t[], int S)
{
    enum { FIELDS = 6 };
    Levels r = {.T = s->T};
    Var **at[FIELDS] = {&r.beta, &r.a, &r.s, &r.c0, &r.ct, &r.variance};
    Real *table = tape_save(tape, Real, (size_t)(FIELDS * S));
    for (int n = 0; n < S; n++) {
        Level l = schedule_between(s, t[n]);
        double values[FIELDS] = {exp(l.log_beta), l.a, l.s, l.c0, l.ct, l.variance};
        for (int i = 0; i < FIELDS; i++) table[i * S + n] = (Real)values[i];
    }
    for (int i = 0; i < FIELDS; i++)
        *at[i] = tape_leaf(tape, "level", SHAPE(S, 1, 1), table + i * S, NULL);
    return r;
}

Var *posterior_kl(Tape *t, Var *x0, Var *x, const Levels *l, Var *mean, Var *log_variance)
{
    Var *mean_q = add(t, multiply(t, l->c0, x0), multiply(t, l->ct, x));
    Var *log_q = add(t, scale(t, x, 0, 0), logarithm(t, l->variance));
    return gaussian_kl(t, mean_q, log_q, mean, log_variance);
}

double gaussian_bound_ends(const Schedule *s)
{
    return 0.5 * (log(1 - s->alpha_bar[s->T - 1]) - log(s->beta[0]));
}

Var *gaussian_bound(Tape *t, Var *beta, const FrozenBatch *b, Reverse reverse)
{
    int T = beta->shape.dim[0];
    Levels l = find_levels(t, beta);
    Shape shape = SHAPE(T - 1, b->N, b->D);
    Var *x0 = tape_leaf(t, "x0", SHAPE(1, b->N, b->D), b->x0, NULL);
    Var *eps = tape_leaf(t, "eps", shape, b->eps, NULL);
    Var *x = add(t, multiply(t, l.a, x0), multiply(t, l.s, eps)), *mean_p, *log_variance;
    reverse.predict(reverse.context, t, x, &l, &mean_p, &log_variance);

    Var *kl = sum(t, posterior_kl(t, x0, x, &l, mean_p, log_variance), ALL_AXES);
    Var *log_alpha = logarithm(t, one_minus(t, beta));
    Var *left = exponential(t, log_alpha_bar(t, log_alpha, T - 1, 1));     /* [1, 1] */
    Var *ends = subtract(t, logarithm(t, one_minus(t, left)),
                         logarithm(t, slice(t, beta, 0, 0, 1)));
    return add(t, scale(t, reshape(t, kl, SHAPE(1, 1)), -1.0 / b->N, 0),
               scale(t, ends, 0.5 * b->D, 0));
}

void constant_erasure(int T, Real *beta)
{
    for (int t = 0; t < T; t++) beta[t] = (Real)(1.0 / (T + 1 - t));
}

EntropyBounds entropy_bounds(const Schedule *s, int t)
{
    const double half_log_2_pi_e = 1.41893853320467274178;
    Level l = schedule_level(s, t);
    return (EntropyBounds){half_log_2_pi_e + 0.5 * log(l.variance),
                           half_log_2_pi_e + 0.5 * l.log_beta};
}
