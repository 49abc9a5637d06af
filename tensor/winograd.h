/* The 3x3 convolution (stride 1, zeros all round) with a quarter of the multiplications,
 * after Winograd 1980 and Lavin & Gray 2015, "Fast algorithms for convolutional neural
 * networks".
 *
 * In one dimension, four outputs of a filter of three,
 *
 *     y[i] = d[i] g[0] + d[i+1] g[1] + d[i+2] g[2],    i = 0 ... 3,
 *
 * take 12 multiplications.  They are coefficients of a product of polynomials, and a
 * product of degree 5 is known from its values at 6 points, each one multiplication.  So
 * turn d (6 numbers) and g (3) into values at points, multiply those, and turn the 6
 * products into y (4):
 *
 *     y = A' [ (G g) * (B' d) ]
 *
 * with constant matrices B' 6x6, G 6x3, A' 4x6 (' transposes).  In two dimensions they
 * act on columns, then on rows: 36 multiplications make 4x4 outputs, which took 144.
 *
 *     the image, cut in     a tile d, 6x6, around      the values           the products
 *     4x4 of outputs        each 4x4                   V = B' d B
 *
 *     +----+----+--         +------+
 *     | 4x4| 4x4|           | 4x4  |  -------------->  V[k][tile][c] --+
 *     +----+----+--         |      |                                   |
 *     |    |    |           +------+                   M[k] = V[k] U[k]  --->  y = A' M A
 *                                                                      |
 *     the filter of (o, c), 3x3                                        |
 *     g  ------------------------  U = G g G'  ----->  U[k][c][o] -----+
 *
 * Summed over channels, the 36 multiplications are 36 matrix products
 * [tiles, C] x [C, O].  There the time goes.  A transform costs a dozen additions a row
 * or column, and all channels of the other side share it.
 *
 * All of it is linear, so the gradients are the transposes.  That of the filter:
 *
 *     dM = A dy A',    dU[k] = the sum over tiles of dM[k]' V[k],    dg = G' dU G.
 *
 * That of the image is the convolution of dy with the filter turned round.
 *
 * The points.  Lavin & Gray use 0, 1, -1, 2, -2 and infinity: no constant needs a
 * multiplication, but the values differ in size and digits are lost.  A multiply-add
 * costs no more than an addition.  With 0, +-21/32, +-13/8 and infinity, and sums over
 * channels cut in chunks, the error is that of plain sums (test_convolution:
 * no_digits_lost). */
#ifndef TENSOR_WINOGRAD_H
#define TENSOR_WINOGRAD_H

#include "tensor/convolution.h"

/* Is it such a convolution, of whole vectors of channels, and not mostly edge? */
bool winograd_fits(const Convolution *g);

/* As their namesakes in convolution.h.  Die unless winograd_fits(g). */
void winograd_forward(Real *y, const Real *x, const Real *w, const Addends *plus,
                      const Convolution *g);
void winograd_backward_input(Real *dx, const Real *dy, const Real *w,
                             const Convolution *g, bool add);
void winograd_backward_weight(Real *dw, const Real *dy, const Real *x,
                              const Convolution *g);

#endif
