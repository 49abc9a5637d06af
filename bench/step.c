/* How long a step takes, and how much memory: the numbers to hold against other engines.
 *
 *     build/<config>/bench/step --config mnist-small --mode train --steps 10 --json
 *
 * Three U-Nets of Ho 2020's kind on random images, trained by Adam on the squared error
 * of the noise, or drawing from noise by ancestral sampling.  bench/pytorch_step.py runs
 * the same networks in PyTorch and prints the same fields; `make bench-vs` runs both in
 * turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apps/support/example.h"
#include "diffusion/methods.h"
#include "tensor/clock.h"
#include "tensor/error.h"
#include "tensor/gemm.h"
#include "tensor/json.h"
#include "tensor/parallel.h"

typedef struct {
    const char *name;
    int batch;
    size_t params;
    UNetConfig unet;
} Net;

#define STYLE .style = {.heads = 1, .groups = 32}
static const Net nets[] = {
    {"mnist-small", 64, 1623169,
     {.height = 32, .width = 32, .channels = 1, .base = 32, .mult = {1, 2, 2},
      .blocks = 2, .attention = {8}, STYLE}},
    {"mnist-base", 64, 8949761,
     {.height = 32, .width = 32, .channels = 1, .base = 64, .mult = {1, 2, 2, 2},
      .blocks = 2, .attention = {16}, STYLE}},
    {"cifar-ddpm", 16, 35746307,
     {.height = 32, .width = 32, .channels = 3, .base = 128, .mult = {1, 2, 2, 2},
      .blocks = 2, .attention = {16}, STYLE}},
};

static const Net *find_net(const char *name)
{
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        if (strcmp(nets[i].name, name) == 0) return &nets[i];
    fail_usage("there is no network %s; there are mnist-small, mnist-base and cifar-ddpm",
               name);
}

typedef struct {
    const char *config, *mode;
    int batch, size, base, threads, steps;
    bool json, bf16;
} Plan;

static Config config_of(const Net *net, const Plan *plan)
{
    Config c = preset_find("ddpm")->config;
    c.preset = net->name, c.dataset = "random images";
    c.unet = net->unet;
    c.unet.out_channels = c.unet.channels;
    c.unet.levels = unet_levels(c.unet.mult);
    if (plan->size) c.unet.height = c.unet.width = plan->size;
    if (plan->base) c.unet.base = plan->base;
    c.optimizer.clip = 0, c.ema = 0;
    c.batch = plan->batch ? plan->batch : net->batch;
    return c;
}

/* The work under the clock: a training step, or one step of ancestral sampling. */
typedef struct {
    Example e;
    Tape tape;
    NetworkDenoiser denoiser;
    SamplingOptions sampling;
    Crowd crowd;
    double *x, *x0, *z;
    int t;
} Work;

static void train(Work *w)
{
    Model *m = &w->e.model;
    const UNetConfig *u = &m->config.unet;
    size_t size = (size_t)(w->e.batch * u->height * u->width * u->channels);
    random_normals(random_stream(0, 1, (uint64_t)m->optimizer.step), 0, size, w->z);
    w->e.data.eps = w->z;
    tape_reset(&w->tape);
    params_zero_grad(&m->params);
    backward(example_loss(&w->e, &w->tape));
    optimizer_step(&m->optimizer, &m->params);
}

static void infer(Work *w)
{
    const Schedule *s = &w->e.model.process.schedule;
    sample_noise(0, w->crowd, w->denoiser.base.size, s->T - w->t, w->z);
    sample_step(&w->denoiser.base, s, &w->sampling, w->t, w->crowd, w->z, w->x, w->x0);
    w->t = w->t > 1 ? w->t - 1 : s->T - 1;
}

static void prepare(Work *w, const Config *c)
{
    *w = (Work){.tape = tape_create(), .e.batch = c->batch, .crowd.N = c->batch};
    example_create(&w->e, c);
    Model *m = &w->e.model;
    w->denoiser = network_denoiser(&m->net, &m->params, m->params.value, &m->process);
    w->sampling = (SamplingOptions){.sampler = sampler_find("ddpm"),
                                    .variance = m->process.variance};
    w->t = m->process.schedule.T - 1;
    size_t size = (size_t)c->batch * w->denoiser.base.size;
    w->x = arena_new(&m->arena, double, size);
    w->x0 = arena_new(&m->arena, double, size);
    w->z = arena_new(&m->arena, double, size);
    sample_noise(0, w->crowd, w->denoiser.base.size, 0, w->x);
}

static void count_flops(Tape *t, void (*f)(Var *), Var *y)
{
    if (f == y->op->forward && y->op->flops) *(double *)t->watcher += y->op->flops(y);
    f(y);
}

/* Seconds since the process was started, by the kernel's count: field 22 of its status; 0
 * if there is no such file. */
