/* Python's pickles: see pickle.h. */
#include "apps/support/pickle.h"

#include <string.h>

#include "tensor/error.h"

noreturn void pickle_fail(const char *path)
{
    fail("%s is a Python pickle, which can run any code when it is read, so drift never "
         "does; apps/README.md tells how to turn it into .safetensors", path);
}

/* torch.save writes NAME/data.pkl as the first file of its zip. */
static bool is_zipped(Bytes b)
{
    static const char name[] = "/data.pkl";
    size_t last = b.size < 512 ? b.size : 512, n = sizeof name - 1;
    if (b.size < 8 || memcmp(b.data, "PK\3\4", 4) != 0) return false;
    for (size_t i = 0; i + n <= last; i++)
        if (memcmp(b.data + i, name, n) == 0) return true;
    return false;
}

/* Protocol 2 or later begins with 0x80 and its number.  These two may also be the first
 * bytes of a header's length in .safetensors: then the ninth is a {. */
void pickle_refuse(Bytes b)
{
    bool bare = b.size > 8 && b.data[0] == 0x80 && b.data[1] <= 5 && b.data[8] != '{';
    if (bare || is_zipped(b)) pickle_fail(b.path);
}
