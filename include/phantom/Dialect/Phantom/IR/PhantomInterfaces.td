//===- PhantomInterfaces.td - Op interfaces ---------------*- tablegen -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_INTERFACES_TD
#define PHANTOM_INTERFACES_TD

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::mlir::phantom";
  let description = [{
    An op that knows its vector-Jacobian product. Upstream ops get it as external models
    (`registerDifferentiableExternalModels`).
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the cotangents of the operands from those of the results. `cotangents` has one value per result, of type
      `getCotangentType(result)`, null where the result does not influence the loss. `needed` has one flag per operand.
      Returns one value per operand, null where not needed or zero. Emits an error where the op cannot be differentiated.
    }], "::llvm::FailureOr<::llvm::SmallVector<::mlir::Value>>", "buildVjp",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$cotangents, "::llvm::ArrayRef<bool>":$needed)>
  ];
}

def ExchangeOpInterface : OpInterface<"ExchangeOpInterface"> {
  let cppNamespace = "::mlir::phantom";
  let description = [{
    A collective on a mesh axis, and what it costs: shared by the planner, remarks and logs.
  }];
  let methods = [
    InterfaceMethod<"The collective.", "::mlir::phantom::ExchangeKind", "getExchangeKind">,
    InterfaceMethod<"Ranks on the axis.", "int64_t", "getRanks">,
    InterfaceMethod<"Elements one rank sends under the ring model (math.md, costs).", "double", "getRingElements">
  ];
}

#endif // PHANTOM_INTERFACES_TD
