/* Tables of the forward process: see schedule.h. */
#include "diffusion/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/error.h"

static const double pi = 3.14159265358979323846;

/* ---- beta by name ------------------------------------------------------------------ */

typedef struct { int T; double first, last; } Ends;

/* From `first` to `last` over n points. */
static double ramp(double first, double last, int t, int n)
{
    return n > 1 ? first + (last - first) * t / (n - 1) : first;
}

static double linear(int t, Ends e) { return ramp(e.first, e.last, t, e.T); }

static double linear_scaled(int t, Ends e) { return 1000.0 / e.T * linear(t, e); }

static double quadratic(int t, Ends e)
{
    double root = ramp(sqrt(e.first), sqrt(e.last), t, e.T);
    return root * root;
}

static double constant(int t, Ends e) { return (void)t, e.last; }

static double warm_up(int t, Ends e, double share)
{
    int steps = (int)(e.T * share);
    return t < steps ? ramp(e.first, e.last, t, steps) : e.last;
}

static double warmup10(int t, Ends e) { return warm_up(t, e, 0.1); }
static double warmup50(int t, Ends e) { return warm_up(t, e, 0.5); }
static double jsd(int t, Ends e) { return 1.0 / (e.T - t); }

/* beta from alpha_bar as a function of u = t/T;
 * never so large that nothing would be left. */
static double beta_from(double (*alpha_bar)(double u), int t, Ends e)
{
    double now = alpha_bar((double)t / e.T), next = alpha_bar((double)(t + 1) / e.T);
    return fmin(1 - next / now, 0.999);
}

static double cosine_bar(double u)
{
    double c = cos((u + 0.008) / 1.008 * pi / 2);
    return c * c;
}

static double sqrt_bar(double u) { return 1 - sqrt(u + 1e-4); }

static double sigmoid_bar(double u)
{
    double top = 1 / (1 + exp(-3.0)), bottom = 1 / (1 + exp(3.0));
    return (1 / (1 + exp(6 * u - 3)) - bottom) / (top - bottom);
}

static double cosine(int t, Ends e) { return beta_from(cosine_bar, t, e); }
static double square_root(int t, Ends e) { return beta_from(sqrt_bar, t, e); }
static double sigmoid(int t, Ends e) { return beta_from(sigmoid_bar, t, e); }

static double sigmoid_beta(int t, Ends e)
{
    return e.first + (e.last - e.first) / (1 + exp(-ramp(-6, 6, t, e.T)));
}

static double geometric(int t, Ends e)
{
    double low = e.first / (1 - e.first), high = e.last / (1 - e.last);   /* (s/a)^2 */
    double ratio = e.T > 1 ? pow(high / low, 1 / (e.T - 1.0)) : 1, now = low;
    if (t > 0) now *= pow(ratio, t);
    return t > 0 ? 1 - (1 + now / ratio) / (1 + now) : e.first;
}

