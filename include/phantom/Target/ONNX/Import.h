//===- Import.h - Reads ONNX models -----------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TARGET_ONNX_IMPORT_H
#define PHANTOM_TARGET_ONNX_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/MemoryBuffer.h"

#include <map>
#include <memory>
#include <string>

namespace phantom::onnx {

/// The opset that export writes, unless the model has a newer one.
inline constexpr int64_t kExportOpset = 17;
/// Module attribute: the model's opset, where it is newer.
inline constexpr llvm::StringLiteral kOpsetAttribute = "phantom.opset";

/// What becomes of an initializer that several nodes use. Exporters merge parameters whose values happen to
/// be equal; in training they would get one gradient.
enum class SharedParameterMode {
  Auto,    ///< one parameter per module, where it is small and the exporter says which modules use it
  Keep,    ///< one parameter, as in the file
  Separate ///< one parameter per module
};

/// Where a model's weights may be read from, and where the IR finds them afterwards.
struct ImportOptions {
  /// Folder that external data must lie in, symbolic links resolved. Empty: the model's.
  std::string dataDir;
  /// The .safetensors file that gets the weights which are inside the model; it is written atomically, and
  /// only where there are any. Empty: the IR refers to them in place, by offset in the model file; weights
  /// that are neither f32 nor f64 are an error then.
  std::string weightsFile;
  /// Folder that the IR's sources are relative to. Empty: that of `weightsFile`, or else the model's.
  std::string baseDir;
  SharedParameterMode sharedParameters = SharedParameterMode::Auto;
  /// .npy files, by the name of the input that they replace: integers, booleans and single numbers, which
  /// become constants of the model. Operators that need a shape or an axis while the model is compiled take
  /// them.
  std::map<std::string, std::string> constants;
};

/// Prints the operators that are imported and their versions, as a table in Markdown.
void printOperatorTable(llvm::raw_ostream &out);

/// Reads the ONNX model `path` as a dense model: a module with `phantom.parameter` declarations and
/// `@forward`, as docs/Architecture.md describes it, verified. Parameters are f32, whatever the model's float
/// type; so are its activations, but for those of f64 in a model without f64 parameters (with a remark).
/// Where the file is no model that this version can read, emits one error and returns failure.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
importOnnxModel(llvm::StringRef path, mlir::MLIRContext &context, const ImportOptions &options = {});

/// Likewise, of the bytes of the file `path`.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> importOnnxModel(std::unique_ptr<llvm::MemoryBuffer> file,
                                                                   llvm::StringRef path,
                                                                   mlir::MLIRContext &context,
                                                                   const ImportOptions &options = {});

} // namespace phantom::onnx

#endif // PHANTOM_TARGET_ONNX_IMPORT_H
