//===- Evaluator.h - Loss and accuracy on data ------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_TRAIN_EVALUATOR_H
#define PHANTOM_RT_LIB_TRAIN_EVALUATOR_H

#include "phantom-rt/Session.h"

namespace phantom::rt {

/// Runs "evaluate" over a data set, as often as is asked for.
class Evaluator {
public:
  /// `runtime` and `function`, which is "evaluate", outlive the evaluator.
  static llvm::Expected<std::unique_ptr<Evaluator>> create(Runtime &runtime, FunctionInstance &function,
                                                           const DataFiles &files);

  /// Of all rows; a last partial batch is padded and masked.
  llvm::Expected<EvaluationReport> run();

private:
  Evaluator(Runtime &runtime, FunctionInstance &function, DataSet data, const Result &loss);
  int64_t countCorrect(int64_t rows) const;

  Runtime &runtime;
  FunctionInstance &function;
  DataSet data;
  const Result &loss;
  const Result *classes = nullptr; ///< the output that says them; null: no accuracy
  size_t target = 0;               ///< argument with the targets
};

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_TRAIN_EVALUATOR_H
