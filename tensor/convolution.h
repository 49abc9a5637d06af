/* Convolution of a batch of images, and its two derivatives.
 *
 *     y[n][h][w][o] = b[o] + sum over i, j, c of
 *                     x[n][h*stride + i - pad][w*stride + j - pad][c] * w[o][i][j][c]
 *
 *   x [N, H, W, C]    w [O, K, K, C]    b [O]    y [N, OH, OW, O]
 *
 * where x is 0 outside the image.  `pad` counts the zeros above and left; the output's
 * size is given, so the zeros below and right follow from it:
 * OH <= (H + 2 pad - K)/stride + 1 pads alike on both sides, one less or more pads them
 * unequally.
 *
 * Each function has a plain twin written from the formula. */
#ifndef TENSOR_CONVOLUTION_H
#define TENSOR_CONVOLUTION_H

#include <stdbool.h>

#include "tensor/real.h"

typedef struct {
    int N, H, W, C;         /* input */
    int OH, OW, O;          /* output */
    int K, stride, pad;     /* filter */
} Convolution;

/* y = x * w + b.  b may be NULL. */
void convolution(Real *y, const Real *x, const Real *w, const Real *b,
                 const Convolution *g);
void convolution_reference(Real *y, const Real *x, const Real *w, const Real *b,
                           const Convolution *g);

/* dx += the derivative with respect to x. */
void convolution_backward_input(Real *dx, const Real *dy, const Real *w,
                                const Convolution *g);
void convolution_backward_input_reference(Real *dx, const Real *dy, const Real *w,
                                          const Convolution *g);

/* dw += the derivative with respect to w. */
void convolution_backward_weight(Real *dw, const Real *dy, const Real *x,
                                 const Convolution *g);
void convolution_backward_weight_reference(Real *dw, const Real *dy, const Real *x,
                                           const Convolution *g);

#endif
