/* What an array holds, at a glance: `drift info`. */
#ifndef APPS_SUPPORT_STATISTICS_H
#define APPS_SUPPORT_STATISTICS_H

#include "tensor/safetensors.h"

typedef struct {
    double min, max, mean, deviation;   /* of the finite numbers; 0 if there are none */
    size_t odd;                         /* not finite */
} Statistics;

Statistics statistics_of(const SafeEntry *e);

/* A table: type, name, shape, statistics; and how many numbers in all are not finite. */
void statistics_print(const SafeTensors *f);

#endif
