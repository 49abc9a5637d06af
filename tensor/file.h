/* Whole files in, whole files out.
 *
 * Reading: a file comes into an arena in one piece; the formats above parse memory, never
 * a stream, so no parser can leave a descriptor open or trust an unchecked length.
 *
 * Writing: the bytes go to a file beside the target; only when all of them are on the
 * disk (every write checked, fsync) is it renamed over the target, and the folder is
 * fsynced too. A write that was interrupted, or took only a part, goes on. Whatever
 * happens, the target holds either its old content or the new, never half. If anything
 * fails the program ends with a sentence and the unfinished file is removed. */
#ifndef TENSOR_FILE_H
#define TENSOR_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/memory.h"

/* A file in memory; path is for messages. */
typedef struct {
    const char *path;
    const uint8_t *data;
    size_t size;
} Bytes;

/* Reads all of `path` into the arena.  Fails if it is missing, unreadable or no file. */
Bytes file_read(Arena *a, const char *path);

bool file_exists(const char *path);
bool file_is_folder(const char *path);

/* Makes the folder and its parents.  Fails if it cannot. */
void folder_make(const char *path);

/* The names in a folder, sorted, without those that begin with a dot; the arena owns
 * them. */
char **folder_list(Arena *a, const char *path, int *count);

/* One open output file at a time. */
typedef struct {
    char *path, *beside;        /* owned by the writer's arena, as the buffer is */
    int fd;                     /* -1 when closed */
    uint8_t *buffer;
    size_t filled;
    Arena arena;
} Writer;

void writer_open(Writer *w, const char *path);
void writer_write(Writer *w, const void *data, size_t bytes);
void writer_commit(Writer *w);

/* The three calls above in one. */
void file_write(const char *path, const void *data, size_t bytes);

/* A file that only grows: each call adds its bytes at the end at once.  log_sync returns
 * when they are on the disk.  All fail with the path if the disk does; log_close syncs
 * too. */
typedef struct {
    const char *path;           /* as given */
    int fd;
} Log;

Log log_open(const char *path);
void log_write(const Log *l, const void *data, size_t bytes);
void log_sync(const Log *l);
void log_close(Log *l);

/* Claims `path`, a file made for this purpose, until the process ends, however it ends:
 * the system lets go of the lock, so one left behind by a crash is none.  The file tells
 * the process number.  Fails with the number of the process that has it; `what` it
 * guards. */
void file_lock(const char *path, const char *what);

/* The number in four bytes, the highest first, as PNG and IDX store it. */
static inline uint32_t big_endian_32(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* CRC-32 of ISO 3309, as gzip, PNG and zip use it; pass 0 to begin,
 * the last value to go on. */
uint32_t crc32(uint32_t crc, const void *data, size_t bytes);

#endif
