/* Cross-entropy of a classifier's answer: how surprised it is by the true class, in nats.
 *
 *     y[n] = -ln softmax(x[n])[label[n]] = ln sum_j e^(x[n][j]) - x[n][label[n]]
 *     dx[n][j] += dy[n] (softmax(x[n])[j] - delta(j, label[n])) */
#include "autograd/ops.h"
#include "tensor/error.h"

typedef struct { int *label; } Args;

static void cross_entropy_forward(Var *y);
static void cross_entropy_backward(Var *y);
static const Op cross_entropy_op = {.name = "cross_entropy",
                                    .forward = cross_entropy_forward,
                                    .backward = cross_entropy_backward,
                                    .reads_inputs = ALL_INPUTS};

Var *cross_entropy(Tape *t, Var *x, const int *label)
{
    require(x->shape.rank == 2, "cross_entropy: x is %s, want [N, classes]",
            SHOW(x->shape));
    int N = x->shape.dim[0], K = x->shape.dim[1];
    Args args = {tape_save(t, int, (size_t)N)};
    for (int n = 0; n < N; n++) {
        require(label[n] >= 0 && label[n] < K, "cross_entropy: label %d of %d classes",
                label[n], K);
        args.label[n] = label[n];
    }
    return tape_push(t, &cross_entropy_op, SHAPE(N), 1, (Var *[]){x}, &args, sizeof args);
}

/* ln sum_j e^(x_j), with the largest taken out so that nothing overflows. */
static double log_sum_exp(const Real *x, size_t K)
{
    double most = (double)x[0], sum = 0;
    for (size_t j = 1; j < K; j++) most = fmax(most, (double)x[j]);
    for (size_t j = 0; j < K; j++) sum += exp((double)x[j] - most);
    return most + log(sum);
}

static void cross_entropy_forward(Var *y)
{
    const Args *s = y->args;
    size_t K = (size_t)shape_last(y->in[0]->shape);
    for (size_t n = 0; n < y->size; n++) {
        const Real *x = y->in[0]->value + n * K;
        y->value[n] = (Real)(log_sum_exp(x, K) - (double)x[s->label[n]]);
    }
}

static void cross_entropy_backward(Var *y)
{
    const Args *s = y->args;
    size_t K = (size_t)shape_last(y->in[0]->shape);
    for (size_t n = 0; n < y->size; n++) {
        const Real *x = y->in[0]->value + n * K;
        Real *dx = var_grad(y->in[0]) + n * K;
        double l = log_sum_exp(x, K);
        for (size_t j = 0; j < K; j++) dx[j] += y->grad[n] * (Real)exp((double)x[j] - l);
        dx[s->label[n]] -= y->grad[n];
    }
}
