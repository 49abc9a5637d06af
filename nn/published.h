/* The road from the published networks to ours, and back.
 *
 * The papers' code gives its networks other arguments, and its arrays other names and
 * another order of numbers:
 *
 *     theirs                                         ours
 *     input_blocks.1.0.in_layers.2.weight [O,I,K,K]  down.0.0.conv1.weight [O,K,K,I]
 *     input_blocks.3.1.qkv.weight         [3C,C,1]   down.1.0.attention.q.weight [C,C],
 *                                                    ... .k.weight, ... .v.weight
 *     label_emb.weight                    [L,E]      time.class.weight [E,L]
 *
 * Whatever their order, one step along an axis of theirs is a step of fixed size through
 * our block of parameters (params.h): an axis is a length and a stride, as in NumPy.
 * Where q, k and v are one array, its first axis is three: the head, which of q, k and v,
 * and the channel within the head, in the order of the network (q, k and v stand at equal
 * distances in our block).  So an array of theirs is a PublishedArray, and to read it and
 * to write it is the same loop.
 *
 * Importing is:  published_net (arguments to a UNetConfig), unet_init, published_unet
 * (the list of arrays), then published_read for each.  The classes, each with its own
 * arguments:
 *
 *     UNetModel             openai/improved-diffusion, openai/guided-diffusion
 *     SuperResModel         the same, told the small image as further channels
 *     EncoderUNetModel      openai/guided-diffusion's classifier
 *     SongUNet              NVlabs/edm: DDPM++ and NCSN++
 *     DhariwalUNet          NVlabs/edm: ADM
 *     UNet2DModel           huggingface/diffusers
 *     UNet2DModel-0.9       the same with its names of attention until version 0.9 */
#ifndef NN_PUBLISHED_H
#define NN_PUBLISHED_H

#include "nn/classifier.h"
#include "tensor/json.h"

/* ---- arguments ----------------------------------------------------------------- */

typedef struct PublishedNames PublishedNames;

typedef struct {
    const char *class;
    UNetConfig unet;
    const PublishedNames *names;
    const char *order;          /* of the channels of a joint q, k, v: below */
    const char *pool;           /* of a classifier (classifier.h), else NULL */
} PublishedNet;

/* The arguments of a class's constructor; those not given have the class's defaults.  The
 * texts of the result live as long as the arguments.  Fails, with `where` and the name,
 * at an argument that the class does not have or a value that we cannot follow. */
PublishedNet published_net(const char *class, const Json *arguments, int height,
                           int width, const char *where);

/* The inverse: appends the class and its arguments to an open object.  What the class
 * cannot say is left out; reading them back and comparing tells whether something was. */
void published_put_arguments(Text *t, const char *class, const UNetConfig *c);

/* ---- arrays -------------------------------------------------------------------- */

typedef struct {
    const char *name;
    Shape shape;                /* as published */
    size_t size;
    size_t first;               /* where its first number stands in our block */
    int axes, length[MAX_RANK];
    size_t stride[MAX_RANK];
} PublishedArray;

/* ours is a whole block of Params (values, gradients, an average), theirs the numbers of
 * one array in the published order. */
void published_read(const PublishedArray *a, const Real *theirs, Real *ours);
void published_write(const PublishedArray *a, const Real *ours, Real *theirs);

/* A list in the making.  `at` is the place of a block, "" or "input_blocks.1.0". */
typedef struct {
    Arena *arena;               /* owns the list and the names */
    const Params *params;
    const PublishedNames *names;
    const char *order;          /* "h3c": heads outside, then q k v, then channels */
    PublishedArray *list;
    int count;
    const char **filters;       /* arrays that only hold the taps of a filter */
    int filter_count;
    int place['z' + 1];         /* what {n}, {l} ... mean in the names of blocks */
} Published;

Published published_begin(Arena *a, const PublishedNet *net, const Params *p);
/* Parameter number `param` in our order: a vector, or a matrix published with `rank`
 * axes. */
void published_plain(Published *w, const char *at, const char *name, int param, int rank);
void published_linear(Published *w, const char *at, const char *name, Linear l, int rank);
void published_conv(Published *w, const char *at, const char *name, Conv2d l);
void published_norm(Published *w, const char *at, const char *name, GroupNorm l);
void published_transposed(Published *w, const char *at, const char *name, int param);
void published_qkv(Published *w, const char *at, const char *name, const Linear qkv[3],
                   int heads);
void published_block(Published *w, const char *at, const ResBlock *b);
void published_attention(Published *w, const char *at, const AttentionBlock *b);
void published_attention_pool(Published *w, const char *at, const AttentionPool *b);
void published_encoder(Published *w, const Encoder *u);

/* Dies if a parameter of ours is not in the list. */
void published_end(const Published *w);

/* All arrays of a network.  Each of our numbers is in one of them, once. */
Published published_unet(Arena *a, const PublishedNet *net, const Params *p,
                         const UNet *u);
Published published_classifier(Arena *a, const PublishedNet *net, const Params *p,
                               const Classifier *c);

#endif
