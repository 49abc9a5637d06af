/* Augmentation that does not leak (Karras 2022, appendix F.2; Karras 2020).
 *
 * A small data set is enlarged by moving, turning, stretching and recolouring its
 * images.  A network trained on those would draw turned images too, so it is told what
 * was done: each kind gives some labels, which enter the embedding, and all are zero for
 * an image left alone.  Sampling with zero labels asks for images as they are.
 *
 *     kind            numbers w                  labels             does
 *     xflip, yflip    0 or 1                     w                  mirrors
 *     rotate_int      0 ... 3 quarter turns      two bits           turns
 *     translate_int   x, y in pixels             / (W/8), (H/8)     shifts, mirrored
 *     scale           N(0, 1)                    w                  s = 2^(0.2 w)
 *     rotate_frac     angle                      cos - 1, sin       turns
 *     aniso           N(0, 1), angle r or 0      w cos r, w sin r   2^(0.2 w) along r,
 *                                                                   1/that across
 *     translate_frac  N(0, 1) twice              w                  by w W/8, w H/8
 *     brightness      N(0, 1)                    w                  adds 0.2 w
 *     contrast        N(0, 1)                    w                  times 2^(0.5 w)
 *     lumaflip        0 or 1                     w                  mirrors gray's plane
 *     hue             angle                      cos - 1, sin       turns around gray
 *     saturation      N(0, 1)                    w                  2^w across gray
 *
 * All w = 0 is the identity.  Each kind is used with probability p; the two bits of
 * rotate_int say which axes are mirrored.  EDM uses six of them, with nine labels. */
#ifndef DIFFUSION_AUGMENT_H
#define DIFFUSION_AUGMENT_H

#include <stdbool.h>

#include "tensor/random.h"

enum { AUGMENTATIONS = 13, MAX_AUGMENT_LABELS = 18 };

/* What is done to one image: the numbers w of each kind, in the order of the table. */
typedef struct { double w[AUGMENTATIONS][2]; } Augment;

typedef struct { int H, W, C; } Picture;    /* [H, W, C]; colours need C = 1 or 3 */

/* Kinds as bits, from their names: "xflip,scale".  Fails with the list. */
unsigned augment_kinds(const char *names);
extern const char augment_edm[];            /* the six of EDM */

/* How many labels those give. */
int augment_label_count(unsigned kinds);

/* Draws sample n's from the row r: each kind with probability p, xflip always. */
Augment augment_draw(unsigned kinds, double p, const Picture *size, Random r, uint64_t n);

/* Changes the image x and writes its labels. */
void augment_apply(unsigned kinds, const Augment *a, const Picture *size, double *x,
                   double *label);

#endif
