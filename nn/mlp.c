/* Multilayer perceptrons: see mlp.h. */
#include "nn/mlp.h"

#include <string.h>

#include "tensor/error.h"

static Var *leaky_relu_of_2015(Tape *t, Var *x) { return leaky_relu(t, x, 0.05); }

static const struct { const char *name; Activation *f; } activations[] = {
    {"sigmoid", sigmoid}, {"hyperbolic_tangent", hyperbolic_tangent}, {"relu", relu},
    {"leaky_relu", leaky_relu_of_2015}, {"softplus", softplus}, {"silu", silu},
    {"gelu", gelu}, {"gelu_tanh", gelu_tanh},
};

Activation *activation_find(const char *name)
{
    const char *names = "";
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
        if (strcmp(activations[i].name, name) == 0) return activations[i].f;
        names = arena_printf(scratch(), "%s%s%s", names, i ? ", " : "",
                             activations[i].name);
    }
    fail("there is no activation %s; there are %s", name, names);
}

Mlp mlp_init(Params *p, const char *name, const int widths[], const char *activation)
{
    Mlp m = {.activation = activation_find(activation)};
    for (int i = 0; widths[i + 1]; i++) {
        require(i < MAX_LAYERS, "%s: more than %d layers", name, MAX_LAYERS);
        m.layer[m.layers++] = linear_init(p, arena_printf(&p->arena, "%s.%d", name, i),
                                          widths[i], widths[i + 1], ROLE_PLAIN);
    }
    require(m.layers > 0, "%s: an MLP needs two widths", name);
    return m;
}

Var *mlp_forward(Pass *pass, const Mlp *m, Var *x)
{
    Var *h = linear_forward(pass, &m->layer[0], x);
    for (int i = 1; i < m->layers; i++) {
        Var *a = m->activation(pass->tape, h);
        discard(h);
        h = linear_forward(pass, &m->layer[i], a);
        discard(a);
    }
    return h;
}

StepLinear step_linear_init(Params *p, const char *name, int steps, int in, int out)
{
    Init weight = p->rule->weight(in, out, ROLE_PLAIN);
    Init bias = p->rule->bias(in, ROLE_PLAIN);
    return (StepLinear){
        .weight = params_add(p, SHAPE(steps, out * in), weight, "%s.weight", name),
        .bias = params_add(p, SHAPE(steps, out), bias, "%s.bias", name),
        .in = in, .out = out,
    };
}

/* The rows that belong to each sample, then a small matrix product a sample. */
Var *step_linear_forward(Pass *pass, const StepLinear *l, Var *x, const int t[])
{
    Tape *tape = pass->tape;
    int N = x->shape.dim[0];
    Var *w = embedding(tape, pass_param(pass, l->weight), t, N);
    Var *b = embedding(tape, pass_param(pass, l->bias), t, N);
    Var *y = matmul(tape, reshape(tape, w, SHAPE(N, l->out, l->in)), false,
                    reshape(tape, x, SHAPE(N, l->in, 1)), false);
    Shape shape = SHAPE(N, l->out);
    return add(tape, reshape(tape, y, shape), reshape(tape, b, shape));
}
