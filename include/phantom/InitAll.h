//===- InitAll.h - Registers everything the tools know ----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_INITALL_H
#define PHANTOM_INITALL_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace phantom {

/// The phantom dialect, the upstream dialects that its programs use, and the interfaces between them.
void registerAllDialects(mlir::DialectRegistry &registry);

/// The project's passes and pipelines, and the upstream passes useful beside them.
void registerAllPasses();

} // namespace phantom

#endif // PHANTOM_INITALL_H
