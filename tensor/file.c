/* Reading and writing files so that nothing is lost: see file.h. */
#include "tensor/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor/error.h"

bool file_exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

Bytes file_read(Arena *a, const char *path)
{
    struct stat s;
    if (file_is_folder(path)) fail("%s is a folder; a file was expected", path);
    FILE *f = fopen(path, "rb");
    if (!f || fstat(fileno(f), &s) != 0)
        fail("cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(s.st_mode)) {
        fclose(f);
        fail("%s is not a regular file", path);
    }
    size_t size = (size_t)s.st_size;
    uint8_t *data = arena_alloc(a, size);
    size_t got = fread(data, 1, size, f);
    int error = ferror(f) ? errno : 0;
    fclose(f);
    if (got != size)
        fail("cannot read %s: got %zu of its %zu bytes (%s)", path, got, size,
             error ? strerror(error) : "it shrank while being read");
    return (Bytes){arena_printf(a, "%s", path), data, size};
}

void folder_make(const char *path)
{
    Arena *a = scratch();
    size_t mark = arena_mark(a);
    char *p = arena_printf(a, "%s", path);
    for (char *slash = p + 1; ; slash++) {
        if (*slash != '/' && *slash != 0) continue;
        char c = *slash;
        *slash = 0;
        if (mkdir(p, 0777) != 0 && errno != EEXIST)
            fail("cannot make the folder %s: %s", p, strerror(errno));
        *slash = c;
        if (c == 0) break;
    }
    if (!file_is_folder(path))
        fail("%s is in the way: a folder was expected there", path);
    arena_rewind(a, mark);
}

static int compare_names(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

char **folder_list(Arena *a, const char *path, int *count)
{
    DIR *d = opendir(path);
    if (!d) fail("cannot list the folder %s: %s", path, strerror(errno));
    int n = 0, room = 0;
    char **names = NULL;
    for (struct dirent *e; (e = readdir(d)) != NULL; ) {
        if (e->d_name[0] == '.') continue;
        if (n == room) {
            char **more = arena_new(a, char *, (size_t)(room = room ? 2 * room : 64));
            if (n) memcpy(more, names, (size_t)n * sizeof *names);
            names = more;
        }
        names[n++] = arena_printf(a, "%s", e->d_name);
    }
    closedir(d);
    if (n) qsort(names, (size_t)n, sizeof *names, compare_names);
    *count = n;
    return names;
}

/* ---- writing --------------------------------------------------------------------- */

enum { BUFFER = 1 << 16 };

/* All of it, in as many calls as the system wants. */
static bool put(int fd, const uint8_t *data, size_t bytes)
{
    while (bytes) {
        ssize_t n = write(fd, data, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        data += n;
        bytes -= (size_t)n;
    }
    return true;
}

static bool sync_to_disk(int fd)
{
    while (fsync(fd) != 0)
        if (errno != EINTR) return false;
    return true;
}

static void drop_unfinished(void *argument)
{
    Writer *w = argument;
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
    unlink(w->beside);
}

static noreturn void cannot_write(const char *path, int error)
{
    fail("cannot write %s: %s%s", path, strerror(error),
         error != ENOSPC ? ""
                         : "; free some space and try again, nothing old was touched");
}

void writer_open(Writer *w, const char *path)
{
    *w = (Writer){.arena = arena_create()};
    w->path = arena_printf(&w->arena, "%s", path);
    w->beside = arena_printf(&w->arena, "%s.new", path);
    w->buffer = arena_alloc(&w->arena, BUFFER);
    w->fd = open(w->beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->fd < 0) cannot_write(w->path, errno);
    error_cleanup(drop_unfinished, w);
}

static void flush(Writer *w)
{
    if (!put(w->fd, w->buffer, w->filled)) cannot_write(w->path, errno);
    w->filled = 0;
}

void writer_write(Writer *w, const void *data, size_t bytes)
{
    if (bytes > BUFFER - w->filled) flush(w);
    if (bytes > BUFFER) {
        if (!put(w->fd, data, bytes)) cannot_write(w->path, errno);
    } else if (bytes) {
        memcpy(w->buffer + w->filled, data, bytes);
        w->filled += bytes;
    }
}

static void sync_folder_of(const char *path)
{
    Arena *a = scratch();
    size_t mark = arena_mark(a);
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path + 1) : 0;
    int fd = open(arena_printf(a, "%.*s.", length, path), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {          /* not every file system lets a folder be opened and synced */
        if (!sync_to_disk(fd) && errno != EINVAL) cannot_write(path, errno);
        close(fd);
    }
    arena_rewind(a, mark);
}

void writer_commit(Writer *w)
{
    flush(w);
    if (!sync_to_disk(w->fd)) cannot_write(w->path, errno);
    int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0) cannot_write(w->path, errno);
    if (rename(w->beside, w->path) != 0) cannot_write(w->path, errno);
    error_cleanup(NULL, NULL);
    sync_folder_of(w->path);
    arena_destroy(&w->arena);
}

void file_write(const char *path, const void *data, size_t bytes)
{
    Writer w;
    writer_open(&w, path);
    writer_write(&w, data, bytes);
    writer_commit(&w);
}

/* ---- logs and locks ---------------------------------------------------------------- */

Log log_open(const char *path)
{
    Log l = {path, open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)};
    if (l.fd < 0) cannot_write(path, errno);
    return l;
}

void log_write(const Log *l, const void *data, size_t bytes)
{
    if (!put(l->fd, data, bytes)) cannot_write(l->path, errno);
}

void log_sync(const Log *l)
{
    if (!sync_to_disk(l->fd)) cannot_write(l->path, errno);
}

void log_close(Log *l)
{
    log_sync(l);
    if (close(l->fd) != 0) cannot_write(l->path, errno);
    l->fd = -1;
}

void file_lock(const char *path, const char *what)
{
    char text[24] = "";
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);    /* stays open: the lock */
    if (fd < 0) cannot_write(path, errno);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) fail("cannot lock %s: %s", path, strerror(errno));
        if (read(fd, text, sizeof text - 1) <= 0) strcpy(text, "of unknown number");
        fail("%s is in use by process %s; wait until it ends, or stop it", what,
             strtok(text, "\n"));
    }
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || !put(fd, (uint8_t *)text, (size_t)n))
        cannot_write(path, errno);
}

uint32_t crc32(uint32_t crc, const void *data, size_t bytes)
{
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
            table[i] = c;
        }
    const uint8_t *p = data;
    crc = ~crc;
    for (size_t i = 0; i < bytes; i++) crc = table[(crc ^ p[i]) & 255] ^ crc >> 8;
    return ~crc;
}
