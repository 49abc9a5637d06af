/* The chapters against the source, so that they cannot rot.
 *
 *   - every fenced C block names a file behind its opening (```c tensor/gemm.c) and is
 *     in it, word for word; a line of "..." stands for what is left out
 *   - every file that is named in backquotes or linked exists
 *   - no line is longer than 100 columns, except rows of tables and pictures
 *   - the numbers and the drawing of preset mini are those that it has now */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/check.h"

static const char *const chapters[] = {"tensor", "autograd", "nn", "diffusion", "apps",
                                       "tests", "bench", "."};

static char *read_text(Arena *a, const char *path)
{
    Bytes b = file_read(a, path);
    return arena_printf(a, "%.*s", (int)b.size, (const char *)b.data);
}

/* The next line of *text, without its end; NULL after the last. */
static char *next_line(Arena *a, const char **text)
{
    if (!**text) return NULL;
    size_t n = strcspn(*text, "\n");
    char *line = arena_printf(a, "%.*s", (int)n, *text);
    *text += n + ((*text)[n] == '\n');
    return line;
}

static bool is_ellipsis(const char *line)
{
    return strcmp(line + strspn(line, " "), "...") == 0;
}

/* Looks for `piece`, whole lines, at or after `from`; returns what follows it, or
 * NULL. */
static const char *find_lines(const char *source, const char *from, const char *piece)
{
    size_t n = strlen(piece);
    for (const char *at = from; (at = strstr(at, piece)) != NULL; at++)
        if ((at == source || at[-1] == '\n') && (at[n] == '\n' || at[n] == '\0'))
            return at + n;
    return NULL;
}

/* Reads a block up to its end; says which piece of it is not in the file. */
static const char *check_quote(Arena *a, const char **text, const char *file)
{
    const char *source = read_text(a, file), *place = source;
    char *piece = NULL, *line;
    for (;;) {
        line = next_line(a, text);
        bool ends = !line || strcmp(line, "```") == 0;
        if (!ends && !is_ellipsis(line)) {
            piece = piece ? arena_printf(a, "%s\n%s", piece, line) : line;
            continue;
        }
        if (piece && !(place = find_lines(source, place, piece))) return piece;
        piece = NULL;
        if (ends) return line ? NULL : "the end of the block";
    }
}

/* The file that a chapter means by a name, or NULL: from the top, from the chapter's
 * folder, or from another that has its like. */
static const char *find_file(Arena *a, const char *folder, const char *name)
{
    const char *const folders[] = {".", folder, "autograd", "apps/support", "tests",
                                   "tests/golden"};
    for (int i = 0; i < NELEM(folders); i++) {
        const char *path = arena_printf(a, "%s/%s", folders[i], name);
        if (file_exists(path) || file_is_folder(path)) return path;
    }
    return NULL;
}

static int check_quotes(Arena *a, const char *folder, const char *text)
{
    int quotes = 0;
    char *line;
    while ((line = next_line(a, &text)) != NULL) {
        if (strncmp(line, "```c", 4) != 0) continue;
        const char *file = line[4] == ' ' ? find_file(a, folder, line + 5) : NULL;
        const char *missing = file ? check_quote(a, &text, file) : "names no file";
        if (missing)
            check_text(arena_printf(a, "%s: quote of%s: %s", folder, line + 4, missing),
                       "");
        quotes++;
    }
    return quotes;
}

/* "gemm.c", "tensor/gemm.h": letters, digits, _ / . and one of the endings. */
static bool is_file_name(const char *word)
{
    static const char *const endings[] = {".c", ".h", ".md", ".svg", ".tsv"};
    size_t n = strlen(word);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)word[i]) && !strchr("_/.", word[i])) return false;
    for (int i = 0; i < NELEM(endings); i++) {
        size_t m = strlen(endings[i]);
        if (n > m && isalnum((unsigned char)word[n - m - 1]) &&
            strcmp(word + n - m, endings[i]) == 0)
            return true;
    }
    return false;
}

/* Files that a reader makes. */
static bool is_made(const char *name)
{
    return strcmp(name, "tests/answers.c") == 0 || strncmp(name, "runs/", 5) == 0 ||
           strcmp(name, "mini.svg") == 0 || strcmp(name, "autograd/cube.c") == 0;
}

/* All words between `open` and `close` that look like files. */
static int check_files(Arena *a, const char *folder, const char *text, const char *open,
                       char close)
{
    int files = 0;
    for (const char *p = text; (p = strstr(p, open)) != NULL;) {
        p += strlen(open);
        size_t n = strcspn(p, (char[]){close, '\n', '\0'});
        const char *word = arena_printf(a, "%.*s", (int)n, p);
        if (p[n] == close) p += n + (close == '`');
        if (!is_file_name(word) || is_made(word)) continue;
        files++;
        if (!find_file(a, folder, word))
            check_text(arena_printf(a, "%s/README.md names %s", folder, word), "");
    }
    return files;
}

