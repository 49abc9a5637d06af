/* Paths and stops: see path.h. */
#include "diffusion/path.h"

#include <math.h>
#include <string.h>

#include "diffusion/conditioning.h"
#include "tensor/error.h"

/* ---- schedules --------------------------------------------------------------------- */

static const double vp_first = 1e-3; /* the smallest t of vp, epsilon_s in the paper */

static double linear(const Path *p, double t) { return (void)p, t; }
static double linear_slope(const Path *p, double t) { return (void)p, (void)t, 1; }

static double ve(const Path *p, double t) { return (void)p, sqrt(t); }
static double ve_inverse(const Path *p, double sigma) { return (void)p, sigma * sigma; }
static double ve_slope(const Path *p, double t) { return (void)p, 0.5 / sqrt(t); }

static double vp(const Path *p, double t)
{
    return sqrt(expm1(0.5 * p->beta_d * t * t + p->beta_min * t));
}

/* The root of beta_d t^2 / 2 + beta_min t = ln(1 + sigma^2). */
static double vp_inverse(const Path *p, double sigma)
{
    double b = p->beta_min;
    return (sqrt(b * b + 2 * p->beta_d * log1p(sigma * sigma)) - b) / p->beta_d;
}

static double vp_slope(const Path *p, double t)
{
    double sigma = vp(p, t);
    return 0.5 * (p->beta_min + p->beta_d * t) * (sigma + 1 / sigma);
}

static const Path schedules[] = {
    {"linear", linear, linear, linear_slope}, {"ve", ve, ve_inverse, ve_slope},
    {"vp", vp, vp_inverse, vp_slope},
};

Path path_make(const char *schedule, const char *scaling, double sigma_min,
               double sigma_max)
{
    size_t k = 0, K = sizeof schedules / sizeof *schedules;
    while (k < K && strcmp(schedules[k].schedule, schedule) != 0) k++;
    if (k == K) fail("there is no path %s; there are linear, ve and vp", schedule);
    Path p = schedules[k];
    p.scaled = strcmp(scaling, "vp") == 0;
    if (!p.scaled && strcmp(scaling, "none") != 0)
        fail("there is no scaling %s; there are none and vp", scaling);
    double first = log(sigma_min * sigma_min + 1), last = log(sigma_max * sigma_max + 1);
    p.beta_d = 2 * (first / vp_first - last) / (vp_first - 1);
    p.beta_min = last - 0.5 * p.beta_d;
    return p;
}

Path path_vp(void)
{
    Path p = path_make("vp", "vp", 1, 1);
    p.beta_d = 19.9, p.beta_min = 0.1;
    return p;
}

Point path_point(const Path *p, double t)
{
    Point q = {.t = t, .sigma = p->sigma(p, t), .s = 1};
    q.dsigma = t > 0 ? p->slope(p, t) : 0;      /* nobody asks for a slope at the end */
    if (p->scaled) {
        q.s = 1 / sqrt(1 + q.sigma * q.sigma);
        q.ds = -q.sigma * q.dsigma * q.s * q.s * q.s;
    }
    return q;
}

/* ---- stops ------------------------------------------------------------------------- */

static double edm_stop(const Stops *s, double f)
{
    double first = pow(s->sigma_max, 1 / s->rho), last = pow(s->sigma_min, 1 / s->rho);
    return pow(first + f * (last - first), s->rho);
}

static double ve_stop(const Stops *s, double f)
{
    return s->sigma_max * pow(s->sigma_min / s->sigma_max, f);
}

static double vp_stop(const Stops *s, double f)
{
    Path p = path_make("vp", "vp", s->sigma_min, s->sigma_max);
    return p.sigma(&p, 1 + f * (vp_first - 1));
}

/* Of the levels within the range, from large to small, number f of the way. */
static double iddpm_stop(const Stops *s, double f)
{
    size_t mark = arena_mark(scratch());
    Conditioning c = conditioning_iddpm(scratch());
    int first = 0, last = c.rungs - 1;
    while (first < last && c.rung[first] < s->sigma_min) first++;
    while (last > first && c.rung[last] > s->sigma_max) last--;
    double sigma = c.rung[last - (int)nearbyint((last - first) * f)];
    arena_rewind(scratch(), mark);
    return sigma;
}

static const struct {
    Stops stops;
    double (*at)(const Stops *s, double f);     /* f = 0 at sigma_max, 1 at sigma_min */
} kinds[] = {
    {{"edm", 0.002, 80, 7}, edm_stop},
    {{"vp", 0, 0, 0}, vp_stop},                 /* at t = 1e-3 and t = 1 of path_vp */
    {{"ve", 0.02, 100, 0}, ve_stop},
    {{"iddpm", 0.002, 81, 0}, iddpm_stop},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static int find_stops(const char *name)
{
    for (int k = 0; k < KINDS; k++)
        if (strcmp(kinds[k].stops.name, name) == 0) return k;
    fail("there are no steps %s; there are edm, vp, ve and iddpm", name);
}

Stops stops_find(const char *name)
{
    Stops s = kinds[find_stops(name)].stops;
    Path p = path_vp();
    if (s.sigma_max == 0)
        s.sigma_min = p.sigma(&p, vp_first), s.sigma_max = p.sigma(&p, 1);
    return s;
}

void stops_fill(const Stops *s, int N, double *sigma)
{
    int k = find_stops(s->name);
    require(N >= 2, "%d noise levels; want at least 2", N);
    for (int i = 0; i < N; i++) sigma[i] = kinds[k].at(s, (double)i / (N - 1));
}
