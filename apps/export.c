/* drift export: a run becomes files that another program's library loads. */
#include <stdio.h>
#include <string.h>

#include "apps/commands.h"
#include "apps/support/foreign.h"
#include "apps/support/options.h"
#include "apps/support/run.h"
#include "nn/published_file.h"
#include "tensor/error.h"

static void write_text(const char *folder, const char *name, const char *text)
{
    const char *path = run_path(scratch(), folder, name);
    const char *line = arena_printf(scratch(), "%s\n", text);
    file_write(path, line, strlen(line));
}

int export_main(int argc, char **argv)
{
    static const Usage usage = {
        "drift export RUN --to diffusers|adm|edm --out DIR [options]",
        "Writes a model as files of another program: its weights with that program's\n"
        "names and order, and the arguments that make the same network there.", 1};
    const char *run, *family = NULL, *out = NULL;
    bool live = false;
    Option options[] = {
        {"to", OPTION_TEXT, &family, "NAME", "diffusers, adm (OpenAI's) or edm (NVlabs')",
         0},
        {"out", OPTION_TEXT, &out, "DIR", "the folder to write into", 0},
        {"live-weights", OPTION_FLAG, &live, NULL,
         "the last weights instead of their average", 0},
        {0},
    };
    if (options_parse(argc, argv, &usage, options, &run) != 1 || !family || !out)
        fail_usage("which run, --to what and --out where?  usage: %s", usage.synopsis);

    Arena a = arena_create();
    Model m;
    model_load(&m, run_checkpoint(&a, run), MODEL_ANY, false);
    if (live && is_classifier(&m.config))
        fail_usage("--live-weights: of a classifier only the average is used");
    ForeignText text = foreign_describe(&a, family, &m.config);
    Published w = is_classifier(&m.config)
                      ? published_classifier(&a, &text.net, &m.params, &m.classifier)
                      : published_unet(&a, &text.net, &m.params, &m.net);
    folder_make(out);
    published_save(run_path(&a, out, text.weights), &w, m.config.unet.style.taps,
                   live ? m.params.value : m.ema.value[0]);
    write_text(out, text.arguments, text.arguments_text);
    if (text.process) write_text(out, text.process, text.process_text);
    printf("%s: %zu parameters in %d arrays\n  %s/%s\n", text.net.class, m.params.size,
           w.count, out, text.weights);
    return 0;
}
