/* Reading and writing files so that nothing is lost: see file.h. */
#include "tensor/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

static void drop_unfinished(void *argument)
{
    Writer *w = argument;
    if (w->stream) fclose(w->stream);
    w->stream = NULL;
    unlink(w->beside);
}

static noreturn void cannot_write(const Writer *w, int error)
{
    fail("cannot write %s: %s%s", w->path, strerror(error),
         error != ENOSPC ? ""
                         : "; free some space and try again, nothing old was touched");
}

void writer_open(Writer *w, const char *path)
{
    *w = (Writer){.arena = arena_create()};
    w->path = arena_printf(&w->arena, "%s", path);
    w->beside = arena_printf(&w->arena, "%s.new", path);
    w->stream = fopen(w->beside, "wb");
    if (!w->stream) cannot_write(w, errno);
    error_cleanup(drop_unfinished, w);
}

void writer_write(Writer *w, const void *data, size_t bytes)
{
    if (bytes && fwrite(data, 1, bytes, w->stream) != bytes) cannot_write(w, errno);
}

static void sync_folder_of(const char *path)
{
    Arena *a = scratch();
    size_t mark = arena_mark(a);
    char *folder = arena_printf(a, "%s", path), *slash = strrchr(folder, '/');
    if (slash == folder) slash[1] = 0;
    else if (slash) *slash = 0;
    int fd = open(slash ? folder : ".", O_RDONLY);
    if (fd >= 0) {
        fsync(fd);          /* best effort: not every file system allows it */
        close(fd);
    }
    arena_rewind(a, mark);
}

void writer_commit(Writer *w)
{
    if (fflush(w->stream) != 0 || fsync(fileno(w->stream)) != 0) cannot_write(w, errno);
    FILE *stream = w->stream;
    w->stream = NULL;
    if (fclose(stream) != 0) cannot_write(w, errno);
    if (rename(w->beside, w->path) != 0) cannot_write(w, errno);
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
