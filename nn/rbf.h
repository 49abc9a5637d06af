/* The network of radial basis functions with which Sohl-Dickstein 2015 learn a swiss
 * roll: J = 16 bumps in the plane, shared by all T = 40 time steps, and a readout for
 * each step.
 *
 *     s_j = -|x - c_j|^2 / (2 r_j^2)       c_j: centre, r_j: radius of bump j
 *     phi = softmax(s)                     normalised: the bumps add up to 1 everywhere
 *     y   = W_t phi + b_t
 *
 * Far from all centres the nearest bump has all, instead of all having nothing.  So y is
 * a weighted mean of the J columns of W_t: a smooth table of values.  Centres and radii
 * are learned; the logarithm of the radius is the parameter, which keeps it positive. */
#ifndef NN_RBF_H
#define NN_RBF_H

#include "nn/mlp.h"

typedef struct {
    int centre, log_radius;     /* [J, D], [J] */
    int units, in;              /* J, D */
    StepLinear readout;
} Rbf;

/* Centres start as N(0, 1), like the data; radii as 1. */
Rbf rbf_init(Params *p, const char *name, int in, int units, int out, int steps);

/* x [N, in], t[N] steps; y [N, out].  Does not discard x. */
Var *rbf_forward(Pass *pass, const Rbf *r, Var *x, const int t[]);

#endif
