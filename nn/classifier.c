/* The noisy classifier: see classifier.h. */
#include "nn/classifier.h"

#include <string.h>

#include "tensor/error.h"

enum { HIDDEN = 2048 };         /* between the two linear layers of spatial */

static Var *average(Tape *t, Var *x) { return mean(t, x, AXIS(1) | AXIS(2)); }

/* ---- attention pool ------------------------------------------------------------ */

#define SUB(part) arena_printf(&p->arena, "%s." part, name)

AttentionPool attention_pool_init(Params *p, const char *name, Widths w, int pixels,
                                  int head)
{
    int C = w.in;
    if (head < 1 || C % head)
        fail("%s: heads of %d channels do not divide %d channels", name, head, C);
    return (AttentionPool){
        .position = params_add(p, SHAPE(1 + pixels, C), (Init){INIT_NORMAL, 1 / sqrt(C)},
                               "%s.position", name),
        .q = linear_init(p, SUB("q"), C, C, ROLE_QKV),
        .k = linear_init(p, SUB("k"), C, C, ROLE_QKV),
        .v = linear_init(p, SUB("v"), C, C, ROLE_QKV),
        .out = linear_init(p, SUB("out"), C, w.out, ROLE_PLAIN),
        .heads = C / head,
    };
}

/* Only the mean asks, so there is one query. */
static Var *attend(Pass *pass, const AttentionPool *b, Var *x)
{
    Tape *t = pass->tape;
    const int *d = x->shape.dim;
    int pixels = d[1] * d[2], C = d[3];
    Var *list = reshape(t, x, SHAPE(d[0], 1, pixels, C));
    Var *position = reshape(t, pass_param(pass, b->position), SHAPE(1, 1, 1 + pixels, C));
    Var *tokens = add(t, concat(t, average(t, x), list, 2), position);
    Var *q = linear_forward(pass, &b->q, slice(t, tokens, 2, 0, 1));
    Var *k = linear_forward(pass, &b->k, tokens);
    Var *v = linear_forward(pass, &b->v, tokens);
    return attention(t, q, k, v, b->heads);
}

Var *attention_pool_forward(Pass *pass, const AttentionPool *b, Var *x)
{
    return linear_forward(pass, &b->out, attend(pass, b, x));
}

/* ---- four ends ----------------------------------------------------------------- */

struct ClassifierPool {
    const char *name;
    void (*init)(Params *p, Classifier *c);
    /* What the last linear layer reads, [N, 1, 1, features]. */
    Var *(*features)(Pass *pass, const Classifier *c, Var *h, Var *skip[]);
};

static GroupNorm norm_init(Params *p, const Classifier *c, int channels)
{
    const BlockStyle *s = &c->encoder.config.style;
    return group_norm_init(p, "norm_out", channels, s->groups, s->eps);
}

static void init_adaptive(Params *p, Classifier *c)
{
    int C = c->encoder.channels;
    c->norm = norm_init(p, c, C);
    c->last = linear_init(p, "last", C, c->encoder.config.out_channels, ROLE_LAST);
}

static Var *adaptive_features(Pass *pass, const Classifier *c, Var *h, Var *skip[])
{
    (void)skip;
    Var *a = group_norm_silu_forward(pass, &c->norm, h);
    return average(pass->tape, a);
}

static void init_attention(Params *p, Classifier *c)
{
    const Encoder *u = &c->encoder;
    Widths w = {.in = u->channels, .out = u->config.out_channels};
    c->norm = norm_init(p, c, w.in);
    c->attention = attention_pool_init(p, "pool", w, u->height * u->width,
                                       u->config.style.head_channels);
    c->last = c->attention.out;
}

static Var *attended_features(Pass *pass, const Classifier *c, Var *h, Var *skip[])
{
    (void)skip;
    return attend(pass, &c->attention, group_norm_silu_forward(pass, &c->norm, h));
}

static int count_features(const Encoder *u)
{
    int n = u->channels;
    for (int i = 0; i < u->skips; i++) n += u->skip_channels[i];
    return n;
}

static void init_spatial(Params *p, Classifier *c)
{
    c->first = linear_init(p, "first", count_features(&c->encoder), HIDDEN, ROLE_PLAIN);
    c->last = linear_init(p, "last", HIDDEN, c->encoder.config.out_channels, ROLE_PLAIN);
}

static void init_spatial_v2(Params *p, Classifier *c)
{
    init_spatial(p, c);
    c->norm = norm_init(p, c, HIDDEN);
}

/* The first linear layer of all means. */
static Var *first_forward(Pass *pass, const Classifier *c, Var *h, Var *skip[])
{
    Tape *t = pass->tape;
    Var *all = average(t, skip[0]);
    for (int i = 1; i < c->encoder.skips; i++)
        all = concat(t, all, average(t, skip[i]), 3);
    return linear_forward(pass, &c->first, concat(t, all, average(t, h), 3));
}

static Var *spatial_features(Pass *pass, const Classifier *c, Var *h, Var *skip[])
{
    return relu(pass->tape, first_forward(pass, c, h, skip));
}

static Var *spatial_v2_features(Pass *pass, const Classifier *c, Var *h, Var *skip[])
{
    return group_norm_silu_forward(pass, &c->norm, first_forward(pass, c, h, skip));
}

static const ClassifierPool pools[] = {
    {"adaptive", init_adaptive, adaptive_features},
    {"attention", init_attention, attended_features},
    {"spatial", init_spatial, spatial_features},
    {"spatial_v2", init_spatial_v2, spatial_v2_features},
};

/* ---- the classifier ------------------------------------------------------------ */

static const ClassifierPool *find_pool(const char *name)
{
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        if (strcmp(pools[i].name, name) == 0) return &pools[i];
    fail("there is no pool %s; there are adaptive, attention, spatial and spatial_v2",
         name);
}

Classifier classifier_init(Params *p, const UNetConfig *config, const char *pool)
{
    Classifier c = {.encoder = encoder_init(p, config), .pool = find_pool(pool)};
    c.pool->init(p, &c);
    return c;
}

ClassifierAnswer classifier_answer(Pass *pass, const Classifier *c, Var *x,
                                   const Condition *condition)
{
    Var *skip[MAX_SKIPS];
    int N = x->shape.dim[0];
    Var *e = encoder_embed(pass, &c->encoder, condition, N);
    Var *h = encoder_forward(pass, &c->encoder, x, e, skip);
    const char *outer = tape_scope(pass->tape, "pool");
    Var *f = c->pool->features(pass, c, h, skip);
    Var *y = linear_forward(pass, &c->last, f);
    for (int i = 0; i < c->encoder.skips; i++) discard(skip[i]);
    tape_scope(pass->tape, outer);
    return (ClassifierAnswer){
        reshape(pass->tape, y, SHAPE(N, c->encoder.config.out_channels)), f, h};
}

Var *classifier_forward(Pass *pass, const Classifier *c, Var *x,
                        const Condition *condition)
{
    ClassifierAnswer a = classifier_answer(pass, c, x, condition);
    discard(a.map);
    return a.logits;
}

const char *classifier_pool(const Classifier *c) { return c->pool->name; }
