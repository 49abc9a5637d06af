/* Denoisers: see denoiser.h. */
#include "diffusion/denoiser.h"

static void network_predict(Denoiser *self, const double *x, Level level, const int *label,
                            int N, double *x0)
{
    NetworkDenoiser *d = (NetworkDenoiser *)self;
    const UNetConfig *c = &d->net->encoder.config;
    size_t size = (size_t)N * self->size;
    tape_reset(&d->tape);
    Real *in = tape_save(&d->tape, Real, size);
    double *t = tape_save(&d->tape, double, (size_t)N);
    for (size_t i = 0; i < size; i++) in[i] = (Real)x[i];
    for (int n = 0; n < N; n++) t[n] = level.t;

    Pass pass = pass_inference(&d->tape, d->params, d->weights);
    Var *image = tape_leaf(&d->tape, "x_t", SHAPE(N, c->height, c->width, c->channels), in, NULL);
    Var *out = unet_forward(&pass, d->net, image, &(Condition){.t = t, .label = label});
    for (size_t i = 0; i < size; i++)
        x0[i] = d->objective->to_x0((double)out->value[i], x[i], level);
}

NetworkDenoiser network_denoiser(const UNet *net, const Params *params, const Real *weights,
                                 const Objective *objective)
{
    const UNetConfig *c = &net->encoder.config;
    NetworkDenoiser d = {
        .base = {(size_t)(c->height * c->width * c->channels), network_predict},
        .net = net, .params = params, .weights = weights, .objective = objective,
        .tape = tape_create(),
    };
    d.tape.recording = false;
    return d;
}

void network_denoiser_destroy(NetworkDenoiser *d) { tape_destroy(&d->tape); }

static void gaussian_predict(Denoiser *self, const double *x, Level l, const int *label, int N,
                             double *x0)
{
    const GaussianDenoiser *d = (const GaussianDenoiser *)self;
    (void)label;
    double gain = l.a * d->variance / (l.a * l.a * d->variance + l.s * l.s);
    for (size_t i = 0; i < (size_t)N * self->size; i++)
        x0[i] = d->mean + gain * (x[i] - l.a * d->mean);
}

GaussianDenoiser gaussian_denoiser(size_t size, double mean, double variance)
{
    return (GaussianDenoiser){{size, gaussian_predict}, mean, variance};
}
