/* The learning rate as a function of the steps taken:
 *
 *     rate(k) = lr * shape(k / decay_steps) * k / warmup     k = 0, 1, 2... below warmup
 *               max(floor, lr * shape(k / decay_steps))      from there on
 *
 *     constant      1                     DDPM, ADM
 *     linear        1 - f, at least 0     Improved DDPM (lr_anneal_steps)
 *     cosine        (1 + cos(pi f)) / 2, f at most 1
 *     exponential   0.1^f                 Sohl-Dickstein 2015: f = k / 1000, and a floor
 *
 * Warm-up keeps the first steps small, while Adam does not know the size of the gradients
 * yet; as in the papers' code the very first step has rate 0.  Decay lets the weights
 * settle: with a constant rate they keep jumping about the minimum. */
#ifndef NN_LEARNING_RATE_H
#define NN_LEARNING_RATE_H

typedef struct {
    double lr;              /* at its highest */
    long warmup;            /* steps; 0: none */
    const char *decay;      /* a name of the table above */
    long decay_steps;
    double floor;           /* not below this after the warm-up */
} LearningRate;

/* Fails with the list if there is no decay of that name. */
double learning_rate(const LearningRate *c, long step);

#endif
