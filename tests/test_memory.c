/* Arenas, pools and the two doors of trouble. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tensor/error.h"
#include "tensor/memory.h"
#include "tests/check.h"

static void arena_is_aligned_and_rewinds(void)
{
    Arena a = arena_create();
    char *p = arena_alloc(&a, 100);
    size_t mark = arena_mark(&a);
    char *q = arena_alloc(&a, 3 << 20);
    check((uintptr_t)p % 64 == 0 && (uintptr_t)q % 64 == 0);
    memset(q, 1, 3 << 20);
    arena_rewind(&a, mark);
    check(arena_alloc(&a, 64) == q);
    check_text(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    arena_destroy(&a);
}

/* Random allocations and releases, each block filled with its own number: no block may
 * touch another, and at the end everything has merged into nothing. */
static void pool_blocks_do_not_overlap(void)
{
    enum { N = 300 };
    Pool pool = pool_create();
    unsigned char *block[N] = {0};
    size_t size[N];
    uint32_t state = 1;
    for (int round = 0; round < 20000; round++) {
        state = state * 1664525u + 1013904223u;
        int i = (int)(state >> 8) % N;
        if (block[i]) {
            bool whole = true;
            for (size_t k = 0; k < size[i]; k++) whole &= block[i][k] == (unsigned char)i;
            if (!whole) check(whole);
            pool_free(&pool, block[i]);
            block[i] = NULL;
        } else {
            size[i] = (state >> 20) % 3000;
            block[i] = pool_alloc(&pool, size[i]);
            memset(block[i], i, size[i]);
        }
    }
    for (int i = 0; i < N; i++) pool_free(&pool, block[i]);
    check_int((long long)pool.in_use, 0);
    check_int((long long)pool.top, 0);
    check(pool.free == NULL && pool.last == NULL);
    pool_destroy(&pool);
}

static void pool_reuses_and_counts_its_peak(void)
{
    Pool pool = pool_create();
    void *a = pool_alloc(&pool, 1000), *b = pool_alloc(&pool, 1000);
    pool_free(&pool, a);
    check(pool_alloc(&pool, 900) == a);
    pool_free(&pool, b);
    check_int((long long)pool.peak, 2048);
    size_t before = memory_committed();
    pool_reset(&pool);
    check_int((long long)pool.in_use, 0);
    check_int((long long)memory_committed(), (long long)before);
    pool_destroy(&pool);
}

static void free_twice(void *unused)
{
    (void)unused;
    Pool pool = pool_create();
    pool_alloc(&pool, 10);
    void *a = pool_alloc(&pool, 10);
    pool_alloc(&pool, 10);
    pool_free(&pool, a);
    pool_free(&pool, a);
}

static void want_too_much(void *unused)
{
    (void)unused;
    Arena a = arena_create();
    arena_alloc(&a, SIZE_MAX / 4);
}

static void want_all_and_a_little(void *unused)
{
    (void)unused;
    Arena a = arena_create();
    arena_alloc(&a, 16);
    arena_alloc(&a, a.region.reserved);
}

static void want_too_many(void *unused)
{
    (void)unused;
    Arena a = arena_create();
    arena_alloc_array(&a, SIZE_MAX / 2, 3);
}

static void want_of_a_pool(void *bytes)
{
    Pool pool = pool_create();
    pool_alloc(&pool, *(size_t *)bytes);
}

static void rewind_forwards(void *unused)
{
    (void)unused;
    Arena a = arena_create();
    arena_rewind(&a, 1);
}

static void do_nothing(void *unused) { (void)unused; }

static void trouble_stops_with_a_sentence(void)
{
    check_stops(free_twice, NULL, "free already");
    check_stops(want_too_much, NULL, "out of memory: wanted");
    check_stops(want_all_and_a_little, NULL, "is the most this machine has");
    check_stops(want_too_many, NULL, "out of memory: wanted 3 pieces of");
    check_stops(want_of_a_pool, &(size_t){SIZE_MAX}, "out of memory: wanted");
    check_stops(want_of_a_pool, &(size_t){SIZE_MAX / 4}, "MiB more on top of the");
    check_stops(rewind_forwards, NULL, "arena_rewind to 1, beyond the 0 in use");
    check(error_catch(do_nothing, NULL) == NULL);
    arena_destroy(&(Arena){0});
}

static void reserve(void *arena) { *(Arena *)arena = arena_create(); }

/* The message of `reserve`, or "", where `more` bytes of addresses are left. */
static const char *reserve_within(size_t more, Arena *a)
{
    struct rlimit old;
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    check(statm && fscanf(statm, "%lu", &pages) == 1 && getrlimit(RLIMIT_AS, &old) == 0);
    if (statm) fclose(statm);
    struct rlimit new = {pages * (size_t)sysconf(_SC_PAGESIZE) + more, old.rlim_max};
    check(setrlimit(RLIMIT_AS, &new) == 0);
    const char *message = error_catch(reserve, a);
    check(setrlimit(RLIMIT_AS, &old) == 0);
    return message ? message : "";
}

/* What is reserved is halved until it fits. */
static void rationed_addresses_are_enough(void)
{
    Arena a = {0};
    check_text(reserve_within(64 << 20, &a), "");
    check(a.region.reserved >= 16 << 20 && a.region.reserved <= 64 << 20);
    arena_destroy(&a);
    check_text(reserve_within(1 << 20, &a), "out of memory: the system would not even "
               "reserve 2 MiB of addresses; look at `ulimit -v`");
}

static const Test tests[] = {
    T(arena_is_aligned_and_rewinds), T(pool_blocks_do_not_overlap),
    T(pool_reuses_and_counts_its_peak), T(trouble_stops_with_a_sentence),
    T(rationed_addresses_are_enough),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
