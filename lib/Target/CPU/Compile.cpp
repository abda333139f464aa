//===- Compile.cpp - Kernels as code for this machine -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Target/CPU/Compile.h"

#include "HostObject.h"

#include "phantom/Target/StepProgram/StepProgram.h"

#include "llvm/IR/IRBuilder.h"

using namespace mlir;
using namespace mlir::phantom;
namespace rt = ::phantom::rt;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// Adds the rt::KernelFunction of kernel `k`, which calls it with the addresses. The kernel stays a function
/// of its own, since its arguments say that buffers do not overlap.
static void addPackedWrapper(llvm::Function &kernel) {
  llvm::Module &module = *kernel.getParent();
  llvm::LLVMContext &context = module.getContext();
  auto *pointer = llvm::PointerType::getUnqual(context);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer}, false);
  auto *wrapper = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage,
                                         rt::kernelSymbol(kernel.getName()), module);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "entry", wrapper));
  llvm::SmallVector<llvm::Value *> arguments;
  for (unsigned i = 0; i < kernel.arg_size(); ++i) {
    llvm::Value *address = builder.CreateConstInBoundsGEP1_64(pointer, wrapper->getArg(0), i);
    arguments.push_back(builder.CreateLoad(pointer, address));
  }
  builder.CreateCall(&kernel, arguments);
  builder.CreateRetVoid();
  kernel.setLinkage(llvm::GlobalValue::InternalLinkage);
  kernel.addFnAttr(llvm::Attribute::NoInline);
}

llvm::Expected<CompiledProgram> mlir::phantom::compileForCpu(ModuleOp module) {
  FailureOr<rt::Program> program = exportStepProgram(module);
  if (failed(program))
    return makeError("the module is no step program");
  if (program->device != rt::DeviceKind::Cpu)
    return makeError("the program is for GPUs: run phantom-to-cpu-pipeline");
  if (program->kernels.empty())
    return rt::linkProgram(std::move(*program), llvm::MemoryBuffer::getMemBuffer(""), rt::hostCpu());
  auto kernels = module.lookupSymbol<ModuleOp>("kernels");
  if (!kernels)
    return makeError("the module has no @kernels");
  auto object = compileForHost(kernels, addPackedWrapper);
  if (!object)
    return object.takeError();
  return rt::linkProgram(std::move(*program), std::move(*object), rt::hostCpu());
}
