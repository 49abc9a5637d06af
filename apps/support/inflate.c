/* DEFLATE (RFC 1951) and its wrappers: see inflate.h.
 *
 * The packed data is a string of bits, lowest bit of each byte first, cut into
 * blocks.  A block is stored as it is, or written in two Huffman codes: one for
 * literal bytes and the lengths of matches, one for how far back the match lies in
 * what has been unpacked already.
 *
 * A Huffman code is given by the lengths of its words alone: the words themselves
 * follow by counting upwards, the short ones first.  Here a code becomes one table,
 * indexed by the next bits of the stream, as many as its longest word has: an entry
 * holds the symbol whose word those bits begin with, and the length of that word.
 *
 * Rule: nobody else uses the arena while `out` grows in it, piece behind piece. */
#include "apps/support/inflate.h"

#include <string.h>

#include "tensor/error.h"

enum { LONGEST = 15, LITERALS = 288, DISTANCES = 30, END = 256, PIECE = 1 << 16 };

typedef struct {
    const char *path;
    const uint8_t *next, *end;      /* the packed bytes not yet taken */
    uint64_t bits;                  /* taken but not yet used, the next one lowest */
    int count;                      /* how many of them */
    uint8_t *out;
    size_t used, room, limit;       /* bytes of out: written, allocated, allowed */
    Arena *arena;                   /* of out */
} Stream;

typedef struct {
    int bits;                           /* the length of the longest word */
    uint16_t table[1 << LONGEST];       /* symbol << 4 | length; 0 where no word is */
} Code;

static noreturn void damaged(const Stream *s, const char *what)
{
    fail("%s: the packed data is damaged (%s); fetch or copy the file again",
         s->path, what);
}

static noreturn void cut_short(const Stream *s)
{
    fail("%s: the file is cut short, its packed data ends too early; fetch or copy it "
         "again", s->path);
}

/* ---- bits in, bytes out ---------------------------------------------------------- */

static void refill(Stream *s)
{
    for (; s->count <= 56 && s->next < s->end; s->count += 8)
        s->bits |= (uint64_t)*s->next++ << s->count;
}

static void drop(Stream *s, int n)
{
    if (n > s->count) cut_short(s);
    s->bits >>= n;
    s->count -= n;
}

/* The next n <= 32 bits as a number, lowest first; so bytes too, where one begins. */
static uint32_t take(Stream *s, int n)
{
    refill(s);
    uint32_t value = (uint32_t)(s->bits & ((1ull << n) - 1));
    drop(s, n);
    return value;
}

/* Goes on at the next whole byte, with none waiting in s->bits: s->next points at it. */
static void align_to_byte(Stream *s)
{
    s->next -= s->count / 8;
    s->bits = 0;
    s->count = 0;
}

static void make_room(Stream *s, size_t bytes)
{
    if (bytes > s->limit - s->used)
        fail("%s: the packed data is damaged or not what it should be: it unpacks to "
             "more than %zu bytes", s->path, s->limit);
    while (bytes > s->room - s->used) {
        uint8_t *piece = arena_alloc(s->arena, PIECE);
        require(piece == s->out + s->room, "someone else used the arena of %s", s->path);
        s->room += PIECE;
    }
}

/* ---- Huffman codes --------------------------------------------------------------- */

static unsigned reverse(unsigned word, int length)
{
    unsigned reversed = 0;
    for (int i = 0; i < length; i++) reversed |= (word >> i & 1) << (length - 1 - i);
    return reversed;
}

/* Makes the code of n symbols whose words have these lengths, 0 for a symbol not
 * used.  The words must fill the tree; only a code of one word (of one bit) or none
 * may leave a gap. */
static void make_code(Stream *s, Code *c, const uint8_t length[], int n)
{
    int words[LONGEST + 1] = {0};
    for (int i = 0; i < n; i++) words[length[i]]++;
    words[0] = 0;
    for (c->bits = LONGEST; c->bits > 1 && !words[c->bits]; c->bits--) {}

    unsigned next[LONGEST + 1], word = 0;   /* next[l]: the next free word of length l */
    for (int l = 1; l <= c->bits; l++) {
        next[l] = word <<= 1;
        word += (unsigned)words[l];
    }
    unsigned all = 1u << c->bits;
    if (word > all || (word < all && c->bits > 1)) damaged(s, "invalid code lengths");

    memset(c->table, 0, all * sizeof *c->table);
    for (int i = 0; i < n; i++) {
        int l = length[i];
        if (l == 0) continue;
        for (unsigned k = reverse(next[l]++, l); k < all; k += 1u << l)
            c->table[k] = (uint16_t)(i << 4 | l);
    }
}

