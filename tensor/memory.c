/* Arenas and pools over reserved ranges of addresses: see memory.h for the idea. */
#include "tensor/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tensor/error.h"

enum { ALIGN = 64, STEP = 2 << 20 };        /* STEP: a huge page */

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* ---- the door: the only place that asks the system for memory ---------------------- */

static size_t committed;

static size_t machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    size_t bytes = pages > 0 && size > 0 ? (size_t)pages * (size_t)size : (size_t)1 << 30;
    return round_up(bytes, STEP);
}

/* Reserving costs nothing but addresses, so every region may grow to the whole machine.
 * Where addresses are rationed (ulimit -v, a 32-bit host), halve until it fits. */
static Region region_reserve(void)
{
    for (size_t size = machine_memory(); size >= STEP; size = round_up(size / 2, STEP)) {
        char *base = mmap(NULL, size + STEP, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED) {
            if (size == STEP) break;
            continue;
        }
        size_t skip = round_up((uintptr_t)base, STEP) - (uintptr_t)base;
        if (skip) munmap(base, skip);
        munmap(base + skip + size, STEP - skip);
        return (Region){.base = base + skip, .reserved = size};
    }
    fail("out of memory: the system would not even reserve %d MiB of addresses; "
         "look at `ulimit -v`", STEP >> 20);
}

static void region_commit(Region *r, size_t bytes)
{
    if (bytes <= r->committed) return;
    size_t grow = round_up(bytes - r->committed, STEP);
    if (bytes > r->reserved ||
        mprotect(r->base + r->committed, grow, PROT_READ | PROT_WRITE) != 0)
        fail("out of memory: wanted %zu MiB more on top of the %zu MiB in use; "
             "try a smaller batch or a smaller network", grow >> 20, committed >> 20);
#ifdef MADV_HUGEPAGE
    madvise(r->base + r->committed, grow, MADV_HUGEPAGE);
#endif
    r->committed += grow;
    __atomic_add_fetch(&committed, grow, __ATOMIC_RELAXED);
}

static void region_release(Region *r)
{
    if (r->base) munmap(r->base, r->reserved);
    __atomic_sub_fetch(&committed, r->committed, __ATOMIC_RELAXED);
    *r = (Region){0};
}

size_t memory_committed(void) { return __atomic_load_n(&committed, __ATOMIC_RELAXED); }

size_t memory_resident_peak(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024;
}

/* All bits set is a NaN in float and in double. */
static void make_junk(void *memory, size_t bytes)
{
#ifdef DEBUG
    memset(memory, 0xff, bytes);
#else
    (void)memory, (void)bytes;
#endif
}

/* ---- arenas ------------------------------------------------------------------------ */

Arena arena_create(void) { return (Arena){.region = region_reserve()}; }

void *arena_alloc(Arena *a, size_t bytes)
{
    if (!a->region.base) *a = arena_create();
    size_t align = bytes >= ALIGN ? ALIGN : 16, start = round_up(a->used, align);
    if (bytes > a->region.reserved || start > a->region.reserved - bytes)
        fail("out of memory: wanted %zu MiB in one piece, %zu MiB is the most this "
             "machine has", bytes >> 20, a->region.reserved >> 20);
    region_commit(&a->region, start + bytes);
    a->used = start + bytes;
    if (a->used > a->touched) a->touched = a->used;
    make_junk(a->region.base + start, bytes);
    return a->region.base + start;
}

void *arena_alloc_array(Arena *a, size_t size, size_t count)
{
    if (size && count > SIZE_MAX / size)
        fail("out of memory: wanted %zu pieces of %zu bytes", count, size);
    return arena_alloc(a, size * count);
}

void *arena_alloc_zeroed(Arena *a, size_t size, size_t count)
{
    size_t dirty = a->touched;
    char *memory = arena_alloc_array(a, size, count);
    size_t start = (size_t)(memory - a->region.base);
#ifdef DEBUG
    dirty = a->touched;                 /* arena_alloc filled it with junk */
#endif
    if (dirty > a->used) dirty = a->used;
    if (dirty > start) memset(memory, 0, dirty - start);
    return memory;
}

