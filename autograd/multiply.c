/* y = a b            da += dy b            db += dy a */
#include "autograd/broadcast.h"

BINARY(multiply, a * b, b, a)
