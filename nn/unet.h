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
 * Going down, the image shrinks and the channels grow; going up, each block also gets
 * what the block at the same height left behind.  Every block is told the noise level t
 * (and the class) through an embedding; blocks at the resolutions listed are followed by
 * attention.
 *
 * The half that goes down and the middle are an Encoder, which classifiers use too
 * (classifier.h).  The networks of all five papers are rows of choices here; a zero or
 * NULL chooses what Ho 2020 did.
 *
 * With patch > 1 the network works on blocks of patch x patch pixels laid out as channels
 * (space-to-depth, block_size in DDPM's code): a quarter of the work at patch 2.  With
 * pyramid the image itself, shrunk, is added at each level (NCSN++). */
#ifndef NN_UNET_H
#define NN_UNET_H

#include "nn/blocks.h"
#include "nn/embedding.h"

enum {
    MAX_LEVELS = 8, MAX_BLOCKS = 8, MAX_SKIPS = MAX_LEVELS * (MAX_BLOCKS + 1),
    WIDEST = 8192       /* channels; a matrix of their squares must fit an int */
};

typedef struct {
    int height, width, channels;    /* of the image */
    int out_channels;               /* of the prediction: usually = channels */
    int base;                       /* channels that mult multiplies; the waves' number */
    int first;                      /* channels of the first convolution; 0: of level 0 */
    int levels;
    double mult[MAX_LEVELS];        /* base * mult[i] channels at level i; 0 at the end */
    int blocks;                     /* residual blocks a level, going down; up one more */
    int attention[MAX_LEVELS];      /* heights (after patching) with it, 0 at the end */
    bool attention_up_last;         /* going up, after the last block of a level only */
    bool no_middle_attention;
    bool bare_middle_attention;     /* no norm (diffusers, where e scales and shifts) */
    int patch;                      /* 0, 1: none */
    bool pyramid;
    const char *resample;           /* nn/blocks.h */
    BlockStyle style;
    const char *init;               /* nn/init.h */

    const char *waves;              /* nn/embedding.h */
    int wave_mult;                  /* the waves are base * wave_mult numbers; 0: 1 */
    int embed_mult;                 /* e is base * embed_mult numbers; 0: 4 */
    int classes, augment;           /* 0: not told */
    bool class_first;
} UNetConfig;

typedef struct {
    ResBlock block[MAX_BLOCKS];
    AttentionBlock attention[MAX_BLOCKS];
    bool attends[MAX_BLOCKS];
    Resample resample;              /* to the next level */
    Conv2d pyramid;                 /* of the image, into this level */
} UNetLevel;

typedef struct {
    UNetConfig config;
    Embedding embedding;
    Conv2d conv_in;
    UNetLevel down[MAX_LEVELS];
    ResBlock middle[2];
    AttentionBlock middle_attention;
    int skips, skip_channels[MAX_SKIPS];    /* what is kept on the way down */
    int channels, height, width;            /* at the bottom */
} Encoder;

/* The configuration with the defaults written out in place of zeros and NULLs. */
UNetConfig unet_defaults(UNetConfig c);

/* How many entries of mult come before the first 0. */
int unet_levels(const double mult[MAX_LEVELS]);

/* Are the blocks of a level followed by attention? */
bool unet_attends(const UNetConfig *c, int level);

/* base * mult[level], rounded down as the papers' code does (mult may be 1/2 or 4/3). */
int unet_channels(const UNetConfig *c, int level);

/* Declares the parameters.  Fails with the arithmetic if the image cannot be halved
 * levels-1 times, or groups or heads do not divide the channels. */
Encoder encoder_init(Params *p, const UNetConfig *config);

/* e [N, 1, 1, E] for all blocks; then the way down and the middle: fills skip[skips] and
 * returns the bottom.  Discards x. */
Var *encoder_embed(Pass *pass, const Encoder *u, const Condition *c, int N);
Var *encoder_forward(Pass *pass, const Encoder *u, Var *x, Var *e, Var *skip[]);

/* Block b of a level, with its attention. */
Var *level_block_forward(Pass *pass, const UNetLevel *level, int b, Var *x, Var *e);

typedef struct {
    Encoder encoder;
    UNetLevel up[MAX_LEVELS];
    GroupNorm norm_out;
    Conv2d conv_out;
} UNet;

UNet unet_init(Params *p, const UNetConfig *config);

/* x [N, H, W, channels]; returns [N, H, W, out_channels].  Discards x. */
Var *unet_forward(Pass *pass, const UNet *u, Var *x, const Condition *c);

/* Super-resolution (Nichol & Dhariwal 2021): the network also sees the small image,
 * enlarged bilinearly, as further channels.  x [N, H, W, C], small [N, h, w, c]; the
 * config's channels are C + c. */
Var *unet_superres_forward(Pass *pass, const UNet *u, Var *x, Var *small,
                           const Condition *c);

#endif
