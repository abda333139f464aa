//===- SelectOperators.cpp - Comparisons, and what chooses ---------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NodeImporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;
using namespace mlir;

namespace phantom::onnx {

/// Two operands of one type, in one shape.
static FailureOr<std::pair<Value, Value>> alignedPair(NodeImporter &node) {
  FailureOr<Value> lhs = node.anyOperand(0), rhs = node.anyOperand(1);
  if (mlir::failed(lhs) || mlir::failed(rhs))
    return failure();
  Value a = *lhs, b = *rhs;
  if (elementOf(a) != elementOf(b))
    return node.error() << "takes " << elementOf(a) << " and " << elementOf(b) << ", which differ";
  if (node.opset() < 7 && mlir::failed(alignAtAxis(node, a, b)))
    return failure();
  if (mlir::failed(broadcastOperands(node, a, b)))
    return failure();
  return std::pair(a, b);
}

LogicalResult importComparison(NodeImporter &node) {
  FailureOr<std::pair<Value, Value>> operands = alignedPair(node);
  if (mlir::failed(operands))
    return failure();
  auto [a, b] = *operands;
  StringRef op = node.opType();
  if (isa<FloatType>(elementOf(a))) {
    auto predicate = llvm::StringSwitch<arith::CmpFPredicate>(op)
                         .Case("Equal", arith::CmpFPredicate::OEQ)
                         .Case("Greater", arith::CmpFPredicate::OGT)
                         .Case("GreaterOrEqual", arith::CmpFPredicate::OGE)
                         .Case("Less", arith::CmpFPredicate::OLT)
                         .Default(arith::CmpFPredicate::OLE);
    return node.setOutput(0, arith::CmpFOp::create(node.builder, node.location, predicate, a, b), false);
  }
  if (elementOf(a).isInteger(1) && op != "Equal")
    return node.error() << "orders booleans";
  auto choose = [&](arith::CmpIPredicate isSigned, arith::CmpIPredicate isUnsigned) {
    return node.isUnsigned(a) || node.isUnsigned(b) ? isUnsigned : isSigned;
  };
  arith::CmpIPredicate predicate = arith::CmpIPredicate::eq;
  if (op == "Greater")
    predicate = choose(arith::CmpIPredicate::sgt, arith::CmpIPredicate::ugt);
  else if (op == "GreaterOrEqual")
    predicate = choose(arith::CmpIPredicate::sge, arith::CmpIPredicate::uge);
  else if (op == "Less")
    predicate = choose(arith::CmpIPredicate::slt, arith::CmpIPredicate::ult);
  else if (op == "LessOrEqual")
    predicate = choose(arith::CmpIPredicate::sle, arith::CmpIPredicate::ule);
  return node.setOutput(0, arith::CmpIOp::create(node.builder, node.location, predicate, a, b), false);
}

LogicalResult importLogic(NodeImporter &node) {
  StringRef op = node.opType();
  if (op == "Not") {
    FailureOr<Value> x = node.anyOperand(0);
    if (mlir::failed(x))
      return failure();
    if (!elementOf(*x).isInteger(1))
      return node.error() << "takes booleans, not " << elementOf(*x);
    Value on = splat(node, 1, *x);
    return node.setResult(arith::XOrIOp::create(node.builder, node.location, *x, on));
  }
  FailureOr<std::pair<Value, Value>> operands = alignedPair(node);
  if (mlir::failed(operands))
    return failure();
  auto [a, b] = *operands;
  if (!elementOf(a).isInteger(1))
    return node.error() << "takes booleans, not " << elementOf(a);
  if (op == "And")
    return node.setResult(arith::AndIOp::create(node.builder, node.location, a, b));
  if (op == "Or")
    return node.setResult(arith::OrIOp::create(node.builder, node.location, a, b));
  return node.setResult(arith::XOrIOp::create(node.builder, node.location, a, b));
}

LogicalResult importWhere(NodeImporter &node) {
  FailureOr<Value> condition = node.anyOperand(0), x = node.anyOperand(1), y = node.anyOperand(2);
  if (mlir::failed(condition) || mlir::failed(x) || mlir::failed(y))
    return failure();
  if (!elementOf(*condition).isInteger(1) || elementOf(*x) != elementOf(*y))
    return node.error() << "chooses by " << elementOf(*condition) << " from " << elementOf(*x) << " and "
                        << elementOf(*y);
  bool isUnsigned = node.isUnsigned(*x);
  Value values[] = {*condition, *x, *y};
  if (mlir::failed(broadcastTogether(node, values)))
    return failure();
  return node.setOutput(
      0, arith::SelectOp::create(node.builder, node.location, values[0], values[1], values[2]), isUnsigned);
}

//===----------------------------------------------------------------------===//
// Extremes
//===----------------------------------------------------------------------===//

static Value createExtreme(NodeImporter &node, Value a, Value b, bool max, bool isUnsigned) {
  OpBuilder &builder = node.builder;
  Location loc = node.location;
  if (isa<FloatType>(elementOf(a)))
    return max ? Value(arith::MaximumFOp::create(builder, loc, a, b))
               : Value(arith::MinimumFOp::create(builder, loc, a, b));
  if (isUnsigned)
    return max ? Value(arith::MaxUIOp::create(builder, loc, a, b))
               : Value(arith::MinUIOp::create(builder, loc, a, b));
  return max ? Value(arith::MaxSIOp::create(builder, loc, a, b))
             : Value(arith::MinSIOp::create(builder, loc, a, b));
}

/// A bound of Clip, a scalar; null where it is absent.
static FailureOr<Value> bound(NodeImporter &node, StringRef attribute, unsigned input, Value x) {
  if (node.opset() < 11) {
    if (!node.hasAttribute(attribute))
      return Value();
    FailureOr<double> number = node.floatAttribute(attribute, 0);
    if (mlir::failed(number))
      return failure();
    return scalarConstant(node, *number, elementOf(x));
  }
  if (!node.hasInput(input))
    return Value();
  FailureOr<Value> value = node.anyOperand(input);
  if (mlir::failed(value))
    return failure();
  if (elementOf(*value) != elementOf(x) || cast<RankedTensorType>(value->getType()).getRank() != 0)
    return node.error() << "needs a scalar of " << elementOf(x) << " as input " << input;
  return value;
}

LogicalResult importClip(NodeImporter &node) {
  FailureOr<Value> x = node.opset() < 12 ? node.operand(0) : node.anyOperand(0);
  if (node.opset() < 6)
    node.ignoreAttribute("consumed_inputs");
  if (mlir::failed(x) || (node.opset() < 11 && mlir::failed(node.checkInputs(1, 1))))
    return failure();
  if (elementOf(*x).isInteger(1))
    return node.error() << "takes numbers, not booleans";
  FailureOr<Value> low = bound(node, "min", 1, *x), high = bound(node, "max", 2, *x);
  if (mlir::failed(low) || mlir::failed(high))
    return failure();
  bool isUnsigned = node.isUnsigned(*x);
  Value y = *x;
  for (auto [limit, isLow] : {std::pair(*low, true), std::pair(*high, false)}) {
    if (!limit)
      continue;
    FailureOr<Value> wide = broadcastTo(node, limit, y);
    if (mlir::failed(wide))
      return failure();
    y = createExtreme(node, y, *wide, /*max=*/isLow, isUnsigned);
  }
  return node.setOutput(0, y, isUnsigned);
}

LogicalResult importVariadic(NodeImporter &node) {
  StringRef op = node.opType();
  bool extreme = op == "Max" || op == "Min";
  if (node.opset() < 6)
    node.ignoreAttribute("consumed_inputs");
  SmallVector<Value> values;
  bool isUnsigned = false;
  for (unsigned i = 0; i < node.numInputs(); ++i) {
    FailureOr<Value> value = extreme ? node.anyOperand(i) : node.operand(i);
    if (mlir::failed(value))
      return failure();
    if (elementOf(*value).isInteger(1) || (!values.empty() && elementOf(*value) != elementOf(values[0])) ||
        (node.opset() < 8 && !values.empty() && shapeOf(*value) != shapeOf(values[0])))
      return node.error() << "needs operands of one type"
                          << (node.opset() < 8 ? ", and before opset 8 of one shape" : "");
    isUnsigned |= node.isUnsigned(*value);
    values.push_back(*value);
  }
  if (mlir::failed(broadcastTogether(node, values)))
    return failure();
  Value result = values[0];
  for (Value value : drop_begin(values))
    result = extreme ? createExtreme(node, result, value, op == "Max", isUnsigned)
                     : Value(arith::AddFOp::create(node.builder, node.location, result, value));
  if (op == "Mean" && values.size() > 1) {
    Value count = splat(node, static_cast<double>(values.size()), result);
    result = arith::DivFOp::create(node.builder, node.location, result, count);
  }
  return node.setOutput(0, result, isUnsigned);
}

} // namespace phantom::onnx
