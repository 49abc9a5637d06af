/* The blocks that a diffusion U-Net is built of (Ho 2020, models/unet.py).
 *
 *   time embedding   t -> sinusoids -> linear -> SiLU -> linear          [N, 1, 1, E]
 *   residual block   x + conv(drop(silu(norm(conv(silu(norm(x))) + linear(silu(e))))))
 *   attention block  x + linear(attention(q, k, v)),  q, k, v = linear(norm(x))
 *   downsample       3x3 convolution with stride 2
 *   upsample         each pixel four times, then a 3x3 convolution
 *
 * The last layer of the first two starts at (almost) zero, so that an untrained block changes
 * nothing and a deep network starts out as a shallow one. */
#ifndef NN_BLOCKS_H
#define NN_BLOCKS_H

#include "nn/layers.h"

/* Sinusoidal embedding (Vaswani 2017; the form of DDPM's code): with half = dim/2 and
 * f_i = 10000^(-i / (half - 1)),  out[n] = (sin(t f_0), ..., cos(t f_0), ...).
 * t[N] in steps, may be fractional; out [N, dim], dim even and at least 4. */
void sinusoids(Real *out, const double *t, int N, int dim);

/* A block knows the name under which it was declared, and runs in the tape's scope of that
 * name; the caller keeps the text. */
typedef struct { const char *name; int dim; Linear first, second; } TimeEmbedding;

TimeEmbedding time_embedding_init(Params *p, const char *name, int dim, int out);
Var *time_embedding_forward(Pass *pass, const TimeEmbedding *b, const double *t, int N);

typedef struct {
    const char *name;
    GroupNorm norm1, norm2;
    Conv2d conv1, conv2, skip;
    Linear embed;
    bool has_skip;              /* a 1x1 convolution where the channels change */
    double dropout;
} ResBlock;

/* in, out: channels; embed: width of e. */
ResBlock res_block_init(Params *p, const char *name, int in, int out, int embed, int groups,
                        double dropout);
/* x [N, H, W, in]; e [N, 1, 1, embed], already through SiLU.  Does not discard x. */
Var *res_block_forward(Pass *pass, const ResBlock *b, Var *x, Var *e);

typedef struct {
    const char *name;
    GroupNorm norm;
    Linear q, k, v, out;
    int heads;
} AttentionBlock;

AttentionBlock attention_block_init(Params *p, const char *name, int channels, int groups,
                                    int heads);
Var *attention_block_forward(Pass *pass, const AttentionBlock *b, Var *x);

/* The step to the next level, with as many channels. */
typedef struct { const char *name; Conv2d conv; } Resample;

/* Halves an even height and width; pads below and right only, as TensorFlow's SAME does. */
Resample downsample_init(Params *p, const char *name, int channels);
Var *downsample_forward(Pass *pass, const Resample *b, Var *x);

Resample upsample_init(Params *p, const char *name, int channels);
Var *upsample_forward(Pass *pass, const Resample *b, Var *x);

#endif
