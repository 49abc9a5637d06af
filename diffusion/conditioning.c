/* Conditioning: see conditioning.h. */
#include "diffusion/conditioning.h"

#include <math.h>
#include <string.h>

#include "diffusion/path.h"
#include "tensor/error.h"

/* The rungs increase: halve the interval, then take the nearer of two neighbours. */
int conditioning_nearest(const Conditioning *c, double sigma)
{
    int low = 0, high = c->rungs - 1;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (c->rung[middle] <= sigma) low = middle;
        else high = middle;
    }
    return sigma - c->rung[low] <= c->rung[high] - sigma ? low : high;
}

static double told_nearest(const Conditioning *c, double sigma)
{
    return c->rung_told[conditioning_nearest(c, sigma)];
}

static double told_vp(const Conditioning *c, double sigma)
{
    Path p = path_vp();
    return (void)c, 999 * p.inverse(&p, sigma);
}

static double told_ve(const Conditioning *c, double sigma)
{
    return (void)c, log(sigma / 2);
}
static double told_edm(const Conditioning *c, double sigma)
{
    return (void)c, log(sigma) / 4;
}

static Conditioning of_schedule(Arena *a, const Schedule *s)
{
    size_t rungs = (size_t)s->T + 1;
    Conditioning c = {"schedule", .told = told_nearest, .rungs = s->T + 1,
                      .rung = arena_new(a, double, rungs),
                      .rung_told = arena_new(a, double, rungs)};
    for (int k = 0; k < c.rungs; k++) {
        Level l = schedule_level(s, k - 1);
        c.rung[k] = l.s / l.a;
        c.rung_told[k] = l.t;
    }
    c.sigma_min = c.rung[1], c.sigma_max = c.rung[s->T];
    return c;
}

Conditioning conditioning_make(Arena *a, const char *name, const Schedule *s)
{
    Path vp = path_vp();
    const Conditioning rows[] = {
        of_schedule(a, s),
        {"vp", vp.sigma(&vp, 1e-5), vp.sigma(&vp, 1), told_vp},
        {"ve", 0.02, 100, told_ve},
        {"edm", 0, INFINITY, told_edm},
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (strcmp(rows[k].name, name) == 0) return rows[k];
    fail("there is no conditioning %s; there are schedule, vp, ve and edm", name);
}

Conditioning conditioning_iddpm(Arena *a)
{
    Schedule cosine = schedule_make(a, "cosine", 1000, 1e-4, 0.02);
    return of_schedule(a, &cosine);
}

double conditioning_round(const Conditioning *c, double sigma)
{
    return c && c->rungs ? c->rung[conditioning_nearest(c, sigma)] : sigma;
}

void conditioning_tell(const Conditioning *c, Schedule *s)
{
    for (int t = 0; t < s->T; t++) {
        Level l = schedule_level(s, t);
        s->told[t] = c->told(c, l.s / l.a);
    }
}

Level conditioning_level(const Conditioning *c, double a, double sigma)
{
    return (Level){.a = a, .s = a * sigma, .t = c ? c->told(c, sigma) : 0};
}
