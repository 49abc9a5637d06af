/* The network with which Sohl-Dickstein 2015 learn images (D.2): an answer for each pixel
 * from its surroundings, near and far.
 *
 *     x_t -> convolutions at several scales -----------> / sqrt(channels) --\
 *         \                                                                  concat ->
 *          -> dense layers over the whole image -> / sqrt(numbers a pixel) -/
 *
 *     -> dense layers, the same for each pixel -> J answers -> mean over bumps in time
 *
 * A layer of several scales halves the image S - 1 times by means of 2x2 pixels,
 * convolves each size with filters of its own, and adds up from the coarsest to the
 * finest, each sum doubled by repeating pixels:
 *
 *     y = f((conv_0(x) + up(conv_1(down(x)) + up(conv_2(down^2(x)) ...))) / S)
 *
 * So a 3x3 filter at the third scale sees 12x12 pixels for a sixteenth of the work.  The
 * network is not told t: only the average of its last answers depends on it
 * (time_basis.h).  What it says is z_mu and z_Sigma of each number (diffusion's
 * readout.h); its last layer starts at zero, so an untrained network is silent.
 *
 * As in the paper f comes after the sum; as in its code it is the leaky ReLU, where the
 * paper has softplus in convolutions and tanh in dense layers.  The code gives the dense
 * path as many layers as the convolutions have, by mistake; here each has its own. */
#ifndef NN_MULTISCALE_H
#define NN_MULTISCALE_H

#include "nn/mlp.h"
#include "nn/time_basis.h"

enum { MOST_SCALES = 5 };

typedef struct {
    int height, width, channels;    /* of images; 2^(scales-1) divides the sides */
    int scales;
    int layers, filters;            /* of several scales; channels of each */
    int dense_layers, dense_units;  /* over the image; 0 layers: no such path */
    int dense_out;                  /* numbers that it has for a pixel */
    int pixel_layers, pixel_units;  /* for each pixel */
    TimeBasis basis;
} MultiscaleConfig;

typedef struct {
    MultiscaleConfig config;
    Conv2d conv[MAX_LAYERS][MOST_SCALES];
    Mlp dense, pixel;
    Linear readout;
} Multiscale;

/* Dies unless the scales fit the image. */
Multiscale multiscale_init(Params *p, const char *name, const MultiscaleConfig *c);

/* x [N, H, W, C], image n at time t[n]; y [N, H, W, 2C]: C numbers z_mu, C z_Sigma.  Does
 * not discard x. */
Var *multiscale_forward(Pass *pass, const Multiscale *m, Var *x, const double t[]);

#endif
