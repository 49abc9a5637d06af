/* Arithmetic coding: see arithmetic.h. */
#include "diffusion/arithmetic.h"

#include "tensor/error.h"

static const uint32_t quarter = 1u << 30, half = 1u << 31;
enum { PARTS = 65536 };

/* ---- bits, the first the highest of its byte -------------------------------------- */

static void put_bit(Arithmetic *c, unsigned bit)
{
    size_t at = c->bits++ / 8;
    if (at < c->room && bit) c->bytes[at] |= (uint8_t)(128 >> (c->bits - 1) % 8);
}

static void put_bits(Arithmetic *c, unsigned bit)
{
    put_bit(c, bit);
    for (; c->pending > 0; c->pending--) put_bit(c, !bit);
}

/* Beyond the end there are zeros: as good as any others. */
static unsigned get_bit(Arithmetic *c)
{
    size_t at = c->bits / 8, place = c->bits % 8;
    c->bits++;
    return at < c->room ? c->bytes[at] >> (7 - place) & 1 : 0;
}

/* ---- the interval ----------------------------------------------------------------- */

Arithmetic arithmetic_writer(uint8_t *bytes, size_t room)
{
    return (Arithmetic){
        .writing = true, .bytes = bytes, .room = room, .high = UINT32_MAX};
}

Arithmetic arithmetic_reader(uint8_t *bytes, size_t size)
{
    Arithmetic c = {.bytes = bytes, .room = size, .high = UINT32_MAX};
    for (int i = 0; i < 32; i++) c.value = c.value << 1 | get_bit(&c);
    return c;
}

/* Doubles the interval about its lower end, its upper, or its middle, while it lies in
 * one half or around the middle. */
static void widen(Arithmetic *c)
{
    for (;;) {
        uint32_t off;
        if (c->high < half) off = 0;
        else if (c->low >= half) off = half;
        else if (c->low >= quarter && c->high < half + quarter) off = quarter;
        else return;
        if (c->writing) {
            if (off == quarter) c->pending++;
            else put_bits(c, off == half);
        } else c->value = (c->value - off) << 1 | get_bit(c);
        c->low = (c->low - off) << 1;
        c->high = (c->high - off) << 1 | 1;
    }
}

/* Keeps the parts from `first` up to `end`. */
static void narrow(Arithmetic *c, uint32_t first, uint32_t end)
{
    uint64_t range = (uint64_t)c->high - c->low + 1;
    c->high = c->low + (uint32_t)(range * end / PARTS - 1);
    c->low += (uint32_t)(range * first / PARTS);
    widen(c);
}

size_t arithmetic_finish(Arithmetic *c)
{
    c->pending++;
    put_bits(c, c->low >= quarter);
    size_t bytes = (c->bits + 7) / 8;
    require(bytes <= c->room, "%zu bytes of code in room for %zu", bytes, c->room);
    return bytes;
}

/* ---- symbols ---------------------------------------------------------------------- */

Distribution distribution_make(const double *weight, int symbols)
{
    require(symbols >= 1 && symbols <= 256, "%d symbols, want 1 to 256", symbols);
    Distribution d = {.symbols = symbols};
    double sum = 0, below = 0;
    for (int k = 0; k < symbols; k++) sum += weight[k];
    for (int k = 0; k < symbols; k++) {
        d.below[k] = (uint32_t)(below / sum * (PARTS - symbols)) + (uint32_t)k;
        below += weight[k];
    }
    d.below[symbols] = PARTS;
    return d;
}

int arithmetic_code(Arithmetic *c, const Distribution *d, int k)
{
    if (!c->writing) {
        uint64_t range = (uint64_t)c->high - c->low + 1;
        uint64_t part = (((uint64_t)c->value - c->low + 1) * PARTS - 1) / range;
        for (k = 0; d->below[k + 1] <= part; k++) {}
    }
    require(k >= 0 && k < d->symbols, "symbol %d of %d", k, d->symbols);
    narrow(c, d->below[k], d->below[k + 1]);
    return k;
}

uint32_t arithmetic_code_bits(Arithmetic *c, int count, uint32_t number)
{
    static const Distribution coin = {2, {0, PARTS / 2, PARTS}};
    uint32_t result = 0;
    for (int i = count - 1; i >= 0; i--)
        result = result << 1 | (uint32_t)arithmetic_code(c, &coin, number >> i & 1);
    return result;
}
