/* Bumps in time: see time_basis.h. */
#include "nn/time_basis.h"

#include <math.h>

void time_basis_weights(const TimeBasis *b, double t, double *g)
{
    double tau = 2 * t / (b->T - 1) - 1, spacing = 2.0 / (b->J - 1), sum = 0;
    for (int j = 0; j < b->J; j++) {
        double far = (tau - (j * spacing - 1)) / (b->width * spacing);
        sum += g[j] = exp(-0.5 * far * far);
    }
    for (int j = 0; j < b->J; j++) g[j] /= sum;
}

Var *time_basis_average(Tape *tape, const TimeBasis *b, Var *y, const double t[])
{
    int N = y->shape.dim[0], J = b->J, last = y->shape.dim[y->shape.rank - 1];
    int out = last / J, P = (int)(y->size / (size_t)(N * last));
    Real *weights = tape_save(tape, Real, (size_t)(N * J));
    double *g = tape_save(tape, double, (size_t)J);
    for (int n = 0; n < N; n++) {
        time_basis_weights(b, t[n], g);
        for (int j = 0; j < J; j++) weights[n * J + j] = (Real)g[j];
    }
    Var *leaf = tape_leaf(tape, "bumps", SHAPE(N, 1, J, 1), weights, NULL);
    Var *parts = multiply(tape, reshape(tape, y, SHAPE(N, P, J, out)), leaf);
    Shape shape = y->shape;
    shape.dim[shape.rank - 1] = out;
    return reshape(tape, sum(tape, parts, AXIS(2)), shape);
}
