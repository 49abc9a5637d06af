/* The U-Net of diffusion models (Ronneberger 2015, as Ho 2020 use it).
 *
 *     x  conv_in ---------------------------------------------- out   conv_out
 *          [block]* ------------------------------------ [block]*
 *             down                                   up
 *               [block]* ------------------------- [block]*
 *                  down                         up
 *                    [block]* ------------- [block]*
 *                           middle
 *
 * Going down, the image shrinks and the channels grow; going up, each block also gets what the
 * block at the same height left behind.  Every block is told the noise level t (and the class)
 * through an embedding; blocks at the resolutions listed are followed by attention.
 *
 * With patch > 1 the network works on blocks of patch x patch pixels laid out as channels
 * (space-to-depth, block_size in DDPM's code): a quarter of the work at patch 2. */
#ifndef NN_UNET_H
#define NN_UNET_H

#include "nn/blocks.h"

enum { MAX_LEVELS = 8, MAX_BLOCKS = 8 };

typedef struct {
    int height, width, channels;    /* of the image */
    int out_channels;               /* of the prediction: usually = channels */
    int base;                       /* channels at the first level */
    int levels, mult[MAX_LEVELS];   /* level i has base * mult[i] channels */
    int blocks;                     /* residual blocks per level going down; one more going up */
    int attention[MAX_LEVELS];      /* heights (after patching) with attention, 0 at the end */
    int heads, groups;
    int patch;                      /* 1: none */
    int classes;                    /* 0: not conditional */
    double dropout;
} UNetConfig;

typedef struct {
    ResBlock block[MAX_BLOCKS];
    AttentionBlock attention[MAX_BLOCKS];
    bool has_attention;
    Resample resample;              /* down or up, to the next level */
} UNetLevel;

typedef struct {
    UNetConfig config;
    TimeEmbedding time;
    int class_table;
    Conv2d conv_in, conv_out;
    UNetLevel down[MAX_LEVELS], up[MAX_LEVELS];
    ResBlock middle[2];
    AttentionBlock middle_attention;
    GroupNorm norm_out;
} UNet;

/* Declares the parameters.  Fails with the arithmetic if the image cannot be halved levels-1
 * times, or groups or heads do not divide the channels. */
UNet unet_init(Params *p, const UNetConfig *config);

/* x [N, H, W, channels]; t[N] in steps; label[N] in 0 ... classes-1, NULL without classes.
 * Returns [N, H, W, out_channels].  Discards x. */
Var *unet_forward(Pass *pass, const UNet *u, Var *x, const double *t, const int *label);

#endif
