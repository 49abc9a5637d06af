/* Scaled dot-product attention.  For one head of one sample, with tokens of D numbers:
 *
 *     S = q k' / sqrt(D)  [Tq, Tk]        P = softmax of each row of S        y = P v
 *
 * Backward.  y = P v gives dv = P' dy and dP = dy v'.  The softmax of a row has
 * dP_i/dS_j = P_i (delta_ij - P_j), so
 *
 *     dS = P (dP - r),   r = sum over the row of dP P = dy . y
 *     dq = dS k / sqrt(D)               dk = dS' q / sqrt(D)
 *
 * The scores are the only thing that grows with T^2.  They exist for a block of rows of
 * one head of one sample at a time, in scratch; what is kept is a number a row,
 * l = max + log(sum of exp(S - max)), from which backward has P = exp(S - l) again
 * (Dao 2022, "FlashAttention").
 *
 * Queries and keys may differ in number: Tq rows, Tk columns. */
#include "autograd/ops.h"
#include "tensor/elementary.h"
#include "tensor/error.h"
#include "tensor/gemm.h"

enum { BLOCK = 96 };        /* rows of scores at a time */

typedef struct {
    int heads;
    Real *log_sum;          /* l: [N, heads, Tq] */
} Args;

static void attention_forward(Var *y);
static void attention_backward(Var *y);
static double attention_flops(const Var *y);
static const Op attention_op = {.name = "attention", .forward = attention_forward,
                                .backward = attention_backward, .flops = attention_flops,
                                .reads_inputs = ALL_INPUTS, .reads_output = true};

Var *attention(Tape *t, Var *q, Var *k, Var *v, int heads)
{
    int C = shape_last(q->shape);
    require_shape(v, k->shape);
    require(k->shape.dim[0] == q->shape.dim[0] && shape_last(k->shape) == C,
            "attention: q %s and k %s; samples and channels must be equal",
            SHOW(q->shape), SHOW(k->shape));
    require(q->shape.rank >= 3 && k->shape.rank >= 3 && heads > 0 && C % heads == 0,
            "attention: %d heads do not divide the %d channels of %s", heads, C,
            SHOW(q->shape));
    Args args = {heads, tape_save(t, Real, q->size / (size_t)C * (size_t)heads)};
    return tape_push(t, &attention_op, q->shape, 3, (Var *[]){q, k, v}, &args,
                     sizeof args);
}

/* One head of one sample: arrays from its first token on, rows `stride` apart. */
typedef struct {
    const Real *q, *k, *v;
    size_t q_first, k_first, stride;
    int Tq, Tk, D;
    Real *log_sum;              /* [Tq] */
    Real scale;
} Head;

static int count_heads(const Var *y)
{
    return y->shape.dim[0] * ((Args *)y->args)->heads;
}

static Head head_of(const Var *y, int index)
{
    const Args *s = y->args;
    const Var *k = y->in[1];
    int N = y->shape.dim[0], C = shape_last(y->shape), n = index / s->heads;
    Head h = {.stride = (size_t)C, .Tq = (int)y->size / N / C, .Tk = (int)k->size / N / C,
              .D = C / s->heads};
    size_t channel = (size_t)(index % s->heads * h.D);
    h.q_first = (size_t)n * (size_t)h.Tq * h.stride + channel;
    h.k_first = (size_t)n * (size_t)h.Tk * h.stride + channel;
    h.q = y->in[0]->value + h.q_first;
    h.k = k->value + h.k_first;
    h.v = y->in[2]->value + h.k_first;
    h.log_sum = s->log_sum + (size_t)index * (size_t)h.Tq;
    h.scale = (Real)(1 / sqrt((double)h.D));
    return h;
}

/* Rows i0 ... i0+rows-1 of q k', not yet scaled. */
static void find_scores(const Head *h, int i0, int rows, Real *S)
{
    gemm(S, (size_t)h->Tk, gemm_a(h->q + (size_t)i0 * h->stride, h->stride),
         gemm_b_transposed(h->k, h->stride), rows, h->Tk, h->D, NULL, false);
}

