//===- phantom-translate.cpp - Between ONNX files and IR --------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/Transforms/Passes.h"
#include "phantom/InitAll.h"
#include "phantom/Target/GPU/Compile.h"
#include "phantom/Target/ONNX/Export.h"
#include "phantom/Target/ONNX/Import.h"
#include "phantom/Target/StepProgram/StepProgram.h"

#include "phantom-rt/AtomicFile.h"
#include "phantom-rt/ProgramJson.h"
#include "phantom-rt/SafeTensors.h"

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
static cl::opt<bool> exportOnnx("export-onnx", cl::desc("Read the IR of a dense model, write an ONNX model"),
                                cl::cat(category));
static cl::opt<bool> listOperators("list-onnx-operators",
                                   cl::desc("Print a table of the operators that are imported"),
                                   cl::cat(category));
static cl::opt<bool>
    toStepProgram("phantom-to-step-program",
                  cl::desc("Read IR behind a pipeline to the CPU or CUDA, print its step program as JSON"),
                  cl::cat(category));
static cl::opt<bool> gpuResources(
    "phantom-gpu-resources",
    cl::desc("Read IR behind phantom-to-cuda-pipeline, compile its kernels, print what each takes of a chip"),
    cl::cat(category));
static cl::opt<std::string>
    output("o", cl::desc("Where the result goes; an import's weights go to the same name with .safetensors"),
           cl::value_desc("file"), cl::cat(category));
static cl::opt<std::string>
    dataDir("data-dir", cl::desc("Folder that the model's external data may be in, besides its own"),
            cl::value_desc("folder"), cl::cat(category));
using ::phantom::onnx::SharedParameterMode;
static cl::opt<SharedParameterMode> sharedParameters(
    "shared-parameters", cl::desc("An initializer that several nodes use:"), cl::cat(category),
    cl::init(SharedParameterMode::Auto),
    cl::values(
        clEnumValN(SharedParameterMode::Auto, "auto",
                   "a parameter per module if it is small and the exporter names the modules (default)"),
        clEnumValN(SharedParameterMode::Keep, "keep", "one parameter, as in the file"),
        clEnumValN(SharedParameterMode::Separate, "separate", "a parameter per module")));
static cl::opt<bool> noRecognize("no-recognize", cl::desc("Keep the model as imported; run no passes"),
                                 cl::cat(category));
static cl::opt<std::string> weights("weights",
                                    cl::desc("Export the trained parameters that phantom-run --save wrote"),
                                    cl::value_desc("file.safetensors"), cl::cat(category));
static cl::opt<bool> dense("dense", cl::desc("Export one weight per layer (the default)"), cl::cat(category));
static cl::opt<bool> factored("factored", cl::desc("Export phantom layers as their factors"),
                              cl::cat(category));
static cl::opt<bool> externalData("external-data",
                                  cl::desc("Export weights to a .data file beside the model, however small"),
                                  cl::cat(category));
static cl::opt<bool> strict("strict", cl::desc("An option that has no effect is an error"),
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
  options.sharedParameters = sharedParameters;
  options.weightsFile = std::string(weights);
  FailureOr<OwningOpRef<ModuleOp>> module = ::phantom::onnx::importOnnxModel(input, context, options);
  if (failed(module) || (!noRecognize && failed(simplify(**module))))
    return 1;
  if (Error error = writeModule(**module))
    return fail(toString(std::move(error)));
  return 0;
}

namespace {

/// What `phantom-run --save` wrote.
class SavedTensors : public ::phantom::onnx::TrainedTensors {
public:
  explicit SavedTensors(::phantom::rt::SafeTensorsFile file) : file(std::move(file)) {}
  std::string description() const override { return "'" + file.path() + "'"; }
  std::optional<std::vector<int64_t>> shape(StringRef name) const override {
    auto found = file.tensors().find(name.str());
    return found == file.tensors().end() ? std::nullopt : std::optional(found->second.shape);
  }
  Expected<::phantom::rt::FileTensor> read(StringRef name) const override { return file.tensor(name); }

private:
  ::phantom::rt::SafeTensorsFile file;
};

} // namespace

