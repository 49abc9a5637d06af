/* Rows of pictures with words around them, as an SVG file.
 *
 *     const char *rows[] = {"heun", "euler"};
 *     sheet_write("sheet.svg", &(Sheet){.columns = 10, .scale = 2, .rows = rows}, &p); */
#ifndef APPS_SUPPORT_SHEET_H
#define APPS_SUPPORT_SHEET_H

#include "apps/support/image.h"

typedef struct {
    int columns, scale;             /* image_grid's */
    const char *const *heads;       /* [columns], above them; NULL: nothing */
    const char *const *rows;        /* [rows], before them */
    const char *const *notes;       /* [rows], behind them; NULL: nothing */
} Sheet;

void sheet_write(const char *path, const Sheet *s, const Pictures *p);

#endif
