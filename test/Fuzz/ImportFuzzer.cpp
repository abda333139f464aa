//===- ImportFuzzer.cpp - Any bytes import or are refused -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Inputs are ONNX files. What imports is made ready for export, and recognised and verified, as
// phantom-translate does.

#include "Fuzzer.h"

#include "phantom/Dialect/Phantom/Transforms/Passes.h"
#include "phantom/Target/ONNX/Export.h"
#include "phantom/Target/ONNX/Import.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ::phantom::fuzz::Context context;
  auto file = llvm::MemoryBuffer::getMemBuffer(llvm::StringRef(reinterpret_cast<const char *>(data), size),
                                               "fuzz.onnx", /*RequiresNullTerminator=*/false);
  auto module = ::phantom::onnx::importOnnxModel(std::move(file), "fuzz.onnx", context.mlir);
  if (failed(module)) {
    context.expectError();
    return 0;
  }
  if (failed(::phantom::onnx::OnnxExport::create(**module, {})))
    context.expectError();
  PassManager passes(&context.mlir);
  passes.addPass(mlir::phantom::createPhantomRecognize());
  passes.addPass(createCanonicalizerPass());
  if (failed(passes.run(**module)))
    context.expectError();
  return 0;
}
