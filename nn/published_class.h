/* A class of published networks: what its arguments mean, what its layers are called and
 * where its blocks stand.  One file a family: published_openai.c, published_edm.c,
 * published_diffusers.c. */
#ifndef NN_PUBLISHED_CLASS_H
#define NN_PUBLISHED_CLASS_H

#include "nn/published.h"

/* Within the name of a block's place stand
 *
 *     {n}  how many blocks and convolutions came before on this way, down or up
 *     {l}  the level, 0 the largest       {u}  the level, 0 the smallest
 *     {b}  the block of the level         {h}  the height of the image
 *     {a}  1, or 2 after attention */
struct PublishedNames {
    const char *norm1, *conv1, *embed, *norm2, *conv2, *skip;   /* in a residual block */
    const char *norm, *q, *k, *v, *out;     /* in attention; k NULL: q is all three */
    int projection_rank;                    /* of their weights: [out, in, 1, 1] */
    const char *order;                      /* of a joint q, k, v (published.h) */

    const char *frequencies, *linear1, *linear2, *class_layer, *augment; /* embedding */
    bool class_table;                       /* a row a class: our weight, transposed */
    const char *conv_in, *norm_out, *conv_out;

    const char *down, *down_attention, *middle[2], *middle_attention, *up, *up_attention;
    const char *downsample, *upsample;      /* a residual block that changes the size, */
    const char *downsample_conv, *upsample_conv;    /* or a convolution at that place */
    const char *pyramid;
};

typedef struct {
    const Json *given, *defaults;
    const char *where;          /* begins the messages */
    int height;                 /* of the image */
} Arguments;

typedef struct {
    const char *name;
    const PublishedNames *names;
    void (*read)(const Arguments *a, PublishedNet *net);
    const char *defaults;       /* JSON: the arguments that we follow; null: none */
    const char *fixed;          /* JSON: those of which we follow this one value */
} PublishedClass;

/* Each ends with a row without a name. */
extern const PublishedClass openai_classes[], edm_classes[], diffusers_classes[];

/* One argument; each fails if it is of another kind, or missing. */
const Json *argument_holder(const Arguments *a, const char *key); /* whose member it is */
bool argument_is_null(const Arguments *a, const char *key);
bool argument_bool(const Arguments *a, const char *key);
int argument_integer(const Arguments *a, const char *key);
int argument_integers(const Arguments *a, const char *key, int out[]);  /* MAX_LEVELS */
double argument_number(const Arguments *a, const char *key);
int argument_numbers(const Arguments *a, const char *key, double out[]);

/* Which of two texts it is; fails if it is neither. */
bool argument_choice(const Arguments *a, const char *key, const char *no,
                     const char *yes);

#endif
