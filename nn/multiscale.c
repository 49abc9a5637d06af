/* Convolutions at several scales: see multiscale.h. */
#include "nn/multiscale.h"

#include <math.h>

#include "tensor/error.h"

/* `layers` layers of `units`, from `in` numbers to `out`. */
static Mlp init_dense(Params *p, const char *name, int in, int units, int out, int layers)
{
    int widths[MAX_LAYERS + 2] = {in};
    require(layers <= MAX_LAYERS, "%s: more than %d layers", name, MAX_LAYERS);
    for (int i = 1; i < layers; i++) widths[i] = units;
    widths[layers] = out;
    return mlp_init(p, name, widths, "leaky_relu");
}

Multiscale multiscale_init(Params *p, const char *name, const MultiscaleConfig *c)
{
    int block = 1 << (c->scales - 1), pixels = c->height * c->width;
    int width = c->filters + (c->dense_layers ? c->dense_out : 0);
    int out = 2 * c->channels * c->basis.J;
    require(c->scales >= 1 && c->scales <= MOST_SCALES && c->height % block == 0 &&
            c->width % block == 0 && c->layers <= MAX_LAYERS,
            "%s: %d layers of %d scales of %dx%d", name, c->layers, c->scales, c->height,
            c->width);
    Multiscale m = {.config = *c};
    for (int i = 0; i < c->layers; i++)
        for (int s = 0; s < c->scales; s++)
            m.conv[i][s] = conv2d_init(p, arena_printf(&p->arena, "%s.conv.%d.%d", name,
                                                       i, s),
                                       i ? c->filters : c->channels, c->filters, 3,
                                       ROLE_PLAIN);
    if (c->dense_layers)
        m.dense = init_dense(p, arena_printf(&p->arena, "%s.dense", name),
                             pixels * c->channels, c->dense_units, pixels * c->dense_out,
                             c->dense_layers);
    m.pixel = init_dense(p, arena_printf(&p->arena, "%s.pixel", name), width,
                         c->pixel_units, c->pixel_units, c->pixel_layers);
    m.readout.weight = params_add(p, SHAPE(out, c->pixel_units),
                                  (Init){INIT_CONSTANT, 0}, "%s.readout.weight", name);
    m.readout.bias = params_add(p, SHAPE(out), (Init){INIT_CONSTANT, 0},
                                "%s.readout.bias", name);
    return m;
}

static Var *activate(Tape *t, Var *x)
{
    Var *y = leaky_relu(t, x, 0.05);
    discard(x);
    return y;
}

/* One layer, from the coarsest scale to the finest. */
static Var *all_scales(Pass *pass, const Conv2d conv[], int scales, Var *x)
{
    Tape *t = pass->tape;
    Var *sum = NULL;
    for (int s = scales - 1; s >= 0; s--) {
        Var *small = s ? average_pool(t, x, 1 << s, 1 << s, 0) : x;
        Var *coarse = sum ? upsample(t, sum) : NULL;
        sum = conv2d_forward_plus(pass, &conv[s], small, NULL, coarse);
    }
    return activate(t, scale(t, sum, 1.0 / scales, 0));
}

Var *multiscale_forward(Pass *pass, const Multiscale *m, Var *x, const double t[])
{
    const MultiscaleConfig *c = &m->config;
    Tape *tape = pass->tape;
    int N = x->shape.dim[0], H = c->height, W = c->width;
    Var *h = x;
    for (int i = 0; i < c->layers; i++) h = all_scales(pass, m->conv[i], c->scales, h);
    h = scale(tape, h, 1 / sqrt(c->filters), 0);
    if (c->dense_layers) {
        Var *rows = reshape(tape, x, SHAPE(N, H * W * c->channels));
        Var *far = activate(tape, mlp_forward(pass, &m->dense, rows));
        far = reshape(tape, far, SHAPE(N, H, W, c->dense_out));
        h = concat(tape, h, scale(tape, far, 1 / sqrt(c->dense_out), 0), 3);
    }
    h = activate(tape, mlp_forward(pass, &m->pixel, h));
    h = linear_forward(pass, &m->readout, h);
    h = reshape(tape, h, SHAPE(N, H * W, 2 * c->channels * c->basis.J));
    h = time_basis_average(tape, &c->basis, h, t);
    return reshape(tape, h, SHAPE(N, H, W, 2 * c->channels));
}
