/* Blocks of the U-Net: see blocks.h.  Each function says discard as soon as an
 * intermediate value has been used for the last time; tape.h tells what that saves. */
#include "nn/blocks.h"

#include <string.h>

#include "tensor/error.h"

#define SUB(part) arena_printf(&p->arena, "%s." part, name)

BlockStyle block_style(BlockStyle s)
{
    if (s.group_size == 0) s.group_size = 1;
    if (s.residual_scale == 0) s.residual_scale = 1;
    if (s.taps == 0) s.taps = 2;
    if (s.skip_kernel == 0) s.skip_kernel = 1;
    if (s.eps == 0) s.eps = 1e-6;
    return s;
}

static GroupNorm norm_init(Params *p, const char *name, const BlockStyle *s, int channels)
{
    int most = channels / s->group_size;
    return group_norm_init(p, name, channels, s->groups < most ? s->groups : most,
                           s->eps);
}

Var *change_size(Tape *t, Var *x, Direction direction, int taps, int pad)
{
    static const Real box[] = {1, 1}, tent[] = {1, 3, 3, 1};
    const Real *filter = taps == 2 ? box : tent;
    switch (direction) {
    case RESAMPLE_DOWN: return resample_down(t, x, filter, taps, pad);
    case RESAMPLE_UP:
        return taps == 2 ? upsample(t, x) : resample_up(t, x, filter, taps, pad);
    default: return x;
    }
}

/* factor y.  Discards y if that is another array. */
static Var *rescale(Tape *t, Var *y, double factor)
{
    if (factor == 1) return y;
    Var *scaled = scale(t, y, factor, 0);
    discard(y);
    return scaled;
}

Var *add_residual(Tape *t, Var *a, Var *b, double factor)
{
    Var *y = add(t, a, b);
    discard(b);
    return rescale(t, y, factor);
}

/* ---- residual block ---------------------------------------------------------------- */

ResBlock res_block_init(Params *p, const char *name, const BlockStyle *s, Widths w,
                        Direction direction)
{
    ResBlock b = {.name = name, .style = *s, .direction = direction};
    b.norm1 = norm_init(p, SUB("norm1"), s, w.in);
    b.conv1 = conv2d_init(p, SUB("conv1"), w.in, w.out, 3, ROLE_PLAIN);
    b.embed = linear_init(p, SUB("embed"), w.embed, s->scale_shift ? 2 * w.out : w.out,
                          ROLE_PLAIN);
    b.norm2 = norm_init(p, SUB("norm2"), s, w.out);
    b.conv2 = conv2d_init(p, SUB("conv2"), w.out, w.out, 3, ROLE_LAST);
    b.has_skip = w.in != w.out || (direction != RESAMPLE_NONE && s->project_resampled);
    if (b.has_skip)
        b.skip = conv2d_init(p, SUB("skip"), w.in, w.out, s->skip_kernel, ROLE_PLAIN);
    return b;
}

/* act(norm2(conv1(r))) with e's word in it: added to the convolution, or as scale and
 * shift of the norm.  Discards r. */
static Var *modulate(Pass *pass, const ResBlock *b, Var *r, Var *e)
{
    Var *word = linear_forward(pass, &b->embed, e);
    bool adapt = b->style.scale_shift;
    Var *c = conv2d_forward_plus(pass, &b->conv1, r, adapt ? NULL : word, NULL);
    discard(r);
    Var *a = adapt ? group_norm_adaptive_forward(pass, &b->norm2, c, word)
                   : group_norm_silu_forward(pass, &b->norm2, c);
    discard(c), discard(word);
    return a;
}

/* The way around: x, resampled and projected as need be. */
static Var *go_around(Pass *pass, const ResBlock *b, Var *x)
{
    Var *r = change_size(pass->tape, x, b->direction, b->style.taps,
                         b->style.taps / 2 - 1);
    if (!b->has_skip) return r;
    Var *y = conv2d_forward(pass, &b->skip, r);
    if (r != x) discard(r);
    return y;
}

Var *res_block_forward(Pass *pass, const ResBlock *b, Var *x, Var *e)
{
    const char *outer = tape_scope(pass->tape, b->name);
    Var *a = group_norm_silu_forward(pass, &b->norm1, x);
    Var *r = change_size(pass->tape, a, b->direction, b->style.taps,
                         b->style.taps / 2 - 1);
    if (r != a) discard(a);
    a = modulate(pass, b, r, e);
    Var *d = dropout_forward(pass, b->style.dropout, a), *skip = go_around(pass, b, x);
    Var *y = conv2d_forward_plus(pass, &b->conv2, d, NULL, skip);
    discard(d), discard(a);
    if (skip != x) discard(skip);
    y = rescale(pass->tape, y, b->style.residual_scale);
    tape_scope(pass->tape, outer);
    return y;
}

/* ---- attention block --------------------------------------------------------------- */

