/* A sheet of panels, each showing the square [-3, 3]^2 of the plane: points, or arrows.
 * It becomes an SVG file, and a small picture for the terminal, where a point is a bright
 * pixel and an arrow a colour: its hue tells the direction, its strength the length.
 *
 *     Scatter s;
 *     scatter_begin(&s, 2, 3);                            2 rows, 3 columns
 *     scatter_points(&s, 0, 0, x, N, SCATTER_BLUE);
 *     scatter_column(&s, 0, "t = 0");
 *     scatter_row(&s, 0, "data to noise");
 *     scatter_end(&s, "roll.svg", stdout);
 *
 * Points are [N, 2]; what lies outside the square is left out. */
#ifndef APPS_SUPPORT_SCATTER_H
#define APPS_SUPPORT_SCATTER_H

#include <stdio.h>

#include "apps/support/image.h"
#include "apps/support/svg.h"

typedef struct {
    Svg svg;
    int rows, columns;
    Pictures pixels;
} Scatter;

typedef enum { SCATTER_BLUE, SCATTER_GREEN, SCATTER_GREY } ScatterColour;

/* The places of the arrows of a panel: a grid [SCATTER_ARROWS^2, 2]. */
enum { SCATTER_ARROWS = 18 };
void scatter_grid(double *x);

void scatter_begin(Scatter *s, int rows, int columns);
void scatter_column(Scatter *s, int column, const char *title);
void scatter_row(Scatter *s, int row, const char *title);
void scatter_points(Scatter *s, int row, int column, const double *x, int N,
                    ScatterColour colour);

/* One arrow `to` - x for each place x of the grid; the longest are a mesh long. */
void scatter_arrows(Scatter *s, int row, int column, const double *to);

/* Writes the SVG and shows the picture; frees everything. */
void scatter_end(Scatter *s, const char *path, FILE *terminal);

#endif
