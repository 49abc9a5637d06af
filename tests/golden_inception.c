/* InceptionV3 (nn/inception.h): its three answers, from weights by the formula that go
 * through the names of the port, with norms that are not folded there. */
#include "nn/inception.h"
#include "tests/golden_networks.h"

void golden_inception(Golden *g)
{
    g->group = "golden/";
    Inception net = inception_create();
    Published arrays = inception_arrays(&g->arena, &net);
    golden_fill(g, &arrays, net.params.value);
    inception_fold(&net);
    Tape t = tape_create();
    t.recording = false;
    Pass pass = pass_inference(&t, &net.params, net.params.value);
    Var *x = tape_leaf(&t, "x", golden_shape(g, "x"), golden_reals(g, "x"), NULL);
    InceptionAnswer answer = inception_answer(&pass, &net, x);
    golden_compare_reals(g, "pool", answer.features->value, answer.features->size);
    golden_compare_reals(g, "spatial", answer.map->value, answer.map->size);
    golden_compare_reals(g, "probability", answer.probability->value,
                         answer.probability->size);
    tape_destroy(&t);
    inception_destroy(&net);
}
