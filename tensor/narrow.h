/* Convolution to few channels, such as a U-Net's last one, from 64 channels to an image.
 *
 * A vector of outputs would be mostly empty, and the patches are nine images to be read
 * for one that is written.  But the sum over channels and the sum over taps can change
 * places: first let every pixel say what it is worth to each of its neighbours,
 *
 *     z[p][o][tap] = sum over c of x[p][c] w[o][tap][c],
 *
 * a product with the filters as they lie, O taps columns wide; then
 *
 *     y[p][o] = sum over taps of z[p + tap][o][tap].
 *
 * Backwards, dz[p][o][tap] = dy[p - tap][o] and both derivatives are products with it:
 * dx = dz w, dw = dz' x.  Where a tap reaches outside the image there is nothing. */
#ifndef TENSOR_NARROW_H
#define TENSOR_NARROW_H

#include "tensor/convolution.h"

/* Is it such a convolution, with an output as large as the input? */
bool narrow_fits(const Convolution *g);

/* As their namesakes in convolution.h.  Die unless narrow_fits(g). */
void narrow_forward(Real *y, const Real *x, const Real *w, const Addends *plus,
                    const Convolution *g);
void narrow_backward_input(Real *dx, const Real *dy, const Real *w, const Convolution *g,
                           bool add);
void narrow_backward_weight(Real *dw, const Real *dy, const Real *x,
                            const Convolution *g);

#endif
