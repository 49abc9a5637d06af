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

static const Test tests[] = {
    T(parts_of_a_batch_have_its_gradient), T(a_gradient_is_made_anew),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
