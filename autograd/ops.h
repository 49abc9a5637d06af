/* The catalogue of operations.  Each lives in the file of its name, forward above backward.
 *
 *   name              value                                     derivative
 *   add               y = a + b, broadcasting                   da = dy, db = dy (summed)
 *   silu              y = x s(x), s = 1/(1 + e^-x)              dx = dy s(x) (1 + x (1 - s(x)))
 *   linear            y = x W' + b                              dx = dy W, dW = dy' x, db = sum dy
 *   conv2d            y = x * w + b                             tensor/convolution.h
 *   group_norm        y = gamma (x - mean) / std + beta         group_norm.c
 *   group_norm_silu   y = silu(group_norm(x))                   group_norm.c
 *   attention         y = softmax(q k' / sqrt(D)) v             attention.c
 *   dropout           y = x m / (1 - p), m Bernoulli(1 - p)     dx = dy m / (1 - p)
 *   embedding         y[n] = table[index[n]]                    dtable[index[n]] += dy[n]
 *   upsample          y[h][w] = x[h/2][w/2]                     dx[h][w] = sum of four dy
 *   depth_to_space    rearranges                                rearranges back
 *   concat            y = (a, b) along the last axis            da, db = the two parts of dy
 *   mse               y[n] = mean over n of (x - target)^2      dx = 2 (x - target) dy[n] / D
 *   mean              y = average of x                          dx = dy / size
 *
 * Every function returns a variable that belongs to the tape, and dies with the shapes in the
 * message when they do not fit. */
#ifndef AUTOGRAD_OPS_H
#define AUTOGRAD_OPS_H

#include "autograd/tape.h"
#include "tensor/random.h"

/* y = a + b.  The shapes have the same rank, and along each axis the same size or one of them
 * has 1, which is repeated: [N, H, W, C] + [N, 1, 1, C]. */
Var *add(Tape *t, Var *a, Var *b);

/* y = x / (1 + e^-x), elementwise.  (Also called swish.) */
Var *silu(Tape *t, Var *x);

/* y[..., o] = sum_i x[..., i] w[o, i] + b[o]:  x [..., I], w [O, I], b [O] or NULL. */
Var *linear(Tape *t, Var *x, Var *w, Var *b);

/* Convolution with zero padding.  x [N, H, W, C], w [O, K, K, C], b [O] or NULL;
 * y [N, OH, OW, O].  `pad` zeros above and left, `pad_end` below and right; OH = (H + pad + pad_end - K)/stride + 1. */
Var *conv2d(Tape *t, Var *x, Var *w, Var *b, int stride, int pad, int pad_end);

/* Group normalisation (Wu & He 2018): brings each of G groups of channels of each sample to mean 0
 * and variance 1, then scales and shifts each channel.  x [N, ..., C], gamma, beta [C];
 * G divides C. */
Var *group_norm(Tape *t, Var *x, Var *gamma, Var *beta, int G, double eps);

/* silu(group_norm(...)) in one pass over memory. */
Var *group_norm_silu(Tape *t, Var *x, Var *gamma, Var *beta, int G, double eps);

/* Scaled dot-product attention (Vaswani 2017).  q, k, v [N, ..., C]; the middle axes are the
 * tokens.  Channels are split into `heads` heads of D = C/heads, each on its own:
 * y = softmax(q k' / sqrt(D)) v. */
Var *attention(Tape *t, Var *q, Var *k, Var *v, int heads);

/* Zeroes each number with probability p and divides the rest by 1-p.  Number i is kept iff
 * random_uniform(r, i) >= p, so the mask is computed again rather than stored. */
Var *dropout(Tape *t, Var *x, double p, Random r);

/* Rows of a table.  table [K, C]; index[N] in 0 ... K-1, copied; y [N, 1, 1, C]. */
Var *embedding(Tape *t, Var *table, const int *index, int N);

/* Each pixel becomes 2x2 equal ones.  x [N, H, W, C], y [N, 2H, 2W, C]. */
Var *upsample(Tape *t, Var *x);

/* Channels become pixels: x [N, H, W, B*B*C], y [N, B*H, B*W, C],
 * y[n][h*B + i][w*B + j][c] = x[n][h][w][(i*B + j)*C + c]. */
Var *depth_to_space(Tape *t, Var *x, int B);

/* a [..., A], b [..., B]; y [..., A + B]. */
Var *concat(Tape *t, Var *a, Var *b);

/* Mean squared error of each sample.  x, target [N, ...]; y [N]. */
Var *mse(Tape *t, Var *x, Var *target);

/* The average of all numbers; y [1]. */
Var *mean(Tape *t, Var *x);

#endif
