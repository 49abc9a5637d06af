/* Measures of samples against the official code: pytorch-fid, guided-diffusion. */
#include "diffusion/metrics.h"
#include "tests/golden.h"

static Features read_features(Golden *g, const char *name)
{
    Shape s = golden_shape(g, name);
    size_t n = golden_size(g, name);
    double *x = arena_new(&g->arena, double, n);
    for (size_t i = 0; i < n; i++) x[i] = golden_number(g, name, i);
    return (Features){s.dim[0], s.dim[1], x};
}

static void compare_one(Golden *g, const char *name, double got)
{
    golden_compare_numbers(g, name, &got, 1);
}

static void compare_frechet(Golden *g, Features ref, Features gen)
{
    Moments p = feature_moments(&g->arena, ref), q = feature_moments(&g->arena, gen);
    size_t D = (size_t)p.D;
    golden_compare_numbers(g, "mu_ref", p.mean, D);
    golden_compare_numbers(g, "mu_gen", q.mean, D);
    golden_compare_numbers(g, "sigma_ref", p.covariance, D * D);
    golden_compare_numbers(g, "sigma_gen", q.covariance, D * D);
    compare_one(g, "frechet_distance", frechet_distance(&p, &q));
    compare_one(g, "frechet_identical", frechet_distance(&p, &p));

    ref.N = gen.N = golden_integer(g, "singular/n", 0);
    p = feature_moments(&g->arena, ref), q = feature_moments(&g->arena, gen);
    compare_one(g, "singular/frechet_distance", frechet_distance(&p, &q));
}

static void compare_score(Golden *g, const char *group)
{
    Features p = read_features(g, "probs");
    g->group = group;
    compare_one(g, "value", inception_score(p, golden_integer(g, "split_size", 0)));
    g->group = "";
}

static void compare_precision(Golden *g)
{
    Features ref = read_features(g, "pr/features_ref");
    Features gen = read_features(g, "pr/features_gen");
    double *r = arena_new(&g->arena, double, (size_t)ref.N);
    double *s = arena_new(&g->arena, double, (size_t)gen.N);
    neighbour_radii(r, ref, 3);
    neighbour_radii(s, gen, 3);
    golden_compare_numbers(g, "pr/radii_ref", r, (size_t)ref.N);
    golden_compare_numbers(g, "pr/radii_gen", s, (size_t)gen.N);
    compare_one(g, "pr/precision", share_inside(gen, ref, r));
    compare_one(g, "pr/recall", share_inside(ref, gen, s));
}

void golden_metrics(Golden *g)
{
    compare_frechet(g, read_features(g, "features_ref"),
                    read_features(g, "features_gen"));
    compare_score(g, "inception_score/all/");
    compare_score(g, "inception_score/split/");
    compare_precision(g);
}
