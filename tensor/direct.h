/* The 3x3 convolution of a U-Net (stride 1, zeros all round) without packing.
 *
 * A product that packs patches (convolution.c) copies each number nine times, which is
 * worth it if the copy is used for many output channels.  With 16 of them it is not.
 * Here the image is copied once, into a frame of zeros:
 *
 *     0 0 0 0 0      Then the patch of pixel p is three runs of 3 C neighbouring
 *     0 a b c 0      numbers, one in each row, at  p C,  (p + W + 2) C,
 *     0 d e f 0      (p + 2 (W + 2)) C,  and the patch of the next pixel begins C
 *     0 0 0 0 0      numbers further on.  So the pixels of a row are rows of a matrix
 *                    that overlap in memory, and nothing is packed.
 *
 * The gradient of the filters is, for each of the nine taps, a product of dy and the
 * image moved by the tap: dw[o][tap][c] = sum over pixels p of dy[p][o] x[p + tap][c].
 * With dy in a frame of the same width, whose two last columns are 0, that too reads both
 * as they lie. */
#ifndef TENSOR_DIRECT_H
#define TENSOR_DIRECT_H

#include "tensor/convolution.h"

/* Is it such a convolution, with rows long enough for the waste to be small? */
bool direct_fits(const Convolution *g);

/* As their namesakes in convolution.h; forward makes y = x * w + bias [O], or with `add`
 * y += x * w.  Die unless direct_fits(g). */
void direct_forward(Real *y, const Real *x, const Real *w, const Real *bias,
                    const Convolution *g, bool add);
void direct_backward_input(Real *dx, const Real *dy, const Real *w, const Convolution *g,
                           bool add);
void direct_backward_weight(Real *dw, const Real *dy, const Real *x,
                            const Convolution *g);

#endif
