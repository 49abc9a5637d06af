/* A compressor: see codec.h. */
#include "diffusion/codec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/ops.h"
#include "tensor/error.h"

enum { PURPOSE_CODEC = 15, LEVELS = 256, FARTHEST = 8 };

/* The state of both sides; x0 is known to the writer only. */
typedef struct {
    Arithmetic *c;
    Denoiser *d;
    const Process *p;
    const CodecOptions *o;
    const int *label;
    double *x0, *x, *guess;         /* [size]; guess: x0_hat */
    int t;
    int size_class;                 /* |x0 - x0_hat|^2 <= 2^(size_class/2) */
    uint64_t tables;                /* used so far */
    CodecReport report;
} Codec;

static Random next_table(Codec *k)
{
    return random_stream(k->o->seed, PURPOSE_CODEC, k->tables++);
}

static double signal_to_noise(const Codec *k, int t)
{
    double bar = k->p->schedule.alpha_bar[t];
    return bar / (1 - bar);
}

static void ask(Codec *k)
{
    Level l = schedule_level(&k->p->schedule, k->t);
    size_t mark = arena_mark(scratch()), n = k->d->size;
    double *v = k->d->gives_v ? arena_new(scratch(), double, n) : NULL;
    Answer answer = {k->guess, v, NULL};
    k->d->predict(k->d, k->x, &l, k->label, 1, &answer);
    for (size_t i = 0; i < n; i++) k->guess[i] = fmin(fmax(k->guess[i], -1), 1);
    arena_rewind(scratch(), mark);
}

static double squared_error(const Codec *k)
{
    double sum = 0;
    for (size_t i = 0; i < k->d->size; i++) sum += pow(k->x0[i] - k->guess[i], 2);
    return sum;
}

/* How the error's class differs from the last, by at most FARTHEST: probability ~
 * 2^-|.|. */
static void code_class(Codec *k)
{
    double weight[2 * FARTHEST + 1];
    for (int i = 0; i <= 2 * FARTHEST; i++) weight[i] = pow(2, -abs(i - FARTHEST));
    Distribution d = distribution_make(weight, 2 * FARTHEST + 1);
    int off = 0;
    if (k->c->writing) {
        int now = (int)ceil(2 * log2(fmax(squared_error(k), 1e-12)));
        off = now - k->size_class;
        off = off > FARTHEST ? FARTHEST : off < -FARTHEST ? -FARTHEST : off;
    }
    k->size_class += arithmetic_code(k->c, &d, off + FARTHEST) - FARTHEST;
}

/* ---- a step ----------------------------------------------------------------------- */

/* The lowest step that one channel can reach, or the next. */
static int find_next(const Codec *k, double error)
{
    int next = k->t - 1;
    double from = signal_to_noise(k, k->t), most = k->o->channel * log(2);
    while (next > k->o->until &&
           error / 2 * (signal_to_noise(k, next - 1) - from) <= most) next--;
    return next;
}

/* x to step next: the sender's shift of the noise in units of its deviation, dealt out to
 * `channels`, each with the numbers that a shuffle gives it. */
static void step_down(Codec *k, int next, int channels, double bits)
{
    size_t D = k->d->size, mark = arena_mark(scratch());
    Level now = schedule_level(&k->p->schedule, k->t);
    Level then = schedule_level(&k->p->schedule, next);
    double keep = now.a / then.a, beta = 1 - keep * keep;
    double deviation = then.s / now.s * sqrt(beta);
    double c0 = then.a * beta / (now.s * now.s);
    double ct = keep * then.s * then.s / (now.s * now.s);
    uint32_t *order = arena_new(scratch(), uint32_t, D);
    double *shift = arena_new(scratch(), double, D), *z = arena_new(scratch(), double, D);
    random_permutation(next_table(k), (uint32_t)D, order);
    for (size_t m = 0, N = (size_t)channels; m < N; m++) {
        const uint32_t *mine = order + D * m / N;
        size_t n = D * (m + 1) / N - D * m / N;
        for (size_t i = 0; k->c->writing && i < n; i++)
            shift[i] = c0 / deviation * (k->x0[mine[i]] - k->guess[mine[i]]);
        channel_code(k->c, next_table(k), bits / channels, shift, n, z);
        if (k->c->writing) k->report.kl += channel_bits(shift, n);
        for (size_t i = 0; i < n; i++) {
            double *x = &k->x[mine[i]];
            *x = c0 * k->guess[mine[i]] + ct * *x + deviation * z[i];
        }
    }
    k->t = next;
    k->report.steps++, k->report.channels += channels;
    arena_rewind(scratch(), mark);
}

/* From noise to step `until`, where x0_hat is asked for a last time. */
static void code_chain(Codec *k)
{
    const CodecOptions *o = k->o;
    random_normals(next_table(k), 0, k->d->size, k->x);
    for (ask(k); k->t > o->until; ask(k)) {
        code_class(k);
        double error = pow(2, k->size_class / 2.0);
        int next = find_next(k, error);
        double gain = signal_to_noise(k, next) - signal_to_noise(k, k->t);
        double bits = error / 2 * gain / log(2);
        double channels = ceil(bits / o->channel), most = (double)k->d->size;
        step_down(k, next, channels < 1 ? 1 : channels < most ? (int)channels : (int)most,
                  bits);
    }
}

/* ---- the pixels ------------------------------------------------------------------- */

static double grey(int level) { return level / 127.5 - 1; }

static void code_pixels(Codec *k)
{
    Level l = schedule_level(&k->p->schedule, 0);
    double probability[LEVELS], log_scale = 0.5 * l.log_variance;
    for (size_t i = 0; i < k->d->size; i++) {
        double mean_ = k->guess[i];
        for (int g = 0; g < LEVELS; g++)
            probability[g] = exp(discretized_gaussian_value(grey(g), mean_, log_scale));
        Distribution d = distribution_make(probability, LEVELS);
        int g = k->c->writing ? (int)lround((k->x0[i] + 1) * 127.5) : 0;
        g = arithmetic_code(k->c, &d, g);
        k->report.likelihood -= log2(probability[g]);
        k->x0[i] = grey(g);
    }
}

CodecReport codec_run(Arithmetic *c, Denoiser *d, const Process *p,
                      const CodecOptions *o, const int *label, double *x0)
{
    require(o->until >= 0 && o->until < p->schedule.T, "until step %d of %d", o->until,
            p->schedule.T);
    size_t n = d->size, mark = arena_mark(scratch()), start = c->bits;
    Codec k = {.c = c, .d = d, .p = p, .o = o, .label = label, .x0 = x0,
               .x = arena_new(scratch(), double, n),
               .guess = arena_new(scratch(), double, n), .t = p->schedule.T - 1,
               .size_class = (int)ceil(2 * log2((double)n))};
    code_chain(&k);
    k.report.chain = (double)(c->bits - start);
    if (c->writing) k.report.rmse = 127.5 * sqrt(squared_error(&k) / (double)n);
    if (o->until == 0) code_pixels(&k);
    else memcpy(x0, k.guess, n * sizeof *x0);
    k.report.pixels = (double)(c->bits - start) - k.report.chain;
    arena_rewind(scratch(), mark);
    return k.report;
}