static double process_age(void)
{
    char text[1024] = "";
    FILE *f = fopen("/proc/self/stat", "r");
    if (!f || !fgets(text, sizeof text, f)) return 0;
    fclose(f);
    const char *field = strrchr(text, ')');
    for (int i = 2; field && i < 22; i++) field = strchr(field + 1, ' ');
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    double start = field ? atof(field) / (double)sysconf(_SC_CLK_TCK) : 0;
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec - start;
}

static int compare(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

typedef struct { double median, least, gflop, peak, resident, first; } Result;

static Result measure(const Net *net, const Config *c, const Plan *plan)
{
    bool training = strcmp(plan->mode, "train") == 0;
    Work w;
    prepare(&w, c);
    require(plan->size || plan->base || w.e.model.params.size == net->params,
            "%s has %zu parameters, not %zu", net->name, w.e.model.params.size,
            net->params);
    void (*step)(Work *) = training ? train : infer;
    Tape *tape = training ? &w.tape : &w.denoiser.tape;
    Result r = {0};
    tape->watch = count_flops;
    tape->watcher = &r.gflop;
    step(&w);
    r.first = process_age();
    r.gflop *= (training ? 3 : 1) * 1e-9;   /* backward: two products for each forward */
    tape->watch = NULL;
    double *ms = arena_new(scratch(), double, (size_t)plan->steps);
    for (int i = 0; i < plan->steps; i++) {
        double start = seconds_now();
        step(&w);
        ms[i] = 1e3 * (seconds_now() - start);
    }
    r.resident = (double)memory_resident_peak() / (1 << 20);
    r.peak = clock_peak();
    qsort(ms, (size_t)plan->steps, sizeof *ms, compare);
    r.median = 0.5 * (ms[plan->steps / 2] + ms[(plan->steps - 1) / 2]);
    r.least = ms[0];
    return r;
}

static void print(const Result *r, const Plan *plan, int batch)
{
    Text t = {.arena = scratch()};
    json_open_object(&t, NULL);
    json_put_text(&t, "engine", "drift");
    json_put_text(&t, "config", plan->config);
    json_put_text(&t, "mode", plan->mode);
    json_put_integer(&t, "batch", batch);
    json_put_integer(&t, "threads", parallel_threads());
    json_put_bool(&t, "bf16", plan->bf16);
    json_put_number(&t, "ms_median", r->median);
    json_put_number(&t, "ms_min", r->least);
    json_put_number(&t, "gflop", r->gflop);
    json_put_number(&t, "gflops", r->gflop / r->median * 1e3);
    json_put_number(&t, "peak_gflops", r->peak);
    json_put_number(&t, "peak_rss_mb", r->resident);
    json_put_number(&t, "first_step_s", r->first);
    json_put_number(&t, "images_per_s", batch / r->median * 1e3);
    json_close(&t);
    if (plan->json) printf("%s\n", t.bytes);
    else
        printf("%s %s, %d images, %s, %s: %.1f ms a step (least %.1f), %.1f images/s, "
               "%.0f GFLOP/s of %.0f, %.0f MB, first step after %.2f s\n",
               plan->config, plan->mode, batch, parallel_describe(), gemm_describe(),
               r->median, r->least, batch / r->median * 1e3,
               r->gflop / r->median * 1e3, r->peak, r->resident, r->first);
}

int main(int argc, char **argv)
{
    parallel_begin(argv);
    Plan plan = {.config = "mnist-small", .mode = "train", .steps = 10};
    const char *words[1];
    Option options[] = {
        {"config", OPTION_TEXT, &plan.config, "NAME", "the network, one of three", 0},
        {"mode", OPTION_TEXT, &plan.mode, "MODE", "train or infer", 0},
        {"batch", OPTION_INT, &plan.batch, "N", "images; 0: the network's own number", 0},
        {"size", OPTION_INT, &plan.size, "N", "pixels a side; 0: 32", 0},
        {"base", OPTION_INT, &plan.base, "N", "channels at the top; 0: its own", 0},
        {"threads", OPTION_INT, &plan.threads, "N", "0: one for each core", 0},
        {"steps", OPTION_INT, &plan.steps, "N", "steps to time, after one to warm up", 0},
        {"bf16", OPTION_FLAG, &plan.bf16, NULL, "products of bfloat16, sums of float", 0},
        {"json", OPTION_FLAG, &plan.json, NULL, "print one line of JSON", 0},
        {0},
    };
    Usage usage = {"step [options]",
                   "Times steps of a U-Net on random images: mnist-small, mnist-base or\n"
                   "cifar-ddpm.", 0};
    options_parse(argc, argv, &usage, options, words);
    if (plan.steps < 1) fail_usage("--steps must be at least 1");
    if (strcmp(plan.mode, "train") != 0 && strcmp(plan.mode, "infer") != 0)
        fail_usage("there is no mode %s; there are train and infer", plan.mode);
    parallel_set_threads(plan.threads);
    gemm_set_bfloat16(plan.bf16);
    const Net *net = find_net(plan.config);
    Config c = config_of(net, &plan);
    Result r = measure(net, &c, &plan);
    print(&r, &plan, c.batch);
    return 0;
}
