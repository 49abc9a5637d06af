/* Calls of all operations: see cases.h. */
#include "autograd/cases.h"

/* An operation of one input and no options. */
#define CALL1(op) static Var *call_##op(Tape *t, Var *in[], const int *o) \
    { (void)o; return op(t, in[0]); }
#define CALL2(op) static Var *call_##op(Tape *t, Var *in[], const int *o) \
    { (void)o; return op(t, in[0], in[1]); }
#define CALL(name, call) static Var *name(Tape *t, Var *in[], const int *o) \
    { (void)o; return call; }

/* Inputs are in [-1, 1); this brings one into [0.5, 1.5). */
static Var *positive(Tape *t, Var *x) { return scale(t, x, 0.5, 1); }

/* As many numbers below n as x has rows, in disorder, some twice: 2 0 0 2 for n = 3. */
static int *some_rows(Tape *t, const Var *x, int n)
{
    int rows = x->shape.dim[0], *index = tape_save(t, int, (size_t)rows);
    for (int i = 0; i < rows; i++) index[i] = (i * i + 2) % n;
    return index;
}

CALL1(neg) CALL1(exponential) CALL1(square) CALL1(hyperbolic_tangent) CALL1(sigmoid)
CALL1(silu) CALL1(relu) CALL1(gelu) CALL1(gelu_tanh) CALL1(softplus) CALL1(softmax)
CALL1(log_softmax) CALL1(upsample)
CALL2(add) CALL2(subtract) CALL2(multiply) CALL2(mse)
CALL(call_scale, scale(t, in[0], -2, 3))
CALL(call_logarithm, logarithm(t, positive(t, in[0])))
CALL(call_square_root, square_root(t, positive(t, in[0])))
CALL(call_leaky_relu, leaky_relu(t, in[0], 0.2))
CALL(call_clamp, clamp(t, in[0], -0.5, 0.25))
CALL(call_dropout, dropout(t, in[0], 0.4, random_stream(3, 0, 0), 5))
CALL(call_divide, divide(t, in[0], positive(t, in[1])))
CALL(add_to_itself, add(t, in[0], in[0]))
CALL(multiply_by_itself, multiply(t, in[0], in[0]))
CALL(call_where, where(t, stop_gradient(t, relu(t, in[0])), in[1], in[2]))
CALL(call_sum, sum(t, in[0], (unsigned)o[0]))
CALL(call_mean, mean(t, in[0], (unsigned)o[0]))
CALL(call_max, max(t, in[0], (unsigned)o[0]))
CALL(call_group_norm, group_norm(t, in[0], in[1], in[2], o[0], 1e-5))
CALL(call_group_norm_silu, group_norm_silu(t, in[0], in[1], in[2], o[0], 1e-5))
CALL(call_layer_norm, layer_norm(t, in[0], in[1], in[2], 1e-5))
CALL(call_reshape, reshape(t, in[0], SHAPE((int)in[0]->size / o[0], o[0])))
CALL(call_permute, permute(t, in[0], o))
CALL(call_slice, slice(t, in[0], o[0], o[1], o[2]))
CALL(call_concat, concat(t, in[0], in[1], o[0]))
CALL(concat_twice, concat(t, concat(t, in[0], in[1], 1), in[0], 1))
CALL(call_embedding, embedding(t, in[0], some_rows(t, in[0], 3), in[0]->shape.dim[0]))
CALL(call_depth_to_space, depth_to_space(t, in[0], o[0]))
CALL(call_reflect_pad, reflect_pad(t, in[0], o))
CALL(call_linear, linear(t, in[0], in[1], in[2]))
CALL(linear_without_bias, linear(t, in[0], in[1], NULL))
CALL(call_matmul, matmul(t, in[0], o[0], in[1], o[1]))
CALL(matmul_with_itself, matmul(t, in[0], true, in[0], false))

static Padding padding(const int *o) { return (Padding){o[0], o[1], o[2], o[3]}; }

CALL(call_conv2d, conv2d(t, in[0], in[1], in[2], o[0], padding(o + 1)))
CALL(call_conv2d_onto, conv2d_onto(t, in[3], in[0], in[1], in[2], o[0], padding(o + 1)))
CALL(conv2d_onto_itself,
     conv2d_onto(t, in[0], in[0], in[1], NULL, 1, (Padding){1, 1, 1, 1}))
