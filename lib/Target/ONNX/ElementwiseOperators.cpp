//===- ElementwiseOperators.cpp - Imports elementwise operators -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NodeImporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace llvm;
using namespace mlir;
using mlir::phantom::ActivationKind;

namespace phantom::onnx {

LogicalResult importArithmetic(NodeImporter &node) {
  FailureOr<Value> lhs = node.operand(0), rhs = node.operand(1);
  if (mlir::failed(lhs) || mlir::failed(rhs))
    return failure();
  if (node.opset() < 7) {
    // Then, broadcasting could start at any dimension; without an axis it is NumPy's.
    node.ignoreAttribute("broadcast");
    node.ignoreAttribute("consumed_inputs");
  }
  Value a = *lhs, b = *rhs;
  if (mlir::failed(broadcastOperands(node, a, b)))
    return failure();
  OpBuilder &builder = node.builder;
  if (node.opType() == "Add")
    return node.setResult(arith::AddFOp::create(builder, node.location, a, b));
  if (node.opType() == "Sub")
    return node.setResult(arith::SubFOp::create(builder, node.location, a, b));
  if (node.opType() == "Mul")
    return node.setResult(arith::MulFOp::create(builder, node.location, a, b));
  return node.setResult(arith::DivFOp::create(builder, node.location, a, b));
}

static FailureOr<ActivationKind> activationKind(NodeImporter &node) {
  StringRef type = node.opType();
  if (type == "Relu")
    return ActivationKind::Relu;
  if (type == "Sigmoid")
    return ActivationKind::Sigmoid;
  if (type == "Tanh")
    return ActivationKind::Tanh;
  if (type == "LeakyRelu")
    return ActivationKind::LeakyRelu;
  if (type == "Elu")
    return ActivationKind::Elu;
  FailureOr<std::string> approximate = node.stringAttribute("approximate", "none");
  if (mlir::failed(approximate))
    return failure();
  if (*approximate == "none")
    return ActivationKind::GeluErf;
  if (*approximate == "tanh")
    return ActivationKind::GeluTanh;
  return node.error() << "has the approximation " << quoteName(*approximate)
                      << "; 'none' and 'tanh' are known";
}

LogicalResult importActivation(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
  FailureOr<ActivationKind> kind = activationKind(node);
  if (mlir::failed(x) || mlir::failed(kind))
    return failure();
  double alpha = 0;
  if (*kind == ActivationKind::LeakyRelu || *kind == ActivationKind::Elu) {
    FailureOr<double> attribute = node.floatAttribute("alpha", *kind == ActivationKind::Elu ? 1.0 : 0.01);
    if (mlir::failed(attribute))
      return failure();
    alpha = *attribute;
  }
  if (node.opset() < 6)
    node.ignoreAttribute("consumed_inputs");
  return node.setResult(mlir::phantom::ActivationOp::create(node.builder, node.location, x->getType(), *kind,
                                                            *x, APFloat(alpha)));
}

LogicalResult importErf(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
  return mlir::failed(x) ? failure() : node.setResult(math::ErfOp::create(node.builder, node.location, *x));
}

LogicalResult importSqrt(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
  if (node.opset() < 6)
    node.ignoreAttribute("consumed_inputs");
  return mlir::failed(x) ? failure() : node.setResult(math::SqrtOp::create(node.builder, node.location, *x));
}

LogicalResult importPow(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
  FailureOr<double> exponent = node.scalar(1);
  if (mlir::failed(x) || mlir::failed(exponent))
    return failure();
  if (*exponent != 2 && *exponent != 3)
    return node.error() << "has the exponent " << *exponent << "; only 2 and 3 are supported";
  Value power = arith::MulFOp::create(node.builder, node.location, *x, *x);
  if (*exponent == 3)
    power = arith::MulFOp::create(node.builder, node.location, power, *x);
  return node.setResult(power);
}

/// The ratio is kept, whether or not the node is in training mode: the op is the identity outside training.
LogicalResult importDropout(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
  if (mlir::failed(x))
    return failure();
  FailureOr<double> ratio = 0.5;
  if (node.opset() < 12) {
    ratio = node.floatAttribute("ratio", 0.5);
    node.ignoreAttribute("is_test");
    node.ignoreAttribute("consumed_inputs");
  } else {
    node.ignoreAttribute("seed");
    if (node.hasInput(1))
      ratio = node.scalar(1);
    if (node.hasInput(2) && mlir::failed(node.checkBoolean(2)))
      return failure();
  }
  if (mlir::failed(ratio))
    return failure();
  if (!(*ratio >= 0 && *ratio < 1))
    return node.error() << "has the ratio " << *ratio << ", which is not in [0, 1)";
  return node.setResult(mlir::phantom::DropoutOp::create(node.builder, node.location, x->getType(), *x,
                                                         node.builder.getF64FloatAttr(*ratio)));
}

} // namespace phantom::onnx
