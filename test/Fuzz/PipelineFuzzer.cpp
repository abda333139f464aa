//===- PipelineFuzzer.cpp - Any IR runs through the passes or is refused -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Inputs are IR as text. Its first line may be a comment with options of the train pipeline: "// ranks=4
// loss=mse". What survives is lowered down to kernels and a step program, but not executed.

#include "Fuzzer.h"

#include "phantom/Conversion/Pipelines.h"
#include "phantom/Pipelines/Pipelines.h"
#include "phantom/Target/StepProgram/StepProgram.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

/// The options that the first line names; the default ones where it names none.
static std::unique_ptr<::phantom::TrainPipelineOptions> readOptions(llvm::StringRef text) {
  llvm::StringRef line = text.take_until([](char c) { return c == '\n'; });
  auto options = std::make_unique<::phantom::TrainPipelineOptions>();
  if (line.consume_front("// ") && failed(options->parseFromString(line)))
    return std::make_unique<::phantom::TrainPipelineOptions>();
  return options;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ::phantom::fuzz::Context context;
  std::string text(reinterpret_cast<const char *>(data), size);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context.mlir);
  if (!module)
    return 0;
  PassManager front(&context.mlir);
  ::phantom::buildTrainPipeline(front, *readOptions(text));
  if (failed(front.run(*module))) {
    context.expectError();
    return 0;
  }
  PassManager back(&context.mlir);
  mlir::phantom::buildToCpuPipeline(back, mlir::phantom::ToCpuPipelineOptions());
  if (failed(back.run(*module)) || failed(mlir::phantom::exportStepProgram(*module)))
    context.expectError();
  return 0;
}
