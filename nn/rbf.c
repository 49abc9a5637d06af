/* Radial basis functions: see rbf.h. */
#include "nn/rbf.h"

#include <math.h>
#include <string.h>

Rbf rbf_init(Params *p, const char *name, int in, int units, int out, int steps)
{
    return (Rbf){
        .centre = params_add(p, SHAPE(units, in), (Init){INIT_NORMAL, 1}, "%s.centre",
                             name),
        .log_radius = params_add(p, SHAPE(units), (Init){INIT_CONSTANT, 0},
                                 "%s.log_radius", name),
        .weight = params_add(p, SHAPE(steps, units, out),
                             p->rule->weight(units, out, ROLE_PLAIN), "%s.weight", name),
        .bias = params_add(p, SHAPE(steps, 1, out), p->rule->bias(units, ROLE_PLAIN),
                           "%s.bias", name),
        .units = units, .in = in, .out = out,
    };
}

void rbf_place(Params *p, const Rbf *r, const Real *centre, double radius,
               const Real *advice)
{
    const Param *weight = &p->list[r->weight];
    size_t says = (size_t)(r->units * r->out);
    memcpy(p->value + p->list[r->centre].offset, centre,
           (size_t)(r->units * r->in) * sizeof *centre);
    for (int j = 0; j < r->units; j++)
        p->value[p->list[r->log_radius].offset + (size_t)j] = (Real)log(radius);
    for (size_t at = 0; at < weight->size; at += says)
        memcpy(p->value + weight->offset + at, advice, says * sizeof *advice);
}

/* |x - c|^2 of P points x [P, D] and J centres, [P, J]. */
static Var *distances(Tape *t, Var *x, Var *centre)
{
    int P = x->shape.dim[0], D = x->shape.dim[1], J = centre->shape.dim[0];
    Var *far = subtract(t, reshape(t, x, SHAPE(P, 1, D)),
                        reshape(t, centre, SHAPE(1, J, D)));
    return reshape(t, sum(t, square(t, far), AXIS(2)), SHAPE(P, J));
}

Var *rbf_forward(Pass *pass, const Rbf *r, Var *x, int t)
{
    Tape *tape = pass->tape;
    int S = x->shape.dim[0], N = x->shape.dim[1], J = r->units;
    Var *far = distances(tape, reshape(tape, x, SHAPE(S * N, r->in)),
                         pass_param(pass, r->centre));
    Var *log_radius = reshape(tape, pass_param(pass, r->log_radius), SHAPE(1, J));
    Var *precision = exponential(tape, scale(tape, log_radius, -2, 0));
    Var *phi = softmax(tape, scale(tape, multiply(tape, far, precision), -0.5, 0));
    Var *weight = slice(tape, pass_param(pass, r->weight), 0, t, S);
    Var *bias = slice(tape, pass_param(pass, r->bias), 0, t, S);
    phi = reshape(tape, phi, SHAPE(S, N, J));
    return add(tape, matmul(tape, phi, false, weight, false), bias);
}
