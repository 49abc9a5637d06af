/* drift profile: where the time of a training step goes.
 *
 * The tape calls time_operation in the place of each forward and backward.  What is left
 * of a step's time after these, the optimiser and the moving average is "the rest":
 * noising the batch, zeroing gradients, the tape itself.  So the shares add up to 100 %.
 *
 * How to read it: an operation whose GFLOP/s are near the machine's peak is limited by
 * arithmetic, and only fewer operations help it.  One without products (norm, activation,
 * add) is limited by memory: compare its GB/s with its neighbours'. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/example.h"
#include "tensor/clock.h"
#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/parallel.h"

typedef enum { FORWARD, BACKWARD, PASSES } PassKind;

typedef struct { double seconds, flops, bytes; } Cost;      /* sums over all steps */

/* All operations of one kind. */
typedef struct {
    const Op *op;
    Cost cost[PASSES];
} Kind;

enum { MAX_KINDS = 64 };

typedef struct {
    Kind kind[MAX_KINDS];
    int kinds;
    double optimizer, ema, total;       /* seconds */
} Profile;

static Kind *find_kind(Profile *p, const Op *op)
{
    int k = 0;
    while (k < p->kinds && p->kind[k].op != op) k++;
    require(k < MAX_KINDS, "more than %d kinds of operations", MAX_KINDS);
    if (k == p->kinds) p->kind[p->kinds++] = (Kind){.op = op};
    return &p->kind[k];
}

/* Forward reads its inputs and writes its output.  Backward reads the gradient of the
 * output and what the operation says it reads, and adds to the gradient of each input
 * that has one: read and written. */
static double count_bytes(const Var *y, bool forward)
{
    double sum = (double)y->size * (forward || !y->op->reads_output ? 1 : 2);
    for (int i = 0; i < y->inputs; i++) {
        double size = (double)y->in[i]->size;
        if (forward || y->op->reads_inputs >> i & 1) sum += size;
        if (!forward && y->in[i]->needs_grad) sum += 2 * size;
    }
    return sum * sizeof(Real);
}

/* The chain rule of a product has two products of the same size, dx = dy w and dw = dy x;
 * the first is left out where the input needs no gradient. */
static double count_flops(const Var *y, bool forward)
{
    double flops = y->op->flops ? y->op->flops(y) : 0;
    return forward ? flops : flops * (y->in[0]->needs_grad ? 2 : 1);
}

/* What is computed again in backward is backward's time. */
static void time_operation(Tape *t, void (*f)(Var *), Var *y)
{
    double start = seconds_now();
    f(y);
    double seconds = seconds_now() - start;
    Cost *c = &find_kind(t->watcher, y->op)->cost[t->done ? BACKWARD : FORWARD];
    bool forward = f == y->op->forward;
    c->seconds += seconds;
    c->flops += count_flops(y, forward);
    c->bytes += count_bytes(y, forward);
}

/* One training step without its data: the parts of training_step. */
static void time_step(Profile *p, Example *e, Tape *t)
{
    Model *m = &e->model;
    double start = seconds_now();
    tape_reset(t);
    params_zero_grad(&m->params);
    backward(example_loss(e, t));
    double done = seconds_now();
    optimizer_step(&m->optimizer, &m->params);
    double moved = seconds_now();
    ema_update(&m->ema, &m->params, m->optimizer.step);
    double end = seconds_now();
    p->optimizer += moved - done;
    p->ema += end - moved;
    p->total += end - start;
}

/* ---- the table --------------------------------------------------------------------- */

static double kind_seconds(const Kind *k)
{
    return k->cost[FORWARD].seconds + k->cost[BACKWARD].seconds;
}

static void sort_by_time(Profile *p)
{
    Kind *kind = p->kind;
    for (int i = 1; i < p->kinds; i++)
        for (int k = i; k > 0; k--) {
            if (kind_seconds(&kind[k]) <= kind_seconds(&kind[k - 1])) break;
            Kind swap = kind[k];
            kind[k] = kind[k - 1], kind[k - 1] = swap;
        }
}

/* Time and bytes are those of one step; rates are over the time of the row itself. */
static void print_row(const char *name, const Cost *c, double total, int steps)
{
    printf("%-26s %9.2f ms %6.1f %%", name, 1e3 * c->seconds / steps,
           100 * c->seconds / total);
    if (c->bytes > 0)
        printf(" %9.1f MB %7.1f GB/s", c->bytes / steps * 1e-6,
               c->bytes / c->seconds * 1e-9);
    if (c->flops > 0) printf(" %7.1f GFLOP/s", c->flops / c->seconds * 1e-9);
    printf("\n");
}

static void print_profile(Profile *p, int steps, double peak)
{
    static const char *const names[] = {"forward", "backward"};
    Cost rest = {p->total - p->optimizer - p->ema, 0, 0}, all = {p->total, 0, 0};
    sort_by_time(p);
    for (int d = 0; d < PASSES; d++) {
        Cost sum = {0};
        for (int k = 0; k < p->kinds; k++) {
            const Cost *c = &p->kind[k].cost[d];
            char name[64];
            snprintf(name, sizeof name, "%s %s", names[d], p->kind[k].op->name);
            if (c->seconds > 0) print_row(name, c, p->total, steps);
            sum.seconds += c->seconds, sum.flops += c->flops, sum.bytes += c->bytes;
        }
        print_row(names[d], &sum, p->total, steps);
        printf("\n");
        rest.seconds -= sum.seconds, all.flops += sum.flops, all.bytes += sum.bytes;
    }
    print_row("optimizer", &(Cost){.seconds = p->optimizer}, p->total, steps);
    print_row("moving average", &(Cost){.seconds = p->ema}, p->total, steps);
    print_row("the rest", &rest, p->total, steps);
    print_row("a step", &all, p->total, steps);
    printf("\nof the peak of %.0f GFLOP/s the step has %.1f %%\n", peak,
           100 * all.flops / p->total * 1e-9 / peak);
}

int profile_main(int argc, char **argv)
{
    const char *words[1];
    int steps = 3, threads = 0;
    bool bf16 = false;
    Example e = EXAMPLE;
    e.batch = 0;
    Option options[] = {
        {"steps", OPTION_INT, &steps, "N", "steps to time, after one to warm up", 0},
        {"threads", OPTION_INT, &threads, "N", "0: one for each core", 0},
        {"bf16", OPTION_FLAG, &bf16, NULL, "as drift train --bf16 does", 0},
        EXAMPLE_OPTIONS(&e),
        {0},
    };
    Usage usage = {
        "drift profile PRESET|RUN [options]",
        "Times training steps on random images, each kind of operation forward\n"
        "and backward, beside the peak of the machine.  Writes nothing.", 1};
    if (options_parse(argc, argv, &usage, options, words) != 1)
        fail_usage("which preset or run?  usage: %s", usage.synopsis);
    if (steps < 1) fail_usage("--steps must be at least 1");
    parallel_set_threads(threads);
    gemm_set_bfloat16(bf16);
    example_open(&e, words[0], options);

    Profile p = {0}, warm_up = {0};
    Tape t = tape_create();
    time_step(&warm_up, &e, &t);
    t.watch = time_operation;
    t.watcher = &p;
    double peak = clock_peak();
    for (int i = 0; i < steps; i++) time_step(&p, &e, &t);
    peak = (peak + clock_peak()) / 2;
    printf("%s, %d images a step, mean of %d steps, %s, %s\n\n", words[0], e.batch, steps,
           parallel_describe(), gemm_describe());
    print_profile(&p, steps, peak);
    tape_destroy(&t);
    example_close(&e);
    return 0;
}
