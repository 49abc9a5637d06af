/* Python's pickles, the form in which PyTorch's networks are mostly published: recognised
 * by their first bytes, and refused.  A pickle is a program that runs when it is read. */
#ifndef APPS_SUPPORT_PICKLE_H
#define APPS_SUPPORT_PICKLE_H

#include <stdnoreturn.h>

#include "tensor/file.h"

/* Tells where the recipe is that turns the file into .safetensors. */
noreturn void pickle_fail(const char *path);

/* Fails so if the file is a pickle, or a zip of PyTorch's around one. */
void pickle_refuse(Bytes file);

#endif
