//===- Twins.cpp - GPU kernels as host functions ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "../CPU/HostObject.h"

#include "phantom/Conversion/KernelLowering.h"

#include "phantom-rt/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Support/MathExtras.h"

#include <cstddef>

using namespace mlir;
using namespace mlir::phantom;
namespace rt = ::phantom::rt;

namespace {

constexpr llvm::StringLiteral kBarrier = "phantom_twin_barrier";
/// Workgroup buffers lie behind each other at multiples of this.
constexpr int64_t kAlignment = 16;

int64_t workgroupBytes(MemRefType type) {
  return llvm::alignTo(type.getNumElements() * llvm::divideCeil(type.getElementTypeBitWidth(), 8),
                       kAlignment);
}

/// Makes a function of a kernel: its buffers, its workgroup buffers, and the TwinThread.
class TwinBuilder {
public:
  TwinBuilder(gpu::GPUFuncOp kernel, ModuleOp twins) : kernel(kernel), twins(twins) {}

  LogicalResult build() {
    MLIRContext *context = kernel.getContext();
    auto pointer = LLVM::LLVMPointerType::get(context);
    Block &body = kernel.getBody().front();
    for (BlockArgument buffer : kernel.getWorkgroupAttributions()) {
      auto type = cast<MemRefType>(buffer.getType());
      buffer.setType(MemRefType::get(type.getShape(), type.getElementType()));
    }
    if (!kernel.getPrivateAttributions().empty())
      return kernel.emitOpError("has private memory, which twins do not");
    thread = body.addArgument(pointer, kernel.getLoc());
    OpBuilder builder = OpBuilder::atBlockEnd(twins.getBody());
    auto twin = func::FuncOp::create(builder, kernel.getLoc(), kernel.getName(),
                                     FunctionType::get(context, body.getArgumentTypes(), {}));
    twin.getBody().takeBody(kernel.getBody());
    WalkResult result = twin.walk(
        [&](Operation *op) { return failed(replace(op)) ? WalkResult::interrupt() : WalkResult::advance(); });
    return failure(result.wasInterrupted());
  }

private:
  LogicalResult replace(Operation *op) {
    if (auto id = dyn_cast<gpu::ThreadIdOp>(op))
      return readMember(op, id.getDimension(), offsetof(rt::TwinThread, thread));
    if (auto id = dyn_cast<gpu::BlockIdOp>(op))
      return readMember(op, id.getDimension(), offsetof(rt::TwinThread, block));
    if (auto size = dyn_cast<gpu::BlockDimOp>(op))
      return readMember(op, size.getDimension(), offsetof(rt::TwinThread, threads));
    if (auto size = dyn_cast<gpu::GridDimOp>(op))
      return readMember(op, size.getDimension(), offsetof(rt::TwinThread, blocks));
    OpBuilder builder(op);
    if (isa<gpu::BarrierOp>(op)) {
      func::CallOp::create(builder, op->getLoc(), kBarrier, TypeRange(), ValueRange(thread));
      op->erase();
    } else if (isa<gpu::ReturnOp>(op)) {
      func::ReturnOp::create(builder, op->getLoc());
      op->erase();
    } else if (isa<gpu::GPUDialect>(op->getDialect())) {
      return op->emitOpError("has no counterpart in a kernel's twin");
    }
    return success();
  }

