/* Bilinear resizing.  Both images are laid over the same picture; the place of pixel h is
 * h + centre.  So output pixel h looks at the input at
 *
 *     u = max((h + centre) H/OH - centre, 0),   i = floor(u),   r = u - i
 *     y[h] = (1 - r) x[i] + r x[min(i + 1, H - 1)]
 *
 * along both axes.  With centre 1/2 the middles of the images agree (align_corners=False
 * in PyTorch), with 0 the upper left corners.  Linear in x; backward spreads each dy over
 * the same four pixels. */
#include "autograd/ops.h"
#include "tensor/error.h"

static void resize_forward(Var *y);
static void resize_backward(Var *y);
static const Op resize_op = {.name = "resize", .forward = resize_forward,
                             .backward = resize_backward, .cheap = true};

Var *resize(Tape *t, Var *x, int H, int W, double centre)
{
    const int *d = x->shape.dim;
    require(x->shape.rank == 4 && H > 0 && W > 0, "resize of %s to %dx%d", SHOW(x->shape),
            H, W);
    return tape_push(t, &resize_op, SHAPE(d[0], H, W, d[3]), 1, (Var *[]){x},
                     &centre, sizeof centre);
}

/* The two neighbours of output place h along an axis, and how much of each. */
typedef struct { int at[2]; Real share[2]; } Neighbours;

static Neighbours neighbours_of(int h, int size, int out_size, double centre)
{
    double u = fmax((h + centre) * size / out_size - centre, 0);
    int i = (int)u;
    Real r = (Real)(u - i);
    return (Neighbours){{i, i + 1 < size ? i + 1 : size - 1}, {1 - r, r}};
}

/* For each output pixel, adds share * from to `to`: y from x, or dx from dy.  The images
 * of a batch are shared out among the threads, for the pixels of dx overlap. */
static void spread(const Var *y, Real *x, Real *out, bool forward)
{
    const int *d = y->in[0]->shape.dim, *o = y->shape.dim;
    size_t C = (size_t)d[3];
    double centre = *(const double *)y->args;
#pragma omp parallel for schedule(static)
    for (int n = 0; n < o[0]; n++)
        for (int h = 0; h < o[1]; h++)
            for (int w = 0; w < o[2]; w++) {
                Neighbours a = neighbours_of(h, d[1], o[1], centre);
                Neighbours b = neighbours_of(w, d[2], o[2], centre);
                Real *to = out + (((size_t)n * (size_t)o[1] + (size_t)h) * (size_t)o[2] +
                                  (size_t)w) * C;
                for (size_t c = 0; forward && c < C; c++) to[c] = 0;
                for (int i = 0; i < 2; i++)
                    for (int j = 0; j < 2; j++) {
                        Real *from = x + (((size_t)n * (size_t)d[1] + (size_t)a.at[i]) *
                                          (size_t)d[2] + (size_t)b.at[j]) * C;
                        Real share = a.share[i] * b.share[j];
                        for (size_t c = 0; c < C; c++)
                            if (forward) to[c] += share * from[c];
                            else from[c] += share * to[c];
                    }
            }
}

static void resize_forward(Var *y) { spread(y, y->in[0]->value, y->value, true); }
static void resize_backward(Var *y) { spread(y, var_grad(y->in[0]), y->grad, false); }
