/* InceptionV3 (Szegedy 2015), the network that the papers judge pictures with: FID reads
 * its 2048 features (Heusel 2017), sFID seven channels of a layer where pictures are
 * 17x17 still (Nash 2021; Dhariwal & Nichol 2021), the Inception score its classes.
 *
 * Numbers can be compared with the papers' only if they come from the same weights:
 * TensorFlow's graph of 2015-12-05, of 1008 classes, widely used in its PyTorch form
 * pt_inception-2015-12-05.  They are not ours to ship; this reads them from a user's
 * .safetensors file with the names of the port,
 *
 *     Conv2d_1a_3x3.conv.weight   .bn.weight  .bn.bias  .bn.running_mean  .bn.running_var
 *     Mixed_5b.branch1x1.conv.weight   ...   Mixed_7c.branch_pool.bn.running_var
 *     fc.weight   fc.bias
 *
 * 94 convolutions with a batch norm each, 23,850,960 learned numbers.  As in that graph
 * the picture is enlarged from its upper left corner, average pools do not count what is
 * outside, and the last module pools by the largest.
 *
 * It only judges, so it is never trained: batch norms have fixed means and variances and
 * are folded into the filters before them,
 *
 *     norm(w x) = gamma (w x - mean) / sqrt(variance + 0.001) + beta = w' x + b',
 *     w' = w gamma / sqrt(variance + 0.001),      b' = beta - mean w' / w. */
#ifndef NN_INCEPTION_H
#define NN_INCEPTION_H

#include "nn/published.h"
#include "tensor/safetensors.h"

enum {
    INCEPTION_CONVS = 94, INCEPTION_SIZE = 299, INCEPTION_FEATURES = 2048,
    INCEPTION_SPATIAL = 7, INCEPTION_CLASSES = 1008
};

/* A convolution with its batch norm; conv.bias is beta, in the end b'. */
typedef struct { Conv2d conv; int gamma, mean, variance; } NormedConv;

typedef struct {
    Params params;
    NormedConv conv[INCEPTION_CONVS];
    Linear last;
} Inception;

/* With weights of 0, in memory of its own. */
Inception inception_create(void);
void inception_destroy(Inception *net);

/* The arrays of the port; when they have been read, the norms must be folded. */
Published inception_arrays(Arena *a, const Inception *net);
void inception_fold(Inception *net);

/* Is it a file of such a network?  By the name of one array. */
bool inception_recognise(const SafeTensors *file);

/* All of that.  Fails with the names of arrays that do not fit. */
Inception inception_load(const SafeTensors *file);

/* features [N, 1, 1, 2048]; map [N, 17, 17, 7]; probability [N, 1008], by the last
 * layer's weights without its bias, as OpenAI's evaluator has it. */
typedef struct { Var *features, *map, *probability; } InceptionAnswer;

/* x [N, H, W, 3], from 0 to 255.  On a tape that does not record, for it discards what
 * it has read. */
InceptionAnswer inception_answer(Pass *pass, const Inception *net, Var *x);

#endif
