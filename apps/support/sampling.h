/* Any method of diffusion/methods.h with its options: what `drift sample` and `drift
 * flow` are told about sampling. */
#ifndef APPS_SUPPORT_SAMPLING_H
#define APPS_SUPPORT_SAMPLING_H

#include "apps/support/options.h"
#include "diffusion/methods.h"

typedef struct {
    const char *name, *steps;       /* steps NULL: the method's own */
    const Method *method;
    SamplingOptions by_steps;       /* for a Sampler */
    SolverOptions on_path;          /* for a Solver */
} Sampling;

/* Their rows in a table of options. */
#define SAMPLING_OPTIONS(s)                                                             \
    {"sampler", OPTION_TEXT, &(s)->name, "NAME", "see above", 0},                       \
    {"sample-steps", OPTION_TEXT, &(s)->steps, "N",                                     \
     "of the model's steps, evenly spread; 10,20 from each half; ddim25 a whole "       \
     "stride; 0: all [50; 18 on a path]", 0},                                           \
    {"eta", OPTION_REAL, &(s)->by_steps.eta, "X",                                       \
     "noise of ddim: 0 none, 1 as much as ddpm", 0},                                    \
    {"stops", OPTION_TEXT, &(s)->on_path.stops, "NAME",                                 \
     "of a path: edm, vp, ve or iddpm [edm]", 0},                                       \
    {"path", OPTION_TEXT, &(s)->on_path.schedule, "NAME",                               \
     "sigma(t): linear, vp or ve [linear]", 0},                                         \
    {"scaling", OPTION_TEXT, &(s)->on_path.scaling, "NAME",                             \
     "s(t): none or vp [none]", 0},                                                     \
    {"sigma-min", OPTION_REAL, &(s)->on_path.sigma_min, "X",                            \
     "of a path; 0: that of the stops", 0},                                             \
    {"sigma-max", OPTION_REAL, &(s)->on_path.sigma_max, "X", "likewise", 0},            \
    {"rho", OPTION_REAL, &(s)->on_path.rho, "X", "of the stops edm; 0: 7", 0},          \
    {"alpha", OPTION_REAL, &(s)->on_path.alpha, "X", "of heun; 0: 1", 0},               \
    {"tolerance", OPTION_REAL, &(s)->on_path.tolerance, "X",                            \
     "of adaptive, the error of a step; 0: 0.01", 0},                                   \
    {"churn", OPTION_REAL, &(s)->on_path.churn, "S",                                    \
     "noise drawn on a path, S_churn of Karras 2022", 0},                               \
    {"churn-min", OPTION_REAL, &(s)->on_path.s_min, "X", "only above this sigma", 0},   \
    {"churn-max", OPTION_REAL, &(s)->on_path.s_max, "X",                                \
     "only below this sigma; 0: everywhere", 0},                                        \
    {"churn-noise", OPTION_REAL, &(s)->on_path.s_noise, "X", "its deviation; 0: 1", 0}

/* The text before such a table with the list of methods; in the scratch arena. */
const char *sampling_about(const char *before);

/* Looks the method up and completes the options; wrong ones are a usage error. */
void sampling_choose(Sampling *s, uint64_t seed);

/* Called after each step with x and x0_hat, and how many steps are left. */
typedef void SamplingWatch(void *context, const double *x, const double *x0, int left);
void sampling_watch(Sampling *s, SamplingWatch *watch, void *context);

/* Does each sample take steps of its own?  Then they are best drawn one by one. */
bool sampling_alone(const Sampling *s);

/* How many steps it takes on a schedule. */
int sampling_steps(const Sampling *s, const Schedule *schedule);

/* Fills x [N, size]; returns how often the denoiser was called for each sample. */
double sampling_run(const Sampling *s, Denoiser *d, const Schedule *schedule, Crowd c,
                    double *x);

#endif
