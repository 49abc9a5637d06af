/* JSON: what is read, what is refused, and that writing then reading changes nothing. */
#include <stdio.h>
#include <string.h>

#include "tensor/error.h"
#include "tensor/json.h"
#include "tests/check.h"

static Arena arena;

static const Json *parse(const char *text)
{
    return json_parse(&arena, (Bytes){"x.json", (const uint8_t *)text, strlen(text)});
}

static void parse_it(void *text) { parse(text); }

#define check_refuses(text, words) check_stops(parse_it, (char *)(text), words)

static void reads_a_tree(void)
{
    const Json *v = parse(" {\"a\": [1, -2.5e-1, {}], \"b\": \"x\",\n\t"
                          "\"c\": null, \"d\": true}\r\n");
    check_int(v->kind, JSON_OBJECT);
    check_int(v->count, 4);
    const Json *a = json_find(v, "a");
    check_int(a->kind, JSON_ARRAY);
    check_int(a->count, 3);
    check(a->child->is_integer && a->child->integer == 1 && a->child->number == 1);
    check(!a->child->next->is_integer && a->child->next->number == -0.25);
    check(a->child->name == NULL);
    check_int(a->child->next->next->kind, JSON_OBJECT);
    check(a->child->next->next->next == NULL && a->child->next->next->child == NULL);
    check_text(json_text(v, "b", "x"), "x");
    check_int(json_find(v, "c")->kind, JSON_NULL);
    check(json_bool(v, "d", "x"));
    check(json_find(v, "e") == NULL);
    check_text(parse("\"\"")->text, "");
}

static void reads_numbers_exactly(void)
{
    check(parse("9223372036854775807")->integer == INT64_MAX);
    check(parse("-9223372036854775808")->integer == INT64_MIN);
    const Json *v = parse("9223372036854775808");
    check(!v->is_integer && v->number == 9223372036854775808.0);
    static const char *const reals[] = {"-0", "1.0", "1e0", "1E+2", "0.0"};
    for (int i = 0; i < NELEM(reals); i++) check(!parse(reals[i])->is_integer);
    check(signbit(parse("-0")->number));
    check(parse("0")->is_integer);
    check(parse("4.9406564584124654e-324")->number == 4.9406564584124654e-324);
    check(parse("1.7976931348623157e308")->number == DBL_MAX);
    check(parse("0.1")->number == 0.1);
}

