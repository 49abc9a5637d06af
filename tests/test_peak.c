/* How much memory does a step need at its worst moment?  The pool counts; here the sum is
 * written out from the shapes, array by array, and must be equal to the byte, but for the
 * rest of a hole that is too small for another block.
 *
 * A small U-Net without anything optional: 16x16 pixels, B = 16 channels, one halving to
 * 8x8 with 2B channels, one residual block a level going down and two going up.
 *
 * Going forwards, training keeps what a backward will read and cannot cheaply compute
 * again:
 *
 *   of a residual block   the sum inside, h = conv1 + w(e), which norm2 reads; and its
 *                         output, the sum of both ways.  Norms with SiLU are computed
 *                         again; what is added is read by nobody, since an addition needs
 *                         no values backwards
 *   of attention          q, its result (the output layer reads it) and the sum; keys and
 *                         values are the norm, which is computed again; and the two
 *                         matrices that are products of two
 *   of the way up         nothing for joining and doubling, which are copies
 *
 * Going backwards, values are released line by line and gradients come up: at any moment
 * those of the arrays between what is done and what is not.  What is kept is most at the
 * start, what comes up is most where arrays are widest.  So the worst moment is the first
 * convolution of up.0.0, the widest block at full resolution, whose input joins the 2B
 * channels that came up with the B that were kept.
 *
 * Drawing keeps nothing for backward.  Its worst moment is the same convolution, for the
 * same reason; but a deeper network makes training dearer and drawing not. */
#include <stdio.h>
#include <string.h>

#include "nn/unet.h"
#include "tests/check.h"

enum { REST = 128 };            /* a hole's rest below this is no block, but counted */
enum { N = 2, SIZE = 16, HALF = SIZE / 2, CHANNELS = 4, B = 16, E = 4 * B };

static const UNetConfig config = {
    .height = SIZE, .width = SIZE, .channels = CHANNELS, .out_channels = CHANNELS,
    .base = B, .levels = 2, .mult = {1, 2}, .blocks = 1,
    .style = {.heads = 1, .groups = 4}};

/* So many arrays [N, side, side, channels]. */
typedef struct {
    const char *what;
    int count, side, channels;
} Arrays;

static const Arrays training[] = {
    /* kept on the way to up.0.0 */
    {"time: two layers, each and its SiLU", 4, 1, E},
    {"conv_in, which up.0.1 joined", 1, SIZE, B},
    {"down.0.0: h and output, which up.0.0 joins", 2, SIZE, B},
    {"down.0.downsample", 1, HALF, B},
    {"down.1.0: h and output", 2, HALF, 2 * B},
    {"middle.0: h and output", 2, HALF, 2 * B},
    {"middle.attention: q, result and sum", 3, HALF, 2 * B},
    {"middle.attention: two matrices, products of two", 2, 1, 2 * B * 2 * B / N},
    {"middle.attention: their biases", 2, 1, 2 * B / N},
    {"middle.1: h and output", 2, HALF, 2 * B},
    {"up.1.0 and up.1.1: h and output", 4, HALF, 2 * B},
    {"up.1.upsample", 1, SIZE, 2 * B},
    /* computed again */
    {"up.0.0: the joined input, and its norm with SiLU", 2, SIZE, 3 * B},
    /* gradients */
    {"e, to which every block adds", 1, 1, E},
    {"conv_in's, from up.0.1, until the way down needs it", 1, SIZE, B},
    {"conv1's output", 1, SIZE, B},
    {"w(e) and conv1's bias, just made", 1, 1, B},
    {"conv1's input, just made", 1, SIZE, 3 * B},
    {"the joined input, from the way around", 1, SIZE, 3 * B},
};

static const Arrays drawing[] = {
    {"time: two layers, each and its SiLU", 4, 1, E},
    {"conv_in, which up.0.1 will join", 1, SIZE, B},
    {"up.0.0: the joined input, and its norm with SiLU", 2, SIZE, 3 * B},
    {"w(e), and with conv1's bias", 2, 1, B},
    {"conv1's output", 1, SIZE, B},
};

static size_t add_up(const Arrays *list, int count)
{
    size_t numbers = 0;
    for (const Arrays *a = list; a < list + count; a++)
        numbers += (size_t)(a->count * N * a->side * a->side * a->channels);
    return numbers * sizeof(Real);
}

/* Where the pool grew to its peak; the watcher stands around every call. */
typedef struct { size_t peak; char where[80]; } Moment;

static void note_moment(Tape *t, void (*f)(Var *), Var *y)
{
    Moment *m = t->watcher;
    f(y);
    if (t->pool.peak <= m->peak) return;
    m->peak = t->pool.peak;
    snprintf(m->where, sizeof m->where, "%s %s %s", y->scope ? y->scope : "", y->op->name,
             f == y->op->backward ? "backward" : "forward");
}

/* Runs the network on zeros, and in training the loss and back; fills *m. */
static void run(Tape *t, Moment *m)
{
    static const Real zeros[N * SIZE * SIZE * CHANNELS];
    Shape shape = SHAPE(N, SIZE, SIZE, CHANNELS);
    Params p = params_create();
    UNet net = unet_init(&p, &config);
    params_allocate(&p, 1);
    t->watch = note_moment, t->watcher = m;
    Pass pass = t->recording ? pass_training(t, &p, random_stream(1, 1, 1))
                             : pass_inference(t, &p, p.value);
    Var *out = unet_forward(&pass, &net, tape_leaf(t, "x", shape, zeros, NULL),
                            &(Condition){.t = (double[N]){3, 7}});
    if (t->recording) {
        Var *loss = mse(t, out, tape_leaf(t, "target", shape, zeros, NULL));
        discard(out);
        backward(mean(t, loss, ALL_AXES));
    }
    params_destroy(&p);
}

static void a_training_step_peaks_at_the_widest_block(void)
{
    Tape t = tape_create();
    Moment m = {0};
    run(&t, &m);
    size_t sum = add_up(training, NELEM(training));
    check(t.pool.peak >= sum && t.pool.peak - sum < REST);
    check_text(m.where, "up.0.0 conv2d backward");
    check_int((long long)t.pool.in_use, 0);
    tape_destroy(&t);
}

static void a_drawing_step_peaks_at_the_widest_block(void)
{
    Tape t = tape_create();
    Moment m = {0};
    t.recording = false;
    run(&t, &m);
    check_int((long long)t.pool.peak, (long long)add_up(drawing, NELEM(drawing)));
    check_text(m.where, "up.0.0 conv2d forward");
    tape_destroy(&t);
}

static const Test tests[] = {
    T(a_training_step_peaks_at_the_widest_block),
    T(a_drawing_step_peaks_at_the_widest_block),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
