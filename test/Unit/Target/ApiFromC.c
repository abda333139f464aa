/*===- ApiFromC.c - The interface to C, used from C ------------------*- C -*-===*\
|*                                                                              *|
|* Part of the Phantom project, under the Apache License v2.0 with LLVM         *|
|* Exceptions. See LICENSE for license information.                             *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                      *|
|*                                                                              *|
\*===------------------------------------------------------------------------===*/

#include "ApiFromC.h"

#include "phantom-rt.h"

const char *train_from_c(const char *folder, const float *x, const float *t, int steps, double *losses,
                         float *y) {
  const size_t bytes = 4 * 16 * sizeof(float);
  const phantom_input input = {"x", x, bytes};
  const phantom_output output = {NULL, y, bytes};
  phantom_session *session = NULL;
  const char *failure = NULL;
  int step;
  if (phantom_session_open(folder, NULL, &session))
    return phantom_last_error();
  for (step = 0; step < steps && !failure; ++step)
    if (phantom_train_step(session, &input, 1, t, bytes, 0.01, &losses[step]))
      failure = phantom_last_error();
  if (!failure && phantom_infer(session, &input, 1, 4, &output, 1))
    failure = phantom_last_error();
  phantom_session_close(session);
  return failure;
}
