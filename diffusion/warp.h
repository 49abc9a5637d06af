/* Moving the plane under an image, without aliasing: the geometry of augment.h.
 *
 * An image is a grid of numbers that stand for a smooth picture.  To move it by a matrix
 * it is enlarged twice, read between the grid's points, and shrunk again:
 *
 *     mirror the margins -> up 2x by f -> bilinear at inverse(point) -> down 2x by f
 *
 * f, the wavelet sym6, removes on the way down what the coarser grid cannot hold. */
#ifndef DIFFUSION_WARP_H
#define DIFFUSION_WARP_H

/* On (x, y, z, 1): x to the right and y down from the middle of the image, in pixels. */
typedef struct { double at[4][4]; } Matrix;

Matrix matrix_product(Matrix a, Matrix b);
Matrix matrix_translate(double x, double y, double z);
Matrix matrix_scale(double x, double y, double z);

/* By an angle about a unit vector; about (0, 0, 1) it is (cos, -sin; sin, cos). */
Matrix matrix_rotate(const double axis[3], double angle);

/* By one factor along a unit vector, by the other across it. */
Matrix matrix_stretch(const double axis[3], double along, double across);

/* Index i of a line of n numbers mirrored at both ends, without repeating those. */
int reflect(int i, int n);

/* x [H, W, C], in place: what stood at inverse(point) comes to the point. */
void warp_image(double *x, int H, int W, int C, Matrix inverse);

/* f: twelve taps with sum sqrt 2.  Up (half of the numbers are zeros) and down keep the
 * mean. */
enum { WARP_TAPS = 12 };
extern const double warp_filter[WARP_TAPS];

#endif
