/* Points of the plane: see points.h. */
#include "apps/support/points.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/npy.h"
#include "tensor/random.h"

enum { D = 2, MOST = 100000 };

static const double pi = 3.14159265358979323846;

/* A turn and a half of a spiral, the data of drift swissroll. */
static void spiral(int N, double *x)
{
    Random r = random_stream(1, 0, 0);
    for (int n = 0; n < N; n++) {
        double angle = 1.5 * pi * (1 + 2 * random_uniform(r, (uint64_t)n));
        x[D * n] = angle * cos(angle), x[D * n + 1] = angle * sin(angle);
    }
}

static void ring(int N, double *x)
{
    for (int n = 0; n < N; n++)
        x[D * n] = cos(2 * pi * n / N), x[D * n + 1] = sin(2 * pi * n / N);
}

static void pair(int N, double *x)
{
    for (int n = 0; n < N; n++)
        x[D * n] = n % 2 ? 1 : -1, x[D * n + 1] = n % 2 ? 0.5 : -0.5;
}

static const struct {
    const char *name;
    int count;
    void (*fill)(int N, double *x);
} sets[] = {
    {"swissroll", 600, spiral}, {"ring", 6, ring}, {"pair", 2, pair},
};
enum { SETS = sizeof sets / sizeof *sets };

static void read_array(Arena *a, const char *path, Points *p)
{
    if (!file_exists(path))
        fail("there are no points %s: want swissroll, ring, pair, or an .npy file [N, 2]",
             path);
    SafeTensors f = npy_parse(a, file_read(a, path));
    const SafeEntry *e = &f.entries[0];
    if (f.count != 1 || e->rank != 2 || e->dim[1] != D || e->dim[0] < 1 ||
        e->dim[0] > MOST)
        fail("%s: want one array [N, 2] of 1 to %d points", path, MOST);
    Real *value = arena_new(a, Real, e->count);
    safetensors_to_reals(e, value);
    p->count = (int)e->dim[0];
    p->mean = arena_new(a, double, e->count);
    for (size_t i = 0; i < e->count; i++) {
        if (!isfinite(value[i])) fail("%s: number %zu is not finite", path, i);
        p->mean[i] = (double)value[i];
    }
}

/* To mean 0 and a mean square of 1; one point has none to be scaled. */
static void normalise(Points *p)
{
    double centre[D] = {0}, square = 0;
    for (int i = 0; i < D * p->count; i++) centre[i % D] += p->mean[i] / p->count;
    for (int i = 0; i < D * p->count; i++) {
        p->mean[i] -= centre[i % D];
        square += p->mean[i] * p->mean[i] / (D * p->count);
    }
    for (int i = 0; i < D * p->count && square > 0; i++) p->mean[i] /= sqrt(square);
}

Points points_load(Arena *a, const char *what, double std)
{
    Points p = {0};
    for (int k = 0; k < SETS && !p.count; k++)
        if (strcmp(sets[k].name, what) == 0) {
            p.count = sets[k].count;
            p.mean = arena_new(a, double, (size_t)(D * p.count));
            sets[k].fill(p.count, p.mean);
        }
    if (!p.count) read_array(a, what, &p);
    normalise(&p);
    p.weight = arena_new(a, double, (size_t)p.count);
    p.std = arena_new(a, double, (size_t)p.count);
    for (int k = 0; k < p.count; k++) p.weight[k] = 1, p.std[k] = std;
    return p;
}

MixtureDenoiser points_denoiser(const Points *p)
{
    return mixture_denoiser(D, p->count, p->weight, p->std, p->mean);
}

double points_density(const Points *p, double x, double y, double sigma)
{
    double sum = 0, v = p->std[0] * p->std[0] + sigma * sigma;
    for (int k = 0; k < p->count; k++) {
        double dx = x - p->mean[D * k], dy = y - p->mean[D * k + 1];
        sum += exp(-0.5 * (dx * dx + dy * dy) / v);
    }
    return sum / (2 * pi * v * p->count);
}
