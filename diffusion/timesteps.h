/* Which noise levels to train on.
 *
 *     uniform      each t equally likely
 *     stratified   N equally wide parts of 0 ... T-1, one t from each: less chance in the loss
 *     loss_aware   t in proportion to the root of its mean squared loss, so that terms of the
 *                  bound that vary much are seen more often (Nichol & Dhariwal 2021, section 3.3):
 *                      p_t = (1 - u) rms_t / sum rms + u / T,     weight of the loss 1 / (T p_t)
 *                  where rms_t is over the last `history` losses at t; uniform until each t has as
 *                  many.  The weights keep the expected loss what it was.
 *
 * or, for continuous levels x = x0 + sigma eps (Karras 2022, table 1),
 *
 *     vp           sigma(t) of the path vp, t uniform in (1e-5, 1)      diffusion/path.h
 *     ve           ln sigma uniform from ln 0.02 to ln 100
 *     edm          ln sigma ~ N(-1.2, 1.2^2): where there is something to learn.  At large sigma
 *                  the answer is the mean of the data, at small sigma the noise cannot be seen.
 *
 *     edm_coarse   ln sigma ~ N(0, 1.2^2): for digits, whose shape is decided at larger
 *                  sigma than that of photographs (diffusion/figures/ideal.svg)
 *
 * For these t only says in which of T equally likely parts sigma fell. */
#ifndef DIFFUSION_TIMESTEPS_H
#define DIFFUSION_TIMESTEPS_H

#include <stdbool.h>

#include "tensor/memory.h"
#include "tensor/random.h"

/* sigma from a number u, uniform in (0, 1) or N(0, 1). */
typedef struct {
    const char *name;
    bool normal;
    double (*sigma)(double u);
} NoiseDraw;

/* NULL if the levels of that kind are steps of a schedule. */
const NoiseDraw *noise_draw_find(const char *kind);

typedef struct {
    const char *kind;
    int T, history;
    double uniform_share;       /* u */
    double *loss;               /* [T, history], oldest first */
    int *count;                 /* [T] losses so far, at most history */
} Timesteps;

/* The paper has history 10, u = 0.001.  Fails with the list if there is no such kind. */
Timesteps timesteps_create(Arena *a, const char *kind, int T, int history, double u);

/* Draws t[N], the weight[N] of each one's loss and, of the continuous kinds, sigma[N];
 * else those are 0. */
void timesteps_draw(const Timesteps *s, Random r, int N, int *t, double *weight,
                    double *sigma);

/* Remembers a loss; needed by loss_aware only. */
void timesteps_add(Timesteps *s, int t, double loss);

/* Has each t a full history?  And the rms_t mixed with u, unnormalised; 1 until then. */
bool timesteps_warm(const Timesteps *s);
void timesteps_weights(const Timesteps *s, double weight[]);

#endif
