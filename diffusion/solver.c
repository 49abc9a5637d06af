/* Solvers: see solver.h. */
#include "diffusion/solver.h"

#include <math.h>
#include <string.h>

#include "tensor/error.h"

/* A sampling on its way. */
typedef struct {
    Denoiser *d;
    const SolverOptions *o;
    Crowd crowd;
    Path path;
    size_t n;               /* numbers in x */
    double *x, *z;          /* z: noise */
    double *x0, *slope;     /* of the last call */
    double *first, *start;  /* what a rule keeps within a step */
    double *before;         /* ... and from step to step */
    double step_before;     /* size of the last step, as the rule measures it; 0: none */
    int calls, left;        /* left: steps, this one included */
} Run;

/* One step of run->x from `now` to `next`. */
struct Solver {
    void (*step)(Run *run, Point now, Point next);
    bool alone;             /* one sample at a time */
};

/* ---- the equation ------------------------------------------------------------------ */

/* x0 and the slope dx/dt at x. */
static void call(Run *run, const double *x, Point p)
{
    Level l = conditioning_level(run->d->conditioning, p.s, p.sigma);
    Answer answer = {run->x0, NULL, NULL};
    run->d->predict(run->d, x, &l, run->crowd.label, run->crowd.N, &answer);
    run->calls++;
    double to_x = p.dsigma / p.sigma + p.ds / p.s, to_x0 = p.dsigma * p.s / p.sigma;
    for (size_t i = 0; i < run->n; i++) run->slope[i] = to_x * x[i] - to_x0 * run->x0[i];
}

static void report(const Run *run, int left)
{
    const SolverOptions *o = run->o;
    if (o->watch) o->watch(o->context, run->x, run->x0, left);
}

static void euler_step(Run *run, Point now, Point next)
{
    call(run, run->x, now);
    for (size_t i = 0; i < run->n; i++) run->x[i] += (next.t - now.t) * run->slope[i];
}

static void heun_step(Run *run, Point now, Point next)
{
    if (next.t == 0) {
        euler_step(run, now, next);
        return;
    }
    double alpha = run->o->alpha > 0 ? run->o->alpha : 1, w = 0.5 / alpha;
    double h = next.t - now.t;
    call(run, run->x, now);
    for (size_t i = 0; i < run->n; i++) {
        run->first[i] = run->slope[i];
        run->start[i] = run->x[i];
        run->x[i] += alpha * h * run->slope[i];
    }
    call(run, run->x, path_point(&run->path, now.t + alpha * h));
    for (size_t i = 0; i < run->n; i++)
        run->x[i] = run->start[i] + h * ((1 - w) * run->first[i] + w * run->slope[i]);
}

/* The value at the middle of a step of size h, from the one at its beginning (to be kept)
 * and the one a step before.  On the last step and the first there is only the one. */
static double extrapolate(double now, double *before, double share)
{
    double middle = now + share * (now - *before);
    *before = now;
    return middle;
}

static double share_of(Run *run, double h, bool last)
{
    double share = run->step_before == 0 || last ? 0 : h / run->step_before / 2;
    run->step_before = h;
    return share;
}

static void ab2_step(Run *run, Point now, Point next)
{
    double h = next.t - now.t, share = share_of(run, h, next.t == 0);
    call(run, run->x, now);
    for (size_t i = 0; i < run->n; i++)
        run->x[i] += h * extrapolate(run->slope[i], &run->before[i], share);
}

/* x/s = (sigma'/sigma) x/s + (1 - sigma'/sigma) D, exact if D were constant. */
static void dpmpp_step(Run *run, Point now, Point next)
{
    double share = share_of(run, log(now.sigma / next.sigma), next.sigma == 0);
    double keep = next.sigma / now.sigma;
    call(run, run->x, now);
    for (size_t i = 0; i < run->n; i++) {
        double D = extrapolate(run->x0[i], &run->before[i], share);
        run->x[i] = next.s * (keep * run->x[i] / now.s + (1 - keep) * D);
    }
}

/* ---- error control ----------------------------------------------------------------- */

/* From run->start, where the slope is run->first, to run->x by heun; returns how far off
 * euler would be, relative to x and the data's scale s: the root of the mean square. */
static double try_step(Run *run, Point now, Point next)
{
    double h = next.t - now.t, sum = 0;
    for (size_t i = 0; i < run->n; i++) run->x[i] = run->start[i] + h * run->first[i];
    call(run, run->x, next);
    for (size_t i = 0; i < run->n; i++) {
        double correction = h / 2 * (run->slope[i] - run->first[i]);
        run->x[i] += correction;
        sum += pow(correction / (next.s + fabs(run->x[i])), 2);
    }
    return sqrt(sum / (double)run->n);
}

/* A step divides t, for the way is made of shorter and shorter pieces: its length is the
 * logarithm of the quotient.  Euler's error grows with the square of the step, which
 * tells the length to try next: a little less than just good enough, at most twice this
 * one. */
