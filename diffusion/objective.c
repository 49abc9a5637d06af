/* Training targets: see objective.h. */
#include "diffusion/objective.h"

static double eps_target(double x0, double eps, Level l)
{
    (void)x0, (void)l;
    return eps;
}

static double eps_to_x0(double out, double x, Level l) { return (x - l.s * out) / l.a; }

const Objective objective_eps = {"eps", eps_target, eps_to_x0};

Var *objective_loss(Pass *pass, const UNet *net, const Objective *o, const Schedule *s,
                    const Batch *b)
{
    const UNetConfig *c = &net->encoder.config;
    Tape *t = pass->tape;
    Shape shape = SHAPE(b->N, c->height, c->width, c->channels);
    size_t size = shape_size(shape), D = size / (size_t)b->N;
    Real *xt = tape_save(t, Real, size), *target = tape_save(t, Real, size);
    double *told = tape_save(t, double, (size_t)b->N);
    for (int n = 0; n < b->N; n++) {
        Level l = schedule_level(s, b->t[n]);
        told[n] = l.t;
        for (size_t i = (size_t)n * D; i < (size_t)(n + 1) * D; i++) {
            xt[i] = (Real)(l.a * b->x0[i] + l.s * b->eps[i]);
            target[i] = (Real)o->target(b->x0[i], b->eps[i], l);
        }
    }
    Var *out = unet_forward(pass, net, tape_leaf(t, "x_t", shape, xt, NULL), 
                            &(Condition){.t = told, .label = b->label});
    tape_scope(t, "loss");     /* and the averaging that follows */
    Var *y = mse(t, out, tape_leaf(t, "target", shape, target, NULL));
    discard(out);
    return y;
}
