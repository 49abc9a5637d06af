/* How good are a model's pictures?  See quality.h. */
#include "apps/support/quality.h"

#include <stdio.h>
#include <string.h>

#include "apps/support/dataset.h"
#include "apps/support/judge.h"
#include "apps/support/plot.h"
#include "apps/support/png.h"
#include "tensor/error.h"

enum { SETS = 2, SHOWN = 10, NEAREST = 5, SPLIT = 5000 };

typedef struct {
    double scale, score;
    Likeness like[SETS];
} Row;

typedef struct {
    const QualityRequest *request;
    Arena arena;
    Drawing drawing;
    Judge judge;
    Dataset set[SETS];          /* train, test */
    Pictures reference;         /* those of train that are compared with */
    Known known[SETS];
    Row real, row[MAX_LIST];
} Quality;

static const char *const set_names[SETS] = {"train", "test"};

/* Spread evenly over the set, whose beginning and end may differ (MNIST's test set
 * does). */
static Pictures some(Arena *a, const Dataset *d, int count)
{
    size_t size = (size_t)(d->height * d->width * d->channels);
    uint8_t *pixels = arena_new(a, uint8_t, (size_t)count * size);
    for (int i = 0; i < count; i++)
        memcpy(pixels + (size_t)i * size, d->pixels + (size_t)i * (size_t)d->count /
               (size_t)count * size, size);
    return (Pictures){count, d->height, d->width, d->channels, pixels};
}

/* ---- measuring --------------------------------------------------------------------- */

static void open_sets(Quality *q, const char *run)
{
    const char *source, *data;
    const Config *c = &q->drawing.model.config;
    run_source(&q->arena, run, &source, &data);
    if (q->request->data) data = q->request->data;
    static const DatasetPart parts[SETS] = {DATASET_TRAIN, DATASET_TEST};
    for (int s = 0; s < SETS; s++) {
        q->set[s] = dataset_load(&q->arena, source, data, parts[s]);
        dataset_shrink(&q->arena, &q->set[s], c->shrink);
    }
}

/* The real pictures are from the other set, so none meets itself. */
static void measure_real(Quality *q)
{
    const QualityRequest *r = q->request;
    q->real.scale = 0;
    for (int s = 0; s < SETS; s++) {
        const Dataset *d = &q->set[s], *other = &q->set[1 - s];
        if (r->reference > d->count || r->count > other->count)
            fail_usage("--reference %d, --count %d: the sets have %d and %d pictures",
                       r->reference, r->count, q->set[0].count, q->set[1].count);
        Pictures ref = some(&q->arena, d, r->reference);
        Pictures real = some(&q->arena, other, r->count);
        if (s == 0) q->reference = ref;
        q->known[s] = judge_know(&q->arena, judge_look(&q->judge, &q->arena, &ref), r->k);
        Known seen = judge_know(&q->arena, judge_look(&q->judge, &q->arena, &real), r->k);
        q->real.like[s] = judge_compare(&seen, &q->known[s]);
        if (s == 0) q->real.score = inception_score(seen.seen.probability, SPLIT);
    }
}

static void measure_samples(Quality *q, Row *row, const Pictures *p)
{
    Arena a = arena_create();
    Known seen = judge_know(&a, judge_look(&q->judge, &a, p), q->request->k);
    row->score = inception_score(seen.seen.probability, SPLIT);
    for (int s = 0; s < SETS; s++) row->like[s] = judge_compare(&seen, &q->known[s]);
    arena_destroy(&a);
}

/* ---- showing ----------------------------------------------------------------------- */

static void print_row(const char *name, const double got[SETS], const double real[SETS])
{
    printf("  %-22s %9.3f %9.3f    %9.3f %9.3f\n", name, got[0], real[0], got[1],
           real[1]);
}

#define BOTH(row, member) (double[]){(row)->like[0].member, (row)->like[1].member}

static void print_table(const Quality *q)
{
    const QualityRequest *r = q->request;
    const Row *real = &q->real;
    printf("\nfeatures of %s, crc32 %08x: %d of the pool, %d of the map\n"
           "%d samples against %d pictures of each set; real: %d pictures of the other "
           "set\n",
           q->judge.path, (unsigned)q->judge.sum, q->known[0].pool.D, q->known[0].map.D,
           r->count, r->reference, r->count);
    printf("\n                                  train                   test\n"
           "                           samples      real      samples      real\n");
    for (int i = 0; i < r->draw.scale.count; i++) {
        const Row *row = &q->row[i];
        if (r->draw.scale.count > 1) printf("scale %g\n", row->scale);
        print_row("Frechet distance", BOTH(row, frechet), BOTH(real, frechet));
        print_row("spatial Frechet", BOTH(row, spatial), BOTH(real, spatial));
        print_row("precision", BOTH(row, precision), BOTH(real, precision));
        print_row("recall", BOTH(row, recall), BOTH(real, recall));
        printf("  %-22s %9.3f %9.3f\n", "inception score", row->score, real->score);
    }
}

static void put_row(Text *t, const char *key, const Row *row)
{
    json_open_object(t, key);
    json_put_number(t, "scale", row->scale);
    json_put_number(t, "inception_score", row->score);
    for (int s = 0; s < SETS; s++) {
        json_open_object(t, set_names[s]);
        json_put_number(t, "frechet", row->like[s].frechet);
        json_put_number(t, "spatial_frechet", row->like[s].spatial);
        json_put_number(t, "precision", row->like[s].precision);
        json_put_number(t, "recall", row->like[s].recall);
        json_close(t);
    }
    json_close(t);
}

