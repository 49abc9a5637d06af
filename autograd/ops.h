/* The catalogue of operations, each in the file of its name, forward above backward.
 *
 *   name                  value                                derivative
 *
 *   each number by itself (unary.h)
 *   neg                   y = -x                               dx = -dy
 *   scale                 y = c x + d                          dx = c dy
 *   exponential           y = e^x                              dx = dy y
 *   logarithm             y = ln x                             dx = dy / x
 *   square_root           y = sqrt(x)                          dx = dy / 2y
 *   square                y = x^2                              dx = 2 x dy
 *   hyperbolic_tangent    y = tanh x                           dx = dy (1 - y^2)
 *   sigmoid               y = 1/(1 + e^-x)                     dx = dy y (1 - y)
 *   silu                  y = x s(x), s the sigmoid            dx = dy (y + s(x) (1 - y))
 *   relu                  y = max(x, 0)                        dx = dy where x > 0
 *   leaky_relu            y = x, or c x below 0                dx = dy, or c dy
 *   gelu                  y = x P(x), P normal distribution    dx = dy (P(x) + x p(x))
 *   gelu_tanh             y = x s(v), v cubic in x             gelu_tanh.c
 *   softplus              y = ln(1 + e^x)                      dx = dy s(x)
 *   clamp                 y = x within [a, b]                  dx = dy inside
 *   dropout               y = x m / (1 - p), P(m = 1) = 1 - p  dx = dy m / (1 - p)
 *   stop_gradient         y = x                                none
 *
 *   two arrays, broadcast (broadcast.h); where: of one shape
 *   add                   y = a + b                            da = dy, db = dy
 *   subtract              y = a - b                            da = dy, db = -dy
 *   multiply              y = a b                              da = dy b, db = dy a
 *   divide                y = a / b                            da = dy/b, db = -dy y/b
 *   where                 y = a where mask, else b             da = dy there, else db
 *
 *   over axes
 *   sum, mean, max        y = sum, average, largest of x       dx = dy, dy/n, dy at max
 *   softmax               y_i = e^x_i / sum e^x_j              softmax.c
 *   log_softmax           y_i = x_i - ln sum e^x_j             softmax.c
 *   group_norm            y = gamma (x - mean) / std + beta    group_norm.c
 *   group_norm_silu       y = silu(group_norm(x))              group_norm.c
 *   layer_norm            the same for each position           layer_norm.c
 *
 *   rearranging
 *   reshape, permute, slice, concat, embedding, upsample, depth_to_space, reflect_pad
 *                         y[i] = x[place(i)]                   dx[place(i)] += dy[i]
 *
 *   products and filters: linear in each input
 *   linear                y = x W' + b                         dx = dy W, dW = dy' x,
 *                                                              db = sum dy
 *   matmul                y = a b, batched                     da = dy b', db = a' dy
 *   conv2d, conv2d_onto   y = x * w + b (+ rest)               tensor/convolution.h
 *   attention             y = softmax(q k' / sqrt(D)) v        attention.c
 *   resample_down, _up    fixed filter, half or double size    transposes of each other
 *   average_pool          mean of K x K pixels                 dx = dy / K^2
 *   resize                bilinear                             resize.c
 *
 *   losses
 *   mse                   y[n] = mean of (x[n] - target[n])^2  dx = 2 (x - target) dy / D
 *   cross_entropy         y[n] = -ln softmax(x[n])[label[n]]   dx = dy (softmax - onehot)
 *   gaussian_kl           y = KL(N(m, e^l) || N(M, e^L))       gaussian_kl.c
 *   discretized_gaussian  y = ln probability of a pixel's bin  discretized_gaussian.c
 *
 * Each returns a variable that belongs to the tape, and dies with the shapes in the
 * message when they do not fit.  Names that libc took are written out (exponential,
 * divide). */
#ifndef AUTOGRAD_OPS_H
#define AUTOGRAD_OPS_H

#include "autograd/tape.h"
#include "tensor/random.h"

/* ---- each number by itself: y has the shape of x ----------------------------------- */

