/* Time, and the yardstick for it: what the machine can do at best. */
#ifndef TENSOR_CLOCK_H
#define TENSOR_CLOCK_H

/* Seconds since some moment; never goes back. */
double seconds_now(void);

/* The multiplications and additions a second, of all threads together, in a loop of
 * nothing but independent multiply-adds (GFLOP/s).  Takes some ten milliseconds.  Shared
 * machines drift: measure it beside what is compared with it. */
double clock_peak(void);

#endif
