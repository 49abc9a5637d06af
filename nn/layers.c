/* Layers with parameters: see layers.h. */
#include "nn/layers.h"

#include "tensor/error.h"

static const Init zeros = {INIT_CONSTANT, 0}, ones = {INIT_CONSTANT, 1};

Linear linear_init_without_bias(Params *p, const char *name, int in, int out, Role role)
{
    return (Linear){params_add(p, SHAPE(out, in), p->rule->weight(in, out, role),
                               "%s.weight", name), -1};
}

Linear linear_init(Params *p, const char *name, int in, int out, Role role)
{
    Linear l = linear_init_without_bias(p, name, in, out, role);
    l.bias = params_add(p, SHAPE(out), p->rule->bias(in, role), "%s.bias", name);
    return l;
}

Var *linear_forward(Pass *pass, const Linear *l, Var *x)
{
    return linear(pass->tape, x, pass_param(pass, l->weight),
                  l->bias >= 0 ? pass_param(pass, l->bias) : NULL);
}

Conv2d conv2d_init(Params *p, const char *name, int in, int out, int K, Role role)
{
    int area = K * K;
    return (Conv2d){
        .weight = params_add(p, SHAPE(out, K, K, in),
                             p->rule->weight(area * in, area * out, role),
                             "%s.weight", name),
        .bias = params_add(p, SHAPE(out), p->rule->bias(area * in, role),
                           "%s.bias", name),
        .stride = 1, .pad = {K / 2, (K - 1) / 2, K / 2, (K - 1) / 2},
    };
}

Var *conv2d_forward_plus(Pass *pass, const Conv2d *l, Var *x, Var *word, Var *rest)
{
    Var *w = pass_param(pass, l->weight), *b = pass_param(pass, l->bias);
    if (word) {
        Var *row = reshape(pass->tape, b, SHAPE(1, 1, 1, (int)b->size));
        b = add(pass->tape, word, row);
        discard(row);
    }
    Var *y = conv2d_onto(pass->tape, rest, x, w, b, l->stride, l->pad);
    discard(b);
    return y;
}

Var *conv2d_forward(Pass *pass, const Conv2d *l, Var *x)
{
    return conv2d_forward_plus(pass, l, x, NULL, NULL);
}

GroupNorm group_norm_init(Params *p, const char *name, int channels, int groups,
                          double eps)
{
    if (channels % groups)
        fail("%s: %d groups do not divide %d channels", name, groups, channels);
    return (GroupNorm){
        .gamma = params_add(p, SHAPE(channels), ones, "%s.gamma", name),
        .beta = params_add(p, SHAPE(channels), zeros, "%s.beta", name),
        .groups = groups, .eps = eps,
    };
}

Var *group_norm_forward(Pass *pass, const GroupNorm *l, Var *x)
{
    return group_norm(pass->tape, x, pass_param(pass, l->gamma),
                      pass_param(pass, l->beta), l->groups, l->eps);
}

Var *group_norm_silu_forward(Pass *pass, const GroupNorm *l, Var *x)
{
    return group_norm_silu(pass->tape, x, pass_param(pass, l->gamma),
                           pass_param(pass, l->beta), l->groups, l->eps);
}

/* (gamma xhat + beta) (1 + scale) + shift is a norm with gamma and beta for
 * each sample. */
Var *group_norm_adaptive_forward(Pass *pass, const GroupNorm *l, Var *x, Var *w)
{
    Tape *t = pass->tape;
    int C = shape_last(x->shape);
    Var *gamma = reshape(t, pass_param(pass, l->gamma), SHAPE(1, 1, 1, C));
    Var *beta = reshape(t, pass_param(pass, l->beta), SHAPE(1, 1, 1, C));
    Var *gain = scale(t, slice(t, w, 3, 0, C), 1, 1), *shift = slice(t, w, 3, C, C);
    return group_norm_silu(t, x, multiply(t, gain, gamma),
                           add(t, multiply(t, gain, beta), shift), l->groups, l->eps);
}

/* Each dropout of a pass has a row of random numbers of its own, and each sample of the
 * batch a place in it, also when the pass sees only a part of the batch. */
Var *dropout_forward(Pass *pass, double p, Var *x)
{
    if (!pass->training || p == 0) return x;
    Random r = pass->random;
    r.stream += (uint64_t)pass->draws++ << 32;
    uint64_t sample = x->size / (uint64_t)x->shape.dim[0];
    return dropout(pass->tape, x, p, r, pass->first * sample);
}
