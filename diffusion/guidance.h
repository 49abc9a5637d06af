/* Steering a sampler towards a class.
 *
 * Classifier guidance (Dhariwal & Nichol 2021, section 4).  By Bayes' rule the score
 * of one class is the score of all pictures plus the gradient of a classifier of noisy
 * pictures:
 *
 *     grad ln p(x_t | y) = grad ln p(x_t) + grad ln p(y | x_t),
 *
 * and scaling the second term by w samples from p(x) p(y | x)^w, normalised.  With g =
 * w grad ln p(y | x_t) there are two places to put it:
 *
 *     a guide of sampler.h   the mean of the step down gains variance * g (algorithm 1);
 *                            in ddim eps_hat loses s g (algorithm 2).  The paper's code.
 *     a denoiser             x0_hat gains (s^2 / a) g, which is eps_hat less s g said of
 *                            x0.  For samplers that know no guide: the solvers.
 *
 * The ancestor is eq. 14 of Sohl-Dickstein 2015: a Gaussian N(mu, Sigma) times a
 * smooth r is nearly N(mu + Sigma grad ln r, Sigma) (posterior.h), with r = p(y |
 * x)^w.
 *
 * Classifier-free guidance (Ho & Salimans 2022).  A network that has learned both with
 * and without the class (its label left out in a tenth of the training) knows the
 * class's own direction: the difference between its two answers.  Going further that
 * way,
 *
 *     x0 = x0(no class) + w (x0(class) - x0(no class)),
 *
 * is sampling from p(x) p(class | x)^w: w = 1 is the network as it is, larger w gives
 * clearer and less varied samples.  (Where the paper writes (1 + w') eps(class) - w'
 * eps(no class), w' = w - 1; the same combination of x0, eps or v is the same thing,
 * for each is linear in the others.) */
#ifndef DIFFUSION_GUIDANCE_H
#define DIFFUSION_GUIDANCE_H

#include "diffusion/sampler.h"
#include "nn/classifier.h"

/* The logits [N, classes] of the batch's pictures, each noised to its level.  Owned by
 * the pass's tape. */
Var *classifier_logits(Pass *pass, const Classifier *net, const Batch *b);

/* A classifier, its weights, and how strongly it guides.  The tape is its own. */
typedef struct {
    const Classifier *net;
    const Params *params;
    const Real *weights;
    const Process *process;     /* by which it was trained */
    double w;
    Tape tape;
} ClassifierGuide;

ClassifierGuide classifier_guide(const Classifier *net, const Params *params,
                                 const Real *weights, const Process *process, double w);
void classifier_guide_destroy(ClassifierGuide *guide);

/* g [N, size] = w grad ln p(label | x) at a level of any process: the classifier is
 * asked at the same sigma = s / a of its own.  Fails if the crowd has no labels, or
 * one that the classifier does not know. */
void classifier_gradient(ClassifierGuide *guide, const double *x, const Level *level,
                         Crowd c, double *g);

typedef struct {
    Denoiser base;
    Denoiser *inner;
    ClassifierGuide *guide;
} ClassifierGuided;

/* inner and guide must outlive it. */
ClassifierGuided classifier_guided(Denoiser *inner, ClassifierGuide *guide);

typedef struct {
    Denoiser base;
    Denoiser *inner;
    double w;
} ClassifierFree;

/* inner must outlive it. */
ClassifierFree classifier_free(Denoiser *inner, double w);

#endif
