//===- Compile.h - From a model file to an executable program ---*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_DRIVER_COMPILE_H
#define PHANTOM_DRIVER_COMPILE_H

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/Transforms/ExposeActivations.h"
#include "phantom/Driver/Optimizations.h"
#include "phantom/Pipelines/Pipelines.h"
#include "phantom/Target/CPU/Compile.h"
#include "phantom/Target/GPU/Compile.h"
#include "phantom/Target/ONNX/Import.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace phantom {

using rt::CompiledGpuProgram;
using rt::CompiledProgram;

/// What to compile a model for. Enumerations are those of the passes.
struct CompileOptions {
  Strategy strategy = Strategy::Phantom;
  int64_t ranks = 1;
  int64_t ghostWidth = 0;
  std::map<std::string, int64_t> ghostWidths; ///< of single layers, by name
  std::string select = "*";
  FirstLayer firstLayer = FirstLayer::Dense;
  LastLayer lastLayer = LastLayer::Reduce;
  InitStart init = InitStart::FromDense;
  int64_t batchSize = 0;  ///< rows of a step; 0: the model's own for each part of it, or `openBatch`
  int64_t openBatch = 32; ///< of a model that leaves its batch open
  int64_t accumulate = 1; ///< parts that a step takes its rows in, one after the other
  /// To compile: "forward", "evaluate", "gradients", "train_step" (of `accumulate` parts, what stands for
  /// it).
  std::vector<std::string> functions;
  std::string trainable, frozen; ///< globs over parameter names; empty: as the model says, none
  std::optional<LossKind> loss;  ///< needed by all but "forward"
  OptimizerKind optimizer = OptimizerKind::Sgd;
  double momentum = 0.9, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0;
  std::vector<std::string> weightDecays, learningRateFactors; ///< GLOB=F, over parameter names
  double clipNorm = 0;                                        ///< largest norm of all gradients; 0: any
  double labelSmoothing = 0;                                  ///< of cross-entropy
  bool referenceGemm = false; ///< GEMMs as plain loops instead of library calls: an oracle
  /// f64 needs `referenceGemm`.
  mlir::phantom::Precision precision = mlir::phantom::Precision::F32;
  mlir::phantom::WireEncoding exchangeEncoding = mlir::phantom::WireEncoding::F32; ///< not with f64
  Optimizations optimizations;
  bool recomputeActivations = false;  ///< less memory, more time
  bool fuseGradientEpilogues = false; ///< for GPUs: slopes and bias gradients in GEMMs
  onnx::SharedParameterMode sharedParameters = onnx::SharedParameterMode::Auto;
  std::string dataDir;                          ///< of external data; empty: the model's folder
  std::map<std::string, std::string> constants; ///< .npy files of inputs that become constants
  std::vector<std::string> chips;               ///< GPUs to compile for, such as "sm_90"; empty: all
  mlir::phantom::GpuCompileOptions gpu;         ///< what to make for them
  bool remarks = false;                         ///< print the passes' remarks
  bool strict = false;                          ///< a warning (an option without effect) is an error
  /// If set, called with the model as it was read and the program that was made of it. A failure of it, which
  /// has emitted an error, is one of the compilation.
  std::function<mlir::LogicalResult(mlir::ModuleOp model, const rt::Program &program)> onCompiled;
};

/// Reads `model` (.onnx, .mlir or .mlirbc), and compiles it for this CPU. The returned error is one line that
/// names the file and place; warnings are printed to standard error.
llvm::Expected<CompiledProgram> compileModel(llvm::StringRef model, const CompileOptions &options);

/// As `compileModel`, for GPUs.
llvm::Expected<CompiledGpuProgram> compileModelForGpu(llvm::StringRef model, const CompileOptions &options);

/// A program that computes the inputs of layers of the dense model.
struct CompiledActivations {
  CompiledProgram compiled; ///< its function "infer" returns them
  std::vector<mlir::phantom::ExposedLayer> layers;
};

/// As `compileModel`, of the dense model on one rank; the partition and the functions of `options` do not
/// matter. `batchSize` rows at once, or the model's own batch where that is fixed.
llvm::Expected<CompiledActivations> compileActivations(llvm::StringRef model, const CompileOptions &options,
                                                       llvm::ArrayRef<std::string> layers, int64_t batchSize);

/// The text of a model that CompileOptions::onCompiled got.
std::string printModel(mlir::ModuleOp model);

/// Parses what `printModel` returned, and calls `visit` with it. The returned error is that of the text,
/// which `name` names, or the one that `visit` has emitted.
llvm::Error visitModel(llvm::StringRef text, llvm::StringRef name,
                       llvm::function_ref<mlir::LogicalResult(mlir::ModuleOp)> visit);

} // namespace phantom

#endif // PHANTOM_DRIVER_COMPILE_H
