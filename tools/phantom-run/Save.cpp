//===- Save.cpp - Writes what was trained -----------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Save.h"

#include "llvm/Support/Path.h"

using namespace llvm;

namespace phantom::run {

namespace {

/// The parameters of a program: their shapes, and with a store, their values.
class ProgramTensors : public onnx::TrainedTensors {
public:
  explicit ProgramTensors(const rt::Program &program, const rt::ParameterStore *store = nullptr)
      : program(program), store(store) {}

  std::string description() const override { return "the trained parameters"; }

  std::optional<std::vector<int64_t>> shape(StringRef name) const override {
    const rt::Parameter *parameter = find(name);
    return parameter ? std::optional(rt::globalType(*parameter, program.ranks).shape) : std::nullopt;
  }

  Expected<rt::FileTensor> read(StringRef name) const override {
    const rt::Parameter &parameter = *find(name);
    size_t index = &parameter - program.parameters.data();
    auto whole = std::make_shared<rt::HostTensor>(
        rt::gatherParts(parameter, program.ranks, [&](int64_t rank) { return store->address(rank, index); }));
    return rt::FileTensor{rt::storageType(whole->type.element), whole->type.shape, whole->bytes.data(),
                          whole};
  }

private:
  const rt::Parameter *find(StringRef name) const {
    auto found = find_if(program.parameters, [&](const rt::Parameter &p) { return p.name == name; });
    return found == program.parameters.end() ? nullptr : &*found;
  }

  const rt::Program &program;
  const rt::ParameterStore *store;
};

} // namespace

mlir::LogicalResult Saver::prepare(mlir::ModuleOp module, StringRef path, const rt::Program &program) {
  ProgramTensors shapes(program);
  onnx::ExportOptions exportOptions;
  exportOptions.form = options.saveForm;
  exportOptions.trained = &shapes;
  exportOptions.baseDir = sys::path::parent_path(path).str();
  mlir::FailureOr<onnx::OnnxExport> created = onnx::OnnxExport::create(module, exportOptions);
  if (failed(created))
    return mlir::failure();
  model = std::move(*created);
  return mlir::success();
}

bool Saver::isFactoredInVain() const {
  return options.saveForm == onnx::ExportForm::Factored && model && model->phantomLayers() == 0;
}

Error Saver::save(rt::Session &session) const {
  if (!model)
    return session.saveParameters(options.saveFile);
  rt::Runtime &runtime = session.runtime();
  if (Error error = runtime.fetchParameters())
    return error;
  if (!runtime.team().isRoot())
    return Error::success();
  ProgramTensors tensors(runtime.program(), &runtime.parameters());
  return model->write(options.saveFile, &tensors, /*external=*/false);
}

} // namespace phantom::run
