/* Blocks of the U-Net: see blocks.h.  Each function says discard as soon as an intermediate
 * value has been used for the last time; tape.h tells what that saves. */
#include "nn/blocks.h"

#include "tensor/error.h"

void sinusoids(Real *out, const double *t, int N, int dim)
{
    int half = dim / 2;
    require(dim >= 4 && dim % 2 == 0, "a time embedding of %d numbers; want 4, 6, 8...", dim);
    for (int n = 0; n < N; n++)
        for (int i = 0; i < half; i++) {
            double angle = t[n] * exp(-log(10000.0) * i / (half - 1));
            out[n * dim + i] = (Real)sin(angle);
            out[n * dim + half + i] = (Real)cos(angle);
        }
}

TimeEmbedding time_embedding_init(Params *p, const char *name, int dim, int out)
{
    const char *first = arena_printf(&p->arena, "%s.linear1", name);
    const char *second = arena_printf(&p->arena, "%s.linear2", name);
    return (TimeEmbedding){name, dim, linear_init(p, first, dim, out, 1),
                           linear_init(p, second, out, out, 1)};
}

Var *time_embedding_forward(Pass *pass, const TimeEmbedding *b, const double *t, int N)
{
    const char *outer = tape_scope(pass->tape, b->name);
    Real *waves = tape_save(pass->tape, Real, (size_t)(N * b->dim));
    sinusoids(waves, t, N, b->dim);
    Var *x = tape_leaf(pass->tape, "sinusoids", SHAPE(N, 1, 1, b->dim), waves, NULL);
    Var *h = linear_forward(pass, &b->first, x), *s = silu(pass->tape, h);
    Var *e = linear_forward(pass, &b->second, s);
    discard(h), discard(s);
    tape_scope(pass->tape, outer);
    return e;
}

#define SUB(part) arena_printf(&p->arena, "%s." part, name)

ResBlock res_block_init(Params *p, const char *name, int in, int out, int embed, int groups,
                        double dropout_rate)
{
    ResBlock b = {.name = name, .has_skip = in != out, .dropout = dropout_rate};
    b.norm1 = group_norm_init(p, SUB("norm1"), in, groups);
    b.conv1 = conv2d_init(p, SUB("conv1"), in, out, 3, 1);
    b.embed = linear_init(p, SUB("embed"), embed, out, 1);
    b.norm2 = group_norm_init(p, SUB("norm2"), out, groups);
    b.conv2 = conv2d_init(p, SUB("conv2"), out, out, 3, 0);
    if (b.has_skip) b.skip = conv2d_init(p, SUB("skip"), in, out, 1, 1);
    return b;
}

Var *res_block_forward(Pass *pass, const ResBlock *b, Var *x, Var *e)
{
    const char *outer = tape_scope(pass->tape, b->name);
    Var *a = group_norm_silu_forward(pass, &b->norm1, x);
    Var *c = conv2d_forward(pass, &b->conv1, a);
    discard(a);
    Var *h = add(pass->tape, c, linear_forward(pass, &b->embed, e));
    discard(c);

    a = group_norm_silu_forward(pass, &b->norm2, h);
    discard(h);
    Var *d = dropout_forward(pass, b->dropout, a);
    c = conv2d_forward(pass, &b->conv2, d);
    discard(d), discard(a);

    Var *skip = b->has_skip ? conv2d_forward(pass, &b->skip, x) : x;
    Var *y = add(pass->tape, skip, c);
    discard(c);
    if (b->has_skip) discard(skip);
    tape_scope(pass->tape, outer);
    return y;
}

AttentionBlock attention_block_init(Params *p, const char *name, int channels, int groups,
                                    int heads)
{
    return (AttentionBlock){
        .name = name,
        .norm = group_norm_init(p, SUB("norm"), channels, groups),
        .q = linear_init(p, SUB("q"), channels, channels, 1),
        .k = linear_init(p, SUB("k"), channels, channels, 1),
        .v = linear_init(p, SUB("v"), channels, channels, 1),
        .out = linear_init(p, SUB("out"), channels, channels, 0),
        .heads = heads,
    };
}

Var *attention_block_forward(Pass *pass, const AttentionBlock *b, Var *x)
{
    const char *outer = tape_scope(pass->tape, b->name);
    Var *a = group_norm_forward(pass, &b->norm, x);
    Var *q = linear_forward(pass, &b->q, a);
    Var *k = linear_forward(pass, &b->k, a);
    Var *v = linear_forward(pass, &b->v, a);
    discard(a);
    Var *h = attention(pass->tape, q, k, v, b->heads);
    discard(q), discard(k), discard(v);
    Var *o = linear_forward(pass, &b->out, h);
    discard(h);
    Var *y = add(pass->tape, x, o);
    discard(o);
    tape_scope(pass->tape, outer);
    return y;
}

Resample downsample_init(Params *p, const char *name, int channels)
{
    Resample b = {name, conv2d_init(p, name, channels, channels, 3, 1)};
    b.conv.stride = 2, b.conv.pad = 0, b.conv.pad_end = 1;
    return b;
}

Var *downsample_forward(Pass *pass, const Resample *b, Var *x)
{
    const char *outer = tape_scope(pass->tape, b->name);
    Var *y = conv2d_forward(pass, &b->conv, x);
    tape_scope(pass->tape, outer);
    return y;
}

Resample upsample_init(Params *p, const char *name, int channels)
{
    return (Resample){name, conv2d_init(p, name, channels, channels, 3, 1)};
}

Var *upsample_forward(Pass *pass, const Resample *b, Var *x)
{
    const char *outer = tape_scope(pass->tape, b->name);
    Var *large = upsample(pass->tape, x);
    Var *y = conv2d_forward(pass, &b->conv, large);
    discard(large);
    tape_scope(pass->tape, outer);
    return y;
}