AttentionBlock attention_block_init(Params *p, const char *name, const BlockStyle *s,
                                    int channels)
{
    return (AttentionBlock){
        .name = name,
        .norm = s->groups ? norm_init(p, SUB("norm"), s, channels) : (GroupNorm){0},
        .q = linear_init(p, SUB("q"), channels, channels, ROLE_QKV),
        .k = linear_init(p, SUB("k"), channels, channels, ROLE_QKV),
        .v = linear_init(p, SUB("v"), channels, channels, ROLE_QKV),
        .out = linear_init(p, SUB("out"), channels, channels, ROLE_LAST),
        .heads = s->head_channels ? channels / s->head_channels : s->heads,
        .residual_scale = s->residual_scale,
    };
}

/* The linear layer that does what `first` and a matrix after it do:
 * x -> second (weight x + bias) + bias2. */
static Var *linear_composed(Pass *pass, const Linear *first, Var *second, bool transposed,
                            Var *bias2, Var *x)
{
    Tape *t = pass->tape;
    Var *w = pass_param(pass, first->weight), *b = pass_param(pass, first->bias);
    int in = (int)b->size, out = second->shape.dim[transposed];
    Var *weight = matmul(t, second, transposed, w, false);
    Var *row = reshape(t, b, SHAPE(1, in)), *mapped = matmul(t, row, false, second,
                                                             !transposed);
    Var *bias = reshape(t, mapped, SHAPE(out)), *sum = bias2 ? add(t, bias, bias2) : bias;
    Var *y = linear(t, x, weight, sum);
    discard(weight), discard(row), discard(mapped), discard(bias), discard(sum);
    return y;
}

/* All of attention between the norm and the sum, for one head.  With 1 a column of ones,
 *
 *     q k' = (a Wq' + 1 bq') (a Wk' + 1 bk')'
 *          = (a Wq' Wk + 1 bq' Wk) a' + numbers that are equal along a row, and those a
 *            softmax does not see;
 *     P (a Wv' + 1 bv') Wo' + 1 bo' = P a (Wo Wv)' + 1 (Wo bv + bo)',  for the rows of P
 *            sum to 1.
 *
 * So two matrices, each a product of two small ones, do the work of four at every pixel,
 * and a itself is keys and values. */
static Var *attend_with_one_head(Pass *pass, const AttentionBlock *b, Var *a)
{
    Var *k = pass_param(pass, b->k.weight), *out = pass_param(pass, b->out.weight);
    Var *q = linear_composed(pass, &b->q, k, true, NULL, a);
    Var *h = attention(pass->tape, q, a, a, 1);
    discard(q);
    Var *o = linear_composed(pass, &b->v, out, false, pass_param(pass, b->out.bias), h);
    discard(h);
    return o;
}

static Var *attend(Pass *pass, const AttentionBlock *b, Var *a)
{
    Var *q = linear_forward(pass, &b->q, a);
    Var *k = linear_forward(pass, &b->k, a);
    Var *v = linear_forward(pass, &b->v, a);
    Var *h = attention(pass->tape, q, k, v, b->heads);
    discard(q), discard(k), discard(v);
    Var *o = linear_forward(pass, &b->out, h);
    discard(h);
    return o;
}

Var *attention_block_forward(Pass *pass, const AttentionBlock *b, Var *x)
{
    const char *outer = tape_scope(pass->tape, b->name);
    Var *a = b->norm.groups ? group_norm_forward(pass, &b->norm, x) : x;
    Var *o = b->heads == 1 ? attend_with_one_head(pass, b, a) : attend(pass, b, a);
    if (a != x) discard(a);
    Var *y = add_residual(pass->tape, x, o, b->residual_scale);
    tape_scope(pass->tape, outer);
    return y;
}

/* ---- resampling -------------------------------------------------------------------- */

Resample resample_init(Params *p, const char *name, const char *kind, Direction direction,
                       const BlockStyle *s, Widths w)
{
    Resample b = {.name = name, .kind = kind, .direction = direction};
    bool down = direction == RESAMPLE_DOWN;
    if (strcmp(kind, "block") == 0) {
        b.block = res_block_init(p, name, s, w, direction);
    } else if (strncmp(kind, "conv", 4) == 0) {
        b.conv = conv2d_init(p, name, w.in, w.out, 3, ROLE_PLAIN);
        if (down) b.conv.stride = 2;
        if (down && strcmp(kind, "conv") == 0) b.conv.pad.top = b.conv.pad.left = 0;
    } else if (strcmp(kind, "plain") != 0) {
        fail("there is no resampling %s; there are conv, conv_even, plain and block",
             kind);
    }
    return b;
}

static Var *resample_by_conv(Pass *pass, const Resample *b, Var *x)
{
    if (b->direction == RESAMPLE_DOWN) return conv2d_forward(pass, &b->conv, x);
    Var *large = upsample(pass->tape, x);
    Var *y = conv2d_forward(pass, &b->conv, large);
    discard(large);
    return y;
}

Var *resample_forward(Pass *pass, const Resample *b, Var *x, Var *e)
{
    if (strcmp(b->kind, "block") == 0) return res_block_forward(pass, &b->block, x, e);
    const char *outer = tape_scope(pass->tape, b->name);
    bool plain = strcmp(b->kind, "plain") == 0;
    Var *y = plain ? change_size(pass->tape, x, b->direction, 2, 0)
                   : resample_by_conv(pass, b, x);
    tape_scope(pass->tape, outer);
    return y;
}
