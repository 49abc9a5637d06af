/* How layers start.  A rule says from what range the weights and biases of a layer with
 * so many inputs and outputs are drawn (a K x K filter counts each of its K^2 places):
 *
 *   rule      weights                        biases              of
 *   ddpm      U(+-sqrt(6 s / (in + out)))    0                   Ho 2020, nn.py
 *   openai    U(+-1 / sqrt(in))              U(+-1 / sqrt(in))   PyTorch's own; Nichol &
 *                                                                Dhariwal 2021; and
 *                                                                Karras 2022 (ADM)
 *   song      s U(+-sqrt(6 / (in + out)))    0                   Karras 2022 (DDPM++)
 *
 * Where a layer has as many outputs as inputs, the first and the last keep the variance
 * of what flows through it, forwards and backwards alike.  The second passes on a third
 * of it, and leaves the rest to the norms.
 *
 * s is 1 except for two roles.  The last layer of a block starts at zero or almost
 * (s = 1e-10 in ddpm, 0 in openai, 1e-5 in song), so that an untrained block changes
 * nothing and a deep network starts out as a shallow one.  song starts queries, keys and
 * values smaller, s = sqrt(0.2). */
#ifndef NN_INIT_H
#define NN_INIT_H

/* Where a parameter starts: the constant, U(-scale, scale), or N(0, scale^2). */
typedef enum { INIT_CONSTANT, INIT_UNIFORM, INIT_NORMAL } InitKind;

typedef struct {
    InitKind kind;
    double scale;
} Init;

typedef enum { ROLE_PLAIN, ROLE_LAST, ROLE_QKV } Role;

typedef struct {
    const char *name;
    Init (*weight)(int in, int out, Role role);
    Init (*bias)(int in, Role role);
} InitRule;

/* The rule of that name; NULL means ddpm.  Fails with the list if there is none. */
const InitRule *init_rule(const char *name);

#endif