static int decode(Stream *s, const Code *c)
{
    refill(s);
    int entry = c->table[s->bits & ((1u << c->bits) - 1)], length = entry & 15;
    if (length == 0) damaged(s, "a code word that stands for nothing");
    drop(s, length);
    return entry >> 4;
}

/* ---- blocks ---------------------------------------------------------------------- */

static void unpack_stored(Stream *s)
{
    align_to_byte(s);
    unsigned size = take(s, 16), complement = take(s, 16);
    if ((size ^ complement) != 0xffff) damaged(s, "invalid length of a stored block");
    align_to_byte(s);
    if (size > (size_t)(s->end - s->next)) cut_short(s);
    make_room(s, size);
    memcpy(s->out + s->used, s->next, size);
    s->next += size;
    s->used += size;
}

/* Lengths and distances are written like small floating-point numbers: a code below
 * 2^(k+1) is the number; above, it is an exponent and k digits, and the rest follows. */
static unsigned take_number(Stream *s, int code, int k)
{
    int exponent = (code >> k) - 1;
    if (exponent <= 0) return (unsigned)code;
    unsigned digits = ((unsigned)code & ((1u << k) - 1)) | 1u << k;
    return digits << exponent | take(s, exponent);
}

static void copy_match(Stream *s, size_t length, size_t distance)
{
    if (distance > s->used) damaged(s, "a distance too far back");
    make_room(s, length);
    uint8_t *to = s->out + s->used;
    const uint8_t *from = to - distance;
    for (size_t i = 0; i < length; i++) to[i] = from[i];    /* they may overlap */
    s->used += length;
}

static void unpack_codes(Stream *s, const Code *literals, const Code *distances)
{
    for (int symbol; (symbol = decode(s, literals)) != END; ) {
        if (symbol < END) {
            make_room(s, 1);
            s->out[s->used++] = (uint8_t)symbol;
            continue;
        }
        if (symbol > 285) damaged(s, "invalid length");
        unsigned length = symbol == 285 ? 258 : 3 + take_number(s, symbol - 257, 2);
        int distance = decode(s, distances);
        if (distance >= DISTANCES) damaged(s, "invalid distance");
        copy_match(s, length, 1 + take_number(s, distance, 1));
    }
}

/* The code of fixed blocks: words of 8, 9, 7 and 8 bits, and of 5 for distances. */
static void make_fixed(Stream *s, Code *literals, Code *distances)
{
    uint8_t length[LITERALS];
    for (int i = 0; i < LITERALS; i++)
        length[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    make_code(s, literals, length, LITERALS);
    memset(length, 5, 32);
    make_code(s, distances, length, 32);
}

/* A dynamic block begins with the lengths of its two codes, themselves written in a
 * third: 0..15 is a length, 16 repeats the last one, 17 and 18 are runs of zeros. */
static void read_codes(Stream *s, Code *literals, Code *distances)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13,
                                      2, 14, 1, 15};
    int n = 257 + (int)take(s, 5), m = 1 + (int)take(s, 5), k = 4 + (int)take(s, 4);
    if (n > 286 || m > DISTANCES) damaged(s, "too many lengths or distances");
    uint8_t length[286 + DISTANCES] = {0};
    for (int i = 0; i < k; i++) length[order[i]] = (uint8_t)take(s, 3);
    make_code(s, literals, length, 19);

    static const struct { int least, bits; } runs[] = {{3, 2}, {3, 3}, {11, 7}};
    for (int i = 0, repeat; i < n + m; i += repeat) {
        int symbol = decode(s, literals), run = symbol - 16;
        if (run == 0 && i == 0) damaged(s, "nothing to repeat in the code lengths");
        int value = run < 0 ? symbol : run == 0 ? length[i - 1] : 0;
        repeat = run < 0 ? 1 : runs[run].least + (int)take(s, runs[run].bits);
        if (repeat > n + m - i) damaged(s, "invalid code lengths");
        memset(length + i, value, (size_t)repeat);
    }
    if (length[END] == 0) damaged(s, "a block without an end");
    make_code(s, literals, length, n);
    make_code(s, distances, length + n, m);
}

