/* DEFLATE (RFC 1951) the simple way: one block in the fixed Huffman code.
 *
 * At every position the last place with the same four bytes is looked up by their hash;
 * if it is a true match, its length and distance are written in place of the bytes, else
 * the next byte.  That finds runs and repeated rows, which is what grids of enlarged
 * pixels consist of. */
#include "apps/support/deflate.h"

#include <string.h>

#include "apps/support/inflate.h"

/* LONGEST is 257 and not 258, which has a code of its own. */
enum { HASH_BITS = 15, SHORTEST = 4, LONGEST = 257, WINDOW = 32768, END = 256 };

typedef struct {
    uint8_t *out;
    size_t used;
    uint64_t bits;              /* not yet in out, the first one lowest */
    int count;                  /* how many of them */
} Packer;

static void put(Packer *p, unsigned value, int n)
{
    p->bits |= (uint64_t)value << p->count;
    for (p->count += n; p->count >= 8; p->count -= 8, p->bits >>= 8)
        p->out[p->used++] = (uint8_t)p->bits;
}

/* Words of a Huffman code go out highest bit first. */
static void put_word(Packer *p, unsigned word, int n)
{
    while (n-- > 0) put(p, word >> n & 1, 1);
}

static void put_symbol(Packer *p, unsigned symbol)
{
    if (symbol < 144) put_word(p, 0x30 + symbol, 8);
    else if (symbol < 256) put_word(p, 0x190 + symbol - 144, 9);
    else if (symbol < 280) put_word(p, symbol - 256, 7);
    else put_word(p, 0xc0 + symbol - 280, 8);
}

/* The code of a number, and how many bits follow: see take_number in inflate.c. */
static unsigned split(unsigned number, int k, int *exponent)
{
    *exponent = 0;
    while (number >> *exponent >= 2u << k) ++*exponent;
    return ((unsigned)*exponent << k) + (number >> *exponent);
}

static void put_match(Packer *p, unsigned length, unsigned distance)
{
    int exponent;
    put_symbol(p, 257 + split(length - 3, 2, &exponent));
    put(p, (length - 3) & ((1u << exponent) - 1), exponent);
    put_word(p, split(distance - 1, 1, &exponent), 5);
    put(p, (distance - 1) & ((1u << exponent) - 1), exponent);
}

static unsigned hash(const uint8_t *b)
{
    uint32_t four = 0;
    for (int i = 0; i < SHORTEST; i++) four = four << 8 | b[i];
    return four * 2654435761u >> (32 - HASH_BITS);      /* 2^32 / golden ratio */
}

/* How many bytes at `before` and at `i` agree; 0 if they are too few or too far apart. */
static size_t match(const uint8_t *data, size_t size, size_t before, size_t i)
{
    size_t n = 0;
    while (n < LONGEST && i + n < size && data[before + n] == data[i + n]) n++;
    return n < SHORTEST || i - before > WINDOW ? 0 : n;
}

static void pack(Packer *p, const uint8_t *data, size_t size)
{
    Arena *work = scratch();
    size_t mark = arena_mark(work);
    size_t *last = arena_new(work, size_t, 1 << HASH_BITS);     /* by hash: 1 + place */
    memset(last, 0, sizeof *last << HASH_BITS);
    for (size_t i = 0; i < size; ) {
        size_t before = size - i < SHORTEST ? 0 : last[hash(data + i)];
        size_t length = before ? match(data, size, before - 1, i) : 0;
        if (length) put_match(p, (unsigned)length, (unsigned)(i + 1 - before));
        else put_symbol(p, data[i]);
        for (size_t end = i + (length ? length : 1); i < end; i++)
            if (size - i >= SHORTEST) last[hash(data + i)] = i + 1;
    }
    arena_rewind(work, mark);
}

/* Nine bits a byte are room enough: a match of four bytes or more takes 31 at most. */
uint8_t *deflate_zlib(Arena *a, const uint8_t *data, size_t size, size_t *packed)
{
    Packer p = {.out = arena_alloc(a, size + size / 8 + 16)};
    put(&p, 0x0178, 16);                /* DEFLATE, a window of 32 KiB, low effort */
    put(&p, 1, 1);                      /* the last block, */
    put(&p, 1, 2);                      /* in the fixed code */
    pack(&p, data, size);
    put_symbol(&p, END);
    put(&p, 0, -p.count & 7);           /* fills the byte */
    uint32_t sums = adler32(data, size);
    for (int shift = 24; shift >= 0; shift -= 8) put(&p, sums >> shift & 255, 8);
    *packed = p.used;
    return p.out;
}