static void adaptive_step(Run *run, Point now, Point stop)
{
    double tolerance = run->o->tolerance > 0 ? run->o->tolerance : 0.01;
    if (stop.t == 0) {
        euler_step(run, now, stop);
        return;
    }
    double length = run->step_before > 0 ? run->step_before : 1;
    for (bool taken = true; now.t > stop.t;) {
        if (taken) {
            call(run, run->x, now);
            memcpy(run->first, run->slope, run->n * sizeof *run->first);
            memcpy(run->start, run->x, run->n * sizeof *run->start);
        }
        double t = now.t * exp(-length);
        Point next = t <= stop.t ? stop : path_point(&run->path, t);
        double error = try_step(run, now, next) / tolerance;
        if (!(error < 1e12) || next.t == now.t)
            fail("no step from noise level %g is accurate to a --tolerance of %g",
                 now.sigma, tolerance);
        taken = error <= 1;
        length = log(now.t / next.t) * fmin(fmax(0.9 / sqrt(error), 0.2), 2);
        if (!taken) continue;
        now = next;
        if (now.t > stop.t) report(run, run->left);
    }
    run->step_before = length;
}

const Solver solver_euler = {euler_step}, solver_heun = {heun_step},
             solver_dpmpp = {dpmpp_step}, solver_ab2 = {ab2_step},
             solver_adaptive = {adaptive_step, .alone = true};

bool solver_is_alone(const Solver *s) { return s->alone; }

/* ---- the loop ---------------------------------------------------------------------- */

Path solver_times(const SolverOptions *o, const Conditioning *c, double *t)
{
    Stops stops = stops_find(o->stops ? o->stops : "edm");
    if (o->sigma_min > 0) stops.sigma_min = o->sigma_min;
    if (o->sigma_max > 0) stops.sigma_max = o->sigma_max;
    if (o->rho > 0) stops.rho = o->rho;
    if (c) {
        stops.sigma_min = fmax(stops.sigma_min, c->sigma_min);
        stops.sigma_max = fmin(stops.sigma_max, c->sigma_max);
    }
    const char *schedule = o->schedule ? o->schedule : "linear";
    const char *scaling = o->scaling ? o->scaling : "none";
    Path p = path_make(schedule, scaling, stops.sigma_min, stops.sigma_max);
    stops_fill(&stops, o->N, t);
    for (int i = 0; i < o->N; i++) t[i] = p.inverse(&p, conditioning_round(c, t[i]));
    t[o->N] = 0;
    return p;
}

static void draw(Run *run, int k, double *z)
{
    const SolverOptions *o = run->o;
    if (o->noise) o->noise(o->context, k, z);
    else sample_noise(o->seed, run->crowd, run->d->size, k, z);
}

/* Adds noise at step i; returns the level where x is then. */
static Point churn(Run *run, Point now, int i)
{
    const SolverOptions *o = run->o;
    bool within = now.sigma >= o->s_min && (o->s_max == 0 || now.sigma <= o->s_max);
    double gamma = within ? fmin(o->churn / o->N, sqrt(2) - 1) : 0;
    if (gamma == 0) return now;
    double sigma = conditioning_round(run->d->conditioning, now.sigma * (1 + gamma));
    Point up = path_point(&run->path, run->path.inverse(&run->path, sigma));
    double noise = sqrt(fmax(up.sigma * up.sigma - now.sigma * now.sigma, 0)) * up.s *
                   (o->s_noise > 0 ? o->s_noise : 1);
    draw(run, i + 1, run->z);
    for (size_t k = 0; k < run->n; k++)
        run->x[k] = up.s / now.s * run->x[k] + noise * run->z[k];
    return up;
}

/* All samples at the same levels; returns the calls. */
static int solve_together(Denoiser *d, const SolverOptions *o, Crowd c, double *x)
{
    size_t n = (size_t)c.N * d->size, mark = arena_mark(scratch());
    Run run = {d, o, c, .n = n, .x = x};
    double **buffers[] = {&run.z,     &run.x0,    &run.slope,
                          &run.first, &run.start, &run.before};
    for (int i = 0; i < 6; i++) {
        *buffers[i] = arena_new(scratch(), double, n);
        memset(*buffers[i], 0, n * sizeof(double));
    }
    double *t = arena_new(scratch(), double, (size_t)o->N + 1);
    run.path = solver_times(o, d->conditioning, t);

    Point now = path_point(&run.path, t[0]);
    draw(&run, 0, x);
    for (size_t i = 0; i < n; i++) x[i] *= now.s * now.sigma;
    for (int i = 0; i < o->N; i++) {
        Point next = path_point(&run.path, t[i + 1]);
        run.left = o->N - i;
        o->solver->step(&run, churn(&run, now, i), next);
        report(&run, run.left - 1);
        now = next;
    }
    arena_rewind(scratch(), mark);
    return run.calls;
}

double solve(Denoiser *d, const SolverOptions *o, Crowd c, double *x)
{
    if (!o->solver->alone) return solve_together(d, o, c, x);
    int calls = 0;
    for (int n = 0; n < c.N; n++) {
        Crowd one = {c.first + (uint64_t)n, 1, c.label ? c.label + n : NULL};
        calls += solve_together(d, o, one, x + (size_t)n * d->size);
    }
    return (double)calls / c.N;
}
