/* golden [FOLDER [WORD ...]]: compares us with the papers' official code: golden.h.
 *
 * FOLDER is tests/golden unless given; with words only the files whose names contain one
 * of them are compared. */
#include <stdio.h>

#include "tensor/parallel.h"
#include "tests/golden.h"

static const GoldenTopic topics[] = {
    {"layers.safetensors", golden_layers},
    {"blocks.safetensors", golden_blocks},
    {"unet_*", golden_networks},
    {"superres_*", golden_networks},
    {"classifier_*", golden_networks},
    {"inception.safetensors", golden_inception},
    {"schedules.safetensors", golden_schedules},
    {"spaced.safetensors", golden_spaced},
    {"timestep_sampler.safetensors", golden_timesteps},
    {"gaussian.safetensors", golden_gaussian},
    {"loops.safetensors", golden_loops},
    {"diffusers_schedulers.safetensors", golden_schedulers},
    {"metrics.safetensors", golden_metrics},
    {"augment.safetensors", golden_augment},
    {"edm.safetensors", golden_edm},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    parallel_begin(argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    GoldenTally tally = golden_run(argc > 1 ? argv[1] : "tests/golden",
                                   argv + (argc > 2 ? 2 : argc), topics);
    printf("%d passed, %d failed\n", tally.passed, tally.failed);
    return tally.failed || !tally.passed;
}
