//===- Compile.cpp - From a model file to an executable program -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Driver/Compile.h"

#include "phantom/Conversion/Pipelines.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"
#include "phantom/InitAll.h"
#include "phantom/Target/ONNX/Import.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using mlir::Diagnostic;
using mlir::DiagnosticSeverity;
using mlir::ModuleOp;
using mlir::OwningOpRef;
using mlir::PassManager;
using mlir::func::FuncOp;
using mlir::phantom::PhantomDialect;

namespace {

/// "model.onnx:3: /fc1/Gemm: " of an importer's location; empty where it says nothing to a user.
std::string place(mlir::Location location) {
  std::string file, name;
  location->walk([&](mlir::Location part) {
    if (auto line = dyn_cast<mlir::FileLineColLoc>(part); line && file.empty() && line.getFilename() != "-")
      file = (line.getFilename().getValue() + ":" + Twine(line.getLine()) + ": ").str();
    if (auto named = dyn_cast<mlir::NameLoc>(part); named && name.empty())
      name = (named.getName().getValue() + ": ").str();
    return mlir::WalkResult::advance();
  });
  return file + name;
}

/// Keeps the first error, prints warnings, and remarks where asked.
class Diagnostics {
public:
  Diagnostics(mlir::MLIRContext &context, bool remarks, bool strict)
      : handler(&context, [this, remarks, strict](Diagnostic &diagnostic) {
          std::string text = place(diagnostic.getLocation()) + diagnostic.str();
          bool warning = diagnostic.getSeverity() == DiagnosticSeverity::Warning;
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error || (warning && strict)) {
            if (first.empty())
              first = text;
          } else if (warning) {
            errs() << "warning: " << text << "\n";
          } else if (remarks && diagnostic.getSeverity() == DiagnosticSeverity::Remark) {
            errs() << "remark: " << text << "\n";
          }
        }) {}

  bool failed() const { return !first.empty(); }

  Error error(const Twine &fallback) const {
    return createStringError(first.empty() ? fallback.str() : first);
  }

private:
  std::string first;
  mlir::ScopedDiagnosticHandler handler;
};

mlir::FailureOr<OwningOpRef<ModuleOp>> readModel(StringRef path, mlir::MLIRContext &context,
                                                 const phantom::CompileOptions &options) {
  if (path.ends_with(".mlir") || path.ends_with(".mlirbc")) {
    if (!options.constants.empty())
      return mlir::emitError(mlir::UnknownLoc::get(&context))
             << "--constants is for ONNX models; in an .mlir file, edit the function";
    OwningOpRef<ModuleOp> module = mlir::parseSourceFile<ModuleOp>(path, &context);
    if (!module)
      return mlir::failure();
    return module;
  }
  phantom::onnx::ImportOptions import;
  import.dataDir = options.dataDir;
  import.sharedParameters = options.sharedParameters;
  import.constants = options.constants;
  return phantom::onnx::importOnnxModel(path, context, import);
}

/// The model's own batch, or `open` where it leaves it open.
int64_t defaultBatch(ModuleOp module, int64_t open) {
  auto forward = module.lookupSymbol<FuncOp>("forward");
  if (!forward)
    return open;
  int64_t batch = 1;
  for (mlir::Type type : llvm::reverse(forward.getArgumentTypes())) {
    auto tensor = dyn_cast<mlir::RankedTensorType>(type);
    if (tensor && !tensor.hasStaticShape())
      return open;
    batch = tensor && tensor.getRank() > 0 ? tensor.getDimSize(0) : 1;
  }
  return batch;
}

/// The last dimension of the model's first output; 0 if there is none.
int64_t classCount(ModuleOp module) {
  auto forward = module.lookupSymbol<FuncOp>("forward");
  if (!forward || forward.getNumResults() == 0)
    return 0;
  auto type = dyn_cast<mlir::RankedTensorType>(forward.getResultTypes()[0]);
  return type && type.getRank() > 0 && !type.isDynamicDim(type.getRank() - 1) ? type.getShape().back() : 0;
}

/// The rows of a part of a step.
Expected<int64_t> rowsOfPart(ModuleOp module, const phantom::CompileOptions &options) {
  if (options.batchSize == 0)
    return defaultBatch(module, options.openBatch);
  if (options.batchSize % options.accumulate != 0)
    return createStringError("a batch of " + Twine(options.batchSize) + " rows cannot be divided into " +
                             Twine(options.accumulate) + " equal parts (--accumulate)");
  return options.batchSize / options.accumulate;
}

