//===- OutlineKernels.cpp - linalg ops and loops to kernels -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BufferAliases.h"

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMOUTLINEKERNELS
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// What a kernel takes and needs.
struct Operands {
  llvm::SetVector<Value> inputs, outputs; ///< buffers; one that is both is an output
  llvm::SetVector<Value> constants;       ///< cloned into the kernel
};

/// The fill of the buffer that a result of `op` starts from, if nothing else sees it; null: none.
linalg::FillOp fillOf(linalg::LinalgOp op, OpOperand &init) {
  Value buffer = init.get();
  if (!buffer.getDefiningOp<memref::AllocOp>() || !op.getMatchingIndexingMap(&init).isProjectedPermutation())
    return nullptr;
  linalg::FillOp fill;
  for (OpOperand &use : buffer.getUses()) {
    Operation *user = use.getOwner();
    if (user->getBlock() != op->getBlock() || isa<ViewLikeOpInterface>(user))
      return nullptr;
    if (!user->isBeforeInBlock(op))
      continue;
    if (fill || !isa<linalg::FillOp>(user))
      return nullptr;
    fill = cast<linalg::FillOp>(user);
  }
  return fill;
}

struct OutlineKernelsPass : phantom::impl::PhantomOutlineKernelsBase<OutlineKernelsPass> {
  using PhantomOutlineKernelsBase::PhantomOutlineKernelsBase;

  void runOnOperation() override {
    kernels = ModuleOp();
    byText.clear();
    counts.clear();
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      replaceCopies(function);
      for (ArrayRef<Operation *> ops : findKernels(function))
        if (failed(outline(ops)))
          return signalPassFailure();
    }
  }

private:
  static void replaceCopies(func::FuncOp function) {
    for (auto copy : llvm::to_vector(function.getOps<memref::CopyOp>())) {
      OpBuilder builder(copy);
      linalg::makeMemRefCopyOp(builder, copy.getLoc(), copy.getSource(), copy.getTarget());
      copy.erase();
    }
  }

  /// The ops of each kernel: one that does its work, behind fills of what it adds to.
  SmallVector<SmallVector<Operation *>> findKernels(func::FuncOp function);
  FailureOr<Operands> findOperands(ArrayRef<Operation *> ops);
  LogicalResult outline(ArrayRef<Operation *> ops);
  func::FuncOp getKernel(ArrayRef<Operation *> ops, const Operands &operands);
  func::FuncOp buildKernel(ArrayRef<Operation *> ops, const Operands &operands);
  ModuleOp getKernelsModule();

  ModuleOp kernels;
  llvm::StringMap<func::FuncOp> byText;
  llvm::StringMap<int> counts;
};

ModuleOp OutlineKernelsPass::getKernelsModule() {
  if (!kernels) {
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    kernels = ModuleOp::create(builder, getOperation().getLoc(), "kernels");
  }
  return kernels;
}

FailureOr<Operands> OutlineKernelsPass::findOperands(ArrayRef<Operation *> ops) {
  Operands operands;
  // The fills come first, but the order of operands is that of the op which does the work.
  llvm::SetVector<Value> used;
  for (Operation *op : llvm::reverse(ops)) {
    used.insert_range(op->getOperands());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    op->walk([&](MemoryEffectOpInterface nested) {
      SmallVector<MemoryEffects::EffectInstance> effects;
      nested.getEffects(effects);
      for (const MemoryEffects::EffectInstance &effect : effects)
        if (isa<MemoryEffects::Write>(effect.getEffect()) && used.contains(effect.getValue()))
          operands.outputs.insert(effect.getValue());
    });
  }
  for (Value value : used) {
    Operation *definition = value.getDefiningOp();
    if (operands.outputs.contains(value))
      continue;
    if (isa<MemRefType>(value.getType()))
      operands.inputs.insert(value);
    else if (definition && matchPattern(definition, m_Constant()))
      operands.constants.insert(value);
    else
      return ops.back()->emitOpError(
          "uses a value that is neither a buffer nor a constant: it cannot become a kernel");
  }
  return operands;
}

/// Whether one of its loops never runs.
bool doesNothing(Operation *op) {
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  return structured && llvm::is_contained(structured.getStaticLoopRanges(), 0);
}