static void inflate(Stream *s)
{
    Code literals, distances;
    for (bool last = false; !last; ) {
        last = take(s, 1);
        unsigned type = take(s, 2);
        if (type == 0) unpack_stored(s);
        else if (type == 1) make_fixed(s, &literals, &distances);
        else if (type == 2) read_codes(s, &literals, &distances);
        else damaged(s, "invalid block type");
        if (type > 0) unpack_codes(s, &literals, &distances);
    }
    align_to_byte(s);
    arena_rewind(s->arena, arena_mark(s->arena) - (s->room - s->used));
}

/* ---- wrappers -------------------------------------------------------------------- */

static Stream open_stream(Arena *a, Bytes packed, size_t limit)
{
    return (Stream){.path = packed.path, .arena = a,
                    .next = packed.data, .end = packed.data + packed.size,
                    .out = arena_alloc(a, PIECE), .room = PIECE, .limit = limit};
}

static Bytes close_stream(Stream *s)
{
    align_to_byte(s);
    if (s->next < s->end)
        fail("%s: %zu bytes follow the end of its packed data; the file is damaged or is "
             "several files in one", s->path, (size_t)(s->end - s->next));
    return (Bytes){s->path, s->out, s->used};
}

static void skip_gzip_header(Stream *s)
{
    enum { CRC = 2, EXTRA = 4, NAME = 8, COMMENT = 16, UNKNOWN = 0xe0 };
    const uint8_t *start = s->next;
    if (take(s, 24) != 0x088b1f)
        fail("%s is not a gzip file: it should begin with the bytes 1f 8b 08", s->path);
    unsigned flags = take(s, 8);
    if (flags & UNKNOWN) damaged(s, "unknown flags in the gzip header");
    take(s, 32);                                    /* time of the last change */
    take(s, 16);                                    /* effort, operating system */
    if (flags & EXTRA) for (unsigned n = take(s, 16); n > 0; n--) take(s, 8);
    if (flags & NAME) while (take(s, 8)) {}
    if (flags & COMMENT) while (take(s, 8)) {}
    align_to_byte(s);
    uint32_t crc = crc32(0, start, (size_t)(s->next - start)) & 0xffff;
    if (flags & CRC && take(s, 16) != crc) damaged(s, "wrong CRC of the gzip header");
}

Bytes inflate_gzip(Arena *a, Bytes packed)
{
    Stream s = open_stream(a, packed, UINT32_MAX);
    skip_gzip_header(&s);
    inflate(&s);
    uint32_t crc = take(&s, 32), size = take(&s, 32);
    if (size != s.used) damaged(&s, "the unpacked size does not match");
    if (crc != crc32(0, s.out, s.used)) damaged(&s, "the CRC-32 does not match");
    return close_stream(&s);
}

Bytes inflate_zlib(Arena *a, Bytes packed, size_t size)
{
    enum { METHOD = 0x0f, DEFLATE = 8, WINDOW = 0xf0, DICTIONARY = 0x20 };
    Stream s = open_stream(a, packed, size);
    unsigned method = take(&s, 8), flags = take(&s, 8);
    if ((method & METHOD) != DEFLATE || (method & WINDOW) > 0x70 ||
        flags & DICTIONARY || (method << 8 | flags) % 31 != 0)
        damaged(&s, "invalid zlib header");
    inflate(&s);
    if (s.used != size) damaged(&s, "it unpacks to fewer bytes than are needed");
    uint32_t sums = adler32(s.out, size);
    for (int shift = 24; shift >= 0; shift -= 8)    /* highest byte first */
        if (take(&s, 8) != (sums >> shift & 255))
            damaged(&s, "the Adler-32 does not match");
    return close_stream(&s);
}

uint32_t adler32(const void *data, size_t bytes)
{
    const uint8_t *p = data;
    uint64_t a = 1, b = 0;
    for (size_t i = 0; i < bytes; i++) {
        b += a += p[i];
        if (i % 65536 == 65535) a %= 65521, b %= 65521;
    }
    return (uint32_t)(b % 65521 << 16 | a % 65521);
}
