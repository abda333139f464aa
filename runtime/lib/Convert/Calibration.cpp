//===- Calibration.cpp - Moments of activations over calibration data -----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Calibration.h"

#include "phantom-rt/CpuRuntime.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/Npy.h"

#include <cmath>

using namespace llvm;

namespace phantom::rt {

Expected<int64_t> countRows(const DataFiles &data) {
  if (data.inputs.empty())
    return makeError("no calibration data are given");
  const std::string &path = data.inputs.front().path;
  Expected<FileTensor> tensor = readNpy(path);
  if (!tensor)
    return tensor.takeError();
  if (tensor->shape.empty() || tensor->shape[0] == 0)
    return makeError("'" + path + "' has no rows to calibrate with");
  return tensor->shape[0];
}

/// The elements as f64, in rows of the type's last dimension.
static Matrix toRows(const TensorType &type, const std::byte *bytes) {
  const int64_t width = type.shape.empty() ? 1 : type.shape.back();
  Matrix rows(width ? type.elements() / width : 0, width);
  convertElements(storageType(type.element), bytes, ElementType::F64, rows.values.data(), type.elements());
  return rows;
}

/// An error that names the row of the data, where a value is not finite. The batch begins with row `first`.
static Error checkFinite(const Matrix &values, const Twine &what, int64_t first, int64_t batch) {
  auto found = find_if_not(values.values, [](double value) { return std::isfinite(value); });
  if (found == values.values.end())
    return Error::success();
  const int64_t perRow = std::max<int64_t>(int64_t(values.values.size()) / batch, 1);
  return makeError(what + ": NaN or infinity in row " +
                   Twine(first + (found - values.values.begin()) / perRow) + " of the calibration data");
}

static Error checkInputs(FunctionInstance &function, int64_t first, int64_t batch) {
  const Function &signature = function.function();
  for (size_t i = 0; i < signature.arguments.size(); ++i) {
    const Argument &argument = signature.arguments[i];
    if (argument.role != Role::Input || !isFloat(argument.type.element))
      continue;
    if (Error error = checkFinite(toRows(argument.type, function.argument(i)),
                                  "input '" + argument.name + "'", first, batch))
      return error;
  }
  return Error::success();
}

static Error addOutputs(const FunctionInstance &function, int64_t first, int64_t batch,
                        ActivationMoments &moments) {
  for (const Result &result : function.function().results) {
    Matrix rows = toRows(result.type, function.address(0, result));
    if (!all_of(rows.values, [](double value) { return std::isfinite(value); }))
      return makeError("layer '" + result.name + "': what it gets is not finite for some of the rows " +
                       Twine(first) + " to " + Twine(first + batch - 1) + " of the calibration data");
    const int64_t width = rows.columns;
    moments.try_emplace(result.name, width).first->second.add(std::move(rows));
  }
  return Error::success();
}

Error addActivations(const Executable &executable, const DataFiles &files, int64_t first, int64_t last,
                     const RankTeamOptions &team, ActivationMoments &moments) {
  CpuRuntimeOptions options;
  options.team = team;
  Expected<std::unique_ptr<CpuRuntime>> runtime = CpuRuntime::create(executable, options);
  if (!runtime)
    return runtime.takeError();
  const Program &program = (*runtime)->program();
  const Function &signature = *program.function("infer");
  Expected<DataSet> data = DataSet::open(files, program, signature);
  if (!data)
    return data.takeError();
  Expected<std::unique_ptr<FunctionInstance>> function = (*runtime)->bind(signature);
  if (!function)
    return function.takeError();
  const int64_t batch = program.batch;
  return (*runtime)->team().run([&](int64_t rank) -> Error {
    for (int64_t row = first; row < last; row += batch) {
      for (int64_t i = 0; i < batch; ++i)
        data->copyRow(row + i, **function, i);
      if (Error error = checkInputs(**function, row, batch))
        return error;
      if (Error error = (*function)->run(rank))
        return error;
      if (Error error = addOutputs(**function, row, batch, moments))
        return error;
    }
    return Error::success();
  });
}

} // namespace phantom::rt
