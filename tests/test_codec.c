/* The compressor from its parts up: arithmetic coding, the reverse channel, whole
 * images. */
#include <math.h>
#include <string.h>

#include "diffusion/codec.h"
#include "diffusion/likelihood.h"
#include "tests/check.h"

/* Symbols of known probabilities come back, and take the entropy and hardly more. */
static void arithmetic_coding_takes_the_entropy(void)
{
    enum { N = 20000 };
    static uint8_t bytes[N], symbol[N];
    static const double weight[] = {0.5, 0.3, 0.15, 0.04, 0.01};
    Distribution d = distribution_make(weight, 5);
    double bits = 0;
    Arithmetic w = arithmetic_writer(bytes, N);
    for (int i = 0; i < N; i++) {
        double u = random_uniform((Random){1, 1}, (uint64_t)i);
        int k = 0;
        while (k < 4 && u > weight[k]) u -= weight[k++];
        symbol[i] = (uint8_t)k;
        bits -= log2(weight[k]);
        arithmetic_code(&w, &d, k);
        if (i % 1000 == 0) arithmetic_code_bits(&w, 17, (uint32_t)i), bits += 17;
    }
    size_t size = arithmetic_finish(&w);
    check_close(8.0 * (double)size / bits, 1, 1e-3);
    Arithmetic r = arithmetic_reader(bytes, size);
    for (int i = 0; i < N; i++) {
        check_int(arithmetic_code(&r, &d, 0), symbol[i]);
        if (i % 1000 == 0) check_int(arithmetic_code_bits(&r, 17, 0), i);
    }
}

/* Three halves of the interval that meet in its middle: bits that wait for a carry. */
static void bits_that_wait_come_out_right(void)
{
    static const Distribution middle = {3, {0, 32767, 32769, 65536}};
    static const int word[] = {1, 1, 1, 1, 2, 1, 1, 0, 1, 1, 1, 2, 0, 1};
    uint8_t bytes[64] = {0};
    Arithmetic w = arithmetic_writer(bytes, sizeof bytes);
    for (int i = 0; i < NELEM(word); i++) arithmetic_code(&w, &middle, word[i]);
    Arithmetic r = arithmetic_reader(bytes, arithmetic_finish(&w));
    for (int i = 0; i < NELEM(word); i++)
        check_int(arithmetic_code(&r, &middle, 0), word[i]);
}

/* N(shift, I) arrives: along the shift nearly as far, across it N(0, 1); for its KL in
 * bits and what naming an index takes. */
static void the_channel_carries_a_gaussian(void)
{
    enum { D = 4, ROUNDS = 1500 };
    static uint8_t bytes[ROUNDS * 8];
    static double sent[ROUNDS][D];
    const double shift[D] = {2.4, 0, -1.2, 0};          /* 7.2 nats / 2 = 5.19 bits */
    double bits = channel_bits(shift, D), z[D], along = 0, across = 0, square[2] = {0};
    check_close(bits, 3.6 / log(2), 1e-12);
    Arithmetic w = arithmetic_writer(bytes, sizeof bytes);
    for (int k = 0; k < ROUNDS; k++) {
        channel_code(&w, random_stream(3, 1, (uint64_t)k), bits, shift, D, sent[k]);
        double a = (sent[k][0] * 2 - sent[k][2]) / sqrt(5);
        along += a / ROUNDS, square[0] += a * a / ROUNDS;
        across += sent[k][1] / ROUNDS, square[1] += sent[k][1] * sent[k][1] / ROUNDS;
    }
    check_close(along / sqrt(7.2), 1, 0.08);
    check_close(square[0] - along * along, 1, 0.25);
    check_close(across, 0, 4 / sqrt(ROUNDS));
    check_close(square[1], 1, 4 * sqrt(2.0 / ROUNDS));
    double each = 8.0 * (double)arithmetic_finish(&w) / ROUNDS;
    check_at_most(bits, each, "bits of theory, against those used");
    check_at_most(each, bits + log2(bits + 1) + 2, "bits of a channel");
    Arithmetic r = arithmetic_reader(bytes, sizeof bytes);
    for (int k = 0; k < ROUNDS; k++) {
        channel_code(&r, random_stream(3, 1, (uint64_t)k), bits, NULL, D, z);
        check(memcmp(z, sent[k], sizeof z) == 0);
    }
}

static void fill(void *context, int t, double *eps)
{
    random_normals((Random){7, (uint64_t)t}, 0, *(size_t *)context, eps);
}

/* The bound's KL of an image, in bits. */
static double chain_bits(Denoiser *d, Process p, const double *image)
{
    Arena a = arena_create();
    double bits = 0;
    p.variance = variance_find("fixed_small");
    Bound b = bound_of(&a, d, &p, image, 1, NULL, (NoiseSource){fill, &d->size});
    for (int t = 1; t < p.schedule.T; t++) bits += b.term[t].bits * (double)d->size;
    arena_destroy(&a);
    return bits;
}

/* Two points on each axis as the data, an image that is neither: what is written is
 * read, all of it or as far as the chain went; the nearer to the image the longer. */
static void images_come_back(void)
{
    enum { D = 64 };
    static uint8_t bytes[4096];
    static const double weight[] = {0.5, 0.5}, std[] = {0.05, 0.2};
    double mean[2 * D], image[D], x0[D], before = INFINITY;
    Arena a = arena_create();
    Process p = {.schedule = schedule_make(&a, "linear", 200, 5e-4, 0.1)};
    for (int i = 0; i < 2 * D; i++) mean[i] = i < D ? 0.5 : -0.5;
    for (int i = 0; i < D; i++)
        image[i] = round((0.5 + 0.1 * sin(i)) * 127.5 + 127.5) / 127.5 - 1;
    MixtureDenoiser d = mixture_denoiser(D, 2, weight, std, mean);
    static const int until[] = {150, 60, 0};
    size_t shorter = 0;
    for (int k = 0; k < NELEM(until); k++) {
        CodecOptions o = {.channel = 6, .until = until[k], .seed = 5};
        memset(bytes, 0, sizeof bytes);
        memcpy(x0, image, sizeof x0);
        Arithmetic w = arithmetic_writer(bytes, sizeof bytes);
        CodecReport r = codec_run(&w, &d.base, &p, &o, NULL, x0);
        size_t size = arithmetic_finish(&w);
        check(r.rmse < before && size > shorter);
        check(r.chain > r.kl && r.chain < 2 * r.kl + 12 * r.channels);
        check_close(r.pixels, r.likelihood, 4);
        if (until[k] == 0) {        /* long steps cost a little more than short ones */
            double ratio = r.kl / chain_bits(&d.base, p, image);
            check(ratio > 0.95 && ratio < 1.2);
        }
        before = r.rmse, shorter = size;
        double back[D];
        Arithmetic reader = arithmetic_reader(bytes, size);
        codec_run(&reader, &d.base, &p, &o, NULL, back);
        check(memcmp(back, x0, sizeof back) == 0);
        for (int i = 0; until[k] == 0 && i < D; i++)
            check_close(back[i], image[i], 1e-12);
        for (size_t i = 0; i < size; i++) bytes[i] ^= 0x5a;     /* nonsense ends too */
        reader = arithmetic_reader(bytes, size);
        codec_run(&reader, &d.base, &p, &o, NULL, back);
    }
    arena_destroy(&a);
}

static const Test tests[] = {
    T(arithmetic_coding_takes_the_entropy), T(bits_that_wait_come_out_right),
    T(the_channel_carries_a_gaussian), T(images_come_back),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
