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
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;
using namespace mlir::phantom;

namespace {

llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

std::string packedName(llvm::StringRef kernel) { return (kernel + ".packed").str(); }

/// `void k.packed(ptr addresses)`: calls kernel `k` with the addresses. The kernel stays a function of its
/// own, since its arguments say that buffers do not overlap.
void addPackedWrapper(llvm::Function &kernel) {
  llvm::Module &module = *kernel.getParent();
  llvm::LLVMContext &context = module.getContext();
  auto *pointer = llvm::PointerType::getUnqual(context);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer}, false);
  auto *wrapper =
      llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, packedName(kernel.getName()), module);
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
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);
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

/// A JIT that has linked `object` against this process (its C library).
llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> link(std::unique_ptr<llvm::MemoryBuffer> object,
                                                       llvm::orc::JITTargetMachineBuilder host) {
  auto jit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(host)).create();
  if (!jit)
    return jit.takeError();
  auto process = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      (*jit)->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  (*jit)->getMainJITDylib().addGenerator(std::move(*process));
  if (llvm::Error error = (*jit)->addObjectFile(std::move(object)))
    return error;
  return jit;
}

} // namespace

llvm::Expected<CompiledProgram> mlir::phantom::compileForCpu(ModuleOp module) {
  FailureOr<::phantom::rt::Program> program = exportStepProgram(module);
  if (failed(program))
    return makeError("the module is no step program");
  CompiledProgram result;
  result.executable.program = std::move(*program);
  const std::vector<std::string> &names = result.executable.program.kernels;
  if (names.empty())
    return result;
  auto kernels = module.lookupSymbol<ModuleOp>("kernels");
  if (!kernels)
    return makeError("the module has no @kernels");

  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::Expected<llvm::orc::JITTargetMachineBuilder> host = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!host)
    return host.takeError();
  host->setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  host->setRelocationModel(llvm::Reloc::PIC_);
  auto object = compileKernels(kernels, *host);
  if (!object)
    return object.takeError();
  auto jit = link(std::move(*object), *host);
  if (!jit)
    return jit.takeError();
  for (const std::string &name : names) {
    auto address = (*jit)->lookup(packedName(name));
    if (!address)
      return address.takeError();
    result.executable.kernels.push_back(address->toPtr<::phantom::rt::KernelFunction>());
  }
  result.code = std::shared_ptr<llvm::orc::LLJIT>(std::move(*jit));
  return result;
}
