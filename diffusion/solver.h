/* Sampling as solving the differential equation of path.h: Karras 2022, algorithms
 * 1 and 2, and every sampler that is a row of its table.
 *
 *     t_0 > t_1 > ... > t_N = 0, sigma(t_i) from the stops;   x_0 = s(t_0) sigma(t_0) z
 *     for each i:   add a little noise (churn), then step down by one of
 *
 *     euler   x' = x + h f(x, t)                           1 call a step, error ~ N^-1
 *     heun    the same, then with the slope further on:    2 calls,       error ~ N^-2
 *                 x' = x + h ((1 - 1/2a) f(x, t) + 1/2a f(x + a h f, t + a h)),
 *             a = 1 Heun's, 1/2 the midpoint, 2/3 Ralston's rule; last an Euler step
 *     dpmpp   DPM-Solver++(2M) (Lu 2022): in lambda = -ln sigma the equation is linear
 *             but for D; D is extrapolated from two calls: 1 call,        error ~ N^-2
 *     ab2     Adams and Bashforth's extrapolated slope:    1 call,        error ~ N^-2
 *     adaptive    steps of heun as long as they may be: x' and euler's x' differ by
 *             about euler's error, which is to stay below the tolerance; each sample
 *             takes its own steps, so its image does not depend on its batch
 *
 * Churn: with gamma = min(churn/N, sqrt 2 - 1), while s_min <= sigma <= s_max,
 *     sigma' = sigma (1 + gamma),   x + sqrt(sigma'^2 - sigma^2) s_noise z,
 * so errors made earlier are drowned in new noise and denoised again (a Langevin step).
 *
 * These samplers do not clip x0_hat.  A network is asked at levels it knows
 * (conditioning.h). */
#ifndef DIFFUSION_SOLVER_H
#define DIFFUSION_SOLVER_H

#include "diffusion/path.h"
#include "diffusion/sampler.h"

typedef struct Solver Solver;

extern const Solver solver_euler, solver_heun, solver_dpmpp, solver_ab2, solver_adaptive;

/* By its name in the table of methods.h; fails with the list if there is none. */
const Solver *solver_find(const char *name);

/* Does each sample take steps of its own? */
bool solver_is_alone(const Solver *s);

/* Everything zero or NULL but N and solver is EDM's deterministic sampler. */
typedef struct {
    const Solver *solver;
    int N;                              /* steps, at least 2 */
    const char *stops;                  /* NULL: edm */
    const char *schedule, *scaling;     /* NULL: linear, none */
    double sigma_min, sigma_max, rho;   /* 0: those of the stops; kept within what */
                                        /* the network knows */
    double alpha;                       /* of heun; 0: 1 */
    double tolerance;                   /* of adaptive; 0: 0.01 */
    double churn, s_min, s_max, s_noise;    /* s_max 0: no limit; s_noise 0: 1 */
    uint64_t seed;
    /* Fills z [N, size] for row k (sample_noise), if not NULL. */
    void (*noise)(void *context, int k, double *z);
    /* After each step, if not NULL: x, and x0_hat where it was last asked; steps left.
     * N is 1 here and in noise for a solver that is alone. */
    void (*watch)(void *context, const double *x, const double *x0, int left);
    void *context;
} SolverOptions;

/* The times t[N+1] and their path, for a network with this conditioning, or NULL. */
Path solver_times(const SolverOptions *o, const Conditioning *c, double *t);

/* Fills x [N, size]; returns how often the denoiser was called for each sample (NFE), the
 * mean of it if they differ. */
double solve(Denoiser *d, const SolverOptions *o, Crowd c, double *x);

#endif
