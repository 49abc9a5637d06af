/* Files: what is written is there, what cannot be is told, and a lock has one owner. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/check.h"

static Arena arena;

/* Pieces smaller and larger than the writer's buffer, in order. */
static void pieces_come_out_in_order(void)
{
    enum { SIZE = 300000 };
    uint8_t *bytes = arena_alloc(&arena, SIZE);
    for (int i = 0; i < SIZE; i++) bytes[i] = (uint8_t)((unsigned)i * (unsigned)i >> 3);
    static const size_t pieces[] = {1, 65536, 0, 65535, 1, 65537, 100, 100000};
    Writer w;
    size_t done = 0;
    writer_open(&w, in_folder("pieces"));
    for (int i = 0; i < NELEM(pieces); done += pieces[i++])
        writer_write(&w, bytes + done, pieces[i]);
    writer_commit(&w);
    Bytes got = file_read(&arena, in_folder("pieces"));
    check_int((long long)got.size, (long long)done);
    check(memcmp(got.data, bytes, done) == 0);
    check(!file_exists(in_folder("pieces.new")));
}

static void logs_only_grow(void)
{
    for (int i = 0; i < 2; i++) {
        Log l = log_open(in_folder("log"));
        log_write(&l, i ? "two\n" : "one\n", 4);
        log_sync(&l);
        log_close(&l);
    }
    Bytes got = file_read(&arena, in_folder("log"));
    check_int((long long)got.size, 8);
    check(memcmp(got.data, "one\ntwo\n", 8) == 0);
}

static void read_it(void *path) { file_read(&arena, path); }
static void write_it(void *path) { file_write(path, "x", 1); }
static void list_it(void *path) { int n; folder_list(&arena, path, &n); }
static void make_it(void *path) { folder_make(path); }
static void log_it(void *path) { log_open(path); }
static void lock_it(void *path) { file_lock(path, "the run"); }

/* On /dev/full every write finds the disk full; /dev/null takes all and cannot be told
 * to keep it (fsync is refused there). */
static void log_to(void *device)
{
    Log l = log_open(device);
    log_write(&l, "x", 1);
    log_close(&l);
}

/* The unfinished file is a link to a device; a megabyte is more than the writer's
 * buffer. */
static const struct Device { const char *path; size_t bytes; } devices[] = {
    {"/dev/full", 1}, {"/dev/full", 1 << 20}, {"/dev/null", 1},
};

static void write_to(void *argument)
{
    static const uint8_t zeros[1 << 20];
    const struct Device *d = argument;
    if (symlink(d->path, in_folder("device.new")) != 0) fail("no link to %s", d->path);
    file_write(in_folder("device"), zeros, d->bytes);
}

static void what_cannot_be_done_is_told(void)
{
    file_write(in_folder("plain"), "x", 1);
    folder_make(in_folder("folder/inner"));
    check_stops(read_it, in_folder("nothing"), "cannot read ");
    check_stops(read_it, in_folder("folder"), "is a folder; a file was expected");
    check_stops(read_it, "/dev/null", "is not a regular file");
    char *shorter = "/sys/kernel/mm/transparent_hugepage/enabled";  /* than it says */
    if (file_exists(shorter)) check_stops(read_it, shorter, "it shrank while being read");
    check_stops(write_it, in_folder("nowhere/x"), "cannot write ");
    check_stops(write_it, in_folder("folder"), "cannot write ");
    check(!file_exists(in_folder("folder.new")));
    check_stops(list_it, in_folder("nowhere"), "cannot list the folder ");
    check_stops(make_it, in_folder("plain"), "is in the way");
    check_stops(make_it, in_folder("plain/x"), "cannot make the folder ");
    check_stops(log_it, in_folder("nowhere/x"), "cannot write ");
    check_stops(lock_it, in_folder("nowhere/x"), "cannot write ");
}

/* A disk that is full, or that does not keep what it took: nothing is left half done. */
static void a_failing_disk_is_told(void)
{
    check_stops(log_to, (void *)"/dev/full", "free some space");
    check_stops(log_to, (void *)"/dev/null", "cannot write /dev/null");
    for (int i = 0; i < NELEM(devices); i++) {
        check_stops(write_to, (void *)&devices[i], "cannot write ");
        check_int(readlink(in_folder("device.new"), (char[8]){0}, 8), -1);
    }
    check(!file_exists(in_folder("device")));
}

/* Its folder, which has to reach the disk as well, is the current one. */
static void a_bare_name_is_a_file_here(void)
{
    char here[4096];
    check(getcwd(here, sizeof here) != NULL && chdir(test_folder()) == 0);
    file_write("bare", "x", 1);
    check(chdir(here) == 0);
    check(file_exists(in_folder("bare")));
}

/* The child has the lock until it is gone; then what it wrote into the file means
 * nothing. */
static void a_lock_has_one_owner(void)
{
    char *path = in_folder("lock"), byte;
    int ready[2], stop[2];
    if (pipe(ready) != 0 || pipe(stop) != 0) fail("no pipes");
    pid_t child = fork();
    if (child == 0) {
        close(stop[1]);
        file_lock(path, "the run");
        if (write(ready[1], "x", 1) != 1 || read(stop[0], &byte, 1) != 0) _exit(1);
        _exit(0);
    }
    check_int(read(ready[0], &byte, 1), 1);
    check_stops(lock_it, path,
                arena_printf(&arena, "the run is in use by process %d;", child));
    check_int(truncate(path, 0), 0);
    check_stops(lock_it, path, "the run is in use by process of unknown number;");
    close(stop[1]);
    waitpid(child, NULL, 0);
    check(error_catch(lock_it, path) == NULL);
    char *pipe_path = in_folder("pipe");        /* into which no number can be written */
    check_int(mkfifo(pipe_path, 0600), 0);
    check_stops(lock_it, pipe_path, "cannot write ");
}

static const Test tests[] = {
    T(pieces_come_out_in_order), T(logs_only_grow), T(what_cannot_be_done_is_told),
    T(a_failing_disk_is_told), T(a_bare_name_is_a_file_here), T(a_lock_has_one_owner),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
