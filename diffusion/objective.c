/* Training losses: see objective.h. */
#include "diffusion/objective.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"

typedef struct {
    const char *name;
    bool has_mse, summed;
    double (*bound_weight)(int T);
    double (*mse_weight)(const Process *p, const Level *l);     /* NULL: 1 */
} Loss;

static double one(int T) { return (void)T, 1; }
static double per_thousand(int T) { return T / 1000.0; }
static double all_steps(int T) { return T; }

/* (dx0/dout)^2 makes an error of the output one of x0. */
static double at_most_five(const Process *p, const Level *l)
{
    double by_out = p->prediction->to_x0(1, 0, l) - p->prediction->to_x0(0, 0, l);
    return fmin(l->a * l->a / (l->s * l->s), 5) * by_out * by_out;
}

static const Loss kinds[] = {
    {"mse", true, false, one, NULL},
    {"mse_sum", true, true, one, NULL},
    {"min_snr", true, false, one, at_most_five},
    {"rescaled_mse", true, false, per_thousand, NULL},
    {"kl", false, false, one, NULL},
    {"rescaled_kl", false, false, all_steps, NULL},
};

static const Loss *find_loss(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    fail("there is no loss %s; there are mse, mse_sum, min_snr, rescaled_mse, kl and "
         "rescaled_kl", name);
}

/* What the loss needs of a batch, number by number, as constants of the tape. */
typedef struct {
    Tape *tape;
    const Process *process;
    const Batch *batch;
    Shape shape;                /* of the image part */
    size_t size, D;
} Work;

static Work begin(Tape *t, const Process *p, Shape shape, const Batch *b)
{
    size_t size = shape_size(shape);
    return (Work){t, p, b, shape, size, size / (size_t)b->N};
}

static const Level *level_of(const Work *w, size_t i)
{
    return &w->batch->level[i / w->D];
}

static double noisy(const Work *w, size_t i)
{
    const Level *l = level_of(w, i);
    return l->a * w->batch->x0[i] + l->s * w->batch->eps[i];
}

/* x_t as the network gets it. */
static double input_at(const Work *w, size_t i)
{
    return w->process->prediction->input(level_of(w, i)) * noisy(w, i);
}

/* A constant made number by number. */
static Var *constant(const Work *w, const char *name,
                     double (*f)(const Work *w, size_t i))
{
    Real *x = tape_save(w->tape, Real, w->size);
    for (size_t i = 0; i < w->size; i++) x[i] = (Real)f(w, i);
    return tape_leaf(w->tape, name, w->shape, x, NULL);
}

static double target_at(const Work *w, size_t i)
{
    return w->process->prediction->target(w->batch->x0[i], w->batch->eps[i],
                                          level_of(w, i));
}

static double x0_at(const Work *w, size_t i) { return w->batch->x0[i]; }

static double true_mean_at(const Work *w, size_t i)
{
    const Level *l = level_of(w, i);
    return l->c0 * w->batch->x0[i] + l->ct * noisy(w, i);
}

static double true_log_variance_at(const Work *w, size_t i)
{
    return level_of(w, i)->log_variance;
}

/* Everything the network predicts is linear in its output, so the mean of p is too:
 * mean = gain out + offset. */
static double mean_at(const Work *w, size_t i, double out)
{
    const Level *l = level_of(w, i);
    double x = noisy(w, i);
    if (w->process->prediction->is_mean) return out;
    return l->c0 * w->process->prediction->to_x0(out, x, l) + l->ct * x;
}

static double mean_offset_at(const Work *w, size_t i) { return mean_at(w, i, 0); }
static double mean_gain_at(const Work *w, size_t i)
{
    return mean_at(w, i, 1) - mean_at(w, i, 0);
}

/* So is the log variance in v. */
static double variance_offset_at(const Work *w, size_t i)
{
    return w->process->variance->log_variance(0, level_of(w, i));
}

static double variance_gain_at(const Work *w, size_t i)
{
    const Level *l = level_of(w, i);
    return w->process->variance->log_variance(1, l) -
           w->process->variance->log_variance(0, l);
}

static double is_first_at(const Work *w, size_t i)
{
    return level_of(w, i)->variance == 0;
}

