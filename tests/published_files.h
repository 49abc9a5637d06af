/* Files as other programs write them, with weights by formula, in the test's folder.
 * Names, shapes and numbers are those of the libraries: the golden networks, which go
 * through the same nn/published.h, prove it. */
#ifndef TESTS_PUBLISHED_FILES_H
#define TESTS_PUBLISHED_FILES_H

#include "tensor/memory.h"
#include "tests/check.h"

/* Formats, and puts the test's folder where an @ is.  Lives in the scratch arena. */
#define WITH_FOLDER(...) with_folder(arena_printf(scratch(), __VA_ARGS__))
const char *with_folder(const char *text);

/* drift ARGS, where an @ stands for the test's folder. */
#define check_drift(code, words, ...) \
    check_drift_at(HERE, code, words, WITH_FOLDER(__VA_ARGS__))

/* A path as `with_folder` takes them. */
void put_text(const char *path, const char *text);

/* A folder with the network of a class, made with these arguments for images of
 * size x size, and the arguments beside it: config.json and a scheduler for diffusers,
 * else model.json.  Returns how many parameters it has. */
size_t put_network(const char *folder, const char *class, const char *arguments,
                   int size);

extern const char ddpm_scheduler[];     /* of google/ddpm-cifar10-32 */

#endif