char *arena_printf(Arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(a, (size_t)n + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

size_t arena_mark(const Arena *a) { return a->used; }

void arena_rewind(Arena *a, size_t mark)
{
    require(mark <= a->used, "arena_rewind to %zu, beyond the %zu in use", mark, a->used);
    if (a->used > mark) make_junk(a->region.base + mark, a->used - mark);
    a->used = mark;
}

void arena_destroy(Arena *a)
{
    region_release(&a->region);
    a->used = a->touched = 0;
}

Arena *scratch(void)
{
    static _Thread_local Arena arena;
    if (!arena.region.base) arena = arena_create();
    return &arena;
}

/* ---- pools ----------------------------------------------------------------------------
 * Blocks lie side by side from base to top; each starts with a header of ALIGN bytes that
 * knows its own size and its left neighbour, so that a freed block merges with free
 * neighbours at once.  There are never two free blocks in a row, and none at the top.
 * Allocation takes the smallest free block that fits. */

struct Block {
    size_t size;                    /* bytes after the header, a multiple of ALIGN */
    Block *left;                    /* the block that ends where this one starts */
    Block *next, *previous;         /* in the free list */
    bool is_free;
};
_Static_assert(sizeof(Block) <= ALIGN, "a block's header must fit in one cache line");

static Block *right_of(const Pool *p, Block *b)
{
    return b == p->last ? NULL : (Block *)((char *)b + ALIGN + b->size);
}

static void list_add(Pool *p, Block *b)
{
    b->is_free = true;
    b->previous = NULL;
    b->next = p->free;
    if (p->free) p->free->previous = b;
    p->free = b;
}

static void list_remove(Pool *p, Block *b)
{
    b->is_free = false;
    if (b->next) b->next->previous = b->previous;
    if (b->previous) b->previous->next = b->next;
    else p->free = b->next;
}

/* Cuts b, which was free and so has a right neighbour, down to `size` bytes; what is left
 * over becomes a free block. */
static void split(Pool *p, Block *b, size_t size)
{
    if (b->size < size + 2 * ALIGN) return;
    Block *rest = (Block *)((char *)b + ALIGN + size);
    right_of(p, b)->left = rest;
    *rest = (Block){.size = b->size - size - ALIGN, .left = b};
    b->size = size;
    list_add(p, rest);
}

static void merge_right(Pool *p, Block *b)
{
    Block *right = right_of(p, b), *after = right_of(p, right);
    b->size += ALIGN + right->size;
    if (after) after->left = b;
    else p->last = b;
}

Pool pool_create(void) { return (Pool){.region = region_reserve()}; }

void *pool_alloc(Pool *p, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) fail("out of memory: wanted %zu bytes", bytes);
    size_t size = round_up(bytes ? bytes : 1, ALIGN);

    Block *best = NULL;
    for (Block *b = p->free; b; b = b->next)
        if (b->size >= size && (!best || b->size < best->size)) best = b;
    if (best) {
        list_remove(p, best);
        split(p, best, size);
    } else {
        region_commit(&p->region, p->top + ALIGN + size);
        best = (Block *)(p->region.base + p->top);
        *best = (Block){.size = size, .left = p->last};
        p->last = best;
        p->top += ALIGN + size;
    }
    p->in_use += best->size;
    if (p->in_use > p->peak) p->peak = p->in_use;
    make_junk((char *)best + ALIGN, best->size);
    return (char *)best + ALIGN;
}

void pool_free(Pool *p, void *memory)
{
    if (!memory) return;
    Block *b = (Block *)((char *)memory - ALIGN);
    require(!b->is_free, "pool_free: this block is free already");
    make_junk(memory, b->size);
    p->in_use -= b->size;

    Block *right = right_of(p, b), *left = b->left;
    if (right && right->is_free) {
        list_remove(p, right);
        merge_right(p, b);
    }
    if (left && left->is_free) {
        list_remove(p, left);
        merge_right(p, left);
        b = left;
    }
    if (b == p->last) {
        p->last = b->left;
        p->top = (size_t)((char *)b - p->region.base);
    } else {
        list_add(p, b);
    }
}

void pool_reset(Pool *p)
{
    if (p->top) make_junk(p->region.base, p->top);
    p->top = p->in_use = 0;
    p->last = p->free = NULL;
}

void pool_destroy(Pool *p)
{
    region_release(&p->region);
    *p = (Pool){0};
}
