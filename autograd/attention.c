/* Scaled dot-product attention.  For one head of one sample, with T tokens of D numbers:
 *
 *     S = q k' / sqrt(D)  [T, T]        P = softmax of each row of S        y = P v
 *
 * Backward.  y = P v gives dv = P' dy and dP = dy v'.  The softmax of a row has
 * dP_i/dS_j = P_i (delta_ij - P_j), so
 *
 *     dS = P (dP - r),   r = sum over the row of dP P = dy . y
 *     dq = dS k / sqrt(D)               dk = dS' q / sqrt(D)
 *
 * The scores are the only thing that grows with T^2.  They exist for one head of one sample
 * at a time, in scratch; what is kept is a number a row, l = max + log(sum of exp(S - max)),
 * from which backward has P = exp(S - l) again. */
#include <string.h>

#include "autograd/ops.h"
#include "tensor/elementary.h"
#include "tensor/error.h"
#include "tensor/gemm.h"

typedef struct {
    int heads;
    Real *log_sum;      /* l: [N, heads, T] */
} Args;

static void attention_forward(Var *y);
static void attention_backward(Var *y);
static double attention_flops(const Var *y);
static const Op attention_op = {.name = "attention", .forward = attention_forward,
                                .backward = attention_backward, .flops = attention_flops,
                                .reads_inputs = true, .reads_output = true};

Var *attention(Tape *t, Var *q, Var *k, Var *v, int heads)
{
    int C = shape_last(q->shape);
    require_shape(k, q->shape);
    require_shape(v, q->shape);
    require(q->shape.rank >= 3 && heads > 0 && C % heads == 0,
            "attention: %d heads do not divide the %d channels of %s", heads, C, SHOW(q->shape));
    Args args = {heads, tape_save(t, Real, q->size / (size_t)C * (size_t)heads)};
    return tape_push(t, &attention_op, q->shape, 3, (Var *[]){q, k, v}, &args, sizeof args);
}

/* One head of one sample: where its first token lies, and the sizes. */
typedef struct {
    size_t first, stride;       /* token t at first + t*stride */
    int T, D;
    Real *log_sum;              /* [T] */
    Real scale;
} Head;

static int count_heads(const Var *y) { return y->shape.dim[0] * ((Args *)y->args)->heads; }

static Head head_of(const Var *y, int index)
{
    const Args *s = y->args;
    int C = shape_last(y->shape), T = (int)y->size / y->shape.dim[0] / C, D = C / s->heads;
    int n = index / s->heads, h = index % s->heads;
    return (Head){.first = (size_t)n * (size_t)T * (size_t)C + (size_t)(h * D),
                  .stride = (size_t)C, .T = T, .D = D,
                  .log_sum = s->log_sum + (size_t)index * (size_t)T,
                  .scale = (Real)(1 / sqrt((double)D))};
}

/* S = q k', not yet scaled. */
static void find_scores(const Var *y, const Head *h, Real *S)
{
    gemm(S, (size_t)h->T, gemm_a(y->in[0]->value + h->first, h->stride),
         gemm_b_transposed(y->in[1]->value + h->first, h->stride), h->T, h->T, h->D, NULL, false);
}

/* Turns a row of scores into probabilities; returns l. */
static Real softmax_row(Real *s, int T, Real scale)
{
    Real most = s[0], sum = 0;
    for (int j = 1; j < T; j++) most = s[j] > most ? s[j] : most;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < T; j++) {
        s[j] = real_exp((s[j] - most) * scale);
        sum += s[j];
    }
    for (int j = 0; j < T; j++) s[j] /= sum;
    return most * scale + (Real)log((double)sum);
}

static void attention_forward(Var *y)
{
#pragma omp parallel for schedule(static)
    for (int index = 0; index < count_heads(y); index++) {
        Head h = head_of(y, index);
        size_t mark = arena_mark(scratch()), T = (size_t)h.T;
        Real *P = arena_new(scratch(), Real, T * T);
        find_scores(y, &h, P);
        for (size_t i = 0; i < T; i++) h.log_sum[i] = softmax_row(P + i * T, h.T, h.scale);
        gemm(y->value + h.first, h.stride, gemm_a(P, T),
             gemm_b(y->in[2]->value + h.first, h.stride), h.T, h.D, h.T, NULL, false);
        arena_rewind(scratch(), mark);
    }
}

static void head_backward(Var *y, const Head *h, Real *dq, Real *dk, Real *dv)
{
    Arena *a = scratch();
    size_t T = (size_t)h->T;
    Real *P = arena_new(a, Real, T * T), *dS = arena_new(a, Real, T * T);
    const Real *dy = y->grad + h->first, *out = y->value + h->first;

    /* P = exp(S / sqrt(D) - l) */
    find_scores(y, h, P);
    for (size_t i = 0; i < T; i++)
        for (size_t j = 0; j < T; j++)
            P[i * T + j] = real_exp(P[i * T + j] * h->scale - h->log_sum[i]);

    /* dP = dy v', then dS = P (dP - r) / sqrt(D) in its place. */
    gemm(dS, T, gemm_a(dy, h->stride), gemm_b_transposed(y->in[2]->value + h->first, h->stride),
         h->T, h->T, h->D, NULL, false);
    for (size_t i = 0; i < T; i++) {
        Real r = 0;
        for (int d = 0; d < h->D; d++)
            r += dy[i * h->stride + (size_t)d] * out[i * h->stride + (size_t)d];
        for (size_t j = 0; j < T; j++)
            dS[i * T + j] = P[i * T + j] * (dS[i * T + j] - r) * h->scale;
    }

    if (dv)
        gemm(dv + h->first, h->stride, gemm_a_transposed(P, T), gemm_b(dy, h->stride),
             h->T, h->D, h->T, NULL, true);
    if (dq)
        gemm(dq + h->first, h->stride, gemm_a(dS, T),
             gemm_b(y->in[1]->value + h->first, h->stride), h->T, h->D, h->T, NULL, true);
    if (dk)
        gemm(dk + h->first, h->stride, gemm_a_transposed(dS, T),
             gemm_b(y->in[0]->value + h->first, h->stride), h->T, h->D, h->T, NULL, true);
}

static void attention_backward(Var *y)
{
    Real *dq = var_grad(y->in[0]), *dk = var_grad(y->in[1]), *dv = var_grad(y->in[2]);
#pragma omp parallel for schedule(static)
    for (int index = 0; index < count_heads(y); index++) {
        Head h = head_of(y, index);
        size_t mark = arena_mark(scratch());
        head_backward(y, &h, dq, dk, dv);
        arena_rewind(scratch(), mark);
    }
}

/* q k' and P v: 2 T T D each, for every head. */
static double attention_flops(const Var *y)
{
    Head h = head_of(y, 0);
    return 4.0 * (double)h.T * (double)y->size;
}
