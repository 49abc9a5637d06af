/* Reverse channel coding: see reverse_channel.h. */
#include "diffusion/reverse_channel.h"

#include <math.h>

#include "tensor/memory.h"

/* Candidates tried: SPARE bits more than the KL, at most 2^MOST. */
enum { SPARE = 6, MOST = 18 };

double channel_bits(const double *shift, size_t D)
{
    double square = 0;
    for (size_t i = 0; i < D; i++) square += shift[i] * shift[i];
    return square / 2 / log(2);
}

static void fill_candidate(Random table, uint32_t n, size_t D, double *z)
{
    random_normals(table, (uint64_t)n * D, D, z);
}

/* ln q(z_n) / p(z_n) = shift.z_n - |shift|^2/2; the last term is the same for all. */
static void score_candidates(Random table, const double *shift, size_t D, int count,
                             double *score)
{
#pragma omp parallel
    {
        size_t mark = arena_mark(scratch());
        double *z = arena_new(scratch(), double, D);
#pragma omp for schedule(static)
        for (int n = 0; n < count; n++) {
            fill_candidate(table, (uint32_t)n, D, z);
            double dot = 0;
            for (size_t i = 0; i < D; i++) dot += shift[i] * z[i];
            score[n] = dot;
        }
        arena_rewind(scratch(), mark);
    }
}

static uint32_t choose(Random table, const double *shift, size_t D)
{
    int bits = (int)fmin(ceil(channel_bits(shift, D)) + SPARE, MOST), count = 1 << bits;
    uint32_t best = 0;
    size_t mark = arena_mark(scratch());
    double *score = arena_new(scratch(), double, (size_t)count);
    double time = 0, least = INFINITY;
    Random arrivals = {table.seed, ~table.stream};
    score_candidates(table, shift, D, count, score);
    for (int n = 0; n < count; n++) {
        time -= log(random_uniform(arrivals, (uint64_t)n));
        double late = log(time) - score[n];
        if (late < least) least = late, best = (uint32_t)n;
    }
    arena_rewind(scratch(), mark);
    return best;
}

/* n in 1 ... 2^(MOST+1) - 1 as the place of its highest bit, and the bits below it. */
static uint32_t code_index(Arithmetic *c, double bits, uint32_t n)
{
    double weight[MOST + 1], power = 1 / (bits + 1.53);
    int place = 0;
    for (int k = 0; k <= MOST; k++) weight[k] = pow(2, -power * k);
    Distribution d = distribution_make(weight, MOST + 1);
    while (n >> place > 1) place++;
    place = arithmetic_code(c, &d, place);
    uint32_t top = (uint32_t)1 << place;
    return top | arithmetic_code_bits(c, place, n & (top - 1));
}

void channel_code(Arithmetic *c, Random table, double bits, const double *shift, size_t D,
                  double *z)
{
    uint32_t n = c->writing ? choose(table, shift, D) + 1 : 1;
    fill_candidate(table, code_index(c, bits, n) - 1, D, z);
}
