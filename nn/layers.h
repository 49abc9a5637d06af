/* Layers with parameters.  Each is a small struct of parameter numbers, made by X_init,
 * which declares the parameters under `name`, and used by X_forward in a pass.  How they
 * start is the business of the rule in Params and of the layer's role (init.h). */
#ifndef NN_LAYERS_H
#define NN_LAYERS_H

#include "autograd/ops.h"
#include "nn/params.h"

typedef struct { int weight, bias; } Linear;            /* bias -1: none */

Linear linear_init(Params *p, const char *name, int in, int out, Role role);
Linear linear_init_without_bias(Params *p, const char *name, int in, int out, Role role);
Var *linear_forward(Pass *pass, const Linear *l, Var *x);   /* [..., in] to [..., out] */

typedef struct { int weight, bias, stride; Padding pad; } Conv2d;

/* K x K, "same" padding for stride 1; change stride and pads after init for others. */
Conv2d conv2d_init(Params *p, const char *name, int in, int out, int K, Role role);
Var *conv2d_forward(Pass *pass, const Conv2d *l, Var *x);

/* The same + word [N, 1, 1, out] + rest, of y's shape; either may be NULL. */
Var *conv2d_forward_plus(Pass *pass, const Conv2d *l, Var *x, Var *word, Var *rest);

typedef struct { int gamma, beta, groups; double eps; } GroupNorm;

/* Fails unless groups divides channels. */
GroupNorm group_norm_init(Params *p, const char *name, int channels, int groups,
                          double eps);
Var *group_norm_forward(Pass *pass, const GroupNorm *l, Var *x);
Var *group_norm_silu_forward(Pass *pass, const GroupNorm *l, Var *x);

/* Adaptive: silu(norm(x) (1 + scale) + shift), where w [N, 1, 1, 2C] = (scale, shift). */
Var *group_norm_adaptive_forward(Pass *pass, const GroupNorm *l, Var *x, Var *w);

/* x itself unless the pass is training and p > 0. */
Var *dropout_forward(Pass *pass, double p, Var *x);

#endif
