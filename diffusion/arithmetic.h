/* Arithmetic coding: numbers of known probabilities as a string of bits, of -log2 p each.
 *
 * The string is a binary fraction.  Of the interval [0, 1) each symbol keeps the part
 * that is its probability wide; in the end any number of what is left names all the
 * symbols (Witten, Neal & Cleary 1987).  The interval is kept in 32 bits, and bits on
 * which both of its ends agree are written.
 *
 * Writing and reading are one function: code(c, d, k) writes k, or returns the k that was
 * written.  A codec on top of it has one description of its format, not two that must
 * agree. */
#ifndef DIFFUSION_ARITHMETIC_H
#define DIFFUSION_ARITHMETIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    bool writing;
    uint8_t *bytes;         /* [room], the caller's; of a reader, the file */
    size_t room;
    size_t bits;            /* written or read so far */
    uint32_t low, high;
    uint32_t value;         /* of a reader: the 32 bits at the interval's place */
    uint32_t pending;       /* of a writer: bits that wait for the next to be known */
} Arithmetic;

/* bytes must be 0. */
Arithmetic arithmetic_writer(uint8_t *bytes, size_t room);
Arithmetic arithmetic_reader(uint8_t *bytes, size_t size);

/* Writes what is left; returns the number of bytes.  Fails if there was not enough
 * room. */
size_t arithmetic_finish(Arithmetic *c);

/* How probable each of up to 256 symbols is: symbol k has below[k+1] - below[k] parts of
 * 65536, at least 1. */
typedef struct {
    int symbols;
    uint32_t below[257];
} Distribution;

/* From weights that need not add up to 1. */
Distribution distribution_make(const double *weight, int symbols);

int arithmetic_code(Arithmetic *c, const Distribution *d, int k);

/* A number below 2^count, all equally probable; count up to 32. */
uint32_t arithmetic_code_bits(Arithmetic *c, int count, uint32_t number);

#endif
