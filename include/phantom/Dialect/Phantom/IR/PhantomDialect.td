//===- PhantomDialect.td - The phantom dialect ------------*- tablegen -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_DIALECT_TD
#define PHANTOM_DIALECT_TD

include "mlir/IR/OpBase.td"

def Phantom_Dialect : Dialect {
  let name = "phantom";
  let cppNamespace = "::mlir::phantom";
  let summary = "Phantom-parallel and tensor-parallel feed-forward networks";
  let description = [{
    The ops of a feed-forward model (`linear`, `activation`, …), of its partition over the ranks of a mesh axis
    (`compress`, `decompress` and the exchanges), and of its step program (`gemm`, `window`, `launch`, …).

    Tensor types are what **one rank** holds. On a partitioned program their encoding, [`#phantom.state`](#stateattr),
    says how that relates to the whole. The rank itself is a run-time value: one program serves all ranks.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
  let extraClassDeclaration = [{
    void registerAttributes();

    /// Names of the attributes on function arguments and results.
    static constexpr llvm::StringLiteral kInput = "phantom.input";
    static constexpr llvm::StringLiteral kTarget = "phantom.target";
    static constexpr llvm::StringLiteral kParameter = "phantom.parameter";
    static constexpr llvm::StringLiteral kScalar = "phantom.scalar";
    static constexpr llvm::StringLiteral kOutput = "phantom.output";
    /// On an input or output of signless integers: they are unsigned.
    static constexpr llvm::StringLiteral kUnsigned = "phantom.unsigned";
    /// On an input of indices: n, where they are in [-n, n).
    static constexpr llvm::StringLiteral kIndexed = "phantom.indexed";
    static constexpr llvm::StringLiteral kLoss = "phantom.loss";
    static constexpr llvm::StringLiteral kGradient = "phantom.gradient";
    static constexpr llvm::StringLiteral kUpdated = "phantom.updated";
    static constexpr llvm::StringLiteral kSquaredNorm = "phantom.squared_norm";
    /// Names of the module's attributes.
    static constexpr llvm::StringLiteral kModel = "phantom.model";
    static constexpr llvm::StringLiteral kStrategy = "phantom.strategy";
    static constexpr llvm::StringLiteral kBatch = "phantom.batch";
    /// The batches whose gradients a training step sums; 1 where there is none.
    static constexpr llvm::StringLiteral kAccumulation = "phantom.accumulation";
    static constexpr llvm::StringLiteral kLossKind = "phantom.loss_kind";
  }];
}

#endif // PHANTOM_DIALECT_TD
