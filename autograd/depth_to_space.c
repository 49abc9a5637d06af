/* Channels become pixels, as in sub-pixel convolution (Shi 2016): the inverse of cutting
 * an image into blocks of B x B pixels and laying each block out as channels.
 *
 *     y[h*B + i][w*B + j][c] = x[h][w][(i*B + j)*C + c]
 *
 * A rearrangement is its own transpose backwards: dx gets from dy what y got from x. */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"

typedef struct { int B; } Args;

static void depth_to_space_forward(Var *y);
static void depth_to_space_backward(Var *y);
static const Op depth_to_space_op = {.name = "depth_to_space",
                                     .forward = depth_to_space_forward,
                                     .backward = depth_to_space_backward, .cheap = true};

Var *depth_to_space(Tape *t, Var *x, int B)
{
    const int *d = x->shape.dim;
    require(x->shape.rank == 4 && B > 0 && d[3] % (B * B) == 0,
            "depth_to_space: x is %s, want [N, H, W, %d*%d*C]", SHOW(x->shape), B, B);
    return tape_push(t, &depth_to_space_op,
                     SHAPE(d[0], d[1] * B, d[2] * B, d[3] / (B * B)), 1, (Var *[]){x},
                     &(Args){B}, sizeof(Args));
}

/* Adds the numbers of the one array to those of the other, each at its place in both. */
static void rearrange(const Var *y, Real *image, Real *blocks, bool to_image)
{
    int B = ((const Args *)y->args)->B, W = y->in[0]->shape.dim[2];
    size_t run = (size_t)(B * shape_last(y->shape));    /* B neighbouring pixels */
    int rows = y->in[0]->shape.dim[0] * y->in[0]->shape.dim[1];
#pragma omp parallel for schedule(static)
    for (int row = 0; row < rows; row++)
        for (int w = 0; w < W; w++)
            for (int i = 0; i < B; i++) {
                size_t above = (size_t)row * (size_t)B + (size_t)i;     /* image rows */
                size_t before = (size_t)row * (size_t)W + (size_t)w;    /* blocks */
                for (size_t k = 0; k < run; k++) {
                    Real *pixel = image + (above * (size_t)W + (size_t)w) * run + k;
                    Real *channel = blocks + (before * (size_t)B + (size_t)i) * run + k;
                    if (to_image) *pixel = *channel;
                    else *channel += *pixel;
                }
            }
}

static void depth_to_space_forward(Var *y)
{
    rearrange(y, y->value, y->in[0]->value, true);
}

static void depth_to_space_backward(Var *y)
{
    rearrange(y, y->grad, var_grad(y->in[0]), false);
}
