//===- Runner.cpp - IR in, numbers out -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runner.h"

#include "ValueOrAbort.h"

#include "phantom/Conversion/Pipelines.h"
#include "phantom/InitAll.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/ErrorHandling.h"

#include <cstring>

using mlir::DialectRegistry;
using mlir::MLIRContext;
using mlir::ModuleOp;
using mlir::OwningOpRef;
using mlir::PassManager;
namespace rt = ::phantom::rt;
using ::phantom::test::Runner;

using ::phantom::test::check;
using ::phantom::test::valueOrAbort;

namespace {

mlir::phantom::CompiledProgram compile(const std::string &ir, const std::string &options) {
  DialectRegistry registry;
  ::phantom::registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(ir, &context);
  PassManager passes(&context);
  auto pipelineOptions = mlir::phantom::ToCpuPipelineOptions::createFromString(options);
  mlir::phantom::buildToCpuPipeline(passes, *pipelineOptions);
  if (!module || failed(passes.run(*module)))
    llvm::report_fatal_error("the IR does not compile");
  return valueOrAbort(mlir::phantom::compileForCpu(*module));
}

} // namespace

void phantom::test::store(const rt::TensorType &type, std::byte *memory, const std::vector<double> &values) {
  for (size_t i = 0; i < values.size(); ++i) {
    switch (type.element) {
    case rt::ElementType::F32:
      reinterpret_cast<float *>(memory)[i] = static_cast<float>(values[i]);
      break;
    case rt::ElementType::F64:
      reinterpret_cast<double *>(memory)[i] = values[i];
      break;
    case rt::ElementType::I64:
      reinterpret_cast<int64_t *>(memory)[i] = static_cast<int64_t>(values[i]);
      break;
    default:
      llvm::report_fatal_error("no such element type in these tests");
    }
  }
}

std::vector<double> phantom::test::load(const rt::TensorType &type, const std::byte *memory) {
  std::vector<double> values(type.elements());
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = type.element == rt::ElementType::F32   ? reinterpret_cast<const float *>(memory)[i]
                : type.element == rt::ElementType::F64 ? reinterpret_cast<const double *>(memory)[i]
                                                       : reinterpret_cast<const int64_t *>(memory)[i];
  return values;
}

Runner::Runner(const std::string &ir, const std::string &options, const std::string &function)
    : compiled(compile(ir, options)) {
  rt::CpuRuntimeOptions runtimeOptions;
  runtimeOptions.team.bind = false;
  runtime = valueOrAbort(rt::CpuRuntime::create(compiled.executable, runtimeOptions));
  const rt::Function *bound = program().function(function);
  if (!bound)
    llvm::report_fatal_error("no such function");
  instance = valueOrAbort(runtime->bind(*bound));
}

void Runner::set(const std::string &name, const std::vector<double> &values) {
  const auto &arguments = instance->function().arguments;
  for (size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].name == name)
      return store(arguments[i].type, instance->argument(i), values);
  llvm::report_fatal_error("no such argument");
}

void Runner::run() {
  check(runtime->team().run([&](int64_t rank) { return instance->run(rank); }));
}

std::vector<double> Runner::get(const std::string &name, int64_t rank) const {
  for (const rt::Result &result : instance->function().results)
    if (result.name == name)
      return load(result.type, instance->address(rank, result));
  llvm::report_fatal_error("no such result");
}

std::vector<double> Runner::parameter(const std::string &name, int64_t rank) {
  auto index = runtime->parameters().find(name);
  if (!index)
    llvm::report_fatal_error("no such parameter");
  return load(program().parameters[*index].type, runtime->parameters().address(rank, *index));
}
