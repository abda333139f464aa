//===- Runner.h - IR in, numbers out -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_TARGET_RUNNER_H
#define PHANTOM_TEST_TARGET_RUNNER_H

#include "phantom-rt/CpuRuntime.h"
#include "phantom/Target/CPU/Compile.h"

#include "mlir/IR/MLIRContext.h"

#include <memory>
#include <string>
#include <vector>

namespace phantom::test {

/// Copies values to memory of that type, and back.
void store(const rt::TensorType &type, std::byte *memory, const std::vector<double> &values);
std::vector<double> load(const rt::TensorType &type, const std::byte *memory);

/// Compiles IR through `phantom-to-cpu-pipeline` and runs one of its functions on all ranks. Failures abort
/// the test's process: nothing of what follows would make sense.
class Runner {
public:
  /// `options` as on phantom-opt's command line.
  Runner(const std::string &ir, const std::string &options = "", const std::string &function = "infer");

  /// Sets an argument by name (or scalar by role name), converting to its type.
  void set(const std::string &name, const std::vector<double> &values);
  void run();
  /// A result by name, as rank `rank` has it.
  std::vector<double> get(const std::string &name, int64_t rank = 0) const;
  std::vector<double> parameter(const std::string &name, int64_t rank = 0);

  const rt::Program &program() const { return compiled.executable.program; }

private:
  mlir::phantom::CompiledProgram compiled;
  std::unique_ptr<rt::CpuRuntime> runtime;
  std::unique_ptr<rt::FunctionInstance> instance;
};

} // namespace phantom::test

#endif // PHANTOM_TEST_TARGET_RUNNER_H
