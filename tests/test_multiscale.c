/* The image network of 2015: values by hand, gradients of the whole, what it starts as. */
#include <math.h>
#include <string.h>

#include "nn/multiscale.h"
#include "tests/check.h"

static const bool single = sizeof(Real) == 4;

/* The smallest with all its parts; of two images. */
enum { N = 2, SIDE = 4, PIXELS = N * SIDE * SIDE };
static const MultiscaleConfig small = {
    .height = SIDE, .width = SIDE, .channels = 1, .scales = 2, .layers = 2, .filters = 2,
    .dense_layers = 2, .dense_units = 3, .dense_out = 2, .pixel_layers = 2,
    .pixel_units = 3, .basis = {100, 3, 1}};
static const double times[N] = {10, 80.5};

typedef struct {
    Params params;
    Tape tape;
    Multiscale net;
    Real x[PIXELS], weight[2 * PIXELS];
} Net;

static void set_up(Net *f)
{
    *f = (Net){.params = params_create(), .tape = tape_create()};
    f->net = multiscale_init(&f->params, "net", &small);
    params_allocate(&f->params, 1);
    fill_uniform(f->x, PIXELS, 3);
    fill_uniform(f->weight, 2 * PIXELS, 4);
}

static void tear_down(Net *f)
{
    params_destroy(&f->params);
    tape_destroy(&f->tape);
}

static Var *answer(Net *f)
{
    tape_reset(&f->tape);
    Pass pass = pass_training(&f->tape, &f->params, random_stream(1, 1, 1));
    Var *x = tape_leaf(&f->tape, "x", SHAPE(N, SIDE, SIDE, 1), f->x, NULL);
    return multiscale_forward(&pass, &f->net, x, times);
}

/* A weighted sum of the answers. */
static double loss_of(Net *f, bool backwards)
{
    Var *y = answer(f);
    Var *w = tape_leaf(&f->tape, "w", SHAPE(N, SIDE, SIDE, 2), f->weight, NULL);
    Var *loss = sum(&f->tape, multiply(&f->tape, y, w), ALL_AXES);
    double value = (double)loss->value[0];
    if (backwards) backward(loss);
    return value;
}

static void it_starts_silent(void)
{
    Net f;
    set_up(&f);
    Var *y = answer(&f);
    for (size_t i = 0; i < y->size; i++) check(y->value[i] == 0);
    tear_down(&f);
}

/* Every parameter; those of the last layer, which start at 0, are set first.  The leaky
 * ReLU has a kink, so h is small, and the rounding of floats is what is left. */
static void its_gradients_are_slopes(void)
{
    double h = single ? 1e-4 : 1e-6, tolerance = single ? 2e-2 : 1e-7;
    Net f;
    set_up(&f);
    const Param *last = &f.params.list[f.net.readout.weight];
    fill_uniform(f.params.value + last->offset, last->size, 5);
    loss_of(&f, true);
    for (size_t i = 0; i < f.params.size; i++) {
        Real *w = &f.params.value[i], kept = *w;
        *w = kept + (Real)h;
        double high = loss_of(&f, false), up = (double)*w;
        *w = kept - (Real)h;
        double low = loss_of(&f, false), down = (double)*w;
        *w = kept;
        check_close((double)f.params.grad[i], (high - low) / (up - down), tolerance);
    }
    tear_down(&f);
}

/* Sets parameter i, all 0 but its entry `at`. */
static void set_one(Params *p, int i, size_t at, double value)
{
    memset(p->value + p->list[i].offset, 0, p->list[i].size * sizeof(Real));
    p->value[p->list[i].offset + at] = (Real)value;
}

/* Images of 2x2 pixels 1 2 3 6, mean 3.  The fine filter has 2 in its middle, the coarse
 * one -3: (2 x - 9) / 2 = -3.5 -2.5 -1.5 1.5, and below 0 a twentieth of it, twice (the
 * layer for each pixel).  Of two bumps the first has z_mu = that and z_Sigma = 0, the
 * second both reversed. */
static void two_scales_by_hand(void)
{
    Params p = params_create();
    Tape tape = tape_create();
    Multiscale m = multiscale_init(&p, "net", &(MultiscaleConfig){
        .height = 2, .width = 2, .channels = 1, .scales = 2, .layers = 1, .filters = 1,
        .pixel_layers = 1, .pixel_units = 1, .basis = {11, 2, 0.1}});
    params_allocate(&p, 1);
    check_int(p.count, 8);
    enum { MIDDLE = 4 };
    set_one(&p, m.conv[0][0].weight, MIDDLE, 2);
    set_one(&p, m.conv[0][1].weight, MIDDLE, -3);
    set_one(&p, m.pixel.layer[0].weight, 0, 1);
    set_one(&p, m.readout.weight, 0, 1);
    p.value[p.list[m.readout.weight].offset + 3] = 1;
    static const Real x[] = {1, 2, 3, 6, 1, 2, 3, 6};
    Pass pass = pass_inference(&tape, &p, p.value);
    Var *in = tape_leaf(&tape, "x", SHAPE(2, 2, 2, 1), x, NULL);
    Var *y = multiscale_forward(&pass, &m, in, (double[]){0, 10});
    static const double want[] = {-3.5 / 400, -2.5 / 400, -1.5 / 400, 1.5};
    for (int i = 0; i < 4; i++) {
        check_close((double)y->value[2 * i], want[i], 1e-6);
        check_close((double)y->value[2 * i + 1], 0, 1e-6);
        check_close((double)y->value[8 + 2 * i], 0, 1e-6);
        check_close((double)y->value[9 + 2 * i], want[i], 1e-6);
    }
    tape_destroy(&tape);
    params_destroy(&p);
}

/* A pixel far away matters by the dense path, and without it only within 4 layers of
 * 3x3. */
static void the_dense_path_sees_everything(void)
{
    enum { W = 16, MANY = W * W };
    for (int dense = 0; dense < 2; dense++) {
        Params p = params_create();
        Tape tape = tape_create();
        Multiscale m = multiscale_init(&p, "net", &(MultiscaleConfig){
            .height = W, .width = W, .channels = 1, .scales = 1, .layers = 4,
            .filters = 3, .dense_layers = dense, .dense_out = 1, .pixel_layers = 1,
            .pixel_units = 3, .basis = {100, 3, 1}});
        params_allocate(&p, 1);
        fill_uniform(p.value + p.list[m.readout.weight].offset,
                     p.list[m.readout.weight].size, 5);
        static Real x[2 * MANY];
        x[MANY] = 1;                                /* the corner of the second image */
        Pass pass = pass_inference(&tape, &p, p.value);
        Var *in = tape_leaf(&tape, "x", SHAPE(2, W, W, 1), x, NULL);
        Var *y = multiscale_forward(&pass, &m, in, (double[]){50, 50});
        for (int i = 0; i < MANY; i++) {
            bool near = i / W <= 4 && i % W <= 4;
            bool same = y->value[2 * i] == y->value[2 * (MANY + i)];
            if (!near) check(same == !dense);
        }
        check(y->value[0] != y->value[2 * MANY]);
        tape_destroy(&tape);
        params_destroy(&p);
    }
}

static void make_odd(void *unused)
{
    (void)unused;
    Params p = params_create();
    MultiscaleConfig c = small;
    c.width = 5;
    multiscale_init(&p, "net", &c);
}

static void scales_must_fit(void)
{
    check_stops(make_odd, NULL, "2 scales of 4x5");
}

static const Test tests[] = {
    T(it_starts_silent), T(its_gradients_are_slopes), T(two_scales_by_hand),
    T(the_dense_path_sees_everything), T(scales_must_fit),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
