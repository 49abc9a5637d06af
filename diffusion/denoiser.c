/* Denoisers: see denoiser.h. */
#include "diffusion/denoiser.h"

#include <math.h>
#include <string.h>

void answer_from_output(Answer *answer, const Process *p, const Level *level, const double *x,
                        const double *out, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++) answer->x0[i] = p->prediction->to_x0(out[i], x[i], level);
    if (answer->v && p->variance->learned) memcpy(answer->v, v, n * sizeof *v);
    if (answer->mean && p->prediction->is_mean) memcpy(answer->mean, out, n * sizeof *out);
}

/* The network's channels are first what it predicts, then v: takes C of them from each pixel. */
static double *take_channels(const Var *y, int first, int C)
{
    size_t all = (size_t)shape_last(y->shape), pixels = y->size / all, c = (size_t)C;
    double *out = arena_new(scratch(), double, pixels * c);
    for (size_t p = 0; p < pixels; p++)
        for (size_t k = 0; k < c; k++)
            out[p * c + k] = (double)y->value[p * all + (size_t)first + k];
    return out;
}

static void network_predict(Denoiser *self, const double *x, const Level *level,
                            const int *label, int N, Answer *answer)
{
    NetworkDenoiser *d = (NetworkDenoiser *)self;
    const UNetConfig *c = &d->net->encoder.config;
    size_t n = (size_t)N * self->size, mark = arena_mark(scratch());
    tape_reset(&d->tape);
    Real *in = tape_save(&d->tape, Real, n);
    double *t = tape_save(&d->tape, double, (size_t)N);
    double input = d->process->prediction->input(level);
    for (size_t i = 0; i < n; i++) in[i] = (Real)(input * x[i]);
    for (int k = 0; k < N; k++) t[k] = level->t;

    Pass pass = pass_inference(&d->tape, d->params, d->weights);
    int C = picture_channels(d->net, d->process);
    Var *image = tape_leaf(&d->tape, "x_t", SHAPE(N, c->height, c->width, C), in, NULL);
    Var *y = network_forward(&pass, d->net, d->process, image, &d->small,
                             &(Condition){.t = t, .label = label});
    const double *v = self->gives_v ? take_channels(y, C, C) : NULL;
    answer_from_output(answer, d->process, level, x, take_channels(y, 0, C), v, n);
    arena_rewind(scratch(), mark);
}

NetworkDenoiser network_denoiser(const UNet *net, const Params *params, const Real *weights,
                                 const Process *process)
{
    const UNetConfig *c = &net->encoder.config;
    NetworkDenoiser d = {
        .base = {(size_t)(c->height * c->width * picture_channels(net, process)),
                 process->variance->learned, process->prediction->is_mean, network_predict, &process->conditioning},
        .net = net, .params = params, .weights = weights, .process = process,
        .tape = tape_create(),
    };
    d.tape.recording = false;
    return d;
}

void network_denoiser_destroy(NetworkDenoiser *d) { tape_destroy(&d->tape); }

static void gaussian_predict(Denoiser *self, const double *x, const Level *l, const int *label,
                             int N, Answer *answer)
{
    const GaussianDenoiser *d = (const GaussianDenoiser *)self;
    (void)label;
    double gain = l->a * d->variance / (l->a * l->a * d->variance + l->s * l->s);
    for (size_t i = 0; i < (size_t)N * self->size; i++)
        answer->x0[i] = d->mean + gain * (x[i] - l->a * d->mean);
}

GaussianDenoiser gaussian_denoiser(size_t size, double mean, double variance)
{
    return (GaussianDenoiser){{.size = size, .predict = gaussian_predict}, mean, variance};
}

/* r[K]: how likely each Gaussian is to have made x, of D numbers at noise level sigma. */
static void find_shares(const MixtureDenoiser *d, const double *x, double sigma,
                        double *r)
{
    size_t D = d->base.size;
    double most = -INFINITY, sum = 0;
    for (int k = 0; k < d->K; k++) {
        double v = d->std[k] * d->std[k] + sigma * sigma, square = 0;
        for (size_t i = 0; i < D; i++) {
            double off = x[i] - d->mean[(size_t)k * D + i];
            square += off * off;
        }
        r[k] = log(d->weight[k]) - 0.5 * (square / v + (double)D * log(v));
        most = fmax(most, r[k]);
    }
    for (int k = 0; k < d->K; k++) sum += r[k] = exp(r[k] - most);
    for (int k = 0; k < d->K; k++) r[k] /= sum;
}

static void mixture_predict(Denoiser *self, const double *x, const Level *l, const int *label,
                            int N, Answer *answer)
{
    const MixtureDenoiser *d = (const MixtureDenoiser *)self;
    size_t D = self->size, mark = arena_mark(scratch());
    double sigma = l->s / l->a, *r = arena_new(scratch(), double, (size_t)d->K);
    double *unscaled = arena_new(scratch(), double, D), *y = answer->x0;
    (void)label;
    for (int n = 0; n < N; n++, x += D, y += D) {
        for (size_t i = 0; i < D; i++) unscaled[i] = x[i] / l->a, y[i] = 0;
        find_shares(d, unscaled, sigma, r);
        for (int k = 0; k < d->K; k++) {
            double v = d->std[k] * d->std[k], keep = v / (v + sigma * sigma);
            const double *mean = d->mean + (size_t)k * D;
            for (size_t i = 0; i < D; i++)
                y[i] += r[k] * (keep * unscaled[i] + (1 - keep) * mean[i]);
        }
    }
    arena_rewind(scratch(), mark);
}

MixtureDenoiser mixture_denoiser(size_t size, int K, const double *weight, const double *std,
                                 const double *mean)
{
    return (MixtureDenoiser){{.size = size, .predict = mixture_predict}, K, weight, std, mean};
}
