/* JSON (RFC 8259): the language of config.json, of the log and of a checkpoint's header.
 *
 * Reading turns a text into a tree; an array or object lists its members by child, next:
 *
 *     {"lr": 0.1, "size": [8, 16]}       object
 *                                          child: number "lr"
 *                                          next:  array "size"
 *                                                   child: number 8
 *                                                   next:  number 16
 *
 * The reader is strict, as a file may come from anywhere: the text must be UTF-8, nothing
 * but spaces may follow the value, a key may stand once in an object, nesting ends at
 * JSON_DEPTH and the tree at JSON_VALUES values.  Beyond the RFC it refuses \u0000, which
 * would cut a C string short, and numbers too large for a double.
 *
 * Writing appends to a Text:
 *
 *     Text t = {.arena = a};
 *     json_open_object(&t, NULL);                 {
 *     json_put_number(&t, "lr", 0.1);             {"lr":0.1
 *     json_put_integers(&t, "size", size, 2);     {"lr":0.1,"size":[8,16]
 *     json_close(&t);                             {"lr":0.1,"size":[8,16]}
 *
 * What is written reads back as the same bits. */
#ifndef TENSOR_JSON_H
#define TENSOR_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/file.h"
#include "tensor/memory.h"

enum { JSON_DEPTH = 64, JSON_VALUES = 2000000 };

typedef enum {
    JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT
} JsonKind;

typedef struct Json Json;
struct Json {
    JsonKind kind;
    const char *name;           /* its key in an object, else NULL */
    const Json *next;           /* the next member of the same array or object, or NULL */
    union {
        bool truth;                                                     /* of JSON_BOOL */
        const char *text;                                               /* JSON_TEXT */
        struct { double number; int64_t integer; bool is_integer; };    /* JSON_NUMBER */
        struct { const Json *child; int count; };                       /* the last two */
    };
};

/* The tree of a whole text; the arena owns it and its strings (UTF-8).  Fails, with the
 * line and byte of the trouble, if the text breaks a rule above.  A number is an integer
 * if it is written as one (3, not 3.0, 3e0 or -0) and fits int64. */
const Json *json_parse(Arena *a, Bytes text);

/* The member with this key, or NULL. */
const Json *json_find(const Json *object, const char *key);

/* The member with this key, or its value.  All fail if it is absent or of another kind;
 * `where` (a path, perhaps with a place in the file) begins the message. */
const Json *json_get(const Json *object, const char *key, JsonKind kind,
                     const char *where);
double json_number(const Json *object, const char *key, const char *where);
int64_t json_integer(const Json *object, const char *key, const char *where);
const char *json_text(const Json *object, const char *key, const char *where);
bool json_bool(const Json *object, const char *key, const char *where);

/* An array of ints, or of numbers, into out; returns how many.  Fails if they are more
 * than max too. */
int json_integers(const Json *object, const char *key, const char *where, int out[],
                  int max);
int json_numbers(const Json *object, const char *key, const char *where, double out[],
                 int max);

/* The bytes of the UTF-8 character at s (RFC 3629), or 0 if there is none: a cut one, one
 * longer than needed, half of a surrogate pair, a code beyond U+10FFFF. */
size_t utf8_length(const uint8_t *s, size_t left);

/* A growing text.  Begin with {.arena = a} for all on one line, or with {.arena = a,
 * .pretty = true} for each member of an object on its own. */
typedef struct {
    Arena *arena;
    bool pretty;
    char *bytes;                /* length of them and a zero; owned by the arena */
    size_t length, room;
    int depth;                  /* open arrays and objects ... */
    char close[JSON_DEPTH];     /* ... and the bracket that will close each */
} Text;

void text_printf(Text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Append one value.  key: its name inside an object, NULL in an array or outermost; these
 * stop if it is the other way round. */
void json_open_object(Text *t, const char *key);
void json_open_array(Text *t, const char *key);
void json_close(Text *t);                                       /* the innermost open */
void json_put_text(Text *t, const char *key, const char *text); /* bad UTF-8: U+FFFD */
void json_put_number(Text *t, const char *key, double number);  /* not finite: null */
void json_put_integer(Text *t, const char *key, int64_t integer);
void json_put_bool(Text *t, const char *key, bool truth);
void json_put_null(Text *t, const char *key);
void json_put_integers(Text *t, const char *key, const int integers[], int count);
void json_put_numbers(Text *t, const char *key, const double numbers[], int count);

#endif
