/* Networks in the files of other programs, as Configs of ours and back.
 *
 *     diffusers        a folder with diffusion_pytorch_model.safetensors and config.json
 *                      (both perhaps in unet/), and the process in scheduler_config.json
 *     OpenAI, NVlabs   X.safetensors, and X.json with the arguments of the constructor
 *                      and the process: as "_diffusion" the arguments of OpenAI's
 *                      create_gaussian_diffusion, as "_precond" those of NVlabs'
 *                      EDMPrecond and its relatives (Karras 2022, table 1)
 *
 * The class of the network is recognised from the names of the arrays.
 *
 * Writing is proved by reading: what was written is read back, and if the Config that
 * comes out is another, then the family cannot express this model. */
#ifndef APPS_SUPPORT_FOREIGN_H
#define APPS_SUPPORT_FOREIGN_H

#include "apps/support/config.h"
#include "diffusion/process.h"
#include "nn/published.h"
#include "tensor/safetensors.h"

typedef struct {
    SafeTensors file;
    PublishedNet net;
    Config config;
    const char *class;
} Foreign;

/* path: a folder or a .safetensors file; arguments: a JSON file, or NULL for the one
 * beside it; size: height and width, 0 for those in the arguments.  The arena owns the
 * result.  Fails at whatever is missing or not supported; a pickle is refused. */
Foreign foreign_open(Arena *a, const char *path, const char *arguments,
                     const int size[2]);

/* The texts of both JSON files for a model of ours; family: "diffusers", "adm" or
 * "edm".  Fails with the reason if the family cannot express it. */
typedef struct {
    PublishedNet net;
    const char *weights, *arguments, *process;  /* names of files; process or NULL */
    const char *arguments_text, *process_text;
} ForeignText;

ForeignText foreign_describe(Arena *a, const char *family, const Config *c);

/* ---- processes: foreign_process.c ---------------------------------------------- */

/* A way of writing down a diffusion process. */
typedef struct {
    const char *key;        /* the member of the arguments that holds it */
    void (*read)(Config *c, const Json *process, const char *where);
    void (*write)(Text *t, const Config *c);    /* appends members to an open object */
    bool (*can_write)(const Config *c);         /* has it words for this?  NULL: always */
} ProcessNotation;

extern const ProcessNotation diffusers_process;     /* DDPMScheduler */
extern const ProcessNotation openai_process;        /* create_gaussian_diffusion */
extern const ProcessNotation edm_process;           /* EDMPrecond and its relatives */

#endif