static void reads_escapes(void)
{
    check_text(parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"")->text, "\"\\/\b\f\n\r\t");
    check_text(parse("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"")->text,
               "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    check_text(parse("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"")->text,
               "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

static void refuses_bad_grammar(void)
{
    static const char *const bad[][2] = {
        {"", "a value was expected, but the text ends"}, {" \n", "line 2"},
        {"[1,]", "found ]"}, {"[1 2]", ", or ] was expected"}, {"[", "a value was"},
        {"{\"a\":1,}", "a string in quotes"}, {"{\"a\" 1}", ": after the key"},
        {"{a:1}", "a string in quotes was expected, found a"}, {"{\"a\":1", ", or }"},
        {"{1:1}", "a string"}, {"[1}", ", or ]"}, {"{\"a\":1]", ", or }"},
        {"1 2", "the end of the text was expected, found 2"}, {"{}x", "found x"},
        {"nul", "a value"}, {"nullx", "the end of the text"}, {"True", "a value"},
        {"NaN", "a value"}, {"Infinity", "a value"}, {"-Infinity", "a digit"},
        {"+1", "a value"}, {"01", "the end of the text"}, {"-", "a digit"},
        {".5", "a value"}, {"1.", "a digit"}, {"1e", "a digit"}, {"1e+", "a digit"},
        {"0x10", "found x"}, {"1e999", "too large"}, {"-1e999", "too large"},
        {"'a'", "a value"}, {"\"a", "a closing quote was expected, but the text ends"},
        {"\"a\nb\"", "found byte 0xa"}, {"\"\\x\"", "after a backslash"},
        {"\"\\", "after a backslash"}, {"\"\\u12", "hexadecimal"},
        {"\"\\u12g4\"", "found g"}, {"\"\\u0000\"", "not allowed"},
        {"\"\\ud800\"", "no second"}, {"\"\\ud800\\u0041\"", "no second"},
        {"\"\\ud800x\"", "no second"}, {"\"\\udc00\"", "no first"},
        {"\xef\xbb\xbf{}", "found byte 0xef"}, {"[1] // note", "found /"},
        {"\xc2\xa0" "1", "a value"},
    };
    for (int i = 0; i < NELEM(bad); i++) check_refuses(bad[i][0], bad[i][1]);
    check_refuses("[1,\n2,\n  x]",
                  "x.json, line 3, byte 9: a value was expected, found x");
}

/* RFC 3629: cut short, stray, longer than needed, surrogates, beyond the last. */
static void refuses_bad_utf8(void)
{
    static const char *const bad[] = {
        "\x80", "\xbf", "\xc3", "\xc3(", "\xe2\x82", "\xe2(\x82", "\xf0\x9f\x98",
        "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
    };
    for (int i = 0; i < NELEM(bad); i++)
        check_refuses(arena_printf(&arena, "\"%s\"", bad[i]), "a character in UTF-8");
    static const char *const good[] = {
        "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
    };
    for (int i = 0; i < NELEM(good); i++)
        check_text(parse(arena_printf(&arena, "\"%s\"", good[i]))->text, good[i]);
}

static void refuses_equal_keys(void)
{
    check_refuses("{\"a\":1,\"b\":2,\"a\":3}", "twice the key a");
    check_refuses("{\"a\":1,\"\\u0061\":3}", "twice the key a");
    check_refuses("[{\"b\":{\"x\":1,\"x\":1}}]", "twice the key x");
    check_int(parse("{\"a\":{\"a\":1},\"b\":{\"a\":1}}")->count, 2);
}

/* A terminal must not obey what a file says; its letters and lines may stay. */
static void messages_hold_no_control_characters(void)
{
    check_refuses("{\"a\\u001b[2J\\u007f\\r\":1, \"a\\u001b[2J\\u007f\\r\":1}",
                  "twice the key a?[2J??");
    check_refuses("{\"\xc3\xa9\\n!\":1, \"\xc3\xa9\\n!\":1}", "the key \xc3\xa9\n!");
}

static void keeps_its_limits(void)
{
    char deep[2 * (JSON_DEPTH + 1) + 1] = "";
    for (int n = JSON_DEPTH; n <= JSON_DEPTH + 1; n++) {
        memset(deep, '[', (size_t)n);
        memset(deep + n, ']', (size_t)n);
        deep[2 * n] = 0;
        if (n == JSON_DEPTH) check_int(parse(deep)->count, 1);
        else check_refuses(deep, "nested too deep");
    }
    Text wide = {.arena = &arena};
    for (int i = 0; i <= JSON_DEPTH; i++) text_printf(&wide, "%s[]", i ? "," : "[");
    text_printf(&wide, "]");
    check_int(parse(wide.bytes)->count, JSON_DEPTH + 1);

    size_t mark = arena_mark(&arena);
    char *many = arena_alloc(&arena, 2 * JSON_VALUES + 2);
    for (int i = 0; i < JSON_VALUES; i++) memcpy(many + 2 * i, i ? ",0" : "[0", 2);
    memcpy(many + 2 * JSON_VALUES, "]", 2);
    check_refuses(many, "too many values");
    arena_rewind(&arena, mark);
}

static void want_missing(void *v) { json_number(v, "no", "here"); }
static void want_kind(void *v) { json_text(v, "n", "here"); }
static void want_integer(void *v) { json_integer(v, "n", "here"); }
static void want_bool(void *v) { json_bool(v, "n", "here"); }
static void want_member_of_number(void *v) { json_find(json_find(v, "n"), "x"); }
static void want_of_an_array(void *v) { json_text(json_find(v, "a"), "x", "here"); }
static void want_fewer(void *v) { json_integers(v, "a", "here", (int[2]){0}, 2); }
static void want_small(void *v) { json_integers(v, "big", "here", (int[2]){0}, 2); }
static void want_ints(void *v) { json_integers(v, "mixed", "here", (int[2]){0}, 2); }

static void looks_up_or_says_what_is_wrong(void)
{
    const Json *v = parse("{\"n\": 1.5, \"a\": [1, -2, 3], \"big\": [1, 2147483648],"
                          " \"mixed\": [1, \"2\"], \"i\": 7}");
    int out[3];
    check_close(json_number(v, "n", "here"), 1.5, 0);
    check_close(json_number(v, "i", "here"), 7, 0);
    check_int(json_integer(v, "i", "here"), 7);
    check_int(json_integers(v, "a", "here", out, 3), 3);
    check(out[0] == 1 && out[1] == -2 && out[2] == 3);
    check_stops(want_missing, (void *)v, "here: \"no\" is missing, a number was");
    check_stops(want_kind, (void *)v, "here: \"n\" is a number, a text was expected");
    check_stops(want_integer, (void *)v, "here: \"n\" is 1.5, an integer was expected");
    check_stops(want_bool, (void *)v, "true or false was expected");
    check_stops(want_member_of_number, (void *)v, "json_find in a number");
    check_stops(want_of_an_array, (void *)v,
                "here: an object with \"x\" was expected, found an array");
    check_stops(want_fewer, (void *)v, "has 3 numbers, at most 2");
    check_stops(want_small, (void *)v, "\"big\"[1] is not an integer");
    check_stops(want_ints, (void *)v, "\"mixed\"[1] is not an integer");
}

static void write_all(Text *t)
{
    json_open_object(t, NULL);
    json_put_text(t, "t", "a\"\\\n\x01/\xc3\xa9");
    json_put_number(t, "x", 0.1);
    json_put_bool(t, "b", false);
    json_put_null(t, "z");
    json_put_integers(t, "i", (int[]){1, -2}, 2);
    json_open_object(t, "o");
    json_close(t);
    json_open_object(t, "p");
    json_put_integer(t, "[", INT64_MIN);
    json_close(t);
    json_open_array(t, "e");
    json_close(t);
    json_close(t);
}

static void writes_by_hand(void)
{
    Text line = {.arena = &arena}, page = {.arena = &arena, .pretty = true};
    write_all(&line);
    check_text(line.bytes,
               "{\"t\":\"a\\\"\\\\\\n\\u0001/\xc3\xa9\",\"x\":0.1,\"b\":false,\"z\":null,"
               "\"i\":[1,-2],\"o\":{},\"p\":{\"[\":-9223372036854775808},\"e\":[]}");
    check_int((long long)line.length, (long long)strlen(line.bytes));
    check_text(parse(line.bytes)->child->text, "a\"\\\n\x01/\xc3\xa9");
    write_all(&page);
    check_text(page.bytes,
               "{\n  \"t\": \"a\\\"\\\\\\n\\u0001/\xc3\xa9\",\n  \"x\": 0.1,\n"
               "  \"b\": false,\n  \"z\": null,\n  \"i\": [1, -2],\n  \"o\": {},\n"
               "  \"p\": {\n    \"[\": -9223372036854775808\n  },\n  \"e\": []\n}\n");
    check_int(parse(page.bytes)->count, 8);

    Text lines = {.arena = &arena};
    for (int i = 0; i < 2; i++) {
        json_open_object(&lines, NULL);
        json_put_integer(&lines, "step", i);
        json_close(&lines);
        text_printf(&lines, "\n");
    }
    check_text(lines.bytes, "{\"step\":0}\n{\"step\":1}\n");
}

static const char *written(double x)
{
    Text t = {.arena = &arena};
    json_put_number(&t, NULL, x);
    return t.bytes;
}

static void writes_numbers_that_read_back(void)
{
    check_text(written(3), "3");
    check_text(written(-0.0), "-0");
    check_text(written(1e300), "1e+300");
    check_text(written(1.0 / 3), "0.3333333333333333");
    check_text(written(0.1 + 0.2), "0.30000000000000004");
    check_text(written(NAN), "null");
    check_text(written(-INFINITY), "null");
    uint64_t state = 1;
    for (int i = 0; i < 20000; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t bits = state ^ state >> 29;
        double x, y;
        memcpy(&x, &bits, sizeof x);
        if (!isfinite(x)) continue;
        y = parse(written(x))->number;
        if (memcmp(&x, &y, sizeof x)) check_close(y, x, 0);
    }
}

static void writes_bad_utf8_as_a_question(void)
{
    Text t = {.arena = &arena};
    json_put_text(&t, NULL, "a\xff\xc3(\xe2\x82");
    check_text(t.bytes, "\"a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void key_in_array(void *unused)
{
    (void)unused;
    Text t = {.arena = &arena};
    json_open_array(&t, NULL);
    json_put_null(&t, "k");
}

static void no_key_in_object(void *unused)
{
    (void)unused;
    Text t = {.arena = &arena};
    json_open_object(&t, NULL);
    json_put_null(&t, NULL);
}

static void close_nothing(void *unused)
{
    (void)unused;
    json_close(&(Text){.arena = &arena});
}

static void open_too_many(void *unused)
{
    (void)unused;
    Text t = {.arena = &arena};
    for (int i = 0; i <= JSON_DEPTH; i++) json_open_array(&t, NULL);
}

static void writer_keeps_its_contract(void)
{
    check_stops(key_in_array, NULL, "the key k outside an object");
    check_stops(no_key_in_object, NULL, "the key (none) in an object");
    check_stops(close_nothing, NULL, "nothing is open");
    check_stops(open_too_many, NULL, "brackets are open already");
}

static void parse_bytes(void *bytes) { json_parse(&arena, *(Bytes *)bytes); }

/* Every single-byte change and every cut of a good text is either read or refused with
 * the file's name.  The text ends where its array does, so that the address sanitizer
 * sees a step beyond. */
static void survives_damage(void)
{
    static const char good[] =
        "{\"a\\u00e9\\ud83d\\ude00\":[1,-2.5e+3,true,null,\"\xc3\xa9\"]}";
    static const char bytes[] = "\x00\x1f \"\\{}[]:,0-.eu\x7f\x80\xc3\xf0\xff";
    enum { SIZE = sizeof good - 1, CHANGES = sizeof bytes - 1 };
    static uint8_t room[SIZE];
    int refused = 0, read = 0;
    for (int at = 0; at < SIZE; at++)
        for (int b = 0; b <= CHANGES; b++) {
            size_t mark = arena_mark(&arena), scratch_mark = arena_mark(scratch());
            size_t size = b < CHANGES ? SIZE : (size_t)at;
            Bytes text = {"x.json", room + SIZE - size, size};
            memcpy(room + SIZE - size, good, size);
            if (b < CHANGES) room[at] = (uint8_t)bytes[b];
            const char *message = error_catch(parse_bytes, &text);
            if (message) check(strncmp(message, "x.json, line 1, byte ", 21) == 0);
            message ? refused++ : read++;
            arena_rewind(&arena, mark);
            arena_rewind(scratch(), scratch_mark);
        }
    check(refused > 500 && read > 50);
}

static const Test tests[] = {
    T(reads_a_tree), T(reads_numbers_exactly), T(reads_escapes), T(refuses_bad_grammar),
    T(refuses_bad_utf8), T(refuses_equal_keys), T(messages_hold_no_control_characters),
    T(keeps_its_limits), T(looks_up_or_says_what_is_wrong),
    T(writes_by_hand), T(writes_numbers_that_read_back),
    T(writes_bad_utf8_as_a_question), T(writer_keeps_its_contract), T(survives_damage),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
