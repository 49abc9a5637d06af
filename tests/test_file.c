/* Files: what is written is there, what cannot be is told, and a lock has one owner. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/check.h"

static Arena arena;

static char *in_folder(const char *name)
{
    return arena_printf(&arena, "%s/%s", test_folder(), name);
}

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

/* On /dev/full every write finds the disk full. */
static void log_to_the_full(void *unused)
{
    (void)unused;
    Log l = log_open("/dev/full");
    log_write(&l, "x", 1);
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
    check_stops(log_to_the_full, NULL, "free some space");
    check_stops(lock_it, in_folder("nowhere/x"), "cannot write ");
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
    close(stop[1]);
    waitpid(child, NULL, 0);
    check(error_catch(lock_it, path) == NULL);
}

static const Test tests[] = {
    T(pieces_come_out_in_order), T(logs_only_grow), T(what_cannot_be_done_is_told),
    T(a_lock_has_one_owner),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
