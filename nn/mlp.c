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
