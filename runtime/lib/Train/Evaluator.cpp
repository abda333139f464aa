//===- Evaluator.cpp - Loss and accuracy on data --------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Evaluator.h"

#include "Batches.h"
#include "NumberText.h"
#include "phantom-rt/Error.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace phantom::rt {

Expected<std::unique_ptr<Evaluator>> Evaluator::create(Runtime &runtime, FunctionInstance &function,
                                                       const DataFiles &files) {
  const Program &program = runtime.program();
  Expected<DataSet> data = DataSet::open(files, program, function.function());
  if (!data)
    return data.takeError();
  const Result *loss = function.result(Role::Loss);
  if (!loss)
    return makeError("step program: function 'evaluate' returns no loss");
  if (data->rows() % program.batch && !function.hasRole(Role::ValidCount))
    return makeError(
        "step program: function 'evaluate' cannot mask a partial batch; use a batch size that divides " +
        Twine(data->rows()));
  return std::unique_ptr<Evaluator>(new Evaluator(runtime, function, std::move(*data), *loss));
}

Evaluator::Evaluator(Runtime &runtime, FunctionInstance &function, DataSet data, const Result &loss)
    : runtime(runtime), function(function), data(std::move(data)), loss(loss) {
  const Result *output = function.result(Role::Output);
  const std::vector<Argument> &arguments = function.function().arguments;
  for (size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].role == Role::Target && arguments[i].type.elements() > 0 && output &&
        runtime.program().loss == "cross-entropy" && isFloat(output->type.element)) {
      classes = output;
      target = i;
    }
}

template <typename T>
static int64_t countLargest(const std::byte *output, ArrayRef<int64_t> targets, int64_t classes) {
  const T *row = reinterpret_cast<const T *>(output);
  int64_t correct = 0;
  for (int64_t wanted : targets) {
    correct += std::max_element(row, row + classes) - row == wanted;
    row += classes;
  }
  return correct;
}

/// The targets whose largest output is theirs, among the first `rows` rows.
int64_t Evaluator::countCorrect(int64_t rows) const {
  const Argument &argument = function.function().arguments[target];
  std::vector<int64_t> targets(argument.type.elements() / runtime.program().batch * rows);
  convertElements(storageType(argument.type.element), function.argument(target), ElementType::I64,
                  targets.data(), int64_t(targets.size()));
  const std::byte *output = function.address(runtime.team().leader(), *classes);
  const int64_t count = classes->type.shape.back();
  return classes->type.element == ElementType::F32 ? countLargest<float>(output, targets, count)
                                                   : countLargest<double>(output, targets, count);
}

Expected<EvaluationReport> Evaluator::run() {
  EvaluationReport report;
  report.rows = data.rows();
  int64_t correct = 0;
  const int64_t leader = runtime.team().leader();
  Error error = forEachBatch(runtime, function, data, [&](int64_t rank, int64_t, int64_t valid) -> Error {
    if (rank != leader)
      return Error::success();
    // The loss of a batch is the mean over its valid rows.
    report.loss += function.scalar(rank, loss) * double(valid) / double(data.rows());
    if (classes)
      correct += countCorrect(valid);
    return Error::success();
  });
  if (error)
    return error;
  if (classes) {
    const int64_t perRow = function.function().arguments[target].type.elements() / runtime.program().batch;
    report.accuracy = double(correct) / double(perRow * data.rows());
  }
  // What follows from it must follow alike in all processes.
  if (Error different = runtime.team().broadcast(report, "the result of an evaluation"))
    return different;
  if (std::isfinite(report.loss))
    return report;
  return makeError("the loss on " + data.label() + " is " + numberText(report.loss) +
                   ": check the data and the parameters for NaN, and for what is too large");
}

} // namespace phantom::rt
