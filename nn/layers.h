/* Layers with parameters.  Each is a small struct of parameter numbers, made by X_init, which
 * declares the parameters under `name`, and used by X_forward in a pass.
 *
 * Initial weights are those of DDPM's code (nn.py, variance_scaling with fan_avg, uniform):
 * U(-l, l) with l = sqrt(6 scale / (fan_in + fan_out)), which keeps the variance of what flows
 * through, forwards and backwards alike.  `scale` is 1, or 0 for the last layer of a block, so
 * that a block starts as the identity; 0 is taken as 1e-10, as there. */
#ifndef NN_LAYERS_H
#define NN_LAYERS_H

#include "autograd/ops.h"
#include "nn/params.h"

typedef struct { int weight, bias; } Linear;

Linear linear_init(Params *p, const char *name, int in, int out, double scale);
Var *linear_forward(Pass *pass, const Linear *l, Var *x);       /* [..., in] to [..., out] */

typedef struct { int weight, bias, stride, pad, pad_end; } Conv2d;

/* K x K, "same" padding for stride 1; change stride and pads after init for others. */
Conv2d conv2d_init(Params *p, const char *name, int in, int out, int K, double scale);
Var *conv2d_forward(Pass *pass, const Conv2d *l, Var *x);

typedef struct { int gamma, beta, groups; double eps; } GroupNorm;

GroupNorm group_norm_init(Params *p, const char *name, int channels, int groups);
Var *group_norm_forward(Pass *pass, const GroupNorm *l, Var *x);
Var *group_norm_silu_forward(Pass *pass, const GroupNorm *l, Var *x);

/* x itself unless the pass is training and p > 0. */
Var *dropout_forward(Pass *pass, double p, Var *x);

#endif
