//===- Phantom.h - The phantom dialect --------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_DIALECT_PHANTOM_IR_PHANTOM_H
#define PHANTOM_DIALECT_PHANTOM_IR_PHANTOM_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::phantom {
/// What exchanges write, so that no pass reorders or removes them.
struct CommunicationResource : public SideEffects::Resource::Base<CommunicationResource> {
  StringRef getName() final { return "Phantom::Communication"; }
};
} // namespace mlir::phantom

#include "phantom/Dialect/Phantom/IR/PhantomDialect.h.inc"
#include "phantom/Dialect/Phantom/IR/PhantomEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "phantom/Dialect/Phantom/IR/PhantomAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "phantom/Dialect/Phantom/IR/PhantomTypes.h.inc"

#include "phantom/Dialect/Phantom/IR/PhantomInterfaces.h.inc"

#define GET_OP_CLASSES
#include "phantom/Dialect/Phantom/IR/PhantomOps.h.inc"

namespace mlir::phantom {

/// The state of a tensor type; null where replicated.
StateAttr getState(Type type);

/// The state's kind on a sharded dimension: `dim` where `type` is shard(dim), else nullopt.
std::optional<int64_t> getShardDim(Type type);
bool isReplicated(Type type);
bool hasStateKind(Type type, StateKind kind);

/// The same shape and element type under another state (null: replicated).
RankedTensorType withState(RankedTensorType type, StateAttr state);

/// The type of a value's cotangent: shape and element type of the value, and the dual state.
RankedTensorType getCotangentType(Type type);

/// The type of `encode`'s result, of blocks of `type`, in another encoding than f32.
RankedTensorType encodedType(RankedTensorType type, WireEncoding encoding);

/// Ranks on `axis` of the mesh that `op` refers to; 0 where the mesh does not exist.
int64_t getAxisSize(Operation *op, FlatSymbolRefAttr mesh, StringRef axis);

/// Whether the slope of an activation follows from its result (see `activation_gradient`).
bool slopeFollowsFromResult(ActivationKind kind, double alpha);

/// Attaches the DifferentiableOpInterface to the arith and math ops of models.
void registerDifferentiableExternalModels(DialectRegistry &registry);

} // namespace mlir::phantom

#endif // PHANTOM_DIALECT_PHANTOM_IR_PHANTOM_H
