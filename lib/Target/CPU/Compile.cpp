//===- Compile.cpp - Kernels as code for this machine -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Target/CPU/Compile.h"

#include "phantom/Target/StepProgram/StepProgram.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;
using namespace mlir::phantom;
namespace rt = ::phantom::rt;

namespace {

llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// Adds the rt::KernelFunction of kernel `k`, which calls it with the addresses. The kernel stays a function
/// of its own, since its arguments say that buffers do not overlap.
void addPackedWrapper(llvm::Function &kernel) {
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

std::unique_ptr<llvm::Module> translateKernels(ModuleOp kernels, llvm::LLVMContext &context) {
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  kernels.getContext()->appendDialectRegistry(registry);
  return translateModuleToLLVMIR(kernels, context, "kernels");
}

void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> emitObject(llvm::Module &module,
                                                               llvm::TargetMachine &machine) {
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return makeError("LLVM cannot emit object code for " + machine.getTargetTriple().str());
  passes.run(module);
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(std::move(object), "kernels.o", false);
}

/// The object code of the `@kernels` module for the host.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> compileKernels(ModuleOp kernels,
                                                                   llvm::orc::JITTargetMachineBuilder &host) {
  llvm::Expected<std::unique_ptr<llvm::TargetMachine>> machine = host.createTargetMachine();
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module = translateKernels(kernels, context);
  if (!module)
    return makeError("the kernels do not translate to LLVM IR");
  module->setTargetTriple((*machine)->getTargetTriple());
  module->setDataLayout((*machine)->createDataLayout());
  llvm::SmallVector<llvm::Function *> functions;
  for (llvm::Function &function : *module)
    if (!function.isDeclaration())
      functions.push_back(&function);
  for (llvm::Function *function : functions) {
    addPackedWrapper(*function);
  }
  for (llvm::Function &function : *module)
    if (!function.isDeclaration()) {
      function.addFnAttr("target-cpu", (*machine)->getTargetCPU());
      function.addFnAttr("target-features", (*machine)->getTargetFeatureString());
    }
  optimize(*module, **machine);
  return emitObject(*module, **machine);
}

} // namespace

llvm::Expected<CompiledProgram> mlir::phantom::compileForCpu(ModuleOp module) {
  FailureOr<rt::Program> program = exportStepProgram(module);
  if (failed(program))
    return makeError("the module is no step program");
  if (program->kernels.empty())
    return rt::linkProgram(std::move(*program), llvm::MemoryBuffer::getMemBuffer(""), rt::hostCpu());
  auto kernels = module.lookupSymbol<ModuleOp>("kernels");
  if (!kernels)
    return makeError("the module has no @kernels");

  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::Expected<llvm::orc::JITTargetMachineBuilder> host = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!host)
    return host.takeError();
  host->setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  host->setRelocationModel(llvm::Reloc::PIC_);
  auto object = compileKernels(kernels, *host);
  if (!object)
    return object.takeError();
  return rt::linkProgram(std::move(*program), std::move(*object), rt::hostCpu());
}
