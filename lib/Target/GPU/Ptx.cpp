//===- Ptx.cpp - Kernels as PTX ---------------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "../CPU/HostObject.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/Transforms/IPO/Internalize.h"

using namespace mlir;
using namespace mlir::phantom;

namespace {

llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createMachine(NVVM::NVVMTargetAttr target) {
  static const bool initialized = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)initialized;
  llvm::Triple triple(target.getTriple());
  std::string message;
  const llvm::Target *known = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!known)
    return makeError("this LLVM cannot make PTX: " + message);
  return std::unique_ptr<llvm::TargetMachine>(
      known->createTargetMachine(triple, target.getChip(), target.getFeatures(), {}, std::nullopt,
                                 std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

/// Functions of libdevice for which chips have an instruction that rounds as they do: the intrinsic is named
/// after it.
struct ExactFunction {
  llvm::StringLiteral name; ///< of f64; that of f32 ends in f
  llvm::Intrinsic::ID intrinsic;
};
constexpr ExactFunction kExactFunctions[] = {
    {"__nv_fabs", llvm::Intrinsic::fabs},         {"__nv_ceil", llvm::Intrinsic::ceil},
    {"__nv_copysign", llvm::Intrinsic::copysign}, {"__nv_floor", llvm::Intrinsic::floor},
    {"__nv_fma", llvm::Intrinsic::fma},           {"__nv_rint", llvm::Intrinsic::roundeven},
    {"__nv_sqrt", llvm::Intrinsic::sqrt},         {"__nv_trunc", llvm::Intrinsic::trunc},
};

/// So that kernels without other functions need no toolkit to become PTX.
void replaceExactFunctions(llvm::Module &module) {
  for (const auto &[name, intrinsic] : kExactFunctions)
    for (llvm::StringRef suffix : {"", "f"}) {
      llvm::Function *function = module.getFunction((name + suffix).str());
      if (!function || !function->isDeclaration())
        continue;
      llvm::Type *type = function->getReturnType();
      function->replaceAllUsesWith(llvm::Intrinsic::getOrInsertDeclaration(&module, intrinsic, {type}));
      function->eraseFromParent();
    }
}

/// A function that the kernels call and nobody has defined, or null. Calls of __nvvm_reflect, with which
/// libdevice asks for options, become constants later.
llvm::Function *missingFunction(llvm::Module &module) {
  for (llvm::Function &function : module)
    if (function.isDeclaration() && !function.isIntrinsic() && !function.use_empty() &&
        function.getName() != "__nvvm_reflect")
      return &function;
  return nullptr;
}

llvm::Error linkLibdevice(llvm::Module &module, llvm::StringRef path) {
  llvm::SMDiagnostic diagnostic;
  std::unique_ptr<llvm::Module> library = llvm::parseIRFile(path, diagnostic, module.getContext());
  if (!library)
    return makeError("cannot read '" + path + "': " + diagnostic.getMessage());
  library->setTargetTriple(module.getTargetTriple());
  library->setDataLayout(module.getDataLayout());
  auto internalize = [](llvm::Module &linked, const llvm::StringSet<> &added) {
    llvm::internalizeModule(linked, [&](const llvm::GlobalValue &value) {
      return !value.hasName() || !added.contains(value.getName());
    });
  };
  if (llvm::Linker::linkModules(module, std::move(library), llvm::Linker::LinkOnlyNeeded, internalize))
    return makeError("cannot link '" + path + "'");
  return llvm::Error::success();
}

} // namespace

OwningOpRef<ModuleOp> mlir::phantom::lowerToNvvm(gpu::GPUModuleOp kernels) {
  // What the conversion asks for patterns.
  DialectRegistry registry;
  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  registerConvertMemRefToLLVMInterface(registry);
  kernels.getContext()->appendDialectRegistry(registry);
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernels.getLoc());
  module->push_back(kernels->clone());
  PassManager pm(kernels.getContext());
  OpPassManager &nested = pm.nest<gpu::GPUModuleOp>();
  nested.addPass(createSCFToControlFlowPass());
  nested.addPass(memref::createExpandStridedMetadataPass());
  nested.addPass(createLowerAffinePass());
  ConvertGpuOpsToNVVMOpsOptions options;
  options.indexBitwidth = 64;
  options.useBarePtrCallConv = true;
  nested.addPass(createConvertGpuOpsToNVVMOps(options));
  nested.addPass(createReconcileUnrealizedCastsPass());
  nested.addPass(createCanonicalizerPass());
  return succeeded(pm.run(*module)) ? std::move(module) : OwningOpRef<ModuleOp>();
}

llvm::Expected<std::string>
mlir::phantom::emitPtx(ModuleOp lowered, NVVM::NVVMTargetAttr target,
                       llvm::function_ref<llvm::Expected<std::string>()> findLibdevice) {
  llvm::Expected<std::unique_ptr<llvm::TargetMachine>> machine = createMachine(target);
  if (!machine)
    return machine.takeError();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module =
      translateKernels(*lowered.getOps<gpu::GPUModuleOp>().begin(), context);
  if (!module)
    return makeError("the kernels do not translate to LLVM IR");
  module->setTargetTriple((*machine)->getTargetTriple());
  module->setDataLayout((*machine)->createDataLayout());
  replaceExactFunctions(*module);
  if (llvm::Function *missing = missingFunction(*module)) {
    llvm::Expected<std::string> libdevice = findLibdevice();
    if (!libdevice)
      return makeError("a kernel calls " + missing->getName() +
                       " of the CUDA toolkit's libdevice: " + llvm::toString(libdevice.takeError()));
    if (llvm::Error error = linkLibdevice(*module, *libdevice))
      return error;
    if (llvm::Function *still = missingFunction(*module))
      return makeError("a kernel calls " + still->getName() + ", which GPUs do not have");
  }
  optimize(*module, **machine, llvm::OptimizationLevel::O3);
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return makeError("this LLVM cannot make PTX");
  passes.run(*module);
  return std::string(text.begin(), text.end());
}
