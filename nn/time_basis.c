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
    int N = y->shape.dim[0], J = b->J, out = y->shape.dim[1] / J;
    Real *weights = tape_save(tape, Real, (size_t)(N * J));
    double *g = tape_save(tape, double, (size_t)J);
    for (int n = 0; n < N; n++) {
        time_basis_weights(b, t[n], g);
        for (int j = 0; j < J; j++) weights[n * J + j] = (Real)g[j];
    }
    Var *leaf = tape_leaf(tape, "bumps", SHAPE(N, 1, J), weights, NULL);
    Var *mixed = matmul(tape, leaf, false, reshape(tape, y, SHAPE(N, J, out)), false);
    return reshape(tape, mixed, SHAPE(N, out));
}
