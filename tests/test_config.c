/* A configuration from a file: every entry is known, of its kind and within its limits,
 * and none is missing but those that may; or the network it describes is refused, before
 * anything is allocated for it. */
#include <stdio.h>
#include <string.h>

#include "apps/support/config.h"
#include "tensor/error.h"
#include "tests/check.h"

static Arena arena;
#define TEXT(...) arena_printf(&arena, __VA_ARGS__)

static const char *seed(void)
{
    Bytes b = file_read(&arena, "tests/fuzz/seeds/config/mini.json");
    return TEXT("%.*s", (int)b.size, (const char *)b.data);
}

/* The seed with the value under `key` replaced; NULL: the key is another. */
static const char *change(const char *key, const char *value)
{
    const char *text = seed(), *at = strstr(text, TEXT("\"%s\":", key));
    const char *old = at + strlen(key) + 3;
    if (!value) return TEXT("%.*s\"_%s\":%s", (int)(at - text), text, key, old);
    const char *end = *old == '[' ? strchr(old, ']') + 1 : old + strcspn(old, ",}");
    return TEXT("%.*s%s%s", (int)(old - text), text, value, end);
}

/* The seed without the entry. */
static const char *leave_out(const char *key)
{
    const char *text = seed(), *at = strstr(text, TEXT("\"%s\":", key));
    const char *end = strchr(at, ':') + 1;
    end = *end == '[' ? strchr(end, ']') + 1 : end + strcspn(end, ",}");
    if (*end == ',') end++;
    else at--;                                  /* the comma before the last */
    return TEXT("%.*s%s", (int)(at - text), text, end);
}

static Config parse(const char *text)
{
    return config_parse(&arena, (Bytes){"c.json", (const uint8_t *)text, strlen(text)});
}

static void build(void *text)
{
    Params p = params_create();
    Config c = parse(text);
    unet_init(&p, &c.unet);
    params_destroy(&p);
}

static void check_refused(const char *key, const char *value, const char *words)
{
    check_stops(build, (char *)change(key, value), words);
}

/* Without it a checkpoint from before there was a choice of pools, or of flips, ... */
static bool may_lack(const char *key)
{
    static const char choices[] =
        " attention_up_last no_middle_attention bare_middle_attention pyramid augment"
        " class_first scale_shift project_resampled rescale_t no_clip weight_decay repair"
        " ema_ramp micro_batch label_dropout augment_chance flip crop pool clean shrink"
        " upsample ";
    return strstr(choices, TEXT(" %s ", key)) != NULL;
}

static void every_entry_has_its_kind_and_none_is_unknown(void)
{
    const char *text = seed();
    int entries = 0, choices = 0;
    Bytes bytes = {"c.json", (const uint8_t *)text, strlen(text)};
    const Json *c = json_parse(&arena, bytes);
    for (const Json *e = c->child; e; e = e->next, entries++) {
        choices += may_lack(e->name);
        check_refused(e->name, NULL, may_lack(e->name)
                      ? TEXT("c.json: \"_%s\" is unknown here", e->name)
                      : TEXT("c.json: \"%s\" is missing", e->name));
        check_refused(e->name, "null", TEXT("c.json: \"%s\" is null", e->name));
        check_refused(e->name, "{}", TEXT("c.json: \"%s\" is an object", e->name));
    }
    check_int(choices, 22);
    check(entries > 60);
    check_stops(build, "[]", "an object with \"preset\" was expected");
}

/* What is written again says 0, false or "" for each choice that was not there. */
static void a_choice_that_is_missing_was_not_made(void)
{
    static const struct { const char *key, *chosen, *not_made; } rows[] = {
        {"flip", "true", "\"flip\":false"}, {"pool", "\"spatial\"", "\"pool\":\"\""},
        {"shrink", "2", "\"shrink\":0"}, {"ema_ramp", "0.5", "\"ema_ramp\":0,"},
    };
    for (int i = 0; i < NELEM(rows); i++) {
        Config chosen = parse(change(rows[i].key, rows[i].chosen));
        Config lacking = parse(leave_out(rows[i].key));
        Text with = {.arena = &arena}, without = {.arena = &arena};
        config_put(&with, NULL, &chosen);
        config_put(&without, NULL, &lacking);
        check(!strstr(with.bytes, rows[i].not_made));
        check(strstr(without.bytes, rows[i].not_made) != NULL);
    }
}

static void numbers_have_limits(void)
{
    static const struct { const char *key, *value, *words; } bad[] = {
        {"base", "-1", "want 0 to 16777216"}, {"base", "16777217", "want 0 to 16777216"},
        {"base", "4.0", "an integer was expected"},
        {"base", "8193", "1 to 8192 are possible"},
        {"base", "99999999999999999999", "an integer was expected"},
        {"seed", "1e3", "an integer was expected"},
        {"lr", "1e999", "too large for a double"},
        {"mult", "[1,1e300]", "level 1 of the U-Net has 4 * 1e+300"},
        {"mult", "[1,1,1,1,1,1,1,1,1]", "has 9 numbers, at most 8"},
        {"mult", "[1,4]", "norm1: 8 groups do not divide 20 channels"},
        {"mult", "[]", "0 levels"}, {"mult", "[0.1]", "0 channels"},
        {"mult", "[\"1\"]", "\"mult\"[0] is not a number"},
        {"attention", "[16777217]", "want 0 to"}, {"attention", "[-1]", "want 0 to"},
        {"attention", "[1.5]", "not an integer of 32 bits"},
        {"blocks", "0", "0 blocks a level; 1 to 7 are possible"},
        {"blocks", "8", "1 to 7 are"},
        {"patch", "65", "1 to 64 are"}, {"patch", "3", "do not fit this U-Net"},
        {"height", "0", "0 a height"}, {"width", "65537", "1 to 65536 are possible"},
        {"channels", "1025", "1 to 1024 are"}, {"out_channels", "0", "1 to 1024 are"},
        {"first", "8193", "1 to 8192 are"}, {"classes", "1048577", "0 to 1.04858e+06"},
        {"groups", "0", "1 to 8192 are"}, {"heads", "0", "1 to 8192 are"},
        {"groups", "3", "3 groups and 1 heads must divide"},
        {"heads", "3", "heads must divide"},
        {"taps", "5", "2 to 4 are"},
        {"taps", "3", "3 taps"},
        {"embed_mult", "65", "1 to 64 are"}, {"wave_mult", "65", "1 to 64 are"},
        {"skip_kernel", "8", "1 to 7 are"}, {"augment", "1025", "0 to 1024 are"},
    };
    for (int i = 0; i < NELEM(bad); i++)
        check_refused(bad[i].key, bad[i].value, bad[i].words);
}

static const Test tests[] = {
    T(every_entry_has_its_kind_and_none_is_unknown),
    T(a_choice_that_is_missing_was_not_made), T(numbers_have_limits),
};

int main(int argc, char **argv)
{
    arena = arena_create();
    return run_tests(argc, argv, tests, NELEM(tests));
}
