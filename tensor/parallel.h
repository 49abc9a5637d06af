/* How many threads share the work.
 *
 * Loops that are worth it carry `#pragma omp parallel for`; without OpenMP the pragma is
 * nothing and they run serially.  One rule makes the results independent of the number of
 * threads: a loop is cut into pieces by its *shape* alone, each piece is written by
 * exactly one thread, and sums over pieces are added in the pieces' order.
 *
 * A thread that calls a parallel kernel from inside a parallel loop runs it alone. */
#ifndef TENSOR_PARALLEL_H
#define TENSOR_PARALLEL_H

/* To be called first in main.  Between two loops the threads of an OpenMP library wait by
 * spinning, for milliseconds, and when another program wants one of the cores, every loop
 * then waits for a whole time slice: ten times slower here.  Waiting asleep, a thread is
 * woken late, and a step has hundreds of short loops: up to twice as slow here.  So they
 * spin for a moment, then sleep (bench/README.md has the numbers).  The library reads
 * that wish from the environment before main begins, so this starts the program once more
 * with OMP_WAIT_POLICY=passive and GOMP_SPINCOUNT (of gcc's library), unless the first is
 * set. */
void parallel_begin(char **argv);

int parallel_threads(void);
void parallel_set_threads(int threads);     /* 0: one for each core; dies below 0 */

/* "2 threads", or "1 thread (OpenMP is not compiled in)". */
const char *parallel_describe(void);

#endif
