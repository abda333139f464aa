//===- Parameters.h - Which constants of a model are parameters -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_PARAMETERS_H
#define PHANTOM_LIB_TARGET_ONNX_PARAMETERS_H

#include "Model.h"

#include "phantom-rt/SafeTensors.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"
#include "phantom/Target/ONNX/Import.h"

namespace phantom::onnx {

/// An initializer that becomes a `phantom.parameter` and an argument of `@forward`.
struct Parameter {
  std::shared_ptr<Tensor> tensor;
  std::string symbol;
  /// The tensor's, without the leading 1 of a bias.
  llvm::ArrayRef<int64_t> dims;
  bool trainable = false;
  mlir::RankedTensorType type;
  mlir::phantom::SourceAttr source;
};

/// The parameters of a normalised model, in the order of the file: floating-point initializers that nodes use
/// and that are not constants. Constants are scalars and, unless a layer has them as its weight or bias,
/// single elements of any shape and small values of Constant nodes. Not trainable are parameters that nodes
/// only subtract or divide by (means and deviations of the data), and the values of Constant nodes, unless a
/// layer uses them.
class ParameterSet {
public:
  /// Emits an error where the bytes of a parameter cannot be found.
  static mlir::FailureOr<ParameterSet> create(const Model &model, const ImportOptions &options,
                                              mlir::MLIRContext &context);

  llvm::ArrayRef<Parameter> parameters() const { return entries; }

  /// Writes the .safetensors file that the sources refer to, if there is one.
  mlir::LogicalResult write(const ImportOptions &options, mlir::Location location) const;

private:
  mlir::LogicalResult locate(Parameter &parameter, const Model &model, const ImportOptions &options,
                             mlir::Location location);

  std::vector<Parameter> entries;
  std::vector<rt::NamedTensor> written; ///< to the weights file
};

/// Whether an initializer that is used like this is trained, and the value of a Constant node is not.
bool isTrainedUnlessLiteral(const Model &model, const Tensor &initializer);

/// The little-endian elements of a tensor; external ones from their file.
llvm::Expected<std::string> readBytes(const Tensor &tensor, llvm::StringRef modelPath,
                                      llvm::StringRef dataDir);

/// Reads all elements of a floating-point tensor as f32; external ones from their file.
llvm::Expected<std::vector<float>> readFloats(const Tensor &tensor, llvm::StringRef modelPath,
                                              llvm::StringRef dataDir);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_PARAMETERS_H
