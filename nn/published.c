/* The arrays of published networks: see published.h. */
#include "nn/published_class.h"

#include <string.h>

#include "tensor/error.h"

/* ---- reading and writing ------------------------------------------------------- */

/* Where number i of theirs stands in our block: the digits of i, times the strides. */
static size_t find_place(const PublishedArray *a, size_t i)
{
    size_t at = a->first;
    for (int k = a->axes - 1; k >= 0; k--) {
        at += i % (size_t)a->length[k] * a->stride[k];
        i /= (size_t)a->length[k];
    }
    return at;
}

void published_read(const PublishedArray *a, const Real *theirs, Real *ours)
{
    for (size_t i = 0; i < a->size; i++) ours[find_place(a, i)] = theirs[i];
}

void published_write(const PublishedArray *a, const Real *ours, Real *theirs)
{
    for (size_t i = 0; i < a->size; i++) theirs[i] = ours[find_place(a, i)];
}

/* ---- arrays -------------------------------------------------------------------- */

Published published_begin(Arena *a, const PublishedNet *net, const Params *p)
{
    return (Published){.arena = a, .params = p, .names = net->names, .order = net->order,
                       .list = arena_new(a, PublishedArray, (size_t)p->count),
                       .filters = arena_new(a, const char *, (size_t)p->count)};
}

static PublishedArray *add_array(Published *w, const char *name, Shape shape,
                                 size_t first)
{
    require(w->count < w->params->count, "%s: more arrays than parameters", name);
    PublishedArray *a = &w->list[w->count++];
    *a = (PublishedArray){.name = name, .shape = shape, .size = shape_size(shape),
                          .first = first};
    return a;
}

static void add_axis(PublishedArray *a, int length, size_t stride)
{
    a->length[a->axes] = length;
    a->stride[a->axes++] = stride;
}

static const char *join(Published *w, const char *at, const char *name)
{
    return arena_printf(w->arena, "%s%s%s", at, *at && *name ? "." : "", name);
}

static const Param *param(const Published *w, int i) { return &w->params->list[i]; }

/* [rows, columns], with axes of 1 behind until there are `rank`. */
static Shape matrix_shape(int rows, int columns, int rank)
{
    return shape_make(rank, (int[]){rows, columns, 1, 1});
}

/* In our order: a vector, or a matrix published with `rank` axes. */
void published_plain(Published *w, const char *at, const char *name, int i, int rank)
{
    const Param *p = param(w, i);
    const int *d = p->shape.dim;
    Shape shape = rank > 1 ? matrix_shape(d[0], d[1], rank) : p->shape;
    add_axis(add_array(w, join(w, at, name), shape, p->offset), (int)p->size, 1);
}

/* [I, O], ours is [O, I]. */
void published_transposed(Published *w, const char *at, const char *name, int i)
{
    const Param *p = param(w, i);
    int O = p->shape.dim[0], I = p->shape.dim[1];
    PublishedArray *a = add_array(w, join(w, at, name), SHAPE(I, O), p->offset);
    add_axis(a, I, 1);
    add_axis(a, O, (size_t)I);
}

void published_linear(Published *w, const char *at, const char *name, Linear l, int rank)
{
    at = join(w, at, name);
    published_plain(w, at, "weight", l.weight, rank);
    if (l.bias >= 0) published_plain(w, at, "bias", l.bias, 1);
}

/* [O, I, KH, KW], ours is [O, KH, KW, I]. */
void published_conv(Published *w, const char *at, const char *name, Conv2d l)
{
    const Param *p = param(w, l.weight);
    const int *d = p->shape.dim;
    int O = d[0], H = d[1], W = d[2], I = d[3];
    at = join(w, at, name);
    PublishedArray *a = add_array(w, join(w, at, "weight"), SHAPE(O, I, H, W), p->offset);
    add_axis(a, O, (size_t)(H * W * I));
    add_axis(a, I, 1);
    add_axis(a, H, (size_t)(W * I));
    add_axis(a, W, (size_t)I);
    if (l.bias >= 0) published_plain(w, at, "bias", l.bias, 1);
}

