/* Points of the plane: see plane.h. */
#include "apps/support/plane.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/memory.h"

enum { NODES = 4096 };                          /* of the midpoint rule over u */

static const double pi = 3.14159265358979323846;

/* One and a half turns, the radius growing with the angle. */
static void roll(double u, double c[2])
{
    double angle = 1.5 * pi * (1 + 2 * u);
    c[0] = angle * cos(angle), c[1] = angle * sin(angle);
}

/* Two half circles, each ending inside the other. */
static void moons(double u, double c[2])
{
    double angle = 2 * pi * u, side = u < 0.5 ? 1 : -1;
    c[0] = cos(angle) - side / 2, c[1] = sin(angle) - side / 4;
}

/* The corners of an octagon. */
static void mixture(double u, double c[2])
{
    double angle = pi / 4 * floor(8 * u);
    c[0] = cos(angle), c[1] = sin(angle);
}

static const Plane planes[] = {
    {.name = "roll", .about = "a spiral of one and a half turns", .centre = roll},
    {.name = "moons", .about = "two half circles", .centre = moons, .width = 0.1},
    {.name = "mixture", .about = "eight Gaussians around a circle", .centre = mixture,
     .width = 0.15},
};

Plane plane_find(const char *name)
{
    size_t k = 0, count = sizeof planes / sizeof *planes;
    while (k < count && strcmp(planes[k].name, name) != 0) k++;
    if (k == count) fail_usage("no data %s; there are roll, moons and mixture", name);
    Plane p = planes[k];
    double sum[2] = {0}, square = 0, c[2];
    for (int i = 0; i < NODES; i++) {
        p.centre((i + 0.5) / NODES, c);
        sum[0] += c[0], sum[1] += c[1], square += c[0] * c[0] + c[1] * c[1];
    }
    for (int d = 0; d < 2; d++) p.mean[d] = sum[d] / NODES;
    double variance = square / NODES - p.mean[0] * p.mean[0] - p.mean[1] * p.mean[1];
    p.scale = sqrt(variance / (2 - 2 * p.width * p.width));
    return p;
}

static void find_centre(const Plane *p, double u, double c[2])
{
    p->centre(u, c);
    for (int d = 0; d < 2; d++) c[d] = (c[d] - p->mean[d]) / p->scale;
}

void plane_draw(const Plane *p, Random r, int N, double *x)
{
    for (int n = 0; n < N; n++) {
        double c[2], eps[2];
        find_centre(p, random_uniform(r, (uint64_t)n), c);
        random_normals(r, (uint64_t)(N + 2 * n), 2, eps);
        for (int d = 0; d < 2; d++) x[2 * n + d] = c[d] + p->width * eps[d];
    }
}

double plane_entropy(const Plane *p, double a, double s, Random r, int draws)
{
    size_t mark = arena_mark(scratch());
    double *node = arena_new(scratch(), double, 2 * NODES);
    double *x = arena_new(scratch(), double, (size_t)(2 * draws));
    double *eps = arena_new(scratch(), double, (size_t)(2 * draws));
    for (int i = 0; i < NODES; i++) find_centre(p, (i + 0.5) / NODES, node + 2 * i);
    plane_draw(p, r, draws, x);
    random_normals(r, (uint64_t)(3 * draws), (size_t)(2 * draws), eps);
    double variance = a * a * p->width * p->width + s * s, nats = 0;
    for (int n = 0; n < draws; n++) {
        double density = 0;
        for (int i = 0; i < NODES; i++) {
            double u = a * (x[2 * n] - node[2 * i]) + s * eps[2 * n];
            double v = a * (x[2 * n + 1] - node[2 * i + 1]) + s * eps[2 * n + 1];
            density += exp(-(u * u + v * v) / (2 * variance));
        }
        nats -= log(density / NODES / (2 * pi * variance));
    }
    arena_rewind(scratch(), mark);
    return nats / draws / log(2);
}
