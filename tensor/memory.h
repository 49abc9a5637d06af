/* Memory by lifetime, not by object.
 *
 * A training step makes a thousand arrays and needs none of them a moment later.  Owning
 * each one separately means a thousand free() calls to get right; owning their *lifetime*
 * means one.
 *
 *   Arena   a bump pointer.  Everything in it dies together: a model, a data set, a
 *           file's contents, the records of one tape.  arena_rewind frees all that came
 *           after a mark.
 *   Pool    blocks that die one by one, in any order: the activations and gradients of
 *           a step.  It keeps its pages between steps.
 *   scratch each thread's own arena for work inside one operation: mark, use, rewind.
 *
 * All three take their pages from one door, a reserved range of addresses that is made
 * usable as it fills.  Pages once touched are kept: on a virtual machine the first touch
 * of a fresh 4 KiB page runs at some 0.4 GB/s, that of a kept one at 80, and an engine
 * that returns its memory after every step spends most of its time there.  The kernel is
 * asked for huge pages.
 *
 * Memory handed out is aligned to 64 bytes and undefined: under DEBUG=1 it is filled with
 * NaN, on allocation and on release, so that a stale or unset number shows up in the loss
 * at once.  Running out of memory ends in a sentence with the size that was wanted. */
#ifndef TENSOR_MEMORY_H
#define TENSOR_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* A range of addresses; the first `committed` bytes may be used. */
typedef struct {
    char *base;
    size_t reserved, committed;
} Region;

typedef struct {
    Region region;
    size_t used, touched;   /* bytes in use: now, and at most so far */
} Arena;

typedef struct Block Block;

typedef struct {
    Region region;
    size_t top;             /* bytes below it are blocks, free or not */
    Block *last;            /* the block that ends at top, NULL if none */
    Block *free;            /* list of free blocks, in no order */
    size_t in_use, peak;    /* bytes handed out: now, and at most so far */
} Pool;

Arena arena_create(void);
void *arena_alloc(Arena *a, size_t bytes);
#define arena_new(a, Type, count) ((Type *)arena_alloc_array(a, sizeof(Type), count))
void *arena_alloc_array(Arena *a, size_t size, size_t count);   /* dies if it wraps */

/* All zero.  Pages that were never used are zero already and are left alone: what is
 * never written (moments, when a model only samples) is never resident. */
#define arena_zeroed(a, Type, count) ((Type *)arena_alloc_zeroed(a, sizeof(Type), count))
void *arena_alloc_zeroed(Arena *a, size_t size, size_t count);
char *arena_printf(Arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
size_t arena_mark(const Arena *a);
void arena_rewind(Arena *a, size_t mark);                   /* keeps the pages */
void arena_destroy(Arena *a);                               /* returns them */

/* The calling thread's scratch arena. */
Arena *scratch(void);

Pool pool_create(void);
void *pool_alloc(Pool *p, size_t bytes);
void pool_free(Pool *p, void *memory);      /* NULL is allowed */
void pool_reset(Pool *p);                   /* frees every block, keeps the pages */
void pool_destroy(Pool *p);

/* Bytes made usable through the door. */
size_t memory_committed(void);

/* The most memory the process ever had resident, as the system counts it (bytes). */
size_t memory_resident_peak(void);

#endif
