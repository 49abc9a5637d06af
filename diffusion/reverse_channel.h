/* Sending a sample of a distribution, not a value: reverse channel coding.
 *
 * The receiver knows p = N(0, I); the sender wants it to have some z that looks drawn
 * from q = N(shift, I).  No particular z, so it costs less than naming one: about KL(q
 * || p) bits.  Both have the same table of random numbers (random.h), in it candidates
 * z_1, z_2 ... from p.  The sender names one of them, n, chosen so that z_n has
 * distribution q (Li & El Gamal 2018, Poisson functional representation):
 *
 *     n = argmin over i of T_i p(z_i) / q(z_i),   T_i the arrivals of a Poisson process.
 *
 * Small n are likelier, so n is coded with P(n) ~ n^-c, in log2 n bits and some more
 * (Theis & Yosri 2022):  c = 1 + 1 / (KL + 1.53) with KL in bits.
 *
 * Only finitely many candidates can be tried, and 2^KL of them are needed at least:
 * this is why a channel carries a dozen bits at a time, and why z falls a little short
 * of q. */
#ifndef DIFFUSION_REVERSE_CHANNEL_H
#define DIFFUSION_REVERSE_CHANNEL_H

#include "diffusion/arithmetic.h"
#include "tensor/random.h"

/* KL(N(shift, I) || N(0, I)) in bits. */
double channel_bits(const double *shift, size_t D);

/* Codes which candidate of the table z is; bits: KL as both sides expect it, shift [D]:
 * the sender's.  z [D] receives the candidate. */
void channel_code(Arithmetic *c, Random table, double bits, const double *shift, size_t D,
                  double *z);

#endif
