//===- Save.h - Writes what was trained -------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_SAVE_H
#define PHANTOM_RUN_SAVE_H

#include "Options.h"

namespace phantom::run {

/// --save: parameters as .safetensors, or the model as .onnx. What cannot be exported is found out before the
/// training, while the model is compiled.
class Saver {
public:
  explicit Saver(const RunOptions &options) : options(options) {}

  /// To be called with the model as it was read from `path`; for CompileOptions::onCompiled.
  mlir::LogicalResult prepare(mlir::ModuleOp model, llvm::StringRef path, const rt::Program &program);
  /// Whether --factored finds nothing to factor.
  bool isFactoredInVain() const;
  llvm::Error save(rt::Session &session) const;

private:
  const RunOptions &options;
  std::optional<onnx::OnnxExport> model;
};

} // namespace phantom::run

#endif // PHANTOM_RUN_SAVE_H
