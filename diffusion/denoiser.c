/* Denoisers: see denoiser.h. */
#include "diffusion/denoiser.h"

#include <math.h>
#include <string.h>

void answer_from_output(Answer *answer, const Process *p, const Level *level,
                        const double *x, const double *out, const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        answer->x0[i] = p->prediction->to_x0(out[i], x[i], level);
    if (answer->v && p->variance->learned) memcpy(answer->v, v, n * sizeof *v);
    if (answer->mean && p->prediction->is_mean)
        memcpy(answer->mean, out, n * sizeof *out);
}

/* The network's channels are first what it predicts, then v: takes C of them from each
 * pixel. */
static double *take_channels(const Var *y, int first, int C)
{
    size_t all = (size_t)shape_last(y->shape), pixels = y->size / all, c = (size_t)C;
    double *out = arena_new(scratch(), double, pixels * c);
    for (size_t p = 0; p < pixels; p++)
        for (size_t k = 0; k < c; k++)
            out[p * c + k] = (double)y->value[p * all + (size_t)first + k];
    return out;
}

/* Runs the network on samples first ... first+N; dx [N, size], if not NULL, is where
 * backward adds the derivative by its input. */
static Var *run_network(NetworkDenoiser *d, const double *x, const Level *level,
                        const int *label, int first, int N, Real *dx)
{
    const UNetConfig *c = &d->net->encoder.config;
    int C = picture_channels(d->net, d->process);
    SmallPictures small = d->small;
    if (small.x) small.x += (size_t)first * (size_t)(small.height * small.width * C);
    size_t n = (size_t)N * d->base.size;
    x += (size_t)first * d->base.size;
    tape_reset(&d->tape);
    d->tape.recording = dx != NULL;
    Real *in = tape_save(&d->tape, Real, n);
    double *t = tape_save(&d->tape, double, (size_t)N);
    double input = d->process->prediction->input(level);
    for (size_t i = 0; i < n; i++) in[i] = (Real)(input * x[i]);
    for (int k = 0; k < N; k++) t[k] = level->t;
    Pass pass = pass_inference(&d->tape, d->params, d->weights);
    Var *image = tape_leaf(&d->tape, "x_t", SHAPE(N, c->height, c->width, C), in, dx);
    return network_forward(&pass, d->net, d->process, image, &small,
                           &(Condition){.t = t, .label = label ? label + first : NULL});
}

/* Samples do not know of each other, so few at a time give the same answers: few enough
 * that a value at the full size, CACHE bytes, is still in the cache when it is read; but
 * LEAST, for the filters are prepared each time. */
static int samples_at_once(const UNetConfig *c, int N)
{
    enum { CACHE = 2 << 20, LEAST = 16 };
    size_t value = (size_t)(c->height * c->width * c->base) * sizeof(Real);
    int most = value < CACHE / LEAST ? (int)(CACHE / value) : LEAST;
    int parts = (N + most - 1) / most;
    return (N + parts - 1) / parts;
}

static void network_predict(Denoiser *self, const double *x, const Level *level,
                            const int *label, int N, Answer *answer)
{
    NetworkDenoiser *d = (NetworkDenoiser *)self;
    int C = picture_channels(d->net, d->process);
    int some = samples_at_once(&d->net->encoder.config, N);
    for (int first = 0; first < N; first += some) {
        int count = N - first < some ? N - first : some;
        size_t at = (size_t)first * self->size, mark = arena_mark(scratch());
        Var *y = run_network(d, x, level, label, first, count, NULL);
        const double *v = self->gives_v ? take_channels(y, C, C) : NULL;
        Answer part = {answer->x0 + at, answer->v ? answer->v + at : NULL,
                       answer->mean ? answer->mean + at : NULL};
        answer_from_output(&part, d->process, level, x + at, take_channels(y, 0, C), v,
                           (size_t)count * self->size);
        arena_rewind(scratch(), mark);
    }
}

/* x0_hat = to_x0(F(input x), x), and to_x0 is linear in both:
 *     g = (dto_x0/dx) e + (dto_x0/dF) input (F's derivative at input x, transposed) e. */
