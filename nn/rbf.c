/* Radial basis functions: see rbf.h. */
#include "nn/rbf.h"

Rbf rbf_init(Params *p, const char *name, int in, int units, int out, int steps)
{
    return (Rbf){
        .centre = params_add(p, SHAPE(units, in), (Init){INIT_NORMAL, 1}, "%s.centre",
                             name),
        .log_radius = params_add(p, SHAPE(units), (Init){INIT_CONSTANT, 0},
                                 "%s.log_radius", name),
        .units = units, .in = in,
        .readout = step_linear_init(p, arena_printf(&p->arena, "%s.readout", name), steps,
                                    units, out),
    };
}

/* |x - c|^2 of every sample and every centre, [N, J]. */
static Var *distances(Tape *t, Var *x, Var *centre, int units)
{
    int N = x->shape.dim[0], D = x->shape.dim[1];
    Var *far = subtract(t, reshape(t, x, SHAPE(N, 1, D)),
                        reshape(t, centre, SHAPE(1, units, D)));
    return reshape(t, sum(t, square(t, far), AXIS(2)), SHAPE(N, units));
}

Var *rbf_forward(Pass *pass, const Rbf *r, Var *x, const int t[])
{
    Tape *tape = pass->tape;
    Var *far = distances(tape, x, pass_param(pass, r->centre), r->units);
    Var *log_radius = reshape(tape, pass_param(pass, r->log_radius), SHAPE(1, r->units));
    Var *precision = exponential(tape, scale(tape, log_radius, -2, 0));
    Var *phi = softmax(tape, scale(tape, multiply(tape, far, precision), -0.5, 0));
    return step_linear_forward(pass, &r->readout, phi, t);
}
