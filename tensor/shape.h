/* The shape of an array: how many numbers along each axis.  Arrays are dense and
 * row-major; images are NHWC. */
#ifndef TENSOR_SHAPE_H
#define TENSOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

enum { MAX_RANK = 4 };

typedef struct {
    int rank;
    int dim[MAX_RANK];
} Shape;

/* SHAPE(64, 28, 28, 1) */
#define SHAPE(...) \
    shape_make((int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (int[]){__VA_ARGS__})

/* Dies unless 1 <= rank <= MAX_RANK and all dims > 0. */
Shape shape_make(int rank, const int dim[]);
size_t shape_size(Shape s);
bool shape_equal(Shape a, Shape b);
int shape_last(Shape s);                        /* the last axis: channels, features */

/* A set of axes: AXIS(1) | AXIS(2). */
#define AXIS(i) (1u << (i))
enum { ALL_AXES = (1 << MAX_RANK) - 1 };
Shape shape_reduce(Shape s, unsigned axes);     /* those axes with size 1 */

typedef struct { char text[64]; } ShapeText;
ShapeText shape_text(Shape s);                  /* "[64, 28, 28, 1]" */
#define SHOW(shape) shape_text(shape).text

#endif