static void network_pull(Denoiser *self, const double *x, const Level *l,
                         const int *label, int N, const double *e, double *x0, double *g)
{
    NetworkDenoiser *d = (NetworkDenoiser *)self;
    const Prediction *p = d->process->prediction;
    size_t n = (size_t)N * self->size, mark = arena_mark(scratch());
    Real *dx = arena_new(scratch(), Real, n);
    memset(dx, 0, n * sizeof *dx);
    Var *y = run_network(d, x, l, label, 0, N, dx);
    int C = picture_channels(d->net, d->process), all = shape_last(y->shape);
    answer_from_output(&(Answer){x0, NULL, NULL}, d->process, l, x,
                       take_channels(y, 0, C), NULL, n);
    Real *weight = tape_save(&d->tape, Real, y->size);      /* e, and 0 for v */
    for (size_t i = 0; i < y->size; i++) {
        size_t pixel = i / (size_t)all, c = i % (size_t)all;
        weight[i] = c < (size_t)C ? (Real)e[pixel * (size_t)C + c] : 0;
    }
    Var *dot = multiply(&d->tape, y, tape_leaf(&d->tape, "e", y->shape, weight, NULL));
    backward(sum(&d->tape, dot, ALL_AXES));
    double by_x = p->to_x0(0, 1, l), by_out = p->to_x0(1, 0, l) * p->input(l);
    for (size_t i = 0; i < n; i++) g[i] = by_x * e[i] + by_out * (double)dx[i];
    arena_rewind(scratch(), mark);
}

NetworkDenoiser network_denoiser(const UNet *net, const Params *params,
                                 const Real *weights, const Process *process)
{
    const UNetConfig *c = &net->encoder.config;
    NetworkDenoiser d = {
        .base = {(size_t)(c->height * c->width * picture_channels(net, process)),
                 process->variance->learned, process->prediction->is_mean,
                 network_predict, &process->conditioning, network_pull},
        .net = net, .params = params, .weights = weights, .process = process,
        .tape = tape_create(),
    };
    return d;
}

void network_denoiser_destroy(NetworkDenoiser *d) { tape_destroy(&d->tape); }

static double gaussian_gain(const GaussianDenoiser *d, const Level *l)
{
    return l->a * d->variance / (l->a * l->a * d->variance + l->s * l->s);
}

static void gaussian_predict(Denoiser *self, const double *x, const Level *l,
                             const int *label, int N, Answer *answer)
{
    const GaussianDenoiser *d = (const GaussianDenoiser *)self;
    (void)label;
    double gain = gaussian_gain(d, l);
    for (size_t i = 0; i < (size_t)N * self->size; i++)
        answer->x0[i] = d->mean + gain * (x[i] - l->a * d->mean);
}

static void gaussian_pull(Denoiser *self, const double *x, const Level *l,
                          const int *label, int N, const double *e, double *x0, double *g)
{
    double gain = gaussian_gain((const GaussianDenoiser *)self, l);
    gaussian_predict(self, x, l, label, N, &(Answer){x0, NULL, NULL});
    for (size_t i = 0; i < (size_t)N * self->size; i++) g[i] = gain * e[i];
}

GaussianDenoiser gaussian_denoiser(size_t size, double mean, double variance)
{
    return (GaussianDenoiser){
        {.size = size, .predict = gaussian_predict, .pull = gaussian_pull},
        mean, variance};
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

static void mixture_predict(Denoiser *self, const double *x, const Level *l,
                            const int *label, int N, Answer *answer)
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

/* With m_k the mean of x0 given x and Gaussian k, s_k the gradient of ln N(x'; ...) of
 * it:
 *     g = sum_k r_k (keep_k e + ((m_k - x0_hat).e) s_k) / a. */
static void mixture_pull(Denoiser *self, const double *x, const Level *l,
                         const int *label, int N, const double *e, double *x0, double *g)
{
    const MixtureDenoiser *d = (const MixtureDenoiser *)self;
    size_t D = self->size, mark = arena_mark(scratch());
    double sigma = l->s / l->a, *r = arena_new(scratch(), double, (size_t)d->K);
    double *unscaled = arena_new(scratch(), double, D);
    mixture_predict(self, x, l, label, N, &(Answer){x0, NULL, NULL});
    for (int n = 0; n < N; n++, x += D, e += D, x0 += D, g += D) {
        for (size_t i = 0; i < D; i++) unscaled[i] = x[i] / l->a, g[i] = 0;
        find_shares(d, unscaled, sigma, r);
        for (int k = 0; k < d->K; k++) {
            double v = d->std[k] * d->std[k], all = v + sigma * sigma, keep = v / all;
            const double *mean = d->mean + (size_t)k * D;
            double dot = 0;
            for (size_t i = 0; i < D; i++)
                dot += (keep * unscaled[i] + (1 - keep) * mean[i] - x0[i]) * e[i];
            for (size_t i = 0; i < D; i++)
                g[i] += r[k] * (keep * e[i] - dot * (unscaled[i] - mean[i]) / all) / l->a;
        }
    }
    arena_rewind(scratch(), mark);
}

MixtureDenoiser mixture_denoiser(size_t size, int K, const double *weight,
                                 const double *std, const double *mean)
{
    return (MixtureDenoiser){
        {.size = size, .predict = mixture_predict, .pull = mixture_pull},
        K, weight, std, mean};
}
