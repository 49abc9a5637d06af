/* The seeds of `make fuzz`: each format reads its whole ones, and survives those that
 * once did harm, which are called found-SOMETHING. */
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/fuzz/targets.h"

static void every_seed_is_read_or_refused(void)
{
    Arena a = arena_create();
    for (const Target *t = targets; t->name; t++) {
        Bytes *seeds;
        int count = target_seeds(&a, t, &seeds), whole = 0;
        for (int i = 0; i < count; i++) {
            const char *refused = target_run(t, seeds[i].data, seeds[i].size);
            if (strstr(seeds[i].path, "/found-")) continue;
            if (refused) printf("%s: %s\n", seeds[i].path, refused);
            check(!refused);
            whole++;
        }
        check(whole > 0);
    }
    arena_destroy(&a);
}

static const Test tests[] = {T(every_seed_is_read_or_refused)};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
