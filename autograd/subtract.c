/* y = a - b            da += dy            db -= dy */
#include "autograd/broadcast.h"

BINARY(subtract, a - b, 1, -1)
