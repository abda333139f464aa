//===- Fuzzer.h - What the fuzz targets share -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_FUZZ_FUZZER_H
#define PHANTOM_TEST_FUZZ_FUZZER_H

#include "phantom/InitAll.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

#include <cstdlib>

namespace phantom::fuzz {

inline mlir::DialectRegistry makeRegistry() {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  return registry;
}

/// A context that swallows diagnostics, but counts the errors: a failure without one is a finding.
struct Context {
  Context()
      : mlir(makeRegistry(), mlir::MLIRContext::Threading::DISABLED),
        handler(&mlir, [this](mlir::Diagnostic &diagnostic) {
          errors += diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error;
        }) {
    mlir.printOpOnDiagnostic(false);
  }

  void expectError() const {
    if (!errors)
      std::abort();
  }

  mlir::MLIRContext mlir;
  int errors = 0;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace phantom::fuzz

#endif // PHANTOM_TEST_FUZZ_FUZZER_H