Var *neg(Tape *t, Var *x);
Var *scale(Tape *t, Var *x, double c, double d);    /* c x + d */
Var *exponential(Tape *t, Var *x);
Var *logarithm(Tape *t, Var *x);
Var *square_root(Tape *t, Var *x);
Var *square(Tape *t, Var *x);
Var *hyperbolic_tangent(Tape *t, Var *x);
Var *sigmoid(Tape *t, Var *x);
Var *silu(Tape *t, Var *x);                         /* also called swish */
Var *relu(Tape *t, Var *x);
Var *leaky_relu(Tape *t, Var *x, double c);
Var *gelu(Tape *t, Var *x);                         /* exact, with the error function */
Var *gelu_tanh(Tape *t, Var *x);                    /* its tanh approximation */
Var *softplus(Tape *t, Var *x);
Var *clamp(Tape *t, Var *x, double a, double b);    /* dies unless a <= b */

/* Zeroes each number with probability p and divides the rest by 1-p.  Number i is kept
 * iff random_uniform(r, first + i) >= p: the mask is computed again, not stored. */
Var *dropout(Tape *t, Var *x, double p, Random r, uint64_t first);

/* x as a constant: nothing before it gets a gradient through it. */
Var *stop_gradient(Tape *t, Var *x);

/* ---- two arrays -------------------------------------------------------------------- */

/* The shapes have the same rank, and along each axis the same size or one of them has 1,
 * which is repeated: [N, H, W, C] + [N, 1, 1, C]. */
Var *add(Tape *t, Var *a, Var *b);
Var *subtract(Tape *t, Var *a, Var *b);
Var *multiply(Tape *t, Var *a, Var *b);
Var *divide(Tape *t, Var *a, Var *b);

/* a where mask is not 0, else b.  All of one shape; the mask gets no gradient. */
Var *where(Tape *t, Var *mask, Var *a, Var *b);

/* ---- over axes --------------------------------------------------------------------- */

/* Over a set of axes, AXIS(1) | AXIS(2) or ALL_AXES, which stay with size 1.  Of several
 * largest numbers, max sends the gradient to the first. */
Var *sum(Tape *t, Var *x, unsigned axes);
Var *mean(Tape *t, Var *x, unsigned axes);
Var *max(Tape *t, Var *x, unsigned axes);

/* Over the last axis. */
Var *softmax(Tape *t, Var *x);
Var *log_softmax(Tape *t, Var *x);

/* Group normalisation (Wu & He 2018): brings each of G groups of channels of each sample
 * to mean 0 and variance 1, then scales and shifts each channel.  x [N, ..., C]; gamma,
 * beta [C], or [N, 1, 1, C] to differ from sample to sample; G divides C. */
Var *group_norm(Tape *t, Var *x, Var *gamma, Var *beta, int G, double eps);

/* silu(group_norm(...)) in one pass over memory. */
Var *group_norm_silu(Tape *t, Var *x, Var *gamma, Var *beta, int G, double eps);

/* The same over the channels of each position: x [..., C], gamma, beta [C]. */
Var *layer_norm(Tape *t, Var *x, Var *gamma, Var *beta, double eps);

/* ---- rearranging ------------------------------------------------------------------- */

Var *reshape(Tape *t, Var *x, Shape shape);        /* equally many numbers, same order */
Var *permute(Tape *t, Var *x, const int order[]);  /* axis i of y is axis order[i] of x */

/* Entries first ... first+count-1 along an axis. */
Var *slice(Tape *t, Var *x, int axis, int first, int count);

/* a, then b, along an axis; the other axes are equal. */
Var *concat(Tape *t, Var *a, Var *b, int axis);

/* Rows of a table.  table [K, C]; index[N] in 0 ... K-1, copied; y [N, 1, 1, C]. */
Var *embedding(Tape *t, Var *table, const int *index, int N);

/* Each pixel becomes 2x2 equal ones.  x [N, H, W, C], y [N, 2H, 2W, C]. */
Var *upsample(Tape *t, Var *x);

