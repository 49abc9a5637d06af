/* What a network is told besides the image: the noise level, a class, an augmentation.
 *
 *     t -> waves -> (+ class, + augmentation) ->
 *     linear -> SiLU -> linear -> (+ class) -> SiLU
 *
 * gives a vector e [N, 1, 1, E] that every residual block reads.  A single number t says
 * little to a linear layer; as waves of many frequencies, near levels look alike and far
 * ones do not.
 *
 * With half = dim/2 waves of frequency f_i,  (sin(t f_0), sin(t f_1) ... cos(t f_0) ...):
 *
 *     ddpm      f_i = 10000^(-i / (half - 1)), sines first    Ho 2020; Karras's DDPM++
 *     openai    f_i = 10000^(-i / half), cosines first        Nichol & Dhariwal 2021, ADM
 *     sine      openai's f, sines first
 *     cosine    ddpm's f, cosines first
 *     fourier   f_i = 2 pi N(0, 16^2), fixed at the start     NCSN++ (Song 2021)
 *
 * A class enters as a linear layer of (0 ... 1 ... 0), so no class is all zeros. */
#ifndef NN_EMBEDDING_H
#define NN_EMBEDDING_H

#include "nn/layers.h"

/* What a pass is told about each of N samples. */
typedef struct {
    const double *t;            /* [N] */
    const int *label;           /* [N] classes, -1: none; or NULL */
    const double *augment;      /* [N, augment], or NULL */
} Condition;

typedef struct {
    const char *waves;      /* a name of the table above; NULL: ddpm */
    int dim, out;           /* numbers in the waves, and in e */
    int classes, augment;   /* 0: not told */
    bool class_first;       /* the class is added before the layers (DDPM++, NCSN++) */
} EmbeddingConfig;

typedef struct {
    const char *name;
    EmbeddingConfig config;
    int frequencies;            /* of fourier, else -1 */
    Linear first, second, class_layer, augment_layer;
} Embedding;

Embedding embedding_init(Params *p, const char *name, const EmbeddingConfig *config);

/* e [N, 1, 1, out], already through the last SiLU. */
Var *embedding_forward(Pass *pass, const Embedding *b, const Condition *c, int N);

/* The waves of t[N]: out [N, dim], dim at least 2; an odd last number is 0.  `frequency`
 * is read only for "fourier".  Fails with the list if the name is unknown. */
void embedding_waves(Real *out, const char *name, const double *t, int N, int dim,
                     const Real *frequency);

#endif
