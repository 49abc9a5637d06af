/* One training step: a batch taken in parts has the gradient of the whole. */
#include <string.h>

#include "apps/support/training.h"
#include "tests/check.h"

enum { BATCH = 32, SIZE = 8, PICTURES = 40 };

/* Dropout, mirroring, moving and classes: everything that is drawn for a sample. */
static Training set_up(int micro_batch)
{
    static uint8_t pixels[PICTURES * SIZE * SIZE], labels[PICTURES];
    for (int i = 0; i < NELEM(pixels); i++) pixels[i] = (uint8_t)(i * i % 251);
    for (int i = 0; i < PICTURES; i++) labels[i] = (uint8_t)(i % 3);

    Config c = preset_find("mini")->config;
    c.preset = "mini", c.dataset = "numbers";
    c.unet.height = c.unet.width = SIZE;
    c.unet.channels = c.unet.out_channels = 1, c.unet.classes = 3;
    c.unet.base = 8, c.unet.mult[2] = 0, c.unet.levels = 2;
    c.unet.style.dropout = 0.2;
    c.augment = 0.5, c.flip = true, c.batch = BATCH, c.micro_batch = micro_batch;

    Training t = {.task = &denoising, .arena = arena_create(), .tape = tape_create(),
                  .epoch = -1};
    t.dataset = (Dataset){"numbers", PICTURES, SIZE, SIZE, 1, 3, pixels, labels};
    t.order = arena_new(&t.arena, uint32_t, PICTURES);
    model_create(&t.model, &c);
    Params *p = &t.model.params;
    fill_uniform(p->value, p->size, 1);             /* no layer near zero */
    for (size_t i = 0; i < p->size; i++) p->value[i] *= (Real)0.2;
    return t;
}

static void tear_down(Training *t)
{
    model_destroy(&t->model);
    tape_destroy(&t->tape);
    arena_destroy(&t->arena);
}

/* Four parts of 8, or parts that do not divide the batch: the same loss and gradient up
 * to the rounding of sums, in the memory of a part.  Step 1 begins in the middle of an
 * epoch. */
static void parts_of_a_batch_have_its_gradient(void)
{
    double tolerance = sizeof(Real) == 4 ? 2e-6 : 1e-14;
    Training whole = set_up(0);
    whole.model.optimizer.step = 1;
    double loss = training_gradient(&whole);
    const Params *p = &whole.model.params;
    double largest = 0;
    for (size_t i = 0; i < p->size; i++)
        largest = fmax(largest, fabs((double)p->grad[i]));
    static const int parts[] = {8, 5, 1};
    for (int k = 0; k < NELEM(parts); k++) {
        Training t = set_up(parts[k]);
        t.model.optimizer.step = 1;
        check_close(training_gradient(&t), loss, tolerance);
        double worst = 0;
        for (size_t i = 0; i < p->size; i++)
            worst = fmax(worst, fabs((double)(t.model.params.grad[i] - p->grad[i])));
        check_at_most(worst / largest, 10 * tolerance, "the gradient's difference");
        double share = (double)t.tape.pool.peak / (double)whole.tape.pool.peak;
        check_close(share, (double)parts[k] / BATCH, 0.02);
        tear_down(&t);
    }
    tear_down(&whole);
}

/* Nothing of one step is left in the next. */
static void a_gradient_is_made_anew(void)
{
    Training t = set_up(0);
    Params *p = &t.model.params;
    double loss = training_gradient(&t);
    Real *first = params_block(p);
    memcpy(first, p->grad, p->size * sizeof *first);
    check(training_gradient(&t) == loss);
    check(memcmp(first, p->grad, p->size * sizeof *first) == 0);
    tear_down(&t);
}

/* Sixty quiet steps, then weights that something has broken. */
static void a_spike_of_the_loss_is_noted(void)
{
    Training t = set_up(0);
    Params *p = &t.model.params;
    double norm;
    memset(p->value, 0, p->size * sizeof *p->value);    /* it guesses 0: the loss is near 1 */
    t.model.config.optimizer.rate.lr = 0;
    for (int step = 0; step < 60; step++) training_step(&t, &norm);
    check_at_most(t.spike, 5, "standard deviations in quiet steps");
    fill_uniform(p->value, p->size, 1);
    training_step(&t, &norm);
    check(t.spike > 5);
    tear_down(&t);
}

static void step_once(void *training) { double norm; training_step(training, &norm); }

/* A bad step moves nothing but the count of steps; ten in a row are told. */
static void steps_that_are_not_finite_are_left_out(void)
{
    Training t = set_up(0);
    t.folder = "nowhere";
    Params *p = &t.model.params;
    Real *before = params_block(p), *average = params_block(p), good = p->value[0];
    size_t bytes = p->size * sizeof *before;
    memcpy(average, t.model.ema.value[0], bytes);
    for (int round = 0; round < 2; round++) {
        for (int bad = 1; bad < MOST_SKIPPED; bad++) {
            p->value[0] = (Real)NAN;
            memcpy(before, p->value, bytes);
            step_once(&t);
            check(memcmp(before, p->value, bytes) == 0);
            check_int(t.skipped, round * (MOST_SKIPPED - 1) + bad);
            check_int(t.model.optimizer.step, t.skipped + round);
        }
        p->value[0] = good;
        if (round == 0) check(memcmp(average, t.model.ema.value[0], bytes) == 0);
        step_once(&t);
        check(p->value[0] != good && isfinite(p->value[0]) && isfinite(t.smooth));
        good = p->value[0];
    }
    for (int q = 0; q < QUARTILES; q++) check(isfinite(t.loss_sum[q]));
    p->value[0] = (Real)NAN;
    for (int bad = 1; bad < MOST_SKIPPED; bad++) step_once(&t);
    check_stops(step_once, &t, "the first number that is not finite");
    tear_down(&t);
}

static const Test tests[] = {
    T(parts_of_a_batch_have_its_gradient), T(a_gradient_is_made_anew),
    T(a_spike_of_the_loss_is_noted), T(steps_that_are_not_finite_are_left_out),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
