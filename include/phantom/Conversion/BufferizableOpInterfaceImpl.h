//===- BufferizableOpInterfaceImpl.h - Bufferization of phantom ops -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_CONVERSION_BUFFERIZABLEOPINTERFACEIMPL_H
#define PHANTOM_CONVERSION_BUFFERIZABLEOPINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;

namespace phantom {

/// Attaches the BufferizableOpInterface to GEMMs and exchanges.
void registerBufferizableOpInterfaceExternalModels(DialectRegistry &registry);

} // namespace phantom
} // namespace mlir

#endif // PHANTOM_CONVERSION_BUFFERIZABLEOPINTERFACEIMPL_H