/// Whether the function is part of what the options ask for.
bool isAskedFor(StringRef function, const phantom::CompileOptions &options) {
  const bool ofStep = function == "train_step" || function == "accumulate" || function == "update";
  return is_contained(options.functions, ofStep ? "train_step" : function);
}

void buildPipeline(PassManager &pm, const phantom::CompileOptions &options, int64_t batch) {
  phantom::TrainPipelineOptions train;
  train.batchSize = batch;
  train.strategy = options.strategy;
  train.ranks = options.ranks;
  train.ghostWidth = options.ghostWidth;
  for (const auto &[layer, width] : options.ghostWidths)
    train.ghostWidths.push_back(layer + "=" + std::to_string(width));
  train.select = options.select;
  train.firstLayer = options.firstLayer;
  train.lastLayer = options.lastLayer;
  train.init = options.init;
  train.optimizeExchanges = options.optimizations.optimizeExchanges;
  if (options.loss)
    train.loss = *options.loss;
  train.optimizer = options.optimizer;
  train.momentum = options.momentum;
  train.beta1 = options.beta1;
  train.beta2 = options.beta2;
  train.epsilon = options.epsilon;
  train.weightDecay = options.weightDecay;
  for (const std::string &entry : options.weightDecays)
    train.weightDecays.push_back(entry);
  for (const std::string &entry : options.learningRateFactors)
    train.learningRateFactors.push_back(entry);
  train.clipNorm = options.clipNorm;
  train.labelSmoothing = options.labelSmoothing;
  train.accumulate = options.accumulate;
  train.trainable = options.trainable;
  train.frozen = options.frozen;
  if (options.loss)
    phantom::buildTrainPipeline(pm, train);
  else
    phantom::buildInferPipeline(pm, train);
}

void setLowering(mlir::phantom::ToCpuPipelineOptions &lowering, const phantom::CompileOptions &options) {
  lowering.mergeGemms = options.optimizations.mergeGemms;
  lowering.fuseEpilogues = options.optimizations.fuseEpilogues;
  lowering.fuseElementwise = options.optimizations.fuseElementwise;
  lowering.recomputeActivations = options.recomputeActivations;
  lowering.hoistUpdates = options.optimizations.hoistUpdates;
  lowering.elideCopies = options.optimizations.elideCopies;
  lowering.overlap = options.optimizations.overlapExchanges;
  lowering.planMemory = options.optimizations.planMemory;
  lowering.referenceGemm = options.referenceGemm;
  lowering.precision = options.precision;
  lowering.exchangeEncoding = options.exchangeEncoding;
}

/// What a device adds to the way from a model to a program.
struct CpuDevice {
  using Compiled = phantom::CompiledProgram;

  static void buildPipeline(PassManager &pm, const phantom::CompileOptions &options) {
    mlir::phantom::ToCpuPipelineOptions lowering;
    setLowering(lowering, options);
    mlir::phantom::buildToCpuPipeline(pm, lowering);
  }
  static Expected<Compiled> compile(ModuleOp module, const phantom::CompileOptions &) {
    return mlir::phantom::compileForCpu(module);
  }
  static phantom::rt::Program &program(Compiled &compiled) { return compiled.executable.program; }
};

struct GpuDevice {
  using Compiled = phantom::CompiledGpuProgram;

  static void buildPipeline(PassManager &pm, const phantom::CompileOptions &options) {
    mlir::phantom::ToCudaPipelineOptions lowering;
    setLowering(lowering, options);
    lowering.fuseGradientEpilogues = options.fuseGradientEpilogues;
    for (const std::string &chip : options.chips)
      lowering.chips.push_back(chip);
    mlir::phantom::buildToCudaPipeline(pm, lowering);
  }
  static Expected<Compiled> compile(ModuleOp module, const phantom::CompileOptions &options) {
    return mlir::phantom::compileForGpu(module, options.gpu);
  }
  static phantom::rt::Program &program(Compiled &compiled) { return compiled.program; }
};

/// Sources of parameters are relative to the model's folder.
void resolveSources(phantom::rt::Program &program, StringRef model) {
  for (phantom::rt::Parameter &parameter : program.parameters)
    if (parameter.init.source && sys::path::is_relative(parameter.init.source->file)) {
      SmallString<128> path(sys::path::parent_path(model));
      sys::path::append(path, parameter.init.source->file);
      parameter.init.source->file = path.str().str();
    }
}

