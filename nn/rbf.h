/* The network of radial basis functions with which Sohl-Dickstein 2015 learn a swiss
 * roll: J = 16 bumps in the plane, shared by all T = 40 time steps, and a readout for
 * each step.
 *
 *     s_j = -|x - c_j|^2 / (2 r_j^2)       c_j: centre, r_j: radius of bump j
 *     phi = softmax(s)                     normalised: the bumps add up to 1 everywhere
 *     y   = phi W_t + b_t
 *
 * Far from all centres the nearest bump has all, instead of all having nothing.  So y is
 * a weighted mean of the J rows of W_t: a smooth table of values.  Centres and radii
 * are learned; the logarithm of the radius is the parameter, which keeps it positive. */
#ifndef NN_RBF_H
#define NN_RBF_H

#include "nn/mlp.h"

typedef struct {
    int centre, log_radius;     /* [J, D], [J] */
    int weight, bias;           /* [T, J, out], [T, 1, out] */
    int units, in, out;         /* J, D */
} Rbf;

/* Centres start as N(0, 1), like the data; radii as 1. */
Rbf rbf_init(Params *p, const char *name, int in, int units, int out, int steps);

/* Instead: the bumps at centre [J, in], all of one radius, and bump j saying advice [J,
 * out] at every step.  With data as centres and as advice y is an average of the data
 * near x. */
void rbf_place(Params *p, const Rbf *r, const Real *centre, double radius,
               const Real *advice);

/* x [S, N, in]: N points at each of S steps, t, t + 1 ...; y [S, N, out].  Does not
 * discard x. */
Var *rbf_forward(Pass *pass, const Rbf *r, Var *x, int t);

#endif
