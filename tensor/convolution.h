/* Convolution of a batch of images, and its two derivatives.
 *
 *     y[n][h][w][o] = sum over i, j, c of
 *                     x[n][h*stride + i - top][w*stride + j - left][c] * w[o][i][j][c]
 *
 *   x [N, H, W, C]    w [O, KH, KW, C]    y [N, OH, OW, O]
 *
 * where x is 0 outside the image.  `top` and `left` count the zeros there; the output's
 * size is given, so the zeros below and right follow from it:
 * OH <= (H + 2 top - KH)/stride + 1 pads alike above and below, one less or more pads
 * them unequally.
 *
 * Each function has a plain twin written from the formula. */
#ifndef TENSOR_CONVOLUTION_H
#define TENSOR_CONVOLUTION_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/real.h"

typedef struct {
    int N, H, W, C;         /* input */
    int OH, OW, O;          /* output */
    int KH, KW, stride, top, left;      /* filter */
} Convolution;

/* What is added to the sums on their way to memory, where it costs nothing. */
typedef struct {
    const Real *bias;       /* NULL or [O]; of each image its own: [N, O] */
    bool own_bias;
    const Real *rest;       /* NULL or [N, OH, OW, O]; may be y itself */
} Addends;

/* y = x * w + bias + rest.  plus may be NULL. */
void convolution(Real *y, const Real *x, const Real *w, const Addends *plus,
                 const Convolution *g);
void convolution_reference(Real *y, const Real *x, const Real *w, const Addends *plus,
                           const Convolution *g);

/* The bias of image n, NULL if there is none. */
static inline const Real *bias_of(const Addends *plus, size_t n, int O)
{
    return plus->bias ? plus->bias + (plus->own_bias ? n * (size_t)O : 0) : NULL;
}

/* dx = the derivative with respect to x, or, with `add`, dx += it. */
void convolution_backward_input(Real *dx, const Real *dy, const Real *w,
                                const Convolution *g, bool add);
void convolution_backward_input_reference(Real *dx, const Real *dy, const Real *w,
                                          const Convolution *g, bool add);

/* dw += the derivative with respect to w. */
void convolution_backward_weight(Real *dw, const Real *dy, const Real *x,
                                 const Convolution *g);
void convolution_backward_weight_reference(Real *dw, const Real *dy, const Real *x,
                                           const Convolution *g);

#endif
