//===- phantom-translate.cpp - Between ONNX files and IR --------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/Transforms/Passes.h"
#include "phantom/InitAll.h"
#include "phantom/Target/ONNX/Import.h"
#include "phantom/Target/StepProgram/StepProgram.h"

#include "phantom-rt/AtomicFile.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/WithColor.h"

using namespace llvm;
using namespace mlir;

static cl::OptionCategory category("phantom-translate");

static cl::opt<std::string> input(cl::Positional, cl::desc("<input file>"), cl::cat(category));
static cl::opt<bool> importOnnx("import-onnx",
                                cl::desc("Read an ONNX model, write IR and, beside it, its weights"),
                                cl::cat(category));
static cl::opt<bool> exportOnnx("export-onnx", cl::desc("Write an ONNX model (not in this version)"),
                                cl::cat(category));
static cl::opt<bool>
    toStepProgram("phantom-to-step-program",
                  cl::desc("Read IR behind phantom-to-cpu-pipeline, print its step program as JSON"),
                  cl::cat(category));
static cl::opt<std::string>
    output("o", cl::desc("Where the IR goes; the weights go to the same name with .safetensors"),
           cl::value_desc("file.mlir"), cl::cat(category));
static cl::opt<std::string>
    dataDir("data-dir", cl::desc("Folder that the model's external data may be in, besides its own"),
            cl::value_desc("folder"), cl::cat(category));
static cl::opt<bool> noRecognize("no-recognize", cl::desc("Keep the model as imported; run no passes"),
                                 cl::cat(category));
static cl::opt<bool> emitBytecode("emit-bytecode", cl::desc("Write bytecode instead of text"),
                                  cl::cat(category));

static int fail(const Twine &message) {
  WithColor::error(errs(), "phantom-translate") << message << "\n";
  return 1;
}

/// Prints errors and remarks as the tool's own: they name the node; a line number would be no help in a
/// binary file.
static LogicalResult print(Diagnostic &diagnostic) {
  raw_ostream &out = diagnostic.getSeverity() == DiagnosticSeverity::Error
                         ? WithColor::error(errs(), "phantom-translate")
                         : WithColor::remark(errs(), "phantom-translate");
  if (!isa<UnknownLoc>(diagnostic.getLocation()))
    out << sys::path::filename(input) << ": ";
  out << diagnostic.str() << "\n";
  return success();
}

static LogicalResult simplify(ModuleOp module) {
  PassManager passes(module.getContext());
  passes.addPass(mlir::phantom::createPhantomRecognize());
  passes.addPass(createCanonicalizerPass());
  return passes.run(module);
}

static Error writeModule(ModuleOp module) {
  return ::phantom::rt::writeFileAtomically(output, [&](raw_ostream &out) {
    if (emitBytecode)
      (void)writeBytecodeToFile(module, out);
    else
      module.print(out, OpPrintingFlags().enableDebugInfo());
  });
}

static int importModel() {
  if (input.empty() || output.empty())
    return fail("--import-onnx needs a model and an output: phantom-translate --import-onnx model.onnx -o "
                "model.mlir");
  DialectRegistry registry;
  ::phantom::registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  ScopedDiagnosticHandler handler(&context, print);
  SmallString<128> weights(output);
  sys::path::replace_extension(weights, ".safetensors");
  if (output == weights.str() || sys::fs::equivalent(input, output))
    return fail("-o " + output + " is also where " +
                (output == weights.str() ? "the weights go" : "the model is"));
  ::phantom::onnx::ImportOptions options;
  options.dataDir = dataDir;
  options.weightsFile = std::string(weights);
  FailureOr<OwningOpRef<ModuleOp>> module = ::phantom::onnx::importOnnxModel(input, context, options);
  if (failed(module) || (!noRecognize && failed(simplify(**module))))
    return 1;
  if (Error error = writeModule(**module))
    return fail(toString(std::move(error)));
  return 0;
}

static int printStepProgram() {
  DialectRegistry registry;
  ::phantom::registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module =
      parseSourceFile<ModuleOp>(input.empty() ? StringRef("-") : StringRef(input), &context);
  if (!module)
    return 1;
  FailureOr<::phantom::rt::Program> program = mlir::phantom::exportStepProgram(*module);
  if (failed(program))
    return 1;
  if (output.empty()) {
    mlir::phantom::writeStepProgramJson(*program, outs());
    return 0;
  }
  if (Error error = ::phantom::rt::writeFileAtomically(
          output, [&](raw_ostream &out) { mlir::phantom::writeStepProgramJson(*program, out); }))
    return fail(toString(std::move(error)));
  return 0;
}

int main(int argc, char **argv) {
  InitLLVM initialize(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, "Translates between ONNX models and Phantom's IR\n");
  if (exportOnnx)
    return fail("--export-onnx is not in this version");
  if (toStepProgram)
    return printStepProgram();
  if (!importOnnx)
    return fail("say what to do: --import-onnx or --phantom-to-step-program");
  return importModel();
}
