/* Writing .safetensors: see safetensors.h for the format. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/safetensors.h"

static size_t count_elements(const SafeEntry *e)
{
    size_t count = 1;
    for (int i = 0; i < e->rank; i++) {
        require(e->dim[i] >= 0, "array %s has size %" PRId64, e->name, e->dim[i]);
        count *= (size_t)e->dim[i];
    }
    return count;
}

/* Within [2^E, 2^(E+1)) the halves are 2^(E-10) apart, below 2^-14 all as there; k of
 * them make up x.  A k rounded up to 2048 carries into the exponent, as it should. */
uint16_t half_of(double x)
{
    unsigned sign = signbit(x) ? 0x8000 : 0;
    int E = fabs(x) < 65520 ? ilogb(x) : 16;
    if (E < -14) E = -14;
    unsigned bits = E > 15 ? 0x7c00
                           : ((unsigned)(E + 14) << 10) +
                                 (unsigned)nearbyint(ldexp(fabs(x), 10 - E));
    return (uint16_t)(sign | bits);
}

static void put_entry(Text *t, const SafeEntry *e, size_t begin, size_t end)
{
    json_open_object(t, e->name);
    json_put_text(t, "dtype", dtype_name(e->dtype));
    json_open_array(t, "shape");
    for (int i = 0; i < e->rank; i++) json_put_integer(t, NULL, e->dim[i]);
    json_close(t);
    json_open_array(t, "data_offsets");
    json_put_integer(t, NULL, (int64_t)begin);
    json_put_integer(t, NULL, (int64_t)end);
    json_close(t);
    json_close(t);
}

static Text make_header(Arena *a, const SafeEntry entries[], int count,
                        const SafeMeta metadata[], int nmeta)
{
    Text t = {.arena = a};
    json_open_object(&t, NULL);
    if (nmeta) {
        json_open_object(&t, "__metadata__");
        for (int i = 0; i < nmeta; i++)
            json_put_text(&t, metadata[i].key, metadata[i].text);
        json_close(&t);
    }
    size_t begin = 0;
    for (int i = 0; i < count; i++) {
        const SafeEntry *e = &entries[i];
        require(e->rank >= 0 && e->rank <= SAFE_RANK, "array %s has rank %d", e->name,
                e->rank);
        require(strlen(e->name) <= SAFE_NAME && strcmp(e->name, "__metadata__") != 0,
                "%s cannot be an array's name", e->name);
        size_t end = begin + count_elements(e) * dtype_size(e->dtype);
        put_entry(&t, e, begin, end);
        begin = end;
    }
    json_close(&t);
    return t;
}

/* Hands the array's numbers on as the file has them, lowest byte first, in pieces. */
static void pour(const SafeEntry *e, void (*take)(void *, const void *, size_t), void *to)
{
    enum { PIECE = 4096 };
    uint8_t piece[PIECE];
    const uint8_t *data = e->data;
    size_t size = dtype_size(e->dtype), left = count_elements(e) * size, n;
    for (; left; left -= n, data += n) {
        n = left < PIECE ? left : PIECE;
        safetensors_reorder(piece, data, n / size, size, host_has_highest_first());
        take(to, piece, n);
    }
}

static void take_to_file(void *to, const void *data, size_t bytes)
{
    writer_write(to, data, bytes);
}

static void take_to_sum(void *to, const void *data, size_t bytes)
{
    uint32_t *sum = to;
    *sum = crc32(*sum, data, bytes);
}

uint32_t safetensors_sum(uint32_t sum, const SafeEntry entries[], int count)
{
    for (int i = 0; i < count; i++) pour(&entries[i], take_to_sum, &sum);
    return sum;
}

void safetensors_write(const char *path, const SafeEntry entries[], int count,
                       const SafeMeta metadata[], int nmeta)
{
    Arena *s = scratch();
    size_t mark = arena_mark(s);
    Text header = make_header(s, entries, count, metadata, nmeta);
    /* Our own reader finds equal names. */
    json_parse(s, (Bytes){path, (const uint8_t *)header.bytes, header.length});
    while (header.length % 8) text_printf(&header, " ");

    Writer w;
    writer_open(&w, path);
    uint8_t length[8];
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)header.length >> 8 * i);
    writer_write(&w, length, sizeof length);
    writer_write(&w, header.bytes, header.length);
    for (int i = 0; i < count; i++) pour(&entries[i], take_to_file, &w);
    writer_commit(&w);
    arena_rewind(s, mark);
}