static void check_width(const char *folder, Arena *a, const char *text)
{
    int number = 0;
    char *line;
    while ((line = next_line(a, &text)) != NULL) {
        int columns = 0;
        for (const char *p = line; *p; p++) columns += (*p & 0xc0) != 0x80;
        number++;
        if (columns > 100 && line[0] != '|' && line[0] != '!')
            check_text(arena_printf(a, "%s/README.md:%d has %d columns", folder, number,
                                    columns), "");
    }
}

static void quotes_are_exact(void)
{
    int quotes = 0;
    for (int i = 0; i < NELEM(chapters); i++) {
        Arena a = arena_create();
        char *text = read_text(&a, arena_printf(&a, "%s/README.md", chapters[i]));
        quotes += check_quotes(&a, chapters[i], text);
        arena_destroy(&a);
    }
    check(quotes >= 5);
}

static void files_exist(void)
{
    int files = 0;
    for (int i = 0; i < NELEM(chapters); i++) {
        Arena a = arena_create();
        char *text = read_text(&a, arena_printf(&a, "%s/README.md", chapters[i]));
        files += check_files(&a, chapters[i], text, "`", '`');
        files += check_files(&a, chapters[i], text, "](", ')');
        arena_destroy(&a);
    }
    check(files > 50);
}

/* The three chapters that are read first; the others have longer lines still. */
static void lines_fit_a_page(void)
{
    for (int i = 0; i < 3; i++) {
        Arena a = arena_create();
        check_width(chapters[i], &a,
                    read_text(&a, arena_printf(&a, "%s/README.md", chapters[i])));
        arena_destroy(&a);
    }
}

/* What `drift ARGS` prints. */
static char *drift(Arena *a, const char *args)
{
    const char *program = getenv("DRIFT");
    const char *log = arena_printf(a, "%s/log", test_folder());
    if (!program) program = "build/drift";
    check_int(system(arena_printf(a, "%s %s > %s", program, args, log)), 0);
    return read_text(a, log);
}

/* Looks for the number after `words` in text, as 717569 or 717,569, in a chapter. */
static void check_told(Arena *a, const char *text, const char *words, const char *chapter)
{
    const char *at = strstr(text, words);
    int n = at ? atoi(at + strlen(words)) : 0;
    const char *number = n < 1000 ? arena_printf(a, " %d", n)
                                  : arena_printf(a, " %d,%03d", n / 1000, n % 1000);
    if (!strstr(read_text(a, chapter), number))
        check_text(arena_printf(a, "%s lacks%s for %s", chapter, number, words), "");
}

/* Whoever changes the preset learns here what to tell, and draws it again. */
static void mini_is_as_it_is_told(void)
{
    Arena a = arena_create();
    char *info = drift(&a, "info mini");
    check_told(&a, info, "\nparameters", "nn/README.md");
    check_told(&a, info, "\ntotal", "apps/README.md");
    check_told(&a, info, "\ndown.0.0                     14", "nn/README.md");
    if (sizeof(Real) == 4) {            /* the drawing counts bytes */
        const char *drawing = arena_printf(&a, "%s/mini.svg", test_folder());
        drift(&a, arena_printf(&a, "graph mini --out %s", drawing));
        if (strcmp(read_text(&a, drawing), read_text(&a, "apps/data/mini.svg")) != 0)
            check_text("build/drift graph mini --out apps/data/mini.svg", "done");
    }
    arena_destroy(&a);
}

/* The checker itself: a wrong quote must not pass. */
static void a_wrong_quote_is_found(void)
{
    static const struct { const char *text; bool right; } rows[] = {
        {"#define HERE __FILE__, __LINE__\n```\n", true},
        {"} Test;\n...\n#define HERE __FILE__, __LINE__\n```\n", true},
        {"#define HERE __FILE__, __LINE__\n    ...\n} Test;\n```\n", false},
        {"#define HERE __FILE__\n```\n", false},
        {"HERE __FILE__, __LINE__\n```\n", false},
        {"#define HERE __FILE__, __LINE__\n", false},
    };
    for (int i = 0; i < NELEM(rows); i++) {
        Arena a = arena_create();
        const char *text = rows[i].text;
        check((check_quote(&a, &text, "tests/check.h") == NULL) == rows[i].right);
        arena_destroy(&a);
    }
    check(is_file_name("tensor/gemm.c"));
    check(!is_file_name("a.cpp") && !is_file_name("*.c"));
}

static const Test tests[] = {
    T(quotes_are_exact), T(files_exist), T(lines_fit_a_page),
    T(mini_is_as_it_is_told), T(a_wrong_quote_is_found),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
