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

LogicalResult alignAtAxis(NodeImporter &node, Value a, Value &b) {
  FailureOr<int64_t> broadcast = node.intAttribute("broadcast", 0), axis = node.intAttribute("axis", -1);
  node.ignoreAttribute("consumed_inputs");
  if (mlir::failed(broadcast) || mlir::failed(axis))
    return failure();
  ArrayRef<int64_t> shape = shapeOf(a);
  SmallVector<int64_t> own(shapeOf(b));
  auto rank = static_cast<int64_t>(shape.size()), ownRank = static_cast<int64_t>(own.size());
  if (!*broadcast) {
    if (shape != ArrayRef<int64_t>(own))
      return node.error() << "has operands of shapes " << shapeText(shape) << " and " << shapeText(own)
                          << ", but does not broadcast";
    return success();
  }
  int64_t start = node.hasAttribute("axis") && *axis != -1 ? *axis : rank - ownRank;
  if (start < 0 || start + ownRank > rank)
    return node.error() << "cannot align " << shapeText(own) << " with " << shapeText(shape) << " at axis "
                        << start;
  own.append(rank - ownRank - start, 1);
  FailureOr<Value> aligned = reshapeTo(node, b, own);
  if (mlir::failed(aligned))
    return failure();
  b = *aligned;
  return success();
}

/// Division that is defined for all operands: 0 by 0, and wraps as negation does.
static Value divideIntegers(NodeImporter &node, Value a, Value b, bool isUnsigned) {
  OpBuilder &builder = node.builder;
  Location loc = node.location;
  Value zero = splat(node, 0, b), one = splat(node, 1, b), minusOne = splat(node, -1, b);
  auto equals = [&](Value number) -> Value {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, b, number);
  };
  Value byZero = equals(zero);
  Value divisor = arith::SelectOp::create(builder, loc, byZero, one, b);
  Value quotient;
  if (isUnsigned) {
    quotient = arith::DivUIOp::create(builder, loc, a, divisor);
  } else {
    Value byMinusOne = equals(minusOne);
    divisor = arith::SelectOp::create(builder, loc, byMinusOne, one, divisor);
    quotient = arith::DivSIOp::create(builder, loc, a, divisor);
    Value negated = arith::SubIOp::create(builder, loc, zero, a);
    quotient = arith::SelectOp::create(builder, loc, byMinusOne, negated, quotient);
  }
  return arith::SelectOp::create(builder, loc, byZero, zero, quotient);
}