static const struct { const char *name; double (*beta)(int t, Ends e); } kinds[] = {
    {"linear", linear}, {"linear_scaled", linear_scaled}, {"quadratic", quadratic},
    {"constant", constant}, {"warmup10", warmup10}, {"warmup50", warmup50}, {"jsd", jsd},
    {"cosine", cosine}, {"sqrt", square_root}, {"sigmoid", sigmoid},
    {"sigmoid_beta", sigmoid_beta}, {"geometric", geometric},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static Schedule new_schedule(Arena *a, int T)
{
    return (Schedule){T, arena_new(a, double, (size_t)T), arena_new(a, double, (size_t)T),
                      arena_new(a, double, (size_t)T)};
}

Schedule schedule_make(Arena *a, const char *name, int T, double first, double last)
{
    int k = 0;
    while (k < KINDS && strcmp(kinds[k].name, name) != 0) k++;
    if (k == KINDS)
        fail("there is no schedule %s; there are linear, linear_scaled, quadratic, "
             "constant, warmup10, warmup50, jsd, cosine, sqrt, sigmoid, sigmoid_beta and "
             "geometric", name);
    if (T < 1 || T > MOST_STEPS || !(first > 0) || !(last < 1))
        fail("a %s schedule of %d steps from %g to %g; want 1 to %d steps, betas "
             "between 0 and 1", name, T, first, last, MOST_STEPS);
    Schedule s = new_schedule(a, T);
    double product = 1;
    for (int t = 0; t < T; t++) {
        s.beta[t] = kinds[k].beta(t, (Ends){T, first, last});
        s.alpha_bar[t] = product *= 1 - s.beta[t];
        s.told[t] = t;
    }
    return s;
}

/* ---- some of the times ------------------------------------------------------------- */

/* Marks the times of "ddimN": every k-th. */
static void mark_every(char *used, int T, int count, const char *which)
{
    for (int k = 1; k < T; k++)
        if ((T + k - 1) / k == count) {
            for (int t = 0; t < T; t += k) used[t] = 1;
            return;
        }
    fail_usage("%s: no whole stride takes exactly %d of %d steps", which, count, T);
}

static void mark_leading(char *used, int T, int count, const char *which)
{
    if (count > T) fail_usage("%s: of %d steps", which, T);
    for (int k = 0; k < count; k++) used[k * (T / count)] = 1;
}

static void mark_trailing(char *used, int T, int count, const char *which)
{
    if (count > T) fail_usage("%s: of %d steps", which, T);
    for (int k = 0; k < count; k++)
        used[(int)nearbyint(T - (double)k * T / count) - 1] = 1;
}

/* Marks `count` times of a part of `size` beginning at `start`, both ends included. */
static void mark_part(char *used, int start, int size, int count, const char *which)
{
    if (count < 1 || count > size)
        fail_usage("%s: %d times from %d steps; want 1 to %d", which, count, size, size);
    double stride = count > 1 ? (double)(size - 1) / (count - 1) : 1, at = 0;
    for (int i = 0; i < count; i++, at += stride) used[start + (int)nearbyint(at)] = 1;
}

static int parse_count(const char **p, const char *which)
{
    char *end;
    long n = strtol(*p, &end, 10);
    if (end == *p || n < 1 || n > 1 << 24 || (*end && *end != ','))
        fail_usage("%s: want a number of steps (25), one for each part (10,15,20), or "
                   "ddim25", which);
    *p = *end ? end + 1 : end;
    return (int)n;
}

static void mark_parts(char *used, int T, const char *which)
{
    int parts = 1, start = 0;
    for (const char *p = which; *p; p++) parts += *p == ',';
    const char *p = which;
    for (int i = 0; i < parts; i++) {
        int size = T / parts + (i < T % parts);
        mark_part(used, start, size, parse_count(&p, which), which);
        start += size;
    }
}

Schedule schedule_respace(Arena *a, const Schedule *s, const char *which)
{
    char *used = arena_new(a, char, (size_t)s->T);
    memset(used, 0, (size_t)s->T);
    static const struct {
        const char *word;
        void (*mark)(char *used, int T, int count, const char *which);
    } kinds_of_step[] = {
        {"ddim", mark_every}, {"leading", mark_leading}, {"trailing", mark_trailing},
        {NULL, NULL},
    };
    int k = 0;
    while (kinds_of_step[k].word &&
           strncmp(which, kinds_of_step[k].word, strlen(kinds_of_step[k].word)) != 0) k++;
    if (kinds_of_step[k].word) {
        const char *number = which + strlen(kinds_of_step[k].word);
        kinds_of_step[k].mark(used, s->T, parse_count(&number, which), which);
    } else mark_parts(used, s->T, which);

    int steps = 0;
    for (int t = 0; t < s->T; t++) steps += used[t];
    Schedule r = new_schedule(a, steps);
    double before = 1;
    for (int t = 0, i = 0; t < s->T; t++) {
        if (!used[t]) continue;
        r.beta[i] = 1 - s->alpha_bar[t] / before;
        r.alpha_bar[i] = before = s->alpha_bar[t];
        r.told[i++] = s->told[t];
    }
    return r;
}

void schedule_rescale_told(Schedule *s)
{
    for (int t = 0; t < s->T; t++) s->told[t] *= 1000.0 / s->T;
}

/* ---- levels ------------------------------------------------------------------------ */

/* The formulas of schedule.h from beta_t, alpha_bar_t and alpha_bar_{t-1}. */
static Level make_level(double beta, double now, double before, double told)
{
    double variance = beta * (1 - before) / (1 - now);
    return (Level){
        .a = sqrt(now), .s = sqrt(1 - now), .t = told,
        .c0 = beta * sqrt(before) / (1 - now),
        .ct = (1 - before) * sqrt(1 - beta) / (1 - now),
        .variance = variance, .log_variance = log(fmax(variance, 1e-20)),
        .log_beta = log(beta),
    };
}

Level schedule_level(const Schedule *s, int t)
{
    require(t >= -1 && t <= s->T, "step %d of a schedule of %d", t, s->T);
    if (t == -1) return (Level){.a = 1, .s = 0, .t = -1};
    if (t == s->T) return (Level){.a = 0, .s = 1, .t = s->told[t - 1]};
    double before = t > 0 ? s->alpha_bar[t - 1] : 1;
    Level l = make_level(s->beta[t], s->alpha_bar[t], before, s->told[t]);
    if (t == 0 && s->T > 1) l.log_variance = schedule_level(s, 1).log_variance;
    return l;
}

Level schedule_between(const Schedule *s, double t)
{
    require(t >= 0 && t <= s->T - 1, "step %g of a schedule of %d", t, s->T);
    int low = (int)t, high = low + 1 < s->T ? low + 1 : low;
    double w = t - low;
    double beta = (1 - w) * s->beta[low] + w * s->beta[high];
    double now = (1 - w) * s->alpha_bar[low] + w * s->alpha_bar[high];
    double told = (1 - w) * s->told[low] + w * s->told[high];
    Level l = make_level(beta, now, now / (1 - beta), told);
    if (t < 1 && s->T > 1) l.log_variance = schedule_level(s, 1).log_variance;
    return l;
}
