/* How often is a classifier right?  Its training is a Task of training.h. */
#ifndef APPS_SUPPORT_CLASSIFYING_H
#define APPS_SUPPORT_CLASSIFYING_H

#include "apps/support/training.h"

/* The shares of pictures that the average weights classify right, by quartile of t:
 * picture n is noised to a t of quartile n % 4.  For a classifier of clean pictures,
 * of those n without noise. */
void classifier_test(const Model *m, const Dataset *d, double accuracy[QUARTILES]);

#endif
