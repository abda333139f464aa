//===- KernelsToGpu.cpp - Kernels to a gpu.module ---------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Threads.h"

#include "phantom/Conversion/GpuChips.h"
#include "phantom/Conversion/KernelLowering.h"
#include "phantom/Conversion/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_CONVERTPHANTOMKERNELSTOGPU
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

struct KernelsToGpuPass : phantom::impl::ConvertPhantomKernelsToGpuBase<KernelsToGpuPass> {
  using ConvertPhantomKernelsToGpuBase::ConvertPhantomKernelsToGpuBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<SmallVector<Attribute>> targets = findTargets();
    if (failed(targets))
      return signalPassFailure();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto gpuKernels = gpu::GPUModuleOp::create(builder, module.getLoc(), "kernels", *targets);
    if (auto kernels = module.lookupSymbol<ModuleOp>("kernels")) {
      for (auto kernel : kernels.getOps<func::FuncOp>())
        if (failed(convert(kernel, gpuKernels)))
          return signalPassFailure();
      kernels.erase();
    }
    if (failed(expandArithmetic(gpuKernels)))
      signalPassFailure();
  }

private:
  FailureOr<SmallVector<Attribute>> findTargets() {
    for (const std::string &name : chips)
      if (!findGpuChip(name)) {
        getOperation().emitError() << "cannot compile kernels for '" << name << "'; the chips are "
                                   << gpuChipNames();
        return failure();
      }
    SmallVector<Attribute> targets;
    for (const GpuChip &chip : gpuChips())
      if (chips.empty() || llvm::is_contained(chips, chip.name)) {
        std::string features = "+ptx" + std::to_string(chip.ptxVersion);
        targets.push_back(NVVM::NVVMTargetAttr::get(&getContext(), /*optLevel=*/3, "nvptx64-nvidia-cuda",
                                                    chip.name, features));
      }
    return targets;
  }

  LogicalResult convert(func::FuncOp kernel, gpu::GPUModuleOp gpuKernels) {
    if (kernel.isExternal() || !llvm::hasSingleElement(kernel.getBody()))
      return kernel.emitOpError("is no kernel: it must have one block of ops");
    OpBuilder builder = OpBuilder::atBlockEnd(gpuKernels.getBody());
    auto copy = gpu::GPUFuncOp::create(builder, kernel.getLoc(), kernel.getName(), kernel.getFunctionType());
    copy->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), builder.getUnitAttr());
    IRMapping mapping;
    for (auto [i, argument] : llvm::enumerate(kernel.getArguments())) {
      mapping.map(argument, copy.getArgument(i));
      copy.setArgAttrs(i, kernel.getArgAttrDict(i));
    }
    builder.setInsertionPointToEnd(&copy.getBody().front());
    std::optional<Grid> grid;
    Fills fills;
    for (Operation &op : kernel.getBody().front().without_terminator()) {
      if (op.hasTrait<OpTrait::ConstantLike>()) {
        builder.clone(op, mapping);
        continue;
      }
      if (grid)
        return op.emitOpError("is the second op of a kernel; a kernel has one, and fills before it");
      if (linalg::FillOp fill = fillOfLast(&op)) {
        fills[fill.getOutputs().front()] = fill.getInputs().front();
        continue;
      }
      FailureOr<Grid> divided = divide(&op, copy, mapping, fills);
      if (failed(divided))
        return failure();
      grid = *divided;
      builder.setInsertionPointToEnd(&copy.getBody().front());
    }
    gpu::ReturnOp::create(builder, kernel.getLoc());
    auto sizes = [&](int64_t size) {
      return builder.getDenseI32ArrayAttr({static_cast<int32_t>(size), 1, 1});
    };
    const Grid shape = grid.value_or(Grid());
    copy.setKnownGridSizeAttr(sizes(shape.blocks));
    copy.setKnownBlockSizeAttr(sizes(shape.threads));
    return success();
  }

  /// `op` if it is a fill of what the kernel's last op starts from.
  static linalg::FillOp fillOfLast(Operation *op) {
    auto fill = dyn_cast<linalg::FillOp>(op);
    auto last = dyn_cast_or_null<linalg::LinalgOp>(op->getBlock()->getTerminator()->getPrevNode());
    if (!fill || !last || isa<linalg::FillOp>(last))
      return nullptr;
    for (OpOperand &init : last.getDpsInitsMutable())
      if (init.get() == fill.getOutputs().front() &&
          last.getMatchingIndexingMap(&init).isProjectedPermutation())
        return fill;
    return nullptr;
  }

  FailureOr<Grid> divide(Operation *op, gpu::GPUFuncOp kernel, const IRMapping &mapping, const Fills &fills) {
    if (auto structured = dyn_cast<linalg::LinalgOp>(op)) {
      if (structured.hasDynamicShape() || structured.hasPureTensorSemantics())
        return op->emitOpError("must be on buffers of static shape");
      return divideStructured(structured, kernel, mapping, fills, blockReduction);
    }
    if (auto loop = dyn_cast<scf::ForOp>(op); loop && loop.getNumResults() == 0 && fills.empty())
      return divideLoops(loop, kernel, mapping);
    return op->emitOpError("cannot become a kernel for a GPU: run phantom-outline-kernels");
  }
};

} // namespace