/// A name that says what the op does.
StringRef kernelName(Operation *op) {
  if (isa<linalg::FillOp>(op))
    return "fill";
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  if (!structured)
    return "loop";
  if (structured.getNumReductionLoops() > 0)
    return "reduce";
  return llvm::hasSingleElement(*structured.getBlock()) ? "move" : "elementwise";
}

func::FuncOp OutlineKernelsPass::buildKernel(ArrayRef<Operation *> ops, const Operands &operands) {
  MLIRContext *context = &getContext();
  Location location = ops.back()->getLoc();
  SmallVector<Value> buffers = llvm::to_vector(operands.inputs);
  llvm::append_range(buffers, operands.outputs);
  auto type = FunctionType::get(context, TypeRange(ValueRange(buffers)), {});
  OpBuilder builder(context);
  auto kernel = func::FuncOp::create(builder, location, "kernel", type);
  Block *block = kernel.addEntryBlock();
  builder.setInsertionPointToEnd(block);
  IRMapping mapping;
  for (auto [buffer, argument] : llvm::zip(buffers, block->getArguments()))
    mapping.map(buffer, argument);
  for (Value constant : operands.constants)
    builder.clone(*constant.getDefiningOp(), mapping);
  for (Operation *op : ops)
    builder.clone(*op, mapping);
  func::ReturnOp::create(builder, location);
  for (auto [i, buffer] : llvm::enumerate(buffers)) {
    auto shares = [&, buffer = buffer](Value other) {
      return other != buffer && rootOf(other) == rootOf(buffer);
    };
    if (llvm::none_of(buffers, shares))
      kernel.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(), UnitAttr::get(context));
  }
  return kernel;
}

func::FuncOp OutlineKernelsPass::getKernel(ArrayRef<Operation *> ops, const Operands &operands) {
  func::FuncOp kernel = buildKernel(ops, operands);
  std::string text;
  llvm::raw_string_ostream stream(text);
  kernel.print(stream, OpPrintingFlags().useLocalScope().enableDebugInfo(false));
  func::FuncOp &known = byText[text];
  if (known) {
    kernel.erase();
    return known;
  }
  StringRef name = kernelName(ops.back());
  kernel.setName((name + "_" + Twine(counts[name]++)).str());
  getKernelsModule().push_back(kernel);
  return known = kernel;
}

SmallVector<SmallVector<Operation *>> OutlineKernelsPass::findKernels(func::FuncOp function) {
  SmallVector<SmallVector<Operation *>> kernels;
  llvm::DenseSet<Operation *> taken;
  for (Operation &op : function.getOps()) {
    if (!isa<linalg::LinalgOp, scf::ForOp>(op))
      continue;
    SmallVector<Operation *> &ops = kernels.emplace_back();
    auto structured = dyn_cast<linalg::LinalgOp>(op);
    if (mergeFills && structured && !isa<linalg::FillOp>(op) && !doesNothing(&op))
      for (OpOperand &init : structured.getDpsInitsMutable())
        if (linalg::FillOp fill = fillOf(structured, init)) {
          ops.push_back(fill);
          taken.insert(fill);
        }
    ops.push_back(&op);
  }
  llvm::erase_if(kernels, [&](ArrayRef<Operation *> ops) { return taken.contains(ops.back()); });
  return kernels;
}

LogicalResult OutlineKernelsPass::outline(ArrayRef<Operation *> ops) {
  Operation *op = ops.back();
  if (op->getNumResults() != 0)
    return op->emitOpError("works on tensors: run phantom-bufferize before");
  if (doesNothing(op)) {
    op->erase();
    return success();
  }
  FailureOr<Operands> operands = findOperands(ops);
  if (failed(operands))
    return failure();
  func::FuncOp kernel = getKernel(ops, *operands);
  OpBuilder builder(op);
  auto symbol = SymbolRefAttr::get(getKernelsModule().getSymNameAttr(), {SymbolRefAttr::get(kernel)});
  LaunchOp::create(builder, op->getLoc(), symbol, operands->inputs.getArrayRef(),
                   operands->outputs.getArrayRef());
  for (Operation *merged : ops)
    merged->erase();
  return success();
}

} // namespace