static int writeExport(ModuleOp module, const SavedTensors *trained) {
  ::phantom::onnx::ExportOptions options;
  options.form = factored ? ::phantom::onnx::ExportForm::Factored : ::phantom::onnx::ExportForm::Dense;
  options.trained = trained;
  options.baseDir = sys::path::parent_path(input).str();
  FailureOr<::phantom::onnx::OnnxExport> model = ::phantom::onnx::OnnxExport::create(module, options);
  if (failed(model))
    return 1;
  if (factored && model->phantomLayers() == 0) {
    StringRef message = "--factored had no effect: no layer of the model has factors in --weights";
    if (strict)
      return fail(message + " (--strict)");
    WithColor::warning(errs(), "phantom-translate") << message << "\n";
  }
  if (Error error = model->write(output, trained, externalData))
    return fail(toString(std::move(error)));
  return 0;
}

static int exportModel() {
  if (input.empty() || output.empty())
    return fail("--export-onnx needs a module and an output: phantom-translate --export-onnx model.mlir -o "
                "model.onnx");
  if (dense && factored)
    return fail("give one of --dense and --factored");
  if (sys::fs::equivalent(input, output))
    return fail("-o " + output + " is also where the module is");
  std::optional<SavedTensors> trained;
  if (!weights.empty()) {
    Expected<::phantom::rt::SafeTensorsFile> file = ::phantom::rt::SafeTensorsFile::open(weights);
    if (!file)
      return fail(toString(file.takeError()));
    trained.emplace(std::move(*file));
  }
  DialectRegistry registry;
  ::phantom::registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(input, &context);
  if (!module)
    return 1;
  ScopedDiagnosticHandler handler(&context, print);
  return writeExport(*module, trained ? &*trained : nullptr);
}

static OwningOpRef<ModuleOp> readProgram(MLIRContext &context) {
  return parseSourceFile<ModuleOp>(input.empty() ? StringRef("-") : StringRef(input), &context);
}

static int printGpuResources() {
  DialectRegistry registry;
  ::phantom::registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module = readProgram(context);
  if (!module)
    return 1;
  Expected<mlir::phantom::CompiledGpuProgram> compiled = mlir::phantom::compileForGpu(*module);
  if (!compiled)
    return fail(toString(compiled.takeError()));
  outs() << "| kernel | chip | registers | spilled bytes | stack bytes |\n| --- | --- | --- | --- | --- |\n";
  for (const ::phantom::rt::KernelResources &kernel : compiled->resources)
    outs() << "| " << kernel.kernel << " | " << kernel.chip << " | " << kernel.registers << " | "
           << kernel.spillBytes << " | " << kernel.stackBytes << " |\n";
  return 0;
}

static int printStepProgram() {
  DialectRegistry registry;
  ::phantom::registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module = readProgram(context);
  if (!module)
    return 1;
  FailureOr<::phantom::rt::Program> program = mlir::phantom::exportStepProgram(*module);
  if (failed(program))
    return 1;
  if (output.empty()) {
    ::phantom::rt::writeProgramJson(*program, outs());
    return 0;
  }
  if (Error error = ::phantom::rt::writeFileAtomically(
          output, [&](raw_ostream &out) { ::phantom::rt::writeProgramJson(*program, out); }))
    return fail(toString(std::move(error)));
  return 0;
}

int main(int argc, char **argv) {
  InitLLVM initialize(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, "Translates between ONNX models and Phantom's IR\n");
  if (exportOnnx)
    return exportModel();
  if (listOperators) {
    ::phantom::onnx::printOperatorTable(outs());
    return 0;
  }
  if (toStepProgram)
    return printStepProgram();
  if (gpuResources)
    return printGpuResources();
  if (!importOnnx)
    return fail(
        "say what to do: --import-onnx, --export-onnx, --phantom-to-step-program or --phantom-gpu-resources");
  return importModel();
}