/* Turns a row of scores into probabilities; returns l. */
static Real softmax_row(Real *s, int T, Real scale)
{
    Real most = s[0], sum = 0;
#pragma omp simd reduction(max : most)
    for (int j = 0; j < T; j++) most = s[j] > most ? s[j] : most;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < T; j++) {
        s[j] = real_exp((s[j] - most) * scale);
        sum += s[j];
    }
    for (int j = 0; j < T; j++) s[j] *= 1 / sum;
    return most * scale + (Real)log((double)sum);
}

static int rows_at(const Head *h, int i0)
{
    return h->Tq - i0 < BLOCK ? h->Tq - i0 : BLOCK;
}

static void attention_forward(Var *y)
{
#pragma omp parallel for schedule(static)
    for (int index = 0; index < count_heads(y); index++) {
        Head h = head_of(y, index);
        size_t mark = arena_mark(scratch()), Tk = (size_t)h.Tk;
        Real *P = arena_new(scratch(), Real, BLOCK * Tk);
        for (int i0 = 0; i0 < h.Tq; i0 += BLOCK) {
            int rows = rows_at(&h, i0);
            find_scores(&h, i0, rows, P);
            for (int i = 0; i < rows; i++)
                h.log_sum[i0 + i] = softmax_row(P + (size_t)i * Tk, h.Tk, h.scale);
            gemm(y->value + h.q_first + (size_t)i0 * h.stride, h.stride, gemm_a(P, Tk),
                 gemm_b(h.v, h.stride), rows, h.D, h.Tk, NULL, false);
        }
        arena_rewind(scratch(), mark);
    }
}

/* From rows i0 ... of dy and y: P = exp(S scale - l), then dP = dy v', then
 * dS = P (dP - r) scale in its place. */
static void find_score_gradient(const Var *y, const Head *h, int i0, Real *P, Real *dS)
{
    int rows = rows_at(h, i0);
    size_t Tk = (size_t)h->Tk, first = h->q_first + (size_t)i0 * h->stride;
    const Real *dy = y->grad + first, *out = y->value + first;
    find_scores(h, i0, rows, P);
    gemm(dS, Tk, gemm_a(dy, h->stride), gemm_b_transposed(h->v, h->stride), rows, h->Tk,
         h->D, NULL, false);
    for (int i = 0; i < rows; i++, P += Tk, dS += Tk, dy += h->stride, out += h->stride) {
        Real r = 0, l = h->log_sum[i0 + i];
#pragma omp simd reduction(+ : r)
        for (int d = 0; d < h->D; d++) r += dy[d] * out[d];
#pragma omp simd
        for (size_t j = 0; j < Tk; j++) {
            P[j] = real_exp(P[j] * h->scale - l);
            dS[j] = P[j] * (dS[j] - r) * h->scale;
        }
    }
}

static void attention_backward(Var *y)
{
    Real *dq = var_grad(y->in[0]), *dk = var_grad(y->in[1]), *dv = var_grad(y->in[2]);
#pragma omp parallel for schedule(static)
    for (int index = 0; index < count_heads(y); index++) {
        Head h = head_of(y, index);
        size_t mark = arena_mark(scratch()), Tk = (size_t)h.Tk;
        Real *P = arena_new(scratch(), Real, BLOCK * Tk);
        Real *dS = arena_new(scratch(), Real, BLOCK * Tk);
        for (int i0 = 0; i0 < h.Tq; i0 += BLOCK) {
            int rows = rows_at(&h, i0);
            size_t skip = (size_t)i0 * h.stride;
            find_score_gradient(y, &h, i0, P, dS);
            if (dv)
                gemm(dv + h.k_first, h.stride, gemm_a_transposed(P, Tk),
                     gemm_b(y->grad + h.q_first + skip, h.stride), h.Tk, h.D, rows, NULL,
                     true);
            if (dq)
                gemm(dq + h.q_first + skip, h.stride, gemm_a(dS, Tk),
                     gemm_b(h.k, h.stride), rows, h.D, h.Tk, NULL, true);
            if (dk)
                gemm(dk + h.k_first, h.stride, gemm_a_transposed(dS, Tk),
                     gemm_b(h.q + skip, h.stride), h.Tk, h.D, rows, NULL, true);
        }
        arena_rewind(scratch(), mark);
    }
}

/* q k' and P v: 2 Tq Tk D each, for every head. */
static double attention_flops(const Var *y)
{
    return 4.0 * head_of(y, 0).Tk * (double)y->size;
}
