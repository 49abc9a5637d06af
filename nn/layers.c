/* Layers with parameters: see layers.h. */
#include "nn/layers.h"

#include "tensor/error.h"

static Init fan_average(int fan_in, int fan_out, double scale)
{
    if (scale == 0) scale = 1e-10;
    return (Init){INIT_UNIFORM, sqrt(6 * scale / (fan_in + fan_out))};
}

static const Init zeros = {INIT_CONSTANT, 0}, ones = {INIT_CONSTANT, 1};

Linear linear_init(Params *p, const char *name, int in, int out, double scale)
{
    return (Linear){
        .weight = params_add(p, SHAPE(out, in), fan_average(in, out, scale), "%s.weight", name),
        .bias = params_add(p, SHAPE(out), zeros, "%s.bias", name),
    };
}

Var *linear_forward(Pass *pass, const Linear *l, Var *x)
{
    return linear(pass->tape, x, pass_param(pass, l->weight), pass_param(pass, l->bias));
}

Conv2d conv2d_init(Params *p, const char *name, int in, int out, int K, double scale)
{
    return (Conv2d){
        .weight = params_add(p, SHAPE(out, K, K, in),
                             fan_average(K * K * in, K * K * out, scale), "%s.weight", name),
        .bias = params_add(p, SHAPE(out), zeros, "%s.bias", name),
        .stride = 1, .pad = K / 2, .pad_end = (K - 1) / 2,
    };
}

Var *conv2d_forward(Pass *pass, const Conv2d *l, Var *x)
{
    return conv2d(pass->tape, x, pass_param(pass, l->weight), pass_param(pass, l->bias),
                  l->stride, l->pad, l->pad_end);
}

GroupNorm group_norm_init(Params *p, const char *name, int channels, int groups)
{
    require(channels % groups == 0, "%s: %d groups do not divide %d channels", name, groups,
            channels);
    return (GroupNorm){
        .gamma = params_add(p, SHAPE(channels), ones, "%s.gamma", name),
        .beta = params_add(p, SHAPE(channels), zeros, "%s.beta", name),
        .groups = groups, .eps = 1e-6,
    };
}

Var *group_norm_forward(Pass *pass, const GroupNorm *l, Var *x)
{
    return group_norm(pass->tape, x, pass_param(pass, l->gamma), pass_param(pass, l->beta),
                      l->groups, l->eps);
}

Var *group_norm_silu_forward(Pass *pass, const GroupNorm *l, Var *x)
{
    return group_norm_silu(pass->tape, x, pass_param(pass, l->gamma),
                           pass_param(pass, l->beta), l->groups, l->eps);
}

/* Each dropout of a pass has a row of random numbers of its own. */
Var *dropout_forward(Pass *pass, double p, Var *x)
{
    if (!pass->training || p == 0) return x;
    Random r = pass->random;
    r.stream += (uint64_t)pass->draws++ << 32;
    return dropout(pass->tape, x, p, r);
}
