/*===- phantom-rt.h - Runs compiled models, from C ----------------*- C -*-===*\
|*                                                                            *|
|* Part of the Phantom project, under the Apache License v2.0 with LLVM       *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Opens a folder that `phantom-run compile` wrote, and infers or trains with *|
|* arrays in the caller's memory.                                             *|
|*                                                                            *|
|* Errors. A function that returns `int` returns 0, or 1 after an error, that *|
|* `phantom_last_error` then describes; its outputs are undefined then. A     *|
|* null pointer is an error unless the function says otherwise; a number of   *|
|* what a null session has is 0.                                              *|
|*                                                                            *|
|* Memory. Arrays belong to the caller, and are not kept after the call.      *|
|* Strings and shapes that the library returns belong to the session, and     *|
|* live as long as it does.                                                   *|
|*                                                                            *|
|* Threads. A session starts a thread for each rank of its model but the      *|
|* first: that is the thread that calls. Its functions are called by one      *|
|* thread at a time; different sessions by different threads at the same      *|
|* time. If a rank hangs longer than the deadline, and does not leave after   *|
|* that, the process ends with status 1.                                      *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef PHANTOM_RT_H
#define PHANTOM_RT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The library's version: "major.minor.patch". A compiled model runs in the version that made it. */
const char *phantom_version(void);

/** What went wrong in the last call that this thread made and that failed: one line. Valid until the thread's
 *  next call that fails. */
const char *phantom_last_error(void);

/*===--- Sessions --------------------------------------------------------===*/

/** A compiled model with its ranks, parameters and optimizer state. */
typedef struct phantom_session phantom_session;

typedef struct phantom_options {
  /** A .safetensors file with the parameters; null: the first values that the model was compiled for, read
   * from the files that it names. */
  const char *parameters;
  /** Of random first values. */
  uint64_t seed;
  /** Deadline of every wait for another rank, in seconds. */
  double timeout_seconds;
  /** Not 0: every rank's thread is bound to cores of its own; the caller's during calls. */
  int bind_threads;
  /** Threads of each rank's matrix products. */
  int64_t threads_per_rank;
} phantom_options;

/** Sets the defaults: no file, seed 0, 120 seconds, not bound, one thread per rank. */
void phantom_options_init(phantom_options *options);

/** Loads the compiled model in `folder`. Null options are the defaults. */
int phantom_session_open(const char *folder, const phantom_options *options, phantom_session **session);

/** Ends the session's threads and frees it. Null is nothing to do. */
void phantom_session_close(phantom_session *session);

/** The number of ranks. */
int64_t phantom_ranks(const phantom_session *session);

/** The rows of one batch, of all ranks together. */
int64_t phantom_batch(const phantom_session *session);

/** The rows of one training step: those of a batch, times the parts that the model was compiled to
 * accumulate. */
int64_t phantom_step_rows(const phantom_session *session);

/*===--- What the model takes and returns --------------------------------===*/

typedef enum phantom_type {
  PHANTOM_F32,
  PHANTOM_F64,
  PHANTOM_I8,
  PHANTOM_I16,
  PHANTOM_I32,
  PHANTOM_I64,
  PHANTOM_U8,
  PHANTOM_U16,
  PHANTOM_U32,
  PHANTOM_U64,
  PHANTOM_BOOL /**< one byte, 0 or 1 */
} phantom_type;

/** A dense, row-major tensor. */
typedef struct phantom_tensor {
  const char *name;
  phantom_type type;
  size_t rank; /**< number of dimensions */
  const int64_t *shape;
  size_t bytes; /**< of all elements */
} phantom_tensor;

/** Inputs, in the model's order. The first dimension is the batch, where the model has one. */
size_t phantom_input_count(const phantom_session *session);
int phantom_input_at(const phantom_session *session, size_t index, phantom_tensor *tensor);

/** Outputs of inference, in the model's order, likewise. There are none where the model was compiled without
 *  inference. */
size_t phantom_output_count(const phantom_session *session);
int phantom_output_at(const phantom_session *session, size_t index, phantom_tensor *tensor);

/** The targets of a training step: classes (cross-entropy), or values of the output's shape. An error where
 * the model was compiled without training. */
int phantom_targets(const phantom_session *session, phantom_tensor *tensor);

/** Parameters, then the optimizer's state, with the shapes of all ranks together, as parameter files have
 *  them: what is replicated once, what is divided whole, what each rank has of its own stacked along a first
 *  dimension. */
size_t phantom_parameter_count(const phantom_session *session);
int phantom_parameter_at(const phantom_session *session, size_t index, phantom_tensor *tensor);

/*===--- Parameters ------------------------------------------------------===*/

/** Copies a parameter's `bytes` bytes to or from `data`. An error if the parameter has another size. */
int phantom_get_parameter(const phantom_session *session, const char *name, void *data, size_t bytes);
int phantom_set_parameter(phantom_session *session, const char *name, const void *data, size_t bytes);

/** Reads or writes all parameters and optimizer state as a .safetensors file. A file may leave out optimizer
 *  state and parameters that are not trained; they keep their values. Writing is atomic. */
int phantom_load_parameters(phantom_session *session, const char *path);
int phantom_save_parameters(const phantom_session *session, const char *path);

/*===--- Runs ------------------------------------------------------------===*/

/** The data of one input. Null names the only one. */
typedef struct phantom_input {
  const char *name;
  const void *data;
  size_t bytes;
} phantom_input;

/** The place for one output. Null names the only one. */
typedef struct phantom_output {
  const char *name;
  void *data;
  size_t bytes;
} phantom_output;

/** Computes the outputs that are asked for, for `rows` samples; any number of them: the library cuts them
 * into batches. Every input is needed. An array holds `rows` rows, each as large as the tensor's bytes
 * divided by the batch. Of a model without a batch, arrays are whole tensors, and `rows` is not used. */
int phantom_infer(phantom_session *session, const phantom_input *inputs, size_t input_count, int64_t rows,
                  const phantom_output *outputs, size_t output_count);

/** Trains on exactly `phantom_step_rows` rows: computes the loss and the gradients, and updates the
 * parameters. `loss`, which may be null, is that before the update, the mean over the rows. A loss that is
 * not finite is no error: check it. Optimizers that count steps count those of this session. */
int phantom_train_step(phantom_session *session, const phantom_input *inputs, size_t input_count,
                       const void *targets, size_t targets_bytes, double learning_rate, double *loss);

#ifdef __cplusplus
}
#endif

#endif /* PHANTOM_RT_H */