  LogicalResult readMember(Operation *op, gpu::Dimension dimension, size_t offset) {
    if (dimension != gpu::Dimension::x)
      return op->emitOpError("asks for dimension ")
             << gpu::stringifyDimension(dimension) << " of a grid that has x only";
    ImplicitLocOpBuilder b(op->getLoc(), op);
    Value address = LLVM::GEPOp::create(b, thread.getType(), b.getI8Type(), thread,
                                        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
    Value value = LLVM::LoadOp::create(b, b.getI64Type(), address);
    op->getResult(0).replaceAllUsesWith(arith::IndexCastOp::create(b, b.getIndexType(), value));
    op->erase();
    return success();
  }

  gpu::GPUFuncOp kernel;
  ModuleOp twins;
  Value thread;
};

/// Adds the rt::TwinFunction of a twin: addresses of buffers come from the arguments, those of workgroup
/// buffers from the TwinThread.
void addTwinEntry(llvm::Function &twin, ArrayRef<int64_t> workgroupOffsets) {
  llvm::Module &module = *twin.getParent();
  llvm::LLVMContext &context = module.getContext();
  auto *pointer = llvm::PointerType::getUnqual(context);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer, pointer}, false);
  auto *entry = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                       rt::kernelSymbol(twin.getName()), module);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "entry", entry));
  auto byteAt = [&](llvm::Value *base, int64_t offset) {
    return builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), base, offset);
  };
  llvm::Value *thread = entry->getArg(1);
  const size_t buffers = twin.arg_size() - workgroupOffsets.size() - 1;
  llvm::SmallVector<llvm::Value *> arguments;
  for (size_t i = 0; i < buffers; ++i)
    arguments.push_back(
        builder.CreateLoad(pointer, builder.CreateConstInBoundsGEP1_64(pointer, entry->getArg(0), i)));
  if (!workgroupOffsets.empty()) {
    llvm::Value *workgroup = builder.CreateLoad(pointer, byteAt(thread, offsetof(rt::TwinThread, workgroup)));
    for (int64_t offset : workgroupOffsets)
      arguments.push_back(byteAt(workgroup, offset));
  }
  arguments.push_back(thread);
  builder.CreateCall(&twin, arguments);
  builder.CreateRetVoid();
  twin.setLinkage(llvm::GlobalValue::InternalLinkage);
}

} // namespace

rt::KernelTwin mlir::phantom::describeTwin(gpu::GPUFuncOp kernel, ArrayRef<rt::KernelArgument> arguments) {
  rt::KernelTwin twin;
  twin.name = kernel.getName().str();
  twin.hasBarrier = kernel.walk([](gpu::BarrierOp) { return WalkResult::interrupt(); }).wasInterrupted();
  for (BlockArgument buffer : kernel.getWorkgroupAttributions())
    twin.workgroupBytes += workgroupBytes(cast<MemRefType>(buffer.getType()));
  for (const rt::KernelArgument &argument : arguments)
    twin.arguments.push_back({argument.reads, argument.writes, argument.bytes});
  return twin;
}

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> mlir::phantom::compileTwins(gpu::GPUModuleOp kernels) {
  OwningOpRef<gpu::GPUModuleOp> copy = cast<gpu::GPUModuleOp>(kernels->clone());
  OwningOpRef<ModuleOp> twins = ModuleOp::create(kernels.getLoc());
  OpBuilder builder = OpBuilder::atBlockBegin(twins->getBody());
  auto pointer = LLVM::LLVMPointerType::get(kernels.getContext());
  auto barrier =
      func::FuncOp::create(builder, kernels.getLoc(), kBarrier, builder.getFunctionType({pointer}, {}));
  barrier.setPrivate();
  llvm::StringMap<SmallVector<int64_t>> workgroupOffsets;
  for (auto kernel : copy->getOps<gpu::GPUFuncOp>()) {
    int64_t offset = 0;
    for (BlockArgument buffer : kernel.getWorkgroupAttributions()) {
      workgroupOffsets[kernel.getName()].push_back(offset);
      offset += workgroupBytes(cast<MemRefType>(buffer.getType()));
    }
    if (failed(TwinBuilder(kernel, *twins).build()))
      return llvm::createStringError("the kernels have no twins");
  }
  PassManager pm(kernels.getContext());
  addLoopsToLLVMPasses(pm);
  if (failed(pm.run(*twins)))
    return llvm::createStringError("the kernels do not lower to functions of the host");
  return compileForHost(*twins,
                        [&](llvm::Function &twin) { addTwinEntry(twin, workgroupOffsets[twin.getName()]); });
}
