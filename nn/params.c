/* Named parameters in one block: see params.h. */
#include "nn/params.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tensor/error.h"

enum { MAX_NAME = 200, PURPOSE_INIT = 1, PIECE = 4096 };

Params params_create(void)
{
    return (Params){.arena = arena_create(), .rule = init_rule(NULL)};
}

int params_add(Params *p, Shape shape, Init init, const char *name, ...)
{
    require(!p->value, "params_add after params_allocate");
    if (p->count == p->room) {
        p->room = p->room ? 2 * p->room : 128;
        Param *more = arena_new(&p->arena, Param, (size_t)p->room);
        if (p->count) memcpy(more, p->list, (size_t)p->count * sizeof *more);
        p->list = more;
    }
    char text[MAX_NAME];
    va_list args;
    va_start(args, name);
    vsnprintf(text, sizeof text, name, args);
    va_end(args);
    p->list[p->count] = (Param){.name = arena_printf(&p->arena, "%s", text),
                                .shape = shape, .offset = p->size,
                                .size = shape_size(shape), .init = init};
    p->size += p->list[p->count].size;
    return p->count++;
}

Real *params_block(Params *p) { return arena_zeroed(&p->arena, Real, p->size); }

/* Initial numbers first ... first+n-1 of a parameter. */
static void fill(Real *out, const Init *init, Random r, uint64_t first, size_t n)
{
    double x[PIECE];
    for (size_t k = 0; k < n; k++) x[k] = 1;
    if (init->kind == INIT_NORMAL) random_normals(r, first, n, x);
    if (init->kind == INIT_UNIFORM) {
        random_uniforms(r, first, n, x);
        for (size_t k = 0; k < n; k++) x[k] = 2 * x[k] - 1;
    }
    for (size_t k = 0; k < n; k++) out[k] = (Real)(x[k] * init->scale);
}

void params_allocate(Params *p, uint64_t seed)
{
    p->value = params_block(p);
    p->grad = params_block(p);
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < p->count; i++) {
        const Param *q = &p->list[i];
        Random r = random_stream(seed, PURPOSE_INIT, (uint64_t)i);
        for (size_t k = 0; k < q->size; k += PIECE)
            fill(p->value + q->offset + k, &q->init, r, k,
                 q->size - k < PIECE ? q->size - k : PIECE);
    }
}

void params_zero_grad(Params *p) { memset(p->grad, 0, p->size * sizeof *p->grad); }

void params_destroy(Params *p)
{
    arena_destroy(&p->arena);
    *p = (Params){0};
}

Pass pass_training(Tape *t, Params *p, Random r)
{
    return (Pass){.tape = t, .params = p, .weights = p->value, .grads = p->grad,
                  .training = true, .random = r};
}

Pass pass_inference(Tape *t, const Params *p, const Real *weights)
{
    return (Pass){.tape = t, .params = p, .weights = weights};
}

Var *pass_param(Pass *pass, int i)
{
    const Param *q = &pass->params->list[i];
    return tape_leaf(pass->tape, q->name, q->shape, pass->weights + q->offset,
                     pass->grads ? pass->grads + q->offset : NULL);
}