/// `change`, if set, gets the module before it is lowered.
template <typename Device>
Expected<typename Device::Compiled> compileFor(StringRef model, const phantom::CompileOptions &options,
                                               function_ref<mlir::LogicalResult(ModuleOp)> change = nullptr) {
  mlir::DialectRegistry registry;
  phantom::registerAllDialects(registry);
  // Modules are small: threads would cost more than they give.
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  Diagnostics diagnostics(context, options.remarks, options.strict);

  if (!sys::fs::exists(model))
    return createStringError("cannot read the model '" + model + "': no such file");
  if (sys::fs::is_directory(model))
    return createStringError("cannot read the model '" + model + "': it is a folder");
  mlir::FailureOr<OwningOpRef<ModuleOp>> module = readModel(model, context, options);
  if (failed(module))
    return diagnostics.error("cannot read the model '" + model + "'");

  const int64_t classes = classCount(**module);
  OwningOpRef<ModuleOp> dense = options.onCompiled ? (*module)->clone() : ModuleOp();
  PassManager front(&context, "builtin.module");
  Expected<int64_t> rows = rowsOfPart(**module, options);
  if (!rows)
    return rows.takeError();
  buildPipeline(front, options, *rows);
  if (failed(front.run(**module)) || (change && failed(change(**module))) || diagnostics.failed())
    return diagnostics.error("cannot partition or differentiate '" + model + "'");
  if (isAskedFor("train_step", options) &&
      none_of((*module)->getOps<mlir::phantom::ParameterOp>(),
              [](mlir::phantom::ParameterOp parameter) { return parameter.getTrainable(); }))
    return createStringError("'" + model +
                             "' has no parameter that is trained: see --trainable and --frozen");
  for (auto function : make_early_inc_range((*module)->getOps<FuncOp>()))
    if (!isAskedFor(function.getName(), options))
      function.erase();

  PassManager back(&context, "builtin.module");
  Device::buildPipeline(back, options);
  if (failed(back.run(**module)))
    return diagnostics.error("cannot lower '" + model + "'");
  Expected<typename Device::Compiled> compiled = Device::compile(**module, options);
  if (!compiled)
    return diagnostics.error(toString(compiled.takeError()));
  phantom::rt::Program &program = Device::program(*compiled);
  program.ghostWidth = options.ghostWidth;
  program.classes = classes; // a train step alone does not return the output
  resolveSources(program, model);
  if (options.onCompiled && failed(options.onCompiled(*dense, program)))
    return diagnostics.error("cannot use '" + model + "'");
  return compiled;
}

} // namespace

Expected<phantom::CompiledProgram> phantom::compileModel(StringRef model, const CompileOptions &options) {
  return compileFor<CpuDevice>(model, options);
}

Expected<phantom::CompiledGpuProgram> phantom::compileModelForGpu(StringRef model,
                                                                  const CompileOptions &options) {
  return compileFor<GpuDevice>(model, options);
}

Expected<phantom::CompiledActivations> phantom::compileActivations(StringRef model,
                                                                   const CompileOptions &options,
                                                                   ArrayRef<std::string> layers,
                                                                   int64_t batchSize) {
  CompileOptions dense = options;
  dense.ranks = 1;
  dense.ghostWidths.clear();
  dense.init = InitStart::FromDense;
  dense.functions = {"forward"};
  dense.loss.reset();
  dense.openBatch = batchSize;
  dense.batchSize = 0;
  dense.remarks = false;
  dense.onCompiled = nullptr;
  CompiledActivations result;
  Expected<CompiledProgram> compiled =
      compileFor<CpuDevice>(model, dense, [&](ModuleOp module) -> mlir::LogicalResult {
        auto exposed = mlir::phantom::exposeActivations(module.lookupSymbol<FuncOp>("forward"), layers);
        if (failed(exposed))
          return mlir::failure();
        result.layers = std::move(*exposed);
        PassManager pm(module.getContext(), "builtin.module");
        pm.addPass(mlir::createCanonicalizerPass());
        return pm.run(module);
      });
  if (!compiled)
    return compiled.takeError();
  result.compiled = std::move(*compiled);
  return result;
}

std::string phantom::printModel(ModuleOp model) {
  std::string text;
  raw_string_ostream out(text);
  model->print(out, mlir::OpPrintingFlags().enableDebugInfo()); // exports name nodes as the model does
  out << "\n";
  return text;
}

Error phantom::visitModel(StringRef text, StringRef name, function_ref<mlir::LogicalResult(ModuleOp)> visit) {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  Diagnostics diagnostics(context, /*remarks=*/false, /*strict=*/false);
  OwningOpRef<ModuleOp> model = mlir::parseSourceString<ModuleOp>(text, &context, name);
  if (!model || failed(visit(*model)))
    return diagnostics.error("cannot use '" + name + "'");
  return Error::success();
}
