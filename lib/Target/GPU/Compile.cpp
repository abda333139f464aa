//===- Compile.cpp - Kernels as code for GPUs, and their twins --*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Target/GPU/Compile.h"

#include "Kernels.h"
#include "Toolkit.h"

#include "phantom/Target/StepProgram/StepProgram.h"

#include <optional>

using namespace mlir;
using namespace mlir::phantom;
namespace rt = ::phantom::rt;

namespace {

llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// Fills in the image and what ptxas says of it.
class ImageBuilder {
public:
  ImageBuilder(gpu::GPUModuleOp kernels, const GpuCompileOptions &options, CompiledGpuProgram &result)
      : kernels(kernels), options(options), result(result) {}

  llvm::Error build() {
    if (options.image == GpuImage::None || result.program.kernels.empty())
      return llvm::Error::success();
    if (options.image == GpuImage::Fatbin)
      if (llvm::Error error = findToolkit())
        return error;
    OwningOpRef<ModuleOp> lowered = lowerToNvvm(kernels);
    if (!lowered)
      return makeError("the kernels do not lower to NVVM");
    std::vector<ChipCode> codes;
    for (Attribute attribute : kernels.getTargetsAttr()) {
      auto target = cast<NVVM::NVVMTargetAttr>(attribute);
      llvm::Expected<std::string> ptx = emitPtx(*lowered, target, [&] { return findLibdevice(); });
      if (!ptx)
        return ptx.takeError();
      codes.push_back({target.getChip().str(), std::move(*ptx), ""});
      if (options.image == GpuImage::Ptx)
        break;
    }
    return options.image == GpuImage::Ptx ? keepPtx(codes.front()) : pack(codes);
  }

private:
  llvm::Error findToolkit() {
    if (toolkit)
      return llvm::Error::success();
    llvm::Expected<CudaToolkit> found = CudaToolkit::find(options.toolkit);
    if (!found)
      return found.takeError();
    toolkit = std::move(*found);
    return llvm::Error::success();
  }

  llvm::Expected<std::string> findLibdevice() {
    if (llvm::Error error = findToolkit())
      return error;
    return toolkit->libdevice();
  }

  llvm::Error keepPtx(const ChipCode &code) {
    result.image.assign(code.ptx.begin(), code.ptx.end());
    result.image.push_back(0);
    return llvm::Error::success();
  }

  llvm::Error pack(std::vector<ChipCode> &codes) {
    for (ChipCode &code : codes)
      if (llvm::Error error = toolkit->assemble(code, result.resources))
        return error;
    return toolkit->pack(codes).moveInto(result.image);
  }

  gpu::GPUModuleOp kernels;
  const GpuCompileOptions &options;
  CompiledGpuProgram &result;
  std::optional<CudaToolkit> toolkit;
};

} // namespace

llvm::Error mlir::phantom::findCudaToolkit(const GpuCompileOptions &options) {
  return CudaToolkit::find(options.toolkit).takeError();
}

llvm::Expected<CompiledGpuProgram> mlir::phantom::compileForGpu(ModuleOp module,
                                                                const GpuCompileOptions &options) {
  auto kernels = module.lookupSymbol<gpu::GPUModuleOp>("kernels");
  if (!kernels || !kernels.getTargetsAttr() || kernels.getTargetsAttr().empty())
    return makeError("the module has no gpu.module @kernels with targets: run phantom-to-cuda-pipeline");
  FailureOr<rt::Program> program = exportStepProgram(module);
  if (failed(program))
    return makeError("the module is no step program");
  CompiledGpuProgram result;
  result.program = std::move(*program);
  if (llvm::Error error = ImageBuilder(kernels, options, result).build())
    return error;
  if (!options.twins || result.program.kernels.empty())
    return result;
  for (auto [name, arguments] : llvm::zip(result.program.kernels, result.program.kernelArguments))
    result.twins.push_back(describeTwin(kernels.lookupSymbol<gpu::GPUFuncOp>(name), arguments));
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> code = compileTwins(kernels);
  if (!code)
    return code.takeError();
  result.twinsCode = std::move(*code);
  return result;
}
