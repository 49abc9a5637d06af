/* Warping: see warp.h.
 *
 * The filters work along a line, and an image is two kinds of lines: [lines, length,
 * step] has numbers of one line `step` apart, rows with step C and columns with step W
 * C. */
#include "diffusion/warp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/memory.h"

const double warp_filter[WARP_TAPS] = {
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057,
    -0.048311742585633,   0.4910559419267466,    0.787641141030194,
    0.3379294217276218,   -0.07263752278646252,  -0.021060292512300564,
    0.04472490177066578,  0.0017677118642428036, -0.007800708325034148,
};

/* ---- matrices ---------------------------------------------------------------------- */

Matrix matrix_product(Matrix a, Matrix b)
{
    Matrix c = {{{0}}};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 4; k++) c.at[i][j] += a.at[i][k] * b.at[k][j];
    return c;
}

Matrix matrix_translate(double x, double y, double z)
{
    return (Matrix){{{1, 0, 0, x}, {0, 1, 0, y}, {0, 0, 1, z}, {0, 0, 0, 1}}};
}

Matrix matrix_scale(double x, double y, double z)
{
    return (Matrix){{{x, 0, 0, 0}, {0, y, 0, 0}, {0, 0, z, 0}, {0, 0, 0, 1}}};
}

Matrix matrix_stretch(const double v[3], double along, double across)
{
    Matrix m = matrix_scale(across, across, across);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) m.at[i][j] += (along - across) * v[i] * v[j];
    return m;
}

/* Rodrigues: cos I + (1 - cos) v v' + sin [v]x. */
Matrix matrix_rotate(const double v[3], double angle)
{
    double s = sin(angle);
    Matrix m = matrix_stretch(v, 1, cos(angle));
    m.at[0][1] -= s * v[2], m.at[0][2] += s * v[1], m.at[1][2] -= s * v[0];
    m.at[1][0] += s * v[2], m.at[2][0] -= s * v[1], m.at[2][1] += s * v[0];
    return m;
}

/* ---- lines ------------------------------------------------------------------------- */

int reflect(int i, int n)
{
    if (n == 1) return 0;
    int period = 2 * n - 2;
    i = (i % period + period) % period;
    return n - 1 - abs(n - 1 - i);
}

/* y[2n] from x[n] and zeros between its numbers: y[i] = sum_k f[11 - k] z[i + k - 6]. */
static void enlarge(double *y, const double *x, int n, size_t step)
{
    for (int i = 0; i < 2 * n; i++) {
        double sum = 0;
        for (int k = i & 1; k < WARP_TAPS; k += 2) {
            int j = (i + k - WARP_TAPS / 2) / 2;
            if (i + k >= WARP_TAPS / 2 && j < n)
                sum += warp_filter[WARP_TAPS - 1 - k] * x[(size_t)j * step];
        }
        y[(size_t)i * step] = sum;
    }
}

/* y[n] from x[2n + 12]: y[i] = sum_k f[k] x[2i + 1 + k]. */
static void shrink(double *y, const double *x, int n, size_t step)
{
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int k = 0; k < WARP_TAPS; k++)
            sum += warp_filter[k] * x[(size_t)(2 * i + 1 + k) * step];
        y[(size_t)i * step] = sum;
    }
}

/* One of the two along each line of x [before, from, step]; y is [before, to, step]. */
static void filter_lines(void (*f)(double *, const double *, int, size_t), double *y,
                         int to, const double *x, int from, int before, int step)
{
    int n = to > from ? from : to;
    for (int b = 0; b < before; b++)
        for (int s = 0; s < step; s++)
            f(y + (size_t)b * (size_t)(to * step) + s,
              x + (size_t)b * (size_t)(from * step) + s, n, (size_t)step);
}

/* ---- the image --------------------------------------------------------------------- */

enum { TAIL = WARP_TAPS / 4 };      /* pixels that f reaches beyond the border */

