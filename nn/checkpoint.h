/* Parameters and what belongs to them, in a .safetensors file.
 *
 * A checkpoint is the parameter block, any number of blocks of the same layout (moments,
 * an average), and texts.  Block "ema" of parameter "conv_in.weight" is stored as the
 * array "ema.conv_in.weight", so other programs can read it.  Equal state gives equal
 * bytes: there is no date, path or host inside.
 *
 * To the metadata are added "format", "drift 2", and "crc32", the checksum of all other
 * texts, of names, types and numbers.  Loading compares it: a disk or a copy that changed
 * one bit is found out.  A file without either, from another program or an older drift,
 * has nothing to compare. */
#ifndef NN_CHECKPOINT_H
#define NN_CHECKPOINT_H

#include "nn/params.h"
#include "tensor/safetensors.h"

typedef struct {
    const char *name;
    Real *data;             /* [params->size] */
} CheckpointBlock;

/* What is in one: `count` blocks, and other arrays whose name, type,
 * shape and data are told. */
typedef struct {
    const CheckpointBlock *blocks;
    int count;
    const SafeEntry *others;
    int other_count;
    bool half;              /* write the blocks as DTYPE_F16; reading takes any type */
} CheckpointParts;

/* Fails, and leaves what is there, if a number of a block is not finite or the disk
 * fails. */
void checkpoint_save(const char *path, const Params *p, const CheckpointParts *parts,
                     const SafeMeta metadata[], int nmeta);

/* Fills the blocks and the others' data from the file.  Fails unless each array is there
 * with the shape that is wanted and no others; the message lists what does not fit. */
void checkpoint_load(const SafeTensors *file, const Params *p,
                     const CheckpointParts *parts);

/* The same, for a reader that needs some of the blocks only:
 * others in the file are ignored. */
void checkpoint_load_some(const SafeTensors *file, const Params *p,
                          const CheckpointBlock blocks[], int count);

/* Does the file hold an array BLOCK.NAME of the right shape for each parameter?  Fails,
 * listing what does not fit, if not.  Needs no memory for the parameters. */
void checkpoint_check(const SafeTensors *file, const Params *p, const char *block);

#endif
