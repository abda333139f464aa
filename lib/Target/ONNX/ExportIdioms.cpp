//===- ExportIdioms.cpp - Operators that are several ops --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// What the importer makes of one node goes back into one node. The ops in between are then not exported,
// unless others use them, too. Where the operator could also stand for the ops of several nodes, those of one
// node are known by their location.

#include "OpExporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace llvm;
using namespace mlir::arith;
using mlir::phantom::BroadcastOp;
using mlir::phantom::ReduceSumOp;
using mlir::phantom::ReshapeOp;

namespace phantom::onnx {

static bool isFromOneNode(Operation *a, Operation *b) { return a->getLoc() == b->getLoc(); }

//===----------------------------------------------------------------------===//
// Div of integers
//===----------------------------------------------------------------------===//

namespace {

/// A division that gives 0 for a divisor of 0, and wraps.
struct IntegerDivision {
  Value dividend, divisor;
  SmallVector<Operation *> parts; ///< users before their operands
};

} // namespace

/// The divisor that `condition` compares with the number; null for other conditions.
static Value comparedWith(Value condition, int64_t number) {
  auto compare = condition.getDefiningOp<CmpIOp>();
  if (!compare || compare.getPredicate() != CmpIPredicate::eq ||
      !isNumber(compare.getRhs(), static_cast<double>(number), compare.getLhs()))
    return {};
  return compare.getLhs();
}

/// The value that `select` replaces by the number where `condition` holds; null for others.
static Value replacedBy(Value value, Value condition, int64_t number) {
  auto select = value.getDefiningOp<SelectOp>();
  bool fits = select && select.getCondition() == condition &&
              isNumber(stripBroadcasts(select.getTrueValue()), static_cast<double>(number), Value());
  return fits ? select.getFalseValue() : Value();
}

static std::optional<IntegerDivision> matchUnsignedDivision(Value quotient, Value byZero, Value divisor) {
  auto divide = quotient.getDefiningOp<DivUIOp>();
  if (!divide || replacedBy(divide.getRhs(), byZero, 1) != divisor)
    return std::nullopt;
  return IntegerDivision{
      divide.getLhs(), divisor, {divide, divide.getRhs().getDefiningOp(), byZero.getDefiningOp()}};
}

static std::optional<IntegerDivision> matchSignedDivision(Value quotient, Value byZero, Value divisor) {
  auto wrap = quotient.getDefiningOp<SelectOp>();
  if (!wrap || comparedWith(wrap.getCondition(), -1) != divisor)
    return std::nullopt;
  auto negate = wrap.getTrueValue().getDefiningOp<SubIOp>();
  auto divide = wrap.getFalseValue().getDefiningOp<DivSIOp>();
  if (!negate || !divide || negate.getRhs() != divide.getLhs() ||
      !isNumber(stripBroadcasts(negate.getLhs()), 0, Value()))
    return std::nullopt;
  Value notMinusOne = replacedBy(divide.getRhs(), wrap.getCondition(), 1);
  if (!notMinusOne || replacedBy(notMinusOne, byZero, 1) != divisor)
    return std::nullopt;
  return IntegerDivision{divide.getLhs(),
                         divisor,
                         {wrap, negate, divide, divide.getRhs().getDefiningOp(),
                          wrap.getCondition().getDefiningOp(), notMinusOne.getDefiningOp(),
                          byZero.getDefiningOp()}};
}

static std::optional<IntegerDivision> matchDivision(Operation *op) {
  Value byZero = cast<SelectOp>(op).getCondition();
  Value divisor = comparedWith(byZero, 0), quotient = replacedBy(op->getResult(0), byZero, 0);
  if (!divisor || !quotient)
    return std::nullopt;
  auto division = matchUnsignedDivision(quotient, byZero, divisor);
  return division ? division : matchSignedDivision(quotient, byZero, divisor);
}

//===----------------------------------------------------------------------===//
// Trilu
//===----------------------------------------------------------------------===//

namespace {

struct Triangle {
  bool upper;
  int64_t diagonal;
};

} // namespace

/// The triangle that the mask keeps, if it keeps one.
static std::optional<Triangle> matchTriangle(mlir::DenseElementsAttr mask) {
  ArrayRef<int64_t> shape = mask.getType().getShape();
  auto kept = to_vector(mask.getValues<bool>());
  auto keeps = [&](int64_t row, int64_t column) { return kept[row * shape[1] + column]; };
  auto isTriangle = [&](Triangle triangle) {
    for (int64_t row = 0; row < shape[0]; ++row)
      for (int64_t column = 0; column < shape[1]; ++column)
        if (keeps(row, column) !=
            (triangle.upper ? column - row >= triangle.diagonal : column - row <= triangle.diagonal))
          return false;
    return true;
  };
  int64_t first = shape[1], last = -shape[0];
  for (int64_t row = 0; row < shape[0]; ++row)
    for (int64_t column = 0; column < shape[1]; ++column)
      if (keeps(row, column)) {
        first = std::min(first, column - row);
        last = std::max(last, column - row);
      }
  for (Triangle triangle : {Triangle{true, first}, Triangle{false, last}})
    if (isTriangle(triangle))
      return triangle;
  return std::nullopt;
}

static std::optional<Triangle> matchTrilu(SelectOp op) {
  Value condition = op.getCondition(), like = op.getTrueValue();
  if (auto broadcast = condition.getDefiningOp<BroadcastOp>()) {
    if (broadcast.getLike() && broadcast.getLike() != like)
      return std::nullopt;
    condition = broadcast.getInput();
  }
  mlir::DenseElementsAttr mask;
  if (!matchPattern(condition, mlir::m_Constant(&mask)) || mask.getType().getRank() != 2 ||
      mask.getType().getShape() != staticShape(like).take_back(2) || !isNumber(op.getFalseValue(), 0, like))
    return std::nullopt;
  return matchTriangle(mask);
}

SmallVector<Operation *> partsOfSelect(Operation *op) {
  auto division = matchDivision(op);
  return division ? std::move(division->parts) : SmallVector<Operation *>();
}

LogicalResult exportSelect(OpExporter &exporter) {
  if (auto division = matchDivision(exporter.op)) {
    SmallVector<Value> values = withoutBroadcasts({division->dividend, division->divisor});
    return exporter.result("Div", {exporter.tensor(values[0]), exporter.tensor(values[1])});
  }
  auto select = cast<SelectOp>(exporter.op);
  if (auto triangle = matchTrilu(select))
    return exporter.result("Trilu",
                           {exporter.tensor(select.getTrueValue()), exporter.integer(triangle->diagonal)},
                           {intAttribute("upper", triangle->upper)});
  return exporter.result("Where", exporter.broadcastOperands());
}

//===----------------------------------------------------------------------===//
// Clip
//===----------------------------------------------------------------------===//

/// The maximum below a minimum, both with scalars, as Clip has them; null for others.
static Operation *matchClip(Operation *op) {
  Operation *maximum = op->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<MaximumFOp, MaxSIOp, MaxUIOp>(maximum) || !isFromOneNode(op, maximum))
    return nullptr;
  auto isBound = [](Operation *extreme) {
    Value x = extreme->getOperand(0), limit = extreme->getOperand(1);
    auto broadcast = limit.getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return staticShape(limit).empty();
    return staticShape(broadcast.getInput()).empty() && (!broadcast.getLike() || broadcast.getLike() == x);
  };
  return isBound(op) && isBound(maximum) ? maximum : nullptr;
}

