/* The command line of a subcommand, as a table: one row an option, and --help prints it.
 *
 *     Option options[] = {
 *         {"steps", OPTION_LONG, &steps, "N", "train for N steps"},
 *         {0}
 *     };
 *     int n = options_parse(argc, argv, &usage, options, words);
 *
 * The value that a variable holds before is the default that --help shows.  An option is
 * --name VALUE or --name=VALUE; a flag has no value.  Whatever is wrong is a usage
 * error. */
#ifndef APPS_SUPPORT_OPTIONS_H
#define APPS_SUPPORT_OPTIONS_H

#include <stdbool.h>

typedef enum {
    OPTION_FLAG,            /* bool */
    OPTION_INT,             /* int, not negative */
    OPTION_LONG,            /* long, not negative */
    OPTION_REAL,            /* double, not negative */
    OPTION_TEXT,            /* const char * */
    OPTION_INTS,            /* int[MAX_LIST], 0 at the end: "1,2,2" */
    OPTION_REALS,           /* double[MAX_LIST], 0 at the end: "0.5,1,2" */
    OPTION_LIST,            /* NumberList, not negative: "0,1,2" */
} OptionKind;

enum { MAX_LIST = 8 };

typedef struct { int count; double x[MAX_LIST]; } NumberList;

typedef struct {
    const char *name;
    OptionKind kind;
    void *value;
    const char *argument;   /* what to call the value in --help; NULL for a flag */
    const char *help;
    bool given;             /* set by options_parse */
} Option;

typedef struct {
    const char *synopsis;   /* "drift train DATASET [options]" */
    const char *about;      /* paragraphs before the table of options */
    int words;              /* how many words may stand besides options */
} Usage;

/* Parses argv[1...].  words[usage->words] receives the words; returns how many.  --help
 * prints and exits with 0. */
int options_parse(int argc, char **argv, const Usage *usage, Option options[],
                  const char **words);

/* Was the option given? */
bool options_given(const Option options[], const char *name);

#endif
