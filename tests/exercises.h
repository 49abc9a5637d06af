/* The exercises of the chapters, as functions to be written.
 *
 * The text of an exercise is at the end of its chapter (tensor/README.md ...); its
 * contract is here; its check is in test_exercises_*.c; and one solution is in
 * solutions_*.c, so that every exercise can be solved with the engine as it is.
 *
 * To answer, write the function into tests/answers.c, which begins with
 * `#include "tests/exercises.h"`, and run `make test ONLY=exercises`: the solutions are
 * weak symbols, so an answer of the same name takes the place of the solution.  What you
 * do not answer is answered by the solution.  Deleting tests/answers.c and `make clean`
 * brings all the solutions back. */
#ifndef TESTS_EXERCISES_H
#define TESTS_EXERCISES_H

#include "autograd/ops.h"
#include "nn/optimizer.h"
#include "tensor/convolution.h"
#include "tensor/gemm.h"
#include "tensor/random.h"

#define SOLUTION __attribute__((weak))

/* ---- tensor ------------------------------------------------------------------------ */

/* The median of x[n], n odd, without changing x; scratch() is left as it was found. */
Real answer_median(const Real *x, size_t n);

/* The peak, in bytes, of a pool that runs a chain of n arrays: array i is made, then
 * array i - 1 is freed. */
size_t answer_chain_peak(const size_t bytes[], int n);

/* How many of the 9 H W taps of a 3x3 filter with padding 1 lie inside an image of H x W;
 * H, W >= 2. */
long answer_taps_inside(int H, int W);

/* 0 ... n-1, all exactly equally likely for every n >= 1, as a function of its
 * address. */
uint32_t answer_below(Random r, uint64_t index, uint32_t n);

/* The sum of x[n], correct to a few roundings of Real, with no type wider than Real. */
Real answer_sum(const Real *x, size_t n);

/* The factor A[i][k] = a[i - k] for i >= k, else 0, of which only a[] is stored. */
Operand answer_toeplitz(const Real *a);

/* y = convolution of x with w whose taps are `dilation` apart: row h*stride +
 * i*dilation - top in place of h*stride + i - top, columns alike.  The sizes are those
 * of g. */
void answer_dilated(Real *y, const Real *x, const Real *w, const Convolution *g,
                    int dilation);

/* ---- autograd ---------------------------------------------------------------------- */

/* For L = (w x + b)^2:  out = {dL/dx, dL/dw, dL/db}, from the chain rule. */
void answer_by_hand(double x, double w, double b, double out[3]);

/* y = x / (1 + |x|) */
Var *answer_softsign(Tape *t, Var *x);

/* y = ln(e^a + e^b), with broadcasting; finite for |a|, |b| up to 80 in float. */
Var *answer_log_add(Tape *t, Var *a, Var *b);

/* y = gamma x / sqrt(mean(x^2) + eps), the mean over the last axis (RMSNorm, Zhang &
 * Sennrich 2019).  x [..., C], gamma [C]. */
Var *answer_rms_norm(Tape *t, Var *x, Var *gamma, double eps);

/* y = round(x), but its derivative is 1 (the straight-through estimator, Bengio 2013). */
Var *answer_round(Tape *t, Var *x);

/* The bytes of values in the pool after the forward pass of `layers` times
 *     p = linear(h, W);  h = silu(p)         h [N, D], W [D, D], both with gradients
 * when everything that is no longer used is discarded, or nothing is. */
size_t answer_bytes_kept(int layers, int N, int D, bool discarding);

/* out = H v, where H is the matrix of second derivatives of f at x; all [shape]. */
typedef Var *Function(Tape *t, Var *x);
void answer_hessian_times(Function *f, Shape shape, const Real *x, const Real *v,
                          Real *out);

/* ---- nn ---------------------------------------------------------------------------- */

/* The parameters of a residual block in the style of Ho 2020 (nn/blocks.h). */
size_t answer_block_parameters(int in, int out, int embed);

/* The largest number of tokens for which attention() itself does no more arithmetic
 * than the four linear layers around it, with C channels. */
int answer_tokens_at_most(int C);

/* How far sgd with momentum beta1 moves a weight in k steps of gradient 1. */
double answer_travel(double lr, double beta1, int k);

/* By what factor a linear layer of `width` inputs and outputs without bias, which
 * starts by the rule, multiplies the variance of what flows through it. */
double answer_gain(const char *rule, int width);

/* How many updates until an average of constant decay is nearer to the new value of a
 * weight that jumped than to the old one. */
long answer_halflife(double decay);

/* Sets to 0 the gradients of all parameters whose names do not begin with `prefix`. */
void answer_freeze(Params *p, const char *prefix);

/* One step of Lion (Chen 2023) with the gradients in p->grad; m [p->size] starts at 0.
 *     u = sign(beta1 m + (1 - beta1) g),  w <- w - lr u,  m <- beta2 m + (1 - beta2) g */
void answer_lion(Params *p, Real *m, double lr, double beta1, double beta2);

/* Writes to `out` a checkpoint whose block "model" is the mean of those of two others,
 * which have the same architecture as p. */
void answer_merge(const Params *p, const char *one, const char *two, const char *out);

/* Trains a network of your own to tell the XOR of two bits; the outputs for (0,0), (0,1),
 * (1,0), (1,1) are to be near 0, 1, 1, 0. */
void answer_xor(uint64_t seed, Real out[4]);

#endif
