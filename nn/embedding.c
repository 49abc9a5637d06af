/* Embeddings: see embedding.h. */
#include "nn/embedding.h"

#include <string.h>

#include "tensor/error.h"

static const struct Waves {
    const char *name;
    bool cosines_first, random;
    int missing;
} kinds[] = {
    {"ddpm", false, false, 1}, {"openai", true, false, 0}, {"sine", false, false, 0},
    {"cosine", true, false, 1}, {"fourier", false, true, 0},
};

static const struct Waves *find_kind(const char *name)
{
    if (!name) return &kinds[0];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    fail("there is no embedding %s; there are ddpm, openai, sine, cosine and fourier",
         name);
}

void embedding_waves(Real *out, const char *name, const double *t, int N, int dim,
                     const Real *frequency)
{
    const struct Waves *kind = find_kind(name);
    int half = dim / 2, first = kind->cosines_first ? half : 0;
    if (half <= kind->missing)
        fail("an embedding by %s of %d numbers; want more", name, dim);
    for (int n = 0; n < N; n++, out += dim) {
        for (int i = 0; i < half; i++) {
            double f = kind->random ? 2 * 3.14159265358979323846 * (double)frequency[i]
                                    : exp(-log(10000.0) * i / (half - kind->missing));
            out[first + i] = (Real)sin(t[n] * f);
            out[half - first + i] = (Real)cos(t[n] * f);
        }
        if (dim % 2) out[dim - 1] = 0;
    }
}

#define SUB(part) arena_printf(&p->arena, "%s." part, name)

Embedding embedding_init(Params *p, const char *name, const EmbeddingConfig *config)
{
    const EmbeddingConfig *c = config;
    Embedding b = {.name = name, .config = *c, .frequencies = -1};
    if (find_kind(c->waves)->random)
        b.frequencies = params_add(p, SHAPE(c->dim / 2), (Init){INIT_NORMAL, 16},
                                   "%s.frequencies", name);
    b.first = linear_init(p, SUB("linear1"), c->dim, c->out, ROLE_PLAIN);
    b.second = linear_init(p, SUB("linear2"), c->out, c->out, ROLE_PLAIN);
    if (c->classes && c->class_first)
        b.class_layer = linear_init(p, SUB("class"), c->classes, c->dim, ROLE_PLAIN);
    else if (c->classes)
        b.class_layer = (Linear){
            params_add(p, SHAPE(c->out, c->classes), (Init){INIT_NORMAL, 1},
                       "%s.class.weight", name), -1};
    if (c->augment)
        b.augment_layer = linear_init_without_bias(p, SUB("augment"), c->augment, c->dim,
                                                   c->class_first ? ROLE_PLAIN
                                                                  : ROLE_LAST);
    return b;
}

static Var *waves_leaf(Pass *pass, const Embedding *b, const double *t, int N)
{
    int dim = b->config.dim;
    Real *waves = tape_save(pass->tape, Real, (size_t)(N * dim));
    int f = b->frequencies;
    embedding_waves(waves, b->config.waves, t, N, dim,
                    f >= 0 ? pass->weights + pass->params->list[f].offset : NULL);
    return tape_leaf(pass->tape, "waves", SHAPE(N, 1, 1, dim), waves, NULL);
}

/* x + layer(1 at each sample's class).  Where the class comes first it is made as large
 * as the waves together: sqrt(classes). */
static Var *add_class(Pass *pass, const Embedding *b, const int *label, Var *x)
{
    int N = x->shape.dim[0], K = b->config.classes;
    Real *one = tape_save(pass->tape, Real, (size_t)(N * K));
    memset(one, 0, (size_t)(N * K) * sizeof *one);
    for (int n = 0; label && n < N; n++) {
        require(label[n] >= -1 && label[n] < K, "class %d of %d", label[n], K);
        if (label[n] >= 0)
            one[n * K + label[n]] = (Real)(b->config.class_first ? sqrt(K) : 1);
    }
    Var *which = tape_leaf(pass->tape, "class", SHAPE(N, 1, 1, K), one, NULL);
    return add(pass->tape, x, linear_forward(pass, &b->class_layer, which));
}

static Var *add_augment(Pass *pass, const Embedding *b, const double *augment, Var *x)
{
    int N = x->shape.dim[0], A = b->config.augment;
    Real *values = tape_save(pass->tape, Real, (size_t)(N * A));
    for (int i = 0; i < N * A; i++) values[i] = (Real)augment[i];
    Var *labels = tape_leaf(pass->tape, "augment", SHAPE(N, 1, 1, A), values, NULL);
    return add(pass->tape, x, linear_forward(pass, &b->augment_layer, labels));
}

Var *embedding_forward(Pass *pass, const Embedding *b, const Condition *c, int N)
{
    const char *outer = tape_scope(pass->tape, b->name);
    const EmbeddingConfig *k = &b->config;
    Var *x = waves_leaf(pass, b, c->t, N);
    if (k->classes && k->class_first) x = add_class(pass, b, c->label, x);
    if (k->augment && c->augment) x = add_augment(pass, b, c->augment, x);
    Var *h = silu(pass->tape, linear_forward(pass, &b->first, x));
    Var *e = linear_forward(pass, &b->second, h);
    if (k->classes && !k->class_first) e = add_class(pass, b, c->label, e);
    e = silu(pass->tape, e);
    tape_scope(pass->tape, outer);
    return e;
}
