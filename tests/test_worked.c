/* The numbers of the worked examples in the chapters, in their order. */
#include <string.h>

#include "autograd/gradcheck.h"
#include "tensor/convolution.h"
#include "tensor/memory.h"
#include "tensor/random.h"
#include "tests/check.h"

/* ---- tensor/README.md ------------------------------------------------------------------ */

static void a_pool_on_paper(void)
{
    Pool p = pool_create();
    void *a = pool_alloc(&p, 1000), *b = pool_alloc(&p, 1000);
    check_int((long long)p.in_use, 2048);
    pool_free(&p, a);
    check_int((long long)p.in_use, 1024);
    check(pool_alloc(&p, 900) == a && b != a);
    check_int((long long)p.in_use, 2048);
    check_int((long long)p.peak, 2048);
    pool_destroy(&p);
}

static void random_numbers_of_two_rows(void)
{
    static const struct { unsigned row; double uniform[5], normal[5]; } rows[] = {
        {0, {0.987672, 0.008969, 0.761261, 0.539024, 0.092979},
         {0.157259, 0.008872, -0.716527, -0.179297, -0.572145}},
        {7, {0.399096, 0.253925, 0.948603, 0.792544, 0.713880},
         {-0.033419, 1.354986, 0.085806, -0.313316, -0.662114}},
    };
    for (int k = 0; k < 2; k++)
        for (uint64_t i = 0; i < 5; i++) {
            Random r = random_stream(1, 4, rows[k].row);
            check_close(random_uniform(r, i), rows[k].uniform[i], 6e-7);
            check_close(random_normal(r, i), rows[k].normal[i], 6e-7);
        }
    check_close(sqrt(-2 * log(0.987672)), 0.157509, 1e-6);
}

static void a_convolution_by_hand(void)
{
    static const Real x[] = {1, 2, 0, 0, 1, 3, 2, 1, 1}, w[] = {1, 0, 2, -1};
    static const Real dy[] = {1, 0, 0, 2};
    Convolution g = {1, 3, 3, 1, 2, 2, 1, 2, 1, 0};
    Real y[4], dx[9] = {0}, dw[4] = {0};
    convolution(y, x, w, NULL, &g);
    check_reals(y, ((Real[]){0, 1, 3, 2}), 4, 0);
    convolution_backward_weight(dw, dy, x, &g);
    check_reals(dw, ((Real[]){3, 8, 2, 3}), 4, 0);
    convolution_backward_input(dx, dy, w, &g);
    check_reals(dx, ((Real[]){1, 0, 0, 2, 1, 0, 0, 4, -2}), 9, 0);
}

static void addition_is_not_associative(void)
{
    volatile float big = 16777216, one = 1, left = big + one, two = one + one;
    left = left + one;
    volatile float right = big + two;
    check(left == 16777216 && right == 16777218);
}

static const Test tests[] = {
    T(a_pool_on_paper), T(random_numbers_of_two_rows), T(a_convolution_by_hand),
    T(addition_is_not_associative),
};

int main(int argc, char **argv) { return run_tests(argc, argv, tests, NELEM(tests)); }