SmallVector<Operation *> partsOfMinimum(Operation *op) {
  Operation *maximum = matchClip(op);
  return maximum ? SmallVector<Operation *>{maximum} : SmallVector<Operation *>();
}

LogicalResult exportMinimum(OpExporter &exporter) {
  Operation *maximum = matchClip(exporter.op);
  if (!maximum)
    return exporter.result("Min", exporter.broadcastOperands());
  return exporter.result("Clip", {exporter.tensor(maximum->getOperand(0)),
                                  exporter.tensor(stripBroadcasts(maximum->getOperand(1))),
                                  exporter.tensor(stripBroadcasts(exporter.op->getOperand(1)))});
}

//===----------------------------------------------------------------------===//
// ReduceMean
//===----------------------------------------------------------------------===//

/// The sum that is divided by the number of its addends; null for others.
static ReduceSumOp matchMean(Operation *op) {
  Operation *sum = op->getOperand(0).getDefiningOp();
  if (isa_and_nonnull<ReshapeOp>(sum))
    sum = isFromOneNode(op, sum) ? keptSum(sum) : nullptr;
  auto reduce = dyn_cast_or_null<ReduceSumOp>(sum);
  if (!reduce || reduce.getDims().empty() || !isFromOneNode(op, reduce))
    return {};
  double count = 1;
  for (int64_t dim : reduce.getDims())
    count *= static_cast<double>(staticShape(reduce.getInput())[dim]);
  return count > 0 && isNumber(op->getOperand(1), count, op->getOperand(0)) ? reduce : ReduceSumOp();
}

SmallVector<Operation *> partsOfQuotient(Operation *op) {
  ReduceSumOp sum = matchMean(op);
  Operation *reshape = op->getOperand(0).getDefiningOp<ReshapeOp>();
  if (!sum)
    return {};
  return reshape ? SmallVector<Operation *>{reshape, sum} : SmallVector<Operation *>{sum};
}

LogicalResult exportQuotient(OpExporter &exporter) {
  if (ReduceSumOp sum = matchMean(exporter.op)) {
    bool keep = exporter.op->getOperand(0) != sum.getOutput();
    // The axes became an input in opset 18.
    SmallVector<std::string> inputs = {exporter.tensor(sum.getInput())};
    std::vector<Attribute> attributes = {intAttribute("keepdims", keep)};
    if (exporter.graph.opset() >= 18)
      inputs.push_back(exporter.integers(sum.getDims()));
    else
      attributes.push_back(intsAttribute("axes", sum.getDims()));
    return exporter.result("ReduceMean", inputs, std::move(attributes));
  }
  Value x = exporter.op->getOperand(1);
  if (isNumber(exporter.op->getOperand(0), 1, x))
    return exporter.result("Reciprocal", {exporter.tensor(x)});
  return exporter.result("Div", exporter.broadcastOperands());
}

} // namespace phantom::onnx
