/* The blocks that a diffusion U-Net is built of.
 *
 *   residual block   x + conv(drop(act(norm(conv(act(norm(x))), e))))
 *   attention block  x + linear(attention(q, k, v)),  q, k, v = linear(norm(x))
 *   resample         to half or double size: by a convolution, or plainly
 *
 * The papers' networks use the same two blocks in different style:
 *
 *                   e enters by    1/sqrt 2  to half, double size          filter   eps
 *   Ho 2020         adding         no        3x3 stride 2; repeat and 3x3  1 1      1e-6
 *   Dhariwal 2021   scale, shift   no        in the residual block         1 1      1e-5
 *   DDPM++          adding         yes       in the residual block         1 1      1e-6
 *   NCSN++          adding         yes       in the residual block         1 3 3 1  1e-6
 *
 * Adding: act(norm(c + linear(e))).  Scale, shift: act(norm(c) (1 + scale) + shift), both
 * from linear(e): adaptive group normalisation.  1/sqrt 2: the sum of two signals of
 * variance 1 has variance 2, so it is divided by sqrt 2.  A residual block that changes
 * the size resamples its input before its first convolution and on the way around. */
#ifndef NN_BLOCKS_H
#define NN_BLOCKS_H

#include "nn/layers.h"

typedef struct {
    int groups;                 /* of the norms, at most; 0: attention without a norm */
    int group_size;             /* channels in a group, at least; limits groups.  0: 1 */
    int heads, head_channels;   /* of attention; head_channels > 0 overrides heads */
    bool scale_shift;           /* e scales and shifts, instead of being added */
    double residual_scale;      /* sums are multiplied by it; 0: 1 */
    int taps;                   /* of the resampling filter: 2 (1 1), 4 (1 3 3 1); 0: 2 */
    bool project_resampled;     /* 1x1 convolution around even if only the size changes */
    int skip_kernel;            /* of the convolution around, if channels change; 0: 1 */
    double eps, dropout;        /* eps 0: 1e-6 */
} BlockStyle;

/* The defaults written out in place of the zeros. */
BlockStyle block_style(BlockStyle s);

/* What happens to the size. */
typedef enum { RESAMPLE_NONE, RESAMPLE_DOWN, RESAMPLE_UP } Direction;

/* x to half or double size through the filter of so many taps; no parameters. */
Var *change_size(Tape *t, Var *x, Direction direction, int taps, int pad);

/* (a + b) times a factor.  Discards b. */
Var *add_residual(Tape *t, Var *a, Var *b, double factor);

/* A block knows the name under which it was declared, and runs in the tape's scope of
 * that name; the caller keeps the text. */
typedef struct {
    const char *name;
    BlockStyle style;
    GroupNorm norm1, norm2;
    Conv2d conv1, conv2, skip;
    Linear embed;
    bool has_skip;
    Direction direction;
} ResBlock;

typedef struct { int in, out, embed; } Widths;      /* channels; embed: of e */

ResBlock res_block_init(Params *p, const char *name, const BlockStyle *s, Widths w,
                        Direction direction);
/* x [N, H, W, in], e [N, 1, 1, embed]; y [N, H', W', out].  Does not discard x. */
Var *res_block_forward(Pass *pass, const ResBlock *b, Var *x, Var *e);

typedef struct {
    const char *name;
    GroupNorm norm;
    Linear q, k, v, out;
    int heads;
    double residual_scale;
} AttentionBlock;

AttentionBlock attention_block_init(Params *p, const char *name, const BlockStyle *s,
                                    int channels);
Var *attention_block_forward(Pass *pass, const AttentionBlock *b, Var *x);

/* The step to the next level, with as many channels.
 *
 *     kind       down                                             up
 *     conv       3x3 with stride 2, zeros below and right         repeated, then 3x3
 *                (TensorFlow's SAME)
 *     conv_even  3x3 with stride 2, zeros on all sides            repeated, then 3x3
 *                (padding=1 in PyTorch)
 *     plain      averaged                                         repeated
 *     block      in a residual block                              in a residual block */
typedef struct {
    const char *name, *kind;
    Direction direction;
    Conv2d conv;
    ResBlock block;
} Resample;

/* Fails with the list if there is no such kind. */
Resample resample_init(Params *p, const char *name, const char *kind, Direction direction,
                       const BlockStyle *s, Widths w);
Var *resample_forward(Pass *pass, const Resample *b, Var *x, Var *e);

#endif
