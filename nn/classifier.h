/* A classifier of noisy images: log p(y | x_t), whose gradient guides a sampler to class
 * y (Dhariwal & Nichol 2021, section 4).
 *
 * It is the way down and the middle of a U-Net, then one of four ends.  With h the
 * bottom, and s_1 ... s_n what the U-Net would keep for its way up:
 *
 *     pool          logits [N, 1, 1, K]
 *     adaptive      linear(mean over pixels of silu(norm(h)))
 *     attention     linear(attention from that mean to itself and all pixels)
 *     spatial       linear(relu(linear(means over pixels of s_1 ... s_n, h)))
 *     spatial_v2    linear(silu(norm(linear(the same means))))
 *
 * The paper's classifiers use attention (Radford 2021's AttentionPool2d), where each
 * pixel, and the mean, has a learned vector for its position. */
#ifndef NN_CLASSIFIER_H
#define NN_CLASSIFIER_H

#include "nn/unet.h"

typedef struct {
    int position;               /* [1 + pixels, C] */
    Linear q, k, v, out;
    int heads;
} AttentionPool;

/* head: channels in each head of attention. */
AttentionPool attention_pool_init(Params *p, const char *name, Widths w, int pixels,
                                  int head);

/* x [N, H, W, C] with H W = pixels; [N, 1, 1, w.out].  Does not discard x. */
Var *attention_pool_forward(Pass *pass, const AttentionPool *b, Var *x);

typedef struct ClassifierPool ClassifierPool;

typedef struct {
    Encoder encoder;
    const ClassifierPool *pool;
    GroupNorm norm;
    Linear first, last;
    AttentionPool attention;
} Classifier;

/* config.out_channels is the number of classes K.  Fails with the list of pools if the
 * name is not in it. */
Classifier classifier_init(Params *p, const UNetConfig *config, const char *pool);

/* x [N, H, W, channels]; the logits [N, K].  Discards x. */
Var *classifier_forward(Pass *pass, const Classifier *c, Var *x,
                        const Condition *condition);

/* The same, with what the last linear layer reads, [N, 1, 1, features], and the bottom
 * of the encoder, [N, h, w, C]: what a picture is like, for metrics of pictures. */
typedef struct { Var *logits, *features, *map; } ClassifierAnswer;

ClassifierAnswer classifier_answer(Pass *pass, const Classifier *c, Var *x,
                                   const Condition *condition);

const char *classifier_pool(const Classifier *c);       /* its name */

#endif