LogicalResult importArithmetic(NodeImporter &node) {
  FailureOr<Value> lhs = node.anyOperand(0), rhs = node.anyOperand(1);
  if (mlir::failed(lhs) || mlir::failed(rhs))
    return failure();
  Value a = *lhs, b = *rhs;
  Type element = elementOf(a);
  if (element != elementOf(b) || element.isInteger(1))
    return node.error() << "computes with " << element << " and " << elementOf(b);
  bool isUnsigned = node.isUnsigned(a) || node.isUnsigned(b);
  if (node.opset() < 7 && mlir::failed(alignAtAxis(node, a, b)))
    return failure();
  if (mlir::failed(broadcastOperands(node, a, b)))
    return failure();
  OpBuilder &builder = node.builder;
  Location loc = node.location;
  StringRef op = node.opType();
  if (isa<FloatType>(element)) {
    if (op == "Add")
      return node.setResult(arith::AddFOp::create(builder, loc, a, b));
    if (op == "Sub")
      return node.setResult(arith::SubFOp::create(builder, loc, a, b));
    if (op == "Mul")
      return node.setResult(arith::MulFOp::create(builder, loc, a, b));
    return node.setResult(arith::DivFOp::create(builder, loc, a, b));
  }
  if (op == "Add")
    return node.setResult(arith::AddIOp::create(builder, loc, a, b));
  if (op == "Sub")
    return node.setResult(arith::SubIOp::create(builder, loc, a, b));
  if (op == "Mul")
    return node.setResult(arith::MulIOp::create(builder, loc, a, b));
  return node.setResult(divideIntegers(node, a, b, isUnsigned));
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
  if (type == "Softplus")
    return ActivationKind::Softplus;
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

LogicalResult importUnary(NodeImporter &node) {
  StringRef op = node.opType();
  bool integers = op == "Neg" || op == "Abs";
  FailureOr<Value> operand = integers ? node.anyOperand(0) : node.operand(0);
  if (node.opset() < 6)
    node.ignoreAttribute("consumed_inputs");
  if (mlir::failed(operand))
    return failure();
  OpBuilder &builder = node.builder;
  Location loc = node.location;
  Value x = *operand;
  if (auto type = dyn_cast<IntegerType>(elementOf(x))) {
    if (type.isInteger(1))
      return node.error() << "computes with booleans";
    Value zero = splat(node, 0, x);
    if (op == "Neg")
      return node.setResult(arith::SubIOp::create(builder, loc, zero, x));
    if (node.isUnsigned(x))
      return node.setResult(x);
    Value negated = arith::SubIOp::create(builder, loc, zero, x);
    return node.setResult(arith::MaxSIOp::create(builder, loc, x, negated));
  }
  if (op == "Abs")
    return node.setResult(math::AbsFOp::create(builder, loc, x));
  if (op == "Erf")
    return node.setResult(math::ErfOp::create(builder, loc, x));
  if (op == "Exp")
    return node.setResult(math::ExpOp::create(builder, loc, x));
  if (op == "Log")
    return node.setResult(math::LogOp::create(builder, loc, x));
  if (op == "Neg")
    return node.setResult(arith::NegFOp::create(builder, loc, x));
  if (op == "Sqrt")
    return node.setResult(math::SqrtOp::create(builder, loc, x));
  Value one = splat(node, 1, x); // Reciprocal
  return node.setResult(arith::DivFOp::create(builder, loc, one, x));
}

/// min(max(αx + β, 0), 1)
static Value hardSigmoid(NodeImporter &node, Value x, double alpha, double beta) {
  OpBuilder &builder = node.builder;
  Location loc = node.location;
  Value scaled = arith::MulFOp::create(builder, loc, x, splat(node, alpha, x));
  Value line = arith::AddFOp::create(builder, loc, scaled, splat(node, beta, scaled));
  Value positive = arith::MaximumFOp::create(builder, loc, line, splat(node, 0, line));
  return arith::MinimumFOp::create(builder, loc, positive, splat(node, 1, positive));
}

LogicalResult importGate(NodeImporter &node) {
  FailureOr<Value> operand = node.operand(0);
  if (mlir::failed(operand))
    return failure();
  Value x = *operand;
  OpBuilder &builder = node.builder;
  Location loc = node.location;
  if (node.opType() == "HardSwish") {
    Value gate = hardSigmoid(node, x, 1.0 / 6, 0.5);
    return node.setResult(arith::MulFOp::create(builder, loc, x, gate));
  }
  bool hard = node.opType() == "HardSigmoid";
  FailureOr<double> alpha = node.floatAttribute("alpha", hard ? 0.2 : 1.0);
  FailureOr<double> beta = hard ? node.floatAttribute("beta", 0.5) : 0.0;
  if (mlir::failed(alpha) || mlir::failed(beta))
    return failure();
  if (hard) {
    if (node.opset() < 6)
      node.ignoreAttribute("consumed_inputs");
    return node.setResult(hardSigmoid(node, x, *alpha, *beta));
  }
  auto activation = [&](ActivationKind kind, Value value) -> Value {
    return mlir::phantom::ActivationOp::create(builder, loc, value.getType(), kind, value, APFloat(0.0));
  };
  if (*alpha == 1)
    return node.setResult(activation(ActivationKind::Silu, x));
  Value factor = splat(node, *alpha, x);
  Value gate = activation(ActivationKind::Sigmoid, arith::MulFOp::create(builder, loc, x, factor));
  return node.setResult(arith::MulFOp::create(builder, loc, x, gate));
}

//===----------------------------------------------------------------------===//
// Powers
//===----------------------------------------------------------------------===//

/// x², x³ and the root: what formulas mean by a constant exponent. Null for others.
static Value simplePower(NodeImporter &node, Value x, double exponent) {
  OpBuilder &builder = node.builder;
  bool floats = isa<FloatType>(elementOf(x));
  auto multiply = [&](Value a, Value b) -> Value {
    if (floats)
      return arith::MulFOp::create(builder, node.location, a, b);
    return arith::MulIOp::create(builder, node.location, a, b);
  };
  if (exponent == 1)
    return x;
  if (exponent == 2)
    return multiply(x, x);
  if (exponent == 3)
    return multiply(multiply(x, x), x);
  return {};
}

static Value castTo(NodeImporter &node, Value x, Type element, bool resultUnsigned = false) {
  auto type = cast<RankedTensorType>(x.getType()).clone(element);
  if (type == x.getType())
    return x;
  return mlir::phantom::CastOp::create(node.builder, node.location, type, x, mlir::phantom::NarrowFloatAttr(),
                                       node.isUnsigned(x), resultUnsigned);
}

/// Powers of integers, or by them, are computed in floats: those of integers in f64, which holds them up to
/// 2⁵³.
LogicalResult importPow(NodeImporter &node) {
  FailureOr<Value> base = node.anyOperand(0);
  if (mlir::failed(base))
    return failure();
  Type element = elementOf(*base);
  if (element.isInteger(1))
    return node.error() << "computes with booleans";
  bool constantExponent = node.isConstant(1) && node.numElements(1) == 1 && node.numDimensions(1) <= 1;
  if (constantExponent && (node.numDimensions(1) == 0 || !shapeOf(*base).empty())) {
    FailureOr<double> exponent = node.scalar(1);
    if (mlir::failed(exponent))
      return failure();
    // One number needs no alignment.
    if (node.opset() < 7) {
      node.ignoreAttribute("broadcast");
      node.ignoreAttribute("axis");
    }
    if (Value power = simplePower(node, *base, *exponent))
      return node.setOutput(0, power, node.isUnsigned(*base));
  }
  FailureOr<Value> exponent = node.anyOperand(1);
  if (mlir::failed(exponent))
    return failure();
  Value a = *base, b = *exponent;
  bool isUnsigned = node.isUnsigned(a);
  Type computed = isa<FloatType>(element) ? element : Type(node.builder.getF64Type());
  if (node.opset() < 12 && elementOf(b) != element)
    return node.error() << "has an exponent of another type than the base; opset 12 has that";
  if (node.opset() < 7 && mlir::failed(alignAtAxis(node, a, b)))
    return failure();
  a = castTo(node, a, computed);
  b = castTo(node, b, computed);
  if (mlir::failed(broadcastOperands(node, a, b)))
    return failure();
  Value power = math::PowFOp::create(node.builder, node.location, a, b);
  return node.setOutput(0, castTo(node, power, element, isUnsigned), isUnsigned);
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
  if (node.opset() < 12 && mlir::failed(node.checkInputs(1, 1)))
    return failure();
  if (mlir::failed(ratio))
    return failure();
  if (!(*ratio >= 0 && *ratio < 1))
    return node.error() << "has the ratio " << *ratio << ", which is not in [0, 1)";
  if (node.hasOutput(1)) { // the identity keeps everything
    Type mask = node.opset() < 10 ? elementOf(*x) : Type(node.builder.getI1Type());
    if (mlir::failed(node.setOutput(1, splat(node, 1, *x, mask))))
      return failure();
  }
  return node.setResult(mlir::phantom::DropoutOp::create(
      node.builder, node.location, x->getType(), *x, node.builder.getF64FloatAttr(*ratio), mlir::ValueRange(),
      mlir::IntegerAttr(), mlir::DenseI64ArrayAttr()));
}

} // namespace phantom::onnx