CALL(call_attention, attention(t, in[0], in[1], in[2], o[0]))
CALL(self_attention, attention(t, in[0], in[0], in[0], o[0]))
CALL(call_average_pool, average_pool(t, in[0], o[0], o[1], o[2]))
CALL(call_max_pool, max_pool(t, in[0], o[0], o[1], o[2]))
CALL(call_resize, resize(t, in[0], o[0], o[1], o[2] / 2.0))
CALL(call_cross_entropy, cross_entropy(t, in[0], some_rows(t, in[0], 5)))
CALL(call_gaussian_kl, gaussian_kl(t, in[0], in[1], in[2], in[3]))

/* Edge bins too: x = 2 in, so half of the pixels lie beyond -0.999 or 0.999. */
CALL(call_discretized_gaussian,
     discretized_gaussian(t, scale(t, in[0], 2, 0), in[1], in[2]))

static const Real taps[4] = {1, 3, 3, 1};
CALL(call_resample_down, resample_down(t, in[0], taps + 2 - o[0] / 2, o[0], o[1]))
CALL(call_resample_up, resample_up(t, in[0], taps + 2 - o[0] / 2, o[0], o[1]))

#define S(...) {(int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), {__VA_ARGS__}}

const Case cases[] = {
    {"neg", call_neg, {S(5, 3)}, .linear = 1},
    {"scale", call_scale, {S(5, 3)}, .linear = 1},
    {"exponential", call_exponential, {S(5, 3)}},
    {"logarithm", call_logarithm, {S(5, 3)}},
    {"square_root", call_square_root, {S(5, 3)}},
    {"square", call_square, {S(5, 3)}},
    {"hyperbolic_tangent", call_hyperbolic_tangent, {S(5, 3)}},
    {"sigmoid", call_sigmoid, {S(5, 3)}},
    {"silu", call_silu, {S(5, 3)}},
    {"relu", call_relu, {S(5, 3)}},
    {"leaky_relu", call_leaky_relu, {S(5, 3)}},
    {"gelu", call_gelu, {S(5, 3)}},
    {"gelu_tanh", call_gelu_tanh, {S(5, 3)}},
    {"softplus", call_softplus, {S(5, 3)}},
    {"clamp", call_clamp, {S(5, 3)}},
    {"dropout", call_dropout, {S(7, 3)}, .linear = 1},

    {"add", call_add, {S(3, 5), S(3, 5)}, .linear = 3},
    {"add", call_add, {S(2, 3, 2, 5), S(2, 1, 1, 5)}, .linear = 3},
    {"add", call_add, {S(2, 1, 3), S(1, 4, 1)}, .linear = 3},
    {"add", call_add, {S(1, 1), S(1, 7)}, .linear = 3},
    {"add", add_to_itself, {S(4)}, .linear = 1},
    {"subtract", call_subtract, {S(2, 3, 1), S(1, 3, 4)}, .linear = 3},
    {"multiply", call_multiply, {S(3, 5), S(3, 5)}, .linear = 3},
    {"multiply", call_multiply, {S(2, 3, 2, 5), S(2, 1, 1, 5)}, .linear = 3},
    {"multiply", call_multiply, {S(2, 1, 3), S(1, 4, 1)}, .linear = 3},
    {"multiply", multiply_by_itself, {S(4)}},
    {"divide", call_divide, {S(3, 1), S(1, 4)}, .linear = 1},
    {"divide", call_divide, {S(7), S(7)}, .linear = 1},
    {"where", call_where, {S(11), S(11), S(11)}, .linear = 6},

    {"sum", call_sum, {S(2, 3, 2, 5)}, {AXIS(1) | AXIS(2)}, 1},
    {"sum", call_sum, {S(3, 5)}, {AXIS(0)}, 1},
    {"sum", call_sum, {S(3, 5)}, {AXIS(1)}, 1},
    {"sum", call_sum, {S(2, 3, 4)}, {AXIS(0) | AXIS(2)}, 1},
    {"mean", call_mean, {S(5, 3)}, {ALL_AXES}, 1},
    {"mean", call_mean, {S(1, 4, 3)}, {AXIS(1)}, 1},
    {"max", call_max, {S(2, 3, 5)}, {AXIS(1)}},
    {"max", call_max, {S(7, 3)}, {ALL_AXES}},
    {"softmax", call_softmax, {S(3, 5)}},
    {"softmax", call_softmax, {S(2, 1)}},
    {"log_softmax", call_log_softmax, {S(3, 5)}},
    {"group_norm", call_group_norm, {S(2, 3, 1, 6), S(6), S(6)}, {2}},
    {"group_norm", call_group_norm, {S(1, 2, 2, 5), S(5), S(5)}, {1}},
    {"group_norm", call_group_norm, {S(2, 7, 3), S(3), S(3)}, {3}},
    {"group_norm", call_group_norm, {S(2, 3, 2, 4), S(2, 1, 1, 4), S(2, 1, 1, 4)}, {2}},
    {"group_norm_silu", call_group_norm_silu, {S(2, 3, 1, 6), S(6), S(6)}, {3}},
    {"group_norm_silu", call_group_norm_silu, {S(3, 2, 4), S(3, 1, 4), S(3, 1, 4)}, {2}},
    {"group_norm_silu", call_group_norm_silu, {S(2, 2, 2, 4), S(4), S(4)}, {1}},
    {"layer_norm", call_layer_norm, {S(2, 3, 5), S(5), S(5)}},

    {"reshape", call_reshape, {S(2, 3, 2)}, {3}, 1},
    {"permute", call_permute, {S(2, 3, 4, 5)}, {2, 0, 3, 1}, 1},
    {"permute", call_permute, {S(3, 5)}, {1, 0}, 1},
    {"slice", call_slice, {S(2, 5, 3)}, {1, 1, 3}, 1},
    {"slice", call_slice, {S(2, 7)}, {1, 6, 1}, 1},
    {"slice", call_slice, {S(5, 2)}, {0, 0, 2}, 1},
    {"concat", call_concat, {S(2, 3, 2), S(2, 3, 5)}, {2}, 3},
    {"concat", call_concat, {S(2, 3), S(1, 3)}, {0}, 3},
    {"concat", call_concat, {S(2, 3, 2), S(2, 1, 2)}, {1}, 3},
    {"concat", concat_twice, {S(3, 2), S(3, 1)}, .linear = 3},
    {"embedding", call_embedding, {S(4, 3)}, .linear = 1},
    {"upsample", call_upsample, {S(2, 3, 1, 5)}, .linear = 1},
    {"depth_to_space", call_depth_to_space, {S(2, 3, 1, 8)}, {2}, 1},
    {"depth_to_space", call_depth_to_space, {S(1, 1, 2, 9)}, {3}, 1},
    {"reflect_pad", call_reflect_pad, {S(2, 3, 4, 2)}, {2, 1, 0, 3}, 1},

    {"linear", call_linear, {S(3, 5), S(2, 5), S(2)}, .linear = 7},
    {"linear", call_linear, {S(2, 3, 1, 7), S(19, 7), S(19)}, .linear = 7},
    {"linear", linear_without_bias, {S(2, 1), S(1, 1)}, .linear = 3},
    {"matmul", call_matmul, {S(3, 5), S(5, 2)}, {0, 0}, 3},
    {"matmul", call_matmul, {S(2, 5, 3), S(2, 5, 2)}, {1, 0}, 3},
    {"matmul", call_matmul, {S(2, 2, 3, 5), S(2, 2, 4, 5)}, {0, 1}, 3},
    {"matmul", call_matmul, {S(1, 5, 3), S(1, 2, 5)}, {1, 1}, 3},
    {"matmul", matmul_with_itself, {S(2, 3, 4)}},
    {"conv2d", call_conv2d, {S(2, 4, 3, 3), S(5, 3, 3, 3), S(5)}, {1, 1, 1, 1, 1}, 7},
    {"conv2d", call_conv2d, {S(1, 6, 5, 2), S(3, 3, 3, 2), S(3)}, {2, 0, 1, 0, 1}, 7},
    {"conv2d", call_conv2d, {S(2, 4, 4, 3), S(5, 2, 2, 3), S(5)}, {2}, 7},
    {"conv2d", call_conv2d, {S(2, 3, 3, 3), S(4, 1, 1, 3), S(4)}, {1}, 7},
    {"conv2d", call_conv2d, {S(2, 3, 3, 1), S(1, 5, 5, 1), S(1)}, {1, 2, 2, 2, 2}, 7},
    {"conv2d", call_conv2d, {S(1, 5, 4, 8), S(8, 3, 3, 8), S(8)}, {1, 1, 1, 1, 1}, 7},
    {"conv2d", call_conv2d,
     {S(2, 4, 3, 3), S(5, 3, 3, 3), S(2, 1, 1, 5)}, {1, 1, 1, 1, 1}, 7},
    {"conv2d", call_conv2d, {S(2, 4, 5, 3), S(4, 1, 5, 3), S(4)}, {1, 0, 0, 2, 2}, 7},
    {"conv2d", call_conv2d, {S(2, 6, 4, 2), S(3, 3, 2, 2), S(3)}, {2, 1, 0, 0, 1}, 7},
    {"conv2d_onto", call_conv2d_onto,
     {S(2, 5, 4, 8), S(8, 3, 3, 8), S(2, 1, 1, 8), S(2, 5, 4, 8)}, {1, 1, 1, 1, 1}, 15},
    {"conv2d_onto", call_conv2d_onto,
     {S(2, 4, 4, 3), S(5, 2, 2, 3), S(5), S(2, 2, 2, 5)}, {2}, 15},
    {"conv2d_onto", conv2d_onto_itself, {S(1, 3, 4, 2), S(2, 3, 3, 2)}},
    {"attention", call_attention, {S(2, 5, 3), S(2, 5, 3), S(2, 5, 3)}, {1}, 4},
    {"attention", call_attention, {S(1, 2, 3, 4), S(1, 2, 3, 4), S(1, 2, 3, 4)}, {2}, 4},
    {"attention", call_attention, {S(2, 3, 4), S(2, 7, 4), S(2, 7, 4)}, {2}, 4},
    {"attention", call_attention, {S(1, 100, 2), S(1, 3, 2), S(1, 3, 2)}, {1}, 4},
    {"attention", self_attention, {S(2, 3, 4)}, {2}},
    {"resample_down", call_resample_down, {S(2, 4, 6, 3)}, {4, 1}, 1},
    {"resample_down", call_resample_down, {S(1, 5, 4, 2)}, {2, 0}, 1},
    {"resample_up", call_resample_up, {S(2, 2, 3, 3)}, {4, 1}, 1},
    {"resample_up", call_resample_up, {S(1, 3, 1, 2)}, {4, 0}, 1},
    {"average_pool", call_average_pool, {S(2, 4, 2, 3)}, {2, 2, 0}, 1},
    {"average_pool", call_average_pool, {S(1, 3, 6, 1)}, {3, 3, 0}, 1},
    {"average_pool", call_average_pool, {S(2, 4, 5, 2)}, {3, 1, 1}, 1},
    {"max_pool", call_max_pool, {S(2, 4, 5, 3)}, {3, 1, 1}},
    {"max_pool", call_max_pool, {S(2, 5, 6, 2)}, {3, 2, 0}},
    {"resize", call_resize, {S(2, 3, 2, 2)}, {6, 5, 1}, 1},
    {"resize", call_resize, {S(1, 5, 4, 1)}, {2, 2, 1}, 1},
    {"resize", call_resize, {S(2, 3, 2, 1)}, {7, 5, 0}, 1},

    {"mse", call_mse, {S(3, 2, 2), S(3, 2, 2)}},
    {"cross_entropy", call_cross_entropy, {S(3, 5)}},
    {"gaussian_kl", call_gaussian_kl, {S(5), S(5), S(5), S(5)}},
    {"discretized_gaussian", call_discretized_gaussian, {S(13), S(13), S(13)}},
    {.op = NULL},
};

int case_inputs(const Case *c)
{
    int n = 0;
    while (n < MAX_INPUTS && c->shape[n].rank) n++;
    return n;
}

Case case_enlarge(const Case *c, int times)
{
    Case large = *c;
    for (int i = 0; i < case_inputs(c); i++)
        if (c->shape[i].dim[0] == c->shape[0].dim[0]) large.shape[i].dim[0] *= times;
    return large;
}
