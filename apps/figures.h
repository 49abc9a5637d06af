/* The figures of `drift figures` that have a file of their own. */
#ifndef APPS_FIGURES_H
#define APPS_FIGURES_H

#include "tensor/memory.h"

typedef struct {
    Arena *arena;
    const char *folder;
    double *t;                  /* 1 ... T, along x */
} Figures;

/* The path of a figure, owned by the arena. */
const char *figures_path(const Figures *f, const char *name);

/* figures_edm.c */
void figures_draw_orders(const Figures *f);
void figures_draw_paths(const Figures *f);
void figures_draw_ideal(const Figures *f);
void figures_draw_augment(const Figures *f);

#endif
