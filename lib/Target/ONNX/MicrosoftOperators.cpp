//===- MicrosoftOperators.cpp - Imports onnxruntime's fused operators -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Of the domain com.microsoft: what onnxruntime's optimiser makes of feed-forward blocks.

#include "NodeImporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace llvm;
using namespace mlir;
using mlir::phantom::ActivationKind;
using mlir::phantom::ActivationOp;

namespace phantom::onnx {

/// Gelu, BiasGelu and FastGelu: of x, or of x + bias.
static LogicalResult importGelu(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
  if (mlir::failed(x))
    return failure();
  Value sum = *x;
  if (node.hasInput(1)) {
    FailureOr<Value> bias = node.operand(1);
    if (mlir::failed(bias))
      return failure();
    FailureOr<Value> wide = broadcastTo(node, *bias, sum);
    if (mlir::failed(wide))
      return failure();
    sum = arith::AddFOp::create(node.builder, node.location, sum, *wide);
  }
  ActivationKind kind = node.opType() == "FastGelu" ? ActivationKind::GeluTanh : ActivationKind::GeluErf;
  return node.setResult(
      ActivationOp::create(node.builder, node.location, sum.getType(), kind, sum, APFloat(0.0)));
}

/// x · sigmoid(alpha · x)
static LogicalResult importQuickGelu(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
  FailureOr<double> alpha = node.floatAttribute("alpha", shortestDouble(1.702f));
  if (mlir::failed(x) || mlir::failed(alpha))
    return failure();
  Value factor = splat(node, *alpha, *x);
  Value scaled = arith::MulFOp::create(node.builder, node.location, *x, factor);
  Value gate = ActivationOp::create(node.builder, node.location, x->getType(), ActivationKind::Sigmoid,
                                    scaled, APFloat(0.0));
  return node.setResult(arith::MulFOp::create(node.builder, node.location, *x, gate));
}

static constexpr Gradient kYes{Gradient::Yes, ""};

/// Sorted by name. The domain has had one version.
static constexpr Operator kOperators[] = {
    {"BiasGelu", 1, 1, 2, 2, kYes, importGelu},
    {"FastGelu", 1, 1, 1, 2, kYes, importGelu},
    {"FusedMatMul", 1, 1, 2, 2, kYes, importFusedMatMul},
    {"Gelu", 1, 1, 1, 1, kYes, importGelu},
    {"QuickGelu", 1, 1, 1, 1, kYes, importQuickGelu},
    {"SkipLayerNormalization", 1, 1, 3, 5, kYes, importSkipLayerNormalization},
    {"SkipSimplifiedLayerNormalization", 1, 1, 3, 4, kYes, importSkipLayerNormalization},
};

ArrayRef<Operator> microsoftOperators() { return kOperators; }

} // namespace phantom::onnx
