/* The number of threads, with OpenMP and without. */
#include "tensor/parallel.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tensor/error.h"

#ifdef _OPENMP
#include <omp.h>

void parallel_begin(char **argv)
{
    if (getenv("OMP_WAIT_POLICY")) return;
    setenv("OMP_WAIT_POLICY", "passive", 1);
    setenv("GOMP_SPINCOUNT", "2000", 0);
    execv("/proc/self/exe", argv);      /* comes back only if it failed: then spin */
}

int parallel_threads(void) { return omp_get_max_threads(); }

void parallel_set_threads(int threads)
{
    require(threads >= 0, "%d threads", threads);
    omp_set_dynamic(0);
    omp_set_num_threads(threads ? threads : omp_get_num_procs());
}

#else
void parallel_begin(char **argv) { (void)argv; }

int parallel_threads(void) { return 1; }

void parallel_set_threads(int threads) { require(threads >= 0, "%d threads", threads); }
#endif

const char *parallel_describe(void)
{
#ifdef _OPENMP
    static char text[32];
    snprintf(text, sizeof text, "%d thread%s", parallel_threads(),
             parallel_threads() == 1 ? "" : "s");
    return text;
#else
    return "1 thread (OpenMP is not compiled in)";
#endif
}
