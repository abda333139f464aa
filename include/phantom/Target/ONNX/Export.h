//===- Export.h - Writes ONNX models ----------------------------- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TARGET_ONNX_EXPORT_H
#define PHANTOM_TARGET_ONNX_EXPORT_H

#include "phantom-rt/HostTensor.h"

#include "mlir/IR/BuiltinOps.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace phantom::onnx {

/// Trained parameters, by the names and in the shapes that parameter files have: dense ones whole, and of a
/// phantom layer `local` [p, m_out, m_in], `compressor` [p, k, m_in] and `decompressor` [p, p, k, m_out].
class TrainedTensors {
public:
  virtual ~TrainedTensors() = default;

  /// What holds them, for messages.
  virtual std::string description() const = 0;
  virtual std::optional<std::vector<int64_t>> shape(llvm::StringRef name) const = 0;
  /// The values of a tensor that has a shape.
  virtual llvm::Expected<rt::FileTensor> read(llvm::StringRef name) const = 0;
};

enum class ExportForm {
  Dense,   ///< one weight per layer, as in the model that was imported
  Factored ///< phantom layers keep their factors: fewer parameters and operations
};

struct ExportOptions {
  ExportForm form = ExportForm::Dense;
  /// Where the values come from. Null: from the sources that the IR names.
  const TrainedTensors *trained = nullptr;
  /// Folder that the IR's sources are relative to.
  std::string baseDir;
};

/// A model that is ready to be written: its graph, and where its weights come from. Refers to no IR.
class OnnxExport {
public:
  /// Builds the graph of a dense model. Where an op cannot be exported, or a parameter has no values, emits
  /// one error that names it and returns failure.
  static mlir::FailureOr<OnnxExport> create(mlir::ModuleOp module, const ExportOptions &options);

  OnnxExport(OnnxExport &&);
  OnnxExport &operator=(OnnxExport &&);
  ~OnnxExport();

  /// Layers that the trained parameters have in factors.
  size_t phantomLayers() const;

  /// Writes the model atomically. Weights of more than 1 GB, and any where `external`, go to one file beside
  /// it: its name and ".data". `trained` holds the tensors that `create` saw.
  llvm::Error write(llvm::StringRef path, const TrainedTensors *trained, bool external) const;

private:
  struct Plan;
  explicit OnnxExport(std::unique_ptr<Plan> plan);
  std::unique_ptr<Plan> plan;
};

} // namespace phantom::onnx

#endif // PHANTOM_TARGET_ONNX_EXPORT_H
