/* Published networks on disk: .safetensors with the names, shapes and order of numbers of
 * the library that a network comes from.
 *
 * Reading takes F16, BF16, F32 and F64.  Writing gives F32, sorted by name, as
 * safetensors.torch.save_file does, so that what was read from its file is written to the
 * same bytes.  NVlabs' networks also carry the taps of their resampling filters,
 * f f' / (sum f)^2 [1, 1, n, n]: written for their loader's sake, and on reading compared
 * with ours. */
#ifndef NN_PUBLISHED_FILE_H
#define NN_PUBLISHED_FILE_H

#include "nn/published.h"
#include "tensor/safetensors.h"

/* Fills ours, a whole block of Params.  Fails with the names of the arrays that are
 * missing, unexpected, of another shape or not finite.  Names in the file may all begin
 * with "model.". */
void published_load(const SafeTensors *file, const Published *w, int taps, Real *ours);

void published_save(const char *path, const Published *w, int taps, const Real *ours);

#endif