static void write_json(const Quality *q, const char *path)
{
    Arena a = arena_create();
    Text t = {.arena = &a};
    json_open_object(&t, NULL);
    json_put_text(&t, "features", q->judge.path);
    json_put_text(&t, "features_crc32", arena_printf(&a, "%08x", (unsigned)q->judge.sum));
    json_put_integer(&t, "samples", q->request->count);
    json_put_integer(&t, "reference", q->request->reference);
    json_put_integer(&t, "k", q->request->k);
    put_row(&t, "real", &q->real);
    json_open_array(&t, "scales");
    for (int i = 0; i < q->request->draw.scale.count; i++) put_row(&t, NULL, &q->row[i]);
    json_close(&t);
    json_close(&t);
    text_printf(&t, "\n");
    file_write(path, t.bytes, t.length);
    arena_destroy(&a);
}

/* Precision against recall, a dot a scale (Dhariwal & Nichol 2021, figure 5), and the
 * real pictures. */
static void write_plot(const Quality *q, const char *path)
{
    Arena a = arena_create();
    int n = q->request->draw.scale.count;
    Curve curve[2 * SETS];
    static const char *const of_real[] = {"real"};
    for (int s = 0; s < SETS; s++) {
        double *recall = arena_new(&a, double, (size_t)n);
        double *precision = arena_new(&a, double, (size_t)n);
        const char **mark = arena_new(&a, const char *, (size_t)n);
        for (int i = 0; i < n; i++) {
            recall[i] = q->row[i].like[s].recall;
            precision[i] = q->row[i].like[s].precision;
            mark[i] = arena_printf(&a, "%g", q->row[i].scale);
        }
        const Likeness *real = &q->real.like[s];
        curve[s] = (Curve){arena_printf(&a, "against %s", set_names[s]), recall,
                           precision, n, mark};
        curve[SETS + s] = (Curve){arena_printf(&a, "real, %s", set_names[s]),
                                  &real->recall, &real->precision, 1, of_real};
    }
    Plot plot = {"Precision against recall, by scale", "recall", "precision", 0, 0};
    plot_write(path, &plot, curve, 2 * SETS);
    arena_destroy(&a);
}

/* Indices of the set's members nearest to x [D], nearest first. */
static void find_nearest(const double *x, Features set, int index[NEAREST])
{
    double square[NEAREST];
    int found = 0;
    for (int n = 0; n < set.N; n++) {
        double d = 0;
        for (int i = 0; i < set.D; i++) {
            double off = x[i] - set.x[n * set.D + i];
            d += off * off;
        }
        if (found == NEAREST && d >= square[NEAREST - 1]) continue;
        int at = found < NEAREST ? found++ : NEAREST - 1;
        for (; at > 0 && square[at - 1] > d; at--)
            square[at] = square[at - 1], index[at] = index[at - 1];
        square[at] = d, index[at] = n;
    }
}

/* A row for each of some samples, spread over all: itself, then the nearest of train. */
static void write_neighbours(const Quality *q, const char *path, const Pictures *p)
{
    Arena a = arena_create();
    size_t D = (size_t)(p->height * p->width * p->channels);
    int rows = p->count < SHOWN ? p->count : SHOWN;
    uint8_t *pixels = arena_new(&a, uint8_t, (size_t)(rows * (NEAREST + 1)) * D);
    uint8_t *to = pixels;
    Seen seen = judge_look(&q->judge, &a, p);
    for (int r = 0; r < rows; r++) {
        int i = (int)((long)r * p->count / rows), index[NEAREST];
        memcpy(to, p->pixels + (size_t)i * D, D);
        to += D;
        find_nearest(seen.pool.x + i * seen.pool.D, q->known[0].seen.pool, index);
        for (int k = 0; k < NEAREST; k++, to += D)
            memcpy(to, q->reference.pixels + (size_t)index[k] * D, D);
    }
    Pictures all = {rows * (NEAREST + 1), p->height, p->width, p->channels, pixels};
    Image grid = image_grid(&a, &all, NEAREST + 1, 2);
    png_write(path, &grid);
    arena_destroy(&a);
}

/* ---- all of it --------------------------------------------------------------------- */

void quality_report(QualityRequest *r, const char *run, const Option options[])
{
    Quality q = {.request = r, .arena = arena_create()};
    Arena *a = &q.arena;
    if (r->count <= r->k || r->reference < NEAREST || r->reference <= r->k || r->k < 1)
        fail_usage("--count and --reference must be larger than --k, which must be at "
                   "least 1");
    drawing_open(&q.drawing, run, &r->draw, options);
    const Config *c = &q.drawing.model.config;
    Pictures like = {r->count, c->unet.height, c->unet.width,
                     config_picture_channels(c), NULL};
    judge_open(&q.judge, a, r->features, c->dataset, &like);
    open_sets(&q, run);
    measure_real(&q);

    int *labels = make_labels(a, drawing_classes(&q.drawing), r->count, -1);
    for (int i = 0; i < r->draw.scale.count; i++) {
        q.row[i].scale = r->draw.scale.x[i];
        like.pixels = drawing_make(&q.drawing, a, r->count, labels, q.row[i].scale);
        measure_samples(&q, &q.row[i], &like);
        if (i == 0) write_neighbours(&q, arena_printf(a, "%s.png", r->out), &like);
    }
    print_table(&q);
    write_json(&q, arena_printf(a, "%s.json", r->out));
    printf("\n  %s.json\n  %s.png: samples, and the nearest training pictures\n", r->out,
           r->out);
    if (r->draw.scale.count > 1) {
        write_plot(&q, arena_printf(a, "%s.svg", r->out));
        printf("  %s.svg\n", r->out);
    }
    judge_close(&q.judge);
    drawing_close(&q.drawing);
    arena_destroy(a);
}
