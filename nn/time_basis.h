/* Bumps in time: how one network answers for all T steps (Sohl-Dickstein 2015, D.2.1).
 *
 * What a network says changes slowly with t.  So its last layer says J answers y_j, each
 * for another time, and the answer at t is their average,
 *
 *     z(t) = sum_j g_j(t) y_j,   g_j(t) ~ e^(-(tau - c_j)^2 / (2 w^2)), adding up to 1,
 *
 * tau = 2 t / (T - 1) - 1 from -1 to 1, with the centres c_j evenly over it.  In the
 * paper a bump is as wide as the distance of two centres, in its code half as wide.  t
 * need not be whole. */
#ifndef NN_TIME_BASIS_H
#define NN_TIME_BASIS_H

#include "autograd/ops.h"

typedef struct {
    int T, J;           /* steps; bumps, at least 2 */
    double width;       /* in distances of centres: 1 or 0.5 */
} TimeBasis;

/* g [J], which adds up to 1. */
void time_basis_weights(const TimeBasis *b, double t, double *g);

/* y [N, ..., J * out], sample n at time t[n]; the average [N, ..., out]. */
Var *time_basis_average(Tape *tape, const TimeBasis *b, Var *y, const double t[]);

#endif
