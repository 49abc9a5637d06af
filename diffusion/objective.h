/* What the network learns to predict.
 *
 * Given x = a x0 + s eps, any one of x0, eps or a mix of them determines the others.  DDPM found
 * eps to work best (Ho 2020, section 3.2): the loss is
 *
 *     L_simple = E || eps - net(x, t) ||^2                                           (eq. 14)
 *
 * and the prediction of the image that follows is x0 = (x - s eps) / a.                (eq. 15)
 *
 * An Objective is that choice: the target of training, and the way back to x0. */
#ifndef DIFFUSION_OBJECTIVE_H
#define DIFFUSION_OBJECTIVE_H

#include "diffusion/schedule.h"
#include "nn/unet.h"

typedef struct {
    const char *name;
    double (*target)(double x0, double eps, Level l);   /* of one number */
    double (*to_x0)(double out, double x, Level l);     /* from the network's output */
} Objective;

extern const Objective objective_eps;

/* A training batch. */
typedef struct {
    int N;
    const double *x0;       /* [N, H, W, C], in [-1, 1] */
    const double *eps;      /* the same shape, N(0, 1) */
    const int *t;           /* [N] steps of the schedule */
    const int *label;       /* [N], or NULL */
} Batch;

/* The loss of each sample, [N]: mean squared error between the network at x_t and the target. */
Var *objective_loss(Pass *pass, const UNet *net, const Objective *o, const Schedule *s,
                    const Batch *b);

#endif
