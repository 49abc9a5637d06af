/* The drift command: one word chooses a subcommand, each in the file of its name. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

static const struct {
    const char *name, *about;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"train", "train a diffusion model on a data set", train_main},
    {"classifier", "train a classifier, to guide samples or to judge them",
     classifier_main},
    {"losses", "the losses of runs, beside each other", losses_main},
    {"sample", "draw images with a trained model", sample_main},
    {"evaluate", "measure a model on test images", evaluate_main},
    {"import", "make a run of another program's network", import_main},
    {"export", "write a model as another program's files", export_main},
    {"neighbours", "samples beside the nearest training pictures", neighbours_main},
    {"parzen", "the likelihood of test pictures under a blur of samples", parzen_main},
    {"swissroll", "a whole diffusion model on one page, on points of the plane",
     swissroll_main},
    {"heartbeat", "diffusion of bits: sequences with a 1 in every fifth place",
     heartbeat_main},
    {"pixels", "the first diffusion model of images, and its likelihood", pixels_main},
    {"inpaint", "fill in hidden parts of test pictures", inpaint_main},
    {"denoise", "take noise off test pictures", denoise_main},
    {"flow", "draw the way from noise to points of the plane, of any sampler", flow_main},
    {"progress", "images on their way: x_t, and the x0 expected there", progress_main},
    {"fork", "images that share the first part of their way", fork_main},
    {"interpolate", "images between two test pictures", interpolate_main},
    {"compress", "a picture as the bits that a model needs for it", compress_main},
    {"decompress", "and back", decompress_main},
    {"figures", "draw the figures of the chapter on diffusion", figures_main},
    {"info", "tell what a run, a checkpoint or a preset holds", info_main},
    {"graph", "list and draw the operations of a training step", graph_main},
    {"profile", "tell where the time of a training step goes", profile_main},
    {"gradcheck", "compare the derivatives of operations with slopes", gradcheck_main},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_usage(FILE *to)
{
    fprintf(to, "drift: diffusion models from scratch\n\n"
                "usage: drift COMMAND [options]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].about);
    fprintf(to, "\n`drift COMMAND --help` tells more.  A first try, some minutes:\n\n"
                "  drift train mnist\n  drift sample runs/mnist-mini --show\n");
}

int main(int argc, char **argv)
{
    parallel_begin(argv);
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return 0;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fail_usage("there is no command %s; `drift --help` lists them", argv[1]);
}
