/* Curves with axes, as an SVG file.
 *
 *     Curve c[] = {{"bits", t, bits, T}};
 *     plot_write("bits.svg", &(Plot){"The bound", "t", "bits", .log_y = true}, c, 1);
 *
 * Axes run from the smallest to the largest number, widened to round ones; a logarithmic
 * axis leaves out what is not above 0.  Numbers that are not finite are gaps. */
#ifndef APPS_SUPPORT_PLOT_H
#define APPS_SUPPORT_PLOT_H

#include <stdbool.h>

typedef struct {
    const char *name;
    const double *x, *y;        /* [count] */
    int count;
    const char *const *mark;    /* NULL, or [count]: a dot at each point, and its text */
} Curve;

typedef struct {
    const char *title, *x_label, *y_label;
    bool log_x, log_y;
} Plot;

void plot_write(const char *path, const Plot *p, const Curve curves[], int count);

#endif
