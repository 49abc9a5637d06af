/* The multilayer perceptron: linear layers with an activation between them.
 *
 *     h_0 = x,     h_i = f(W_i h_{i-1} + b_i),     y = W_n h_{n-1} + b_n
 *
 * Sohl-Dickstein 2015 use one of widths 20, 50, 50, 50 with sigmoids for their heartbeat
 * data. */
#ifndef NN_MLP_H
#define NN_MLP_H

#include "nn/layers.h"

typedef Var *Activation(Tape *t, Var *x);

/* An activation of autograd/ops.h by its name there; leaky_relu has slope 0.05 (the 2015
 * code).  Fails with the list if there is no such name. */
Activation *activation_find(const char *name);

enum { MAX_LAYERS = 8 };

typedef struct {
    int layers;
    Linear layer[MAX_LAYERS];
    Activation *activation;
} Mlp;

/* widths: of the input, of each hidden layer, of the output, then 0. */
Mlp mlp_init(Params *p, const char *name, const int widths[], const char *activation);

/* x [..., in] to [..., out].  Does not discard x. */
Var *mlp_forward(Pass *pass, const Mlp *m, Var *x);

#endif
