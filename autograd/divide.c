/* y = a / b            da += dy / b            db -= dy a / b^2 */
#include "autograd/broadcast.h"

BINARY(divide, a / b, 1 / b, -a / (b * b))