void published_norm(Published *w, const char *at, const char *name, GroupNorm l)
{
    at = join(w, at, name);
    published_plain(w, at, "weight", l.gamma, 1);
    published_plain(w, at, "bias", l.beta, 1);
}

/* Weight or bias i[3] of q, k and v as one array of 3C rows. */
static void add_joint(Published *w, const char *name, const int i[3], int heads, int rank)
{
    const Param *q = param(w, i[0]), *k = param(w, i[1]), *v = param(w, i[2]);
    int C = q->shape.dim[0], width = (int)q->size / C;
    size_t between = k->offset - q->offset, head = (size_t)(C / heads * width);
    require(v->offset - k->offset == between, "%s: q, k and v are uneven", name);
    PublishedArray *a = add_array(w, name, rank > 1 ? matrix_shape(3 * C, width, rank)
                                                    : SHAPE(3 * C), q->offset);
    for (const char *axis = w->order; *axis; axis++) {
        if (*axis == 'h') add_axis(a, heads, head);
        if (*axis == '3') add_axis(a, 3, between);
        if (*axis == 'c') add_axis(a, C / heads, (size_t)width);
    }
    add_axis(a, width, 1);
}

void published_qkv(Published *w, const char *at, const char *name, const Linear l[3],
                   int heads)
{
    at = join(w, at, name);
    add_joint(w, join(w, at, "weight"), (int[]){l[0].weight, l[1].weight, l[2].weight},
              heads, w->names->projection_rank);
    add_joint(w, join(w, at, "bias"), (int[]){l[0].bias, l[1].bias, l[2].bias}, heads, 1);
}

/* A filter has no numbers of ours: it is known by its name only. */
static void add_filter(Published *w, const char *at, const char *name)
{
    if (name) w->filters[w->filter_count++] = join(w, at, name);
}

/* ---- blocks -------------------------------------------------------------------- */

void published_block(Published *w, const char *at, const ResBlock *b)
{
    const PublishedNames *n = w->names;
    published_norm(w, at, n->norm1, b->norm1);
    published_conv(w, at, n->conv1, b->conv1);
    published_linear(w, at, n->embed, b->embed, 2);
    published_norm(w, at, n->norm2, b->norm2);
    published_conv(w, at, n->conv2, b->conv2);
    if (b->has_skip) published_conv(w, at, n->skip, b->skip);
    for (int i = 0; i < 2 && b->direction != RESAMPLE_NONE; i++)
        add_filter(w, at, n->filters[i]);
}

void published_attention(Published *w, const char *at, const AttentionBlock *b)
{
    const PublishedNames *n = w->names;
    int rank = n->projection_rank;
    if (b->norm.groups) published_norm(w, at, n->norm, b->norm);
    if (n->k) {
        published_linear(w, at, n->q, b->q, rank);
        published_linear(w, at, n->k, b->k, rank);
        published_linear(w, at, n->v, b->v, rank);
    } else {
        published_qkv(w, at, n->q, (Linear[]){b->q, b->k, b->v}, b->heads);
    }
    published_linear(w, at, n->out, b->out, rank);
}

/* The name of a place: {n}, {l} ... replaced by the numbers of w->place. */
static const char *name_place(Published *w, const char *name)
{
    require(name, "a layer of ours has no name in the published network");
    Text text = {.arena = w->arena};
    for (const char *c = name; *c; c++) {
        if (*c == '{') text_printf(&text, "%d", w->place[(unsigned char)c[1]]), c += 2;
        else text_printf(&text, "%c", *c);
    }
    return text.bytes;
}