/* How far outside the image inverse(point) can lie: left, top, right, bottom. */
static void find_margins(int margin[4], Matrix m, int W, int H)
{
    int size[2] = {W, H};
    for (int axis = 0; axis < 2; axis++) {
        double half = (size[axis] - 1) / 2.0;
        const double *row = m.at[axis];
        double reach = (fabs(row[0]) * (W - 1) + fabs(row[1]) * (H - 1)) / 2;
        for (int end = 0; end < 2; end++) {
            double beyond = reach + (end ? 1 : -1) * row[3] + 2 * TAIL - half;
            margin[axis + 2 * end] = (int)ceil(fmin(fmax(beyond, 0), size[axis] - 1));
        }
    }
}

/* y [H, W, C] at the fractional point (u, v) of x, zero outside. */
static void read_between(double *y, const double *x, int H, int W, int C, double u,
                         double v)
{
    int j = (int)floor(u), i = (int)floor(v);
    memset(y, 0, (size_t)C * sizeof *y);
    for (int k = 0; k < 4; k++) {
        int column = j + (k & 1), row = i + (k >> 1);
        if (column < 0 || column >= W || row < 0 || row >= H) continue;
        double share = (1 - fabs(u - column)) * (1 - fabs(v - row));
        const double *from = x + (size_t)(row * W + column) * (size_t)C;
        for (int c = 0; c < C; c++) y[c] += share * from[c];
    }
}

void warp_image(double *x, int H, int W, int C, Matrix inverse)
{
    int margin[4];
    find_margins(margin, inverse, W, H);
    int h = H + margin[1] + margin[3], w = W + margin[0] + margin[2];
    size_t mark = arena_mark(scratch()), c = (size_t)C;

    /* Mirror the margins; the middle moves by half their difference. */
    double *padded = arena_new(scratch(), double, (size_t)(h * w) * c), *p = padded;
    for (int i = 0; i < h; i++)
        for (int j = 0; j < w; j++, p += C) {
            int row = reflect(i - margin[1], H), column = reflect(j - margin[0], W);
            memcpy(p, x + (size_t)(row * W + column) * c, c * sizeof *p);
        }
    Matrix centre = matrix_translate((margin[0] - margin[2]) / 2.0,
                                     (margin[1] - margin[3]) / 2.0, 0);
    Matrix m = matrix_product(centre, inverse);

    /* Twice as large.  The filter's taps are even in number: half a pixel is lost. */
    double *wide = arena_new(scratch(), double, (size_t)(h * 2 * w) * c);
    double *large = arena_new(scratch(), double, (size_t)(2 * h * 2 * w) * c);
    filter_lines(enlarge, wide, 2 * w, padded, w, h, C);
    filter_lines(enlarge, large, 2 * h, wide, h, 1, 2 * w * C);
    m = matrix_product(matrix_scale(2, 2, 1),
                       matrix_product(m, matrix_scale(0.5, 0.5, 1)));
    m = matrix_product(matrix_translate(-0.5, -0.5, 0),
                       matrix_product(m, matrix_translate(0.5, 0.5, 0)));

    /* Each point of the output, still twice as large and with a tail on each side. */
    int H2 = 2 * (H + 2 * TAIL), W2 = 2 * (W + 2 * TAIL);
    double *moved = arena_new(scratch(), double, (size_t)(H2 * W2) * c);
    for (int i = 0; i < H2; i++)
        for (int j = 0; j < W2; j++) {
            double dx = j + 0.5 - W2 / 2.0, dy = i + 0.5 - H2 / 2.0;
            double u = m.at[0][0] * dx + m.at[0][1] * dy + m.at[0][3] + w - 0.5;
            double v = m.at[1][0] * dx + m.at[1][1] * dy + m.at[1][3] + h - 0.5;
            read_between(moved + (size_t)(i * W2 + j) * c, large, 2 * h, 2 * w, C, u, v);
        }

    /* Half as large, the tails cut off. */
    double *narrow = arena_new(scratch(), double, (size_t)(H2 * W) * c);
    filter_lines(shrink, narrow, W, moved, W2, H2, C);
    filter_lines(shrink, x, H, narrow, H2, 1, W * C);
    arena_rewind(scratch(), mark);
}
