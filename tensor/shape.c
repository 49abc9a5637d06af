/* Shapes: see shape.h. */
#include "tensor/shape.h"

#include <limits.h>
#include <stdio.h>

#include "tensor/error.h"

Shape shape_make(int rank, const int dim[])
{
    require(rank >= 1 && rank <= MAX_RANK, "a shape of %d axes; 1 to %d are possible",
            rank, MAX_RANK);
    Shape s = {.rank = rank};
    size_t size = 1;
    for (int i = 0; i < rank; i++) {
        require(dim[i] > 0, "axis %d of a shape is %d", i, dim[i]);
        s.dim[i] = dim[i];
        size *= (size_t)dim[i];
        require(size <= INT_MAX, "a shape of more than %d numbers", INT_MAX);
    }
    return s;
}

size_t shape_size(Shape s)
{
    size_t size = 1;
    for (int i = 0; i < s.rank; i++) size *= (size_t)s.dim[i];
    return size;
}

bool shape_equal(Shape a, Shape b)
{
    if (a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i]) return false;
    return true;
}

int shape_last(Shape s) { return s.dim[s.rank - 1]; }

ShapeText shape_text(Shape s)
{
    ShapeText t;
    int n = snprintf(t.text, sizeof t.text, "[");
    for (int i = 0; i < s.rank; i++)
        n += snprintf(t.text + n, sizeof t.text - (size_t)n, "%s%d", i ? ", " : "",
                      s.dim[i]);
    snprintf(t.text + n, sizeof t.text - (size_t)n, "]");
    return t;
}

Shape shape_reduce(Shape s, unsigned axes)
{
    require(axes && (axes == ALL_AXES || axes >> s.rank == 0), "axes %#x of %s", axes,
            SHOW(s));
    for (int i = 0; i < s.rank; i++)
        if (axes >> i & 1) s.dim[i] = 1;
    return s;
}