/* L_t of each sample, in bits per dimension. */
static Var *bound(const Work *w, Var *out, Var *v)
{
    Tape *t = w->tape;
    Var *mean_ = add(t, multiply(t, out, constant(w, "gain", mean_gain_at)),
                     constant(w, "offset", mean_offset_at));
    Var *log_variance = constant(w, "log variance", variance_offset_at);
    if (v)
        log_variance = add(t, multiply(t, v, constant(w, "gain", variance_gain_at)),
                           log_variance);
    Var *kl = gaussian_kl(t, constant(w, "true mean", true_mean_at),
                          constant(w, "true log variance", true_log_variance_at), mean_,
                          log_variance);
    Var *log_p = discretized_gaussian(t, constant(w, "x0", x0_at), mean_,
                                      scale(t, log_variance, 0.5, 0));
    Var *term = where(t, constant(w, "t = 0", is_first_at), neg(t, log_p), kl);
    Var *nats = mean(t, term, AXIS(1) | AXIS(2) | AXIS(3));
    return reshape(t, scale(t, nats, 1 / log(2.0), 0), SHAPE(w->batch->N));
}

Losses objective_losses(Tape *t, const Process *p, Var *out, const Batch *b)
{
    const Loss *kind = find_loss(p->loss);
    Shape shape = out->shape;
    bool learned = p->variance->learned;
    if (learned) shape.dim[3] /= 2;
    Work w = begin(t, p, shape, b);
    Var *v = learned ? slice(t, out, 3, shape.dim[3], shape.dim[3]) : NULL;
    if (learned) out = slice(t, out, 3, 0, shape.dim[3]);

    Losses l = {NULL, NULL, NULL};
    if (kind->has_mse) l.mse = mse(t, out, constant(&w, "target", target_at));
    if (kind->summed) l.mse = scale(t, l.mse, (double)w.D, 0);
    if (kind->mse_weight) {
        Real *weight = tape_save(t, Real, (size_t)b->N);
        for (int n = 0; n < b->N; n++)
            weight[n] = (Real)kind->mse_weight(p, &b->level[n]);
        l.mse = multiply(t, l.mse, tape_leaf(t, "weight", SHAPE(b->N), weight, NULL));
    }
    if (learned || !kind->has_mse)
        l.bound = scale(t, bound(&w, kind->has_mse ? stop_gradient(t, out) : out, v),
                        kind->bound_weight(p->schedule.T), 0);
    l.total = !l.bound ? l.mse : !l.mse ? l.bound : add(t, l.mse, l.bound);
    return l;
}

int picture_channels(const UNet *net, const Process *p)
{
    return net->encoder.config.out_channels / (p->variance->learned ? 2 : 1);
}

Var *network_forward(Pass *pass, const UNet *net, const Process *p, Var *x,
                     const SmallPictures *small, const Condition *c)
{
    int N = x->shape.dim[0], C = picture_channels(net, p);
    bool wants = net->encoder.config.channels > C;
    if (wants != (small->x != NULL))
        fail("this network draws %s small pictures, and %s given",
             wants ? "from" : "without", wants ? "none are" : "some are");
    if (!wants) return unet_forward(pass, net, x, c);
    Shape shape = SHAPE(N, small->height, small->width, C);
    size_t size = shape_size(shape);
    Real *value = tape_save(pass->tape, Real, size);
    for (size_t i = 0; i < size; i++) value[i] = (Real)small->x[i];
    return unet_superres_forward(pass, net, x,
                                 tape_leaf(pass->tape, "small", shape, value, NULL), c);
}

Var *objective_loss(Pass *pass, const UNet *net, const Process *p, const Batch *b)
{
    const UNetConfig *c = &net->encoder.config;
    Tape *t = pass->tape;
    Work w = begin(t, p, SHAPE(b->N, c->height, c->width, picture_channels(net, p)), b);
    double *told = tape_save(t, double, (size_t)b->N);
    for (int n = 0; n < b->N; n++) told[n] = b->level[n].t;
    Condition condition = {.t = told, .label = b->label, .augment = b->augment};
    Var *out = network_forward(pass, net, p, constant(&w, "x_t", input_at), &b->small,
                               &condition);
    tape_scope(t, "loss");
    Var *y = objective_losses(t, p, out, b).total;
    discard(out);
    return y;
}

Var *objective_sum(Tape *t, Var *loss, const Batch *b)
{
    if (b->weight) {
        Real *weight = tape_save(t, Real, (size_t)b->N);
        for (int n = 0; n < b->N; n++) weight[n] = (Real)b->weight[n];
        loss = multiply(t, loss, tape_leaf(t, "weight", SHAPE(b->N), weight, NULL));
    }
    return sum(t, loss, ALL_AXES);
}
