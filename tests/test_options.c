/* The command line: what it may say, and a sentence for everything else. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apps/support/options.h"
#include "tensor/error.h"
#include "tests/check.h"

enum { MOST_WORDS = 9 };

typedef struct {
    bool flag;
    int number, list[MAX_LIST];
    long steps;
    double rate, rates[MAX_LIST];
    NumberList several;
    const char *text;
    Option options[9];
    const char *words[2];
    int count;
} Fixture;

static Fixture f;

/* Parses the words that spaces separate. */
static void parse(void *line)
{
    f = (Fixture){.number = 7};
    const Option options[] = {
        {"flag", OPTION_FLAG, &f.flag, NULL, "", 0},
        {"number", OPTION_INT, &f.number, "N", "", 0},
        {"steps", OPTION_LONG, &f.steps, "N", "", 0},
        {"rate", OPTION_REAL, &f.rate, "X", "", 0},
        {"text", OPTION_TEXT, &f.text, "T", "", 0},
        {"list", OPTION_INTS, f.list, "A,B", "", 0},
        {"rates", OPTION_REALS, f.rates, "A,B", "", 0},
        {"several", OPTION_LIST, &f.several, "A,B", "", 0}, {0},
    };
    memcpy(f.options, options, sizeof options);
    static char text[256];
    char *words[MOST_WORDS + 1] = {"drift"};
    int n = 1;
    strcpy(text, line);
    for (char *w = strtok(text, " "); w; w = strtok(NULL, " ")) words[n++] = w;
    f.count = options_parse(n, words, &(Usage){"drift", "", 2}, f.options, f.words);
}

static void reads_every_kind(void)
{
    parse((void *)"one --flag --number 3 --steps=9223372036854775807 two");
    check(f.flag && f.number == 3 && f.steps == 9223372036854775807 && f.count == 2);
    check_text(f.words[0], "one");
    check_text(f.words[1], "two");
    check(options_given(f.options, "flag") && !options_given(f.options, "rate"));
    parse("--rate 1e-3 --text= --list 3,1 --rates .5,2");
    check_close(f.rate, 1e-3, 0);
    check_text(f.text, "");
    check(f.list[0] == 3 && f.list[1] == 1 && f.list[2] == 0);
    check(f.rates[0] == 0.5 && f.rates[1] == 2 && f.rates[2] == 0 && f.number == 7);
    parse("--list 1,2,3,4,5,6,7,8 --several 0,0.5");
    check_int(f.list[7], 8);
    check(f.several.count == 2 && f.several.x[0] == 0 && f.several.x[1] == 0.5);
}

static void ask(void *name) { options_given(f.options, name); }

static void refuses_everything_else(void)
{
    static char lines[][2][64] = {
        {"--nux 3", "unknown option --nux; did you mean"},
        {"--numbers 3", "mean --number?"},
        {"--zebra", "--help lists them"},
        {"--", "--help lists them"},
        {"--=3", "--help lists"},
        {"--number", "--number needs a value: N"}, {"--flag=1", "--flag takes no value"},
        {"one two three", "one word too many: three"},
        {"--number -1", "a whole number, not negative"},
        {"--number 1.5", "a whole number"},
        {"--number 2147483648", "a whole number"}, {"--number=", "a whole number"},
        {"--number 3x", "a whole number"},
        {"--steps 9223372036854775808", "a whole number"},
        {"--rate -1", "a number, not negative"}, {"--rate nan", "a number, not negative"},
        {"--rate inf", "a number, not negative"},
        {"--rate 1e999", "a number, not negative"},
        {"--rate x", "a number, not negative"}, {"--rate 1,2", "a number, not negative"},
        {"--list 0", "one to eight whole numbers"}, {"--list 1,", "one to eight whole"},
        {"--list ,1", "one to eight whole"}, {"--list 1,2,3,4,5,6,7,8,9", "one to eight"},
        {"--list 2147483648", "one to eight whole"}, {"--list 1;2", "one to eight whole"},
        {"--list 99999999999999999999", "one to eight whole"},
        {"--rates 0", "one to eight numbers"}, {"--rates nan", "one to eight numbers"},
        {"--rates 1e7", "one to eight numbers"}, {"--rates 1,,2", "one to eight numbers"},
        {"--rates 1,1,1,1,1,1,1,1,1", "one to eight numbers"},
        {"--rates 1x", "one to eight"},
        {"--several -1", "one to eight numbers, not negative"},
        {"--several 1,2,3,4,5,6,7,8,9", "one to eight numbers"},
    };
    for (int i = 0; i < NELEM(lines); i++) check_stops(parse, lines[i][0], lines[i][1]);
    parse("");
    check_stops(ask, "zebra", "no option --zebra");
}

static void without_options(void *words)
{
    const char *none[1];
    Option options[] = {{0}};
    options_parse(2, words, &(Usage){"drift", "", 0}, options, none);
}

static void a_program_may_have_none(void)
{
    char *words[] = {"drift", "--any"};
    check_stops(without_options, words, "unknown option --any; --help lists them");
}

/* Behind each option stands its value; asking for help ends the program. */
static void help_shows_the_values(void)
{
    static const char *const want[] = {
        "usage: drift\n",
        "--number N                [3]",
        "--several A,B             [0,1]",
        "--list A,B                [1,2]",
        "--rates A,B               [0.5,2]",
    };
    static char *lines[] = {"--help", "-h"};
    for (int i = 0; i < NELEM(lines); i++) {
        char got[1024] = "";
        FILE *help = tmpfile();
        pid_t child = help ? fork() : -1;
        if (child == 0) {
            char line[128];
            dup2(fileno(help), STDOUT_FILENO);
            snprintf(line, sizeof line,
                     "--number 3 --list=1,2 --rates=0.5,2 --several=0,1 %s", lines[i]);
            parse(line);
            _exit(3);
        }
        int status = 0;
        check(child > 0 && waitpid(child, &status, 0) == child);
        check_int(WEXITSTATUS(status), 0);
        rewind(help);
        got[fread(got, 1, sizeof got - 1, help)] = 0;
        fclose(help);
        for (int k = 0; k < NELEM(want); k++)
            if (!strstr(got, want[k])) check_text(got, want[k]);
    }
}

static const Test tests[] = {
    T(reads_every_kind), T(refuses_everything_else), T(a_program_may_have_none),
    T(help_shows_the_values),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