/* Channels become pixels: x [N, H, W, B*B*C], y [N, B*H, B*W, C],
 * y[n][h*B + i][w*B + j][c] = x[n][h][w][(i*B + j)*C + c]. */
Var *depth_to_space(Tape *t, Var *x, int B);

/* Mirrors the image at its edges; margin = {top, bottom, left, right}, each below
 * the side. */
Var *reflect_pad(Tape *t, Var *x, const int margin[4]);

/* ---- products and filters ---------------------------------------------------------- */

/* y[..., o] = sum_i x[..., i] w[o, i] + b[o]:  x [..., I], w [O, I], b [O] or NULL. */
Var *linear(Tape *t, Var *x, Var *w, Var *b);

/* For each entry of the leading axes, which are equal: [..., M, K] times [..., K, N].  A
 * factor said to be transposed is stored as [..., K, M] or [..., N, K]. */
Var *matmul(Tape *t, Var *a, bool transpose_a, Var *b, bool transpose_b);

/* How many rows and columns are added around an image. */
typedef struct { int top, bottom, left, right; } Padding;

/* Convolution with zero padding.  x [N, H, W, C], w [O, KH, KW, C], y [N, OH, OW, O],
 * OH = (H + top + bottom - KH)/stride + 1.  b is NULL, [O], or of each sample its own,
 * [N, 1, 1, O]. */
Var *conv2d(Tape *t, Var *x, Var *w, Var *b, int stride, Padding pad);

/* conv2d(...) + rest, of y's shape: the end of a residual block, for the price of the
 * convolution. */
Var *conv2d_onto(Tape *t, Var *rest, Var *x, Var *w, Var *b, int stride, Padding pad);

/* Scaled dot-product attention (Vaswani 2017).  q [N, ..., C], k, v [N, ..., C]; the
 * middle axes are the tokens, of which k and v may have another number.  Channels are
 * split into `heads` heads of D = C/heads, each on its own:
 * y = softmax(q k' / sqrt(D)) v, with the shape of q. */
Var *attention(Tape *t, Var *q, Var *k, Var *v, int heads);

/* Half or double size through the low-pass filter taps[n] / sum, along both axes
 * (resample.c).  x [N, H, W, C]; 1 <= n <= 8. */
Var *resample_down(Tape *t, Var *x, const Real taps[], int n, int pad);
Var *resample_up(Tape *t, Var *x, const Real taps[], int n, int pad);

/* The average, or the largest, of the pixels in a window of K x K that moves by `stride`
 * over the image and begins `pad` pixels outside it.  x [N, H, W, C], y [N, OH, OW, C],
 * OH = (H + 2 pad - K)/stride + 1.  What lies outside does not count: pad < K. */
Var *average_pool(Tape *t, Var *x, int K, int stride, int pad);
Var *max_pool(Tape *t, Var *x, int K, int stride, int pad);

/* Bilinear.  x [N, h, w, C], y [N, H, W, C].  Laid over each other the images agree in
 * their middles if `centre` is 1/2 (as in PyTorch), in their upper left corners if it is
 * 0 (as in TensorFlow 1). */
Var *resize(Tape *t, Var *x, int H, int W, double centre);

/* ---- losses ------------------------------------------------------------------------ */

/* Mean squared error of each sample.  x, target [N, ...]; y [N]. */
Var *mse(Tape *t, Var *x, Var *target);

/* x [N, K], label[N] in 0 ... K-1, copied; y [N] in nats. */
Var *cross_entropy(Tape *t, Var *x, const int *label);

/* KL(N(mean1, e^log_var1) || N(mean2, e^log_var2)), number by number, in nats. */
Var *gaussian_kl(Tape *t, Var *mean1, Var *log_var1, Var *mean2, Var *log_var2);

/* ln of the probability of x's bin of 2/255 under N(mean, e^(2 log_scale)), number
 * by number. */
Var *discretized_gaussian(Tape *t, Var *x, Var *mean, Var *log_scale);

/* The values of the last two for single numbers, in double in both builds. */
double gaussian_kl_value(double mean1, double log_var1, double mean2, double log_var2);
double discretized_gaussian_value(double x, double mean, double log_scale);

#endif