static void add_embedding(Published *w, const Embedding *b)
{
    const PublishedNames *n = w->names;
    const EmbeddingConfig *c = &b->config;
    if (b->frequencies >= 0) published_plain(w, "", n->frequencies, b->frequencies, 1);
    published_linear(w, "", n->linear1, b->first, 2);
    published_linear(w, "", n->linear2, b->second, 2);
    if (c->classes && n->class_table)
        published_transposed(w, n->class_layer, "weight", b->class_layer.weight);
    else if (c->classes)
        published_linear(w, "", n->class_layer, b->class_layer, 2);
    if (c->augment) published_linear(w, "", n->augment, b->augment_layer, 2);
}

static void add_resample(Published *w, const char *at, const char *conv,
                         const Resample *r)
{
    if (strcmp(r->kind, "block") == 0) published_block(w, name_place(w, at), &r->block);
    else if (strcmp(r->kind, "plain") != 0)
        published_conv(w, name_place(w, at), conv, r->conv);
}

/* ---- networks ------------------------------------------------------------------ */

static void go_to_level(Published *w, const UNetConfig *c, int l)
{
    w->place['l'] = l;
    w->place['u'] = c->levels - 1 - l;
    w->place['h'] = c->height >> l;
}

static void add_level_block(Published *w, const UNetLevel *level, int b,
                            const char *block, const char *attention)
{
    w->place['b'] = b;
    published_block(w, name_place(w, block), &level->block[b]);
    if (level->attends[b])
        published_attention(w, name_place(w, attention), &level->attention[b]);
    w->place['a'] = level->attends[b] ? 2 : 1;
}

void published_encoder(Published *w, const Encoder *u)
{
    const PublishedNames *n = w->names;
    const UNetConfig *c = &u->config;
    int *place = w->place;
    require(c->patch == 1, "no published network works on patches");
    go_to_level(w, c, place['n'] = 0);
    add_embedding(w, &u->embedding);
    published_conv(w, name_place(w, n->conv_in), "", u->conv_in);
    for (int l = 0; l < c->levels; l++) {
        for (int b = 0; b < c->blocks; b++) {
            place['n']++;
            add_level_block(w, &u->down[l], b, n->down, n->down_attention);
        }
        if (l == c->levels - 1) break;
        place['n']++;
        place['h'] = c->height >> (l + 1);      /* EDM names it after its result ... */
        add_resample(w, n->downsample, n->downsample_conv, &u->down[l].resample);
        if (c->pyramid) {
            published_conv(w, name_place(w, n->pyramid), "", u->down[l].pyramid);
            add_filter(w, name_place(w, n->pyramid), n->pyramid_filter);
        }
        go_to_level(w, c, l + 1);               /* ... diffusers after the level before */
    }
    published_block(w, name_place(w, n->middle[0]), &u->middle[0]);
    if (!c->no_middle_attention)
        published_attention(w, name_place(w, n->middle_attention), &u->middle_attention);
    published_block(w, name_place(w, n->middle[1]), &u->middle[1]);
}

void published_end(const Published *w)
{
    size_t size = 0;
    for (int i = 0; i < w->count; i++) size += w->list[i].size;
    require(size == w->params->size, "the published arrays hold %zu of our %zu numbers",
            size, w->params->size);
}

Published published_unet(Arena *a, const PublishedNet *net, const Params *p,
                         const UNet *u)
{
    Published w = published_begin(a, net, p);
    const PublishedNames *n = w.names;
    const UNetConfig *c = &u->encoder.config;
    published_encoder(&w, &u->encoder);
    w.place['n'] = -1;
    for (int l = c->levels - 1; l >= 0; l--) {
        for (int b = 0; b <= c->blocks; b++) {
            w.place['n']++;             /* OpenAI's upsampling is part of the last */
            add_level_block(&w, &u->up[l], b, n->up, n->up_attention);
        }
        if (l == 0) break;
        w.place['h'] = c->height >> (l - 1);
        add_resample(&w, n->upsample, n->upsample_conv, &u->up[l].resample);
        go_to_level(&w, c, l - 1);
    }
    published_norm(&w, name_place(&w, n->norm_out), "", u->norm_out);
    published_conv(&w, name_place(&w, n->conv_out), "", u->conv_out);
    published_end(&w);
    return w;
}
