/*===- ApiFromC.h - The interface to C, used from C ------------------*- C -*-===*\
|*                                                                              *|
|* Part of the Phantom project, under the Apache License v2.0 with LLVM         *|
|* Exceptions. See LICENSE for license information.                             *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                      *|
|*                                                                              *|
\*===------------------------------------------------------------------------===*/

#ifndef PHANTOM_TEST_TARGET_APIFROMC_H
#define PHANTOM_TEST_TARGET_APIFROMC_H

#ifdef __cplusplus
extern "C" {
#endif

/** Opens the model of TestModels.h, trains it for `steps` steps of one batch, and infers. `x` and `t` have
 * [4, 16] numbers, `y` takes as many, `losses` one per step. Returns what failed, or null. */
const char *train_from_c(const char *folder, const float *x, const float *t, int steps, double *losses,
                         float *y);

#ifdef __cplusplus
}
#endif

#endif
