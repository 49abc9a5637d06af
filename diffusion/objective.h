/* What the network is trained to minimise.
 *
 * The variational bound on -log p(x0) is a sum of terms, one a step (Ho 2020, eq. 5):
 *
 *     L_t = KL(q(x_{t-1} | x_t, x0) || p(x_{t-1} | x_t)),     L_0 = -log p(x0 | x_1),
 *
 * here per sample in bits per dimension.  With a fixed variance L_t is a weight times the
 * squared error of the prediction; Ho 2020 found that training is better without it:
 *
 *     mse            L_simple = mean (target - out)^2             Ho 2020, eq. 14
 *                    + L_t if the variance is learned
 *     mse_sum        sum (target - out)^2                         Karras 2022; to Adam
 *                                                                 the same, but for eps
 *     min_snr        mse, in terms of x0 weighted by min(a^2/s^2, 5)   Hang 2023
 *     rescaled_mse   L_hybrid: the same with T/1000 L_t           Nichol & Dhariwal
 *                                                                 2021, eq. 16
 *     kl             L_t
 *     rescaled_kl    T L_t: its average over t is the whole bound L_vlb
 *
 * For the continuous levels of Karras 2022 mse is already the paper's loss: its weights
 * lambda(sigma) for VP, VE and EDM are all 1 / c_out^2, so that lambda (x0_hat - x0)^2 is
 * the squared error of the network's own output.  What is left to choose is where sigma
 * falls (timesteps.h).
 *
 * Next to the squared error, L_t trains the variance only: the mean in it is held
 * constant. */
#ifndef DIFFUSION_OBJECTIVE_H
#define DIFFUSION_OBJECTIVE_H

#include "diffusion/process.h"
#include "nn/unet.h"

/* Small pictures that a super-resolution network is shown (unet_superres_forward). */
typedef struct {
    int height, width;
    const double *x;        /* [N, height, width, C], or NULL: none */
} SmallPictures;

/* A training batch. */
typedef struct {
    int N;
    const double *x0;       /* [N, H, W, C], in [-1, 1] */
    const double *eps;      /* the same shape, N(0, 1) */
    const Level *level;     /* [N] */
    const int *label;       /* [N], or NULL */
    const double *augment;  /* [N, augment] labels, or NULL */
    const double *weight;   /* [N], of each sample's loss; NULL: 1 */
    SmallPictures small;    /* of x0 */
} Batch;

/* Channels of a picture: half the network's output, if the other half is v. */
int picture_channels(const UNet *net, const Process *p);

/* The network at x [N, H, W, C], beside the small pictures if there are any.  Fails if
 * the network needs some and there are none, or the other way round. */
Var *network_forward(Pass *pass, const UNet *net, const Process *p, Var *x,
                     const SmallPictures *small, const Condition *c);

/* The loss of each sample and its parts, [N] each; NULL if the loss has no such part. */
typedef struct { Var *total, *mse, *bound; } Losses;

/* From the network's output [N, H, W, C], or 2C with a learned variance: first what it
 * predicts, then v.  Fails with the list if process->loss is no name above. */
Losses objective_losses(Tape *t, const Process *p, Var *out, const Batch *b);

/* Runs the network at x_t and returns the loss of each sample, [N], not yet weighted. */
Var *objective_loss(Pass *pass, const UNet *net, const Process *p, const Batch *b);

/* The sum over the batch of weight times loss. */
Var *objective_sum(Tape *t, Var *losses, const Batch *b);

#endif
