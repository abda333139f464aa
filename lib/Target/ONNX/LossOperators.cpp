//===- LossOperators.cpp - Losses inside models --------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// NegativeLogLikelihoodLoss: −x[target]·weight[target], picked by comparing the target with every class, so
// that the gradient is that of a choice. A class that does not exist counts as one that is ignored.
//
//===----------------------------------------------------------------------===//

#include "Parts.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace llvm;
using namespace mlir;

namespace phantom::onnx {

namespace {

/// The samples' classes against all classes, in the shape of the input [N, C, d…].
class ClassPicker {
public:
  ClassPicker(NodeImporter &node, Value input) : node(node), input(input) {}

  /// From targets [N, d…].
  LogicalResult create(Value target) {
    OpBuilder &builder = node.builder;
    Shape shape(shapeOf(input)), unit(shape), column(shape.size() - 1, 1);
    unit[1] = 1;
    column[0] = shape[1];
    SmallVector<APInt> numbers;
    for (int64_t i = 0; i < shape[1]; ++i)
      numbers.push_back(APInt(elementOf(target).getIntOrFloatBitWidth(), i));
    auto type = RankedTensorType::get(column, elementOf(target));
    Value classes = arith::ConstantOp::create(builder, node.location, DenseElementsAttr::get(type, numbers));
    FailureOr<Value> aligned = reshapeTo(node, target, unit);
    FailureOr<Value> wideTarget = mlir::failed(aligned) ? aligned : broadcastTo(node, *aligned, input);
    FailureOr<Value> wideClasses =
        mlir::failed(wideTarget) ? wideTarget : broadcastTo(node, classes, *wideTarget);
    if (mlir::failed(wideClasses))
      return failure();
    hit = arith::CmpIOp::create(builder, node.location, arith::CmpIPredicate::eq, *wideTarget, *wideClasses);
    return success();
  }

  /// values[n, target[n, d…], d…], of values that are broadcast to the input; zero where the class does not
  /// exist.
  FailureOr<Value> pick(Value values) {
    FailureOr<Value> wide = broadcastTo(node, values, hit);
    if (mlir::failed(wide))
      return failure();
    Value zero = splat(node, 0, hit, elementOf(values));
    Value chosen = arith::SelectOp::create(node.builder, node.location, hit, *wide, zero);
    return sumOver(node, chosen, {1}, /*keep=*/false);
  }

private:
  NodeImporter &node;
  Value input, hit;
};

/// The attributes and operands that both losses have.
struct LossNode {
  std::string reduction;
  std::optional<int64_t> ignored;
  Value target, weight; ///< no weight: all ones
};

} // namespace

static FailureOr<LossNode> readLoss(NodeImporter &node, Value input) {
  LossNode loss;
  FailureOr<std::string> reduction = node.stringAttribute("reduction", "mean");
  FailureOr<int64_t> ignored = node.intAttribute("ignore_index", 0);
  FailureOr<Value> target = node.anyOperand(1);
  if (mlir::failed(reduction) || mlir::failed(ignored) || mlir::failed(target))
    return failure();
  if (*reduction != "mean" && *reduction != "sum" && *reduction != "none")
    return node.error() << "has the reduction " << quoteName(*reduction)
                        << "; 'mean', 'sum' and 'none' are known";
  ArrayRef<int64_t> shape = shapeOf(input);
  Shape expected(shape.take_front(std::min<size_t>(shape.size(), 1)));
  append_range(expected, shape.drop_front(std::min<size_t>(shape.size(), 2)));
  if (shape.size() < 2 || ShapedType::isDynamic(shape[1]) ||
      shapeOf(*target) != ArrayRef<int64_t>(expected) || !isa<IntegerType>(elementOf(*target)) ||
      elementOf(*target).getIntOrFloatBitWidth() < 32)
    return node.error() << "needs an input [batch, classes, …] and one integer for each sample, has "
                        << shapeText(shape) << " and " << cast<RankedTensorType>(target->getType());
  if (shape[1] > (int64_t(1) << 24))
    return node.error() << "has " << shape[1] << " classes, which is too many";
  loss.reduction = *reduction;
  if (node.hasAttribute("ignore_index"))
    loss.ignored = *ignored;
  loss.target = *target;
  if (node.hasInput(2)) {
    FailureOr<Value> weight = node.operand(2);
    if (mlir::failed(weight))
      return failure();
    if (shapeOf(*weight) != shape.slice(1, 1) || elementOf(*weight) != elementOf(input))
      return node.error() << "needs one weight for each of " << shape[1] << " classes, has "
                          << cast<RankedTensorType>(weight->getType());
    loss.weight = *weight;
  }
  return loss;
}

/// The weight of each sample; zero for those that are ignored.
static FailureOr<Value> sampleWeights(NodeImporter &node, const LossNode &loss, ClassPicker &picker,
                                      Value input) {
  OpBuilder &builder = node.builder;
  FailureOr<Value> all = scalarConstant(node, 1, elementOf(input));
  if (loss.weight) {
    Shape column(shapeOf(input).size() - 1, 1);
    column[0] = shapeOf(input)[1];
    all = reshapeTo(node, loss.weight, column);
  }
  FailureOr<Value> weights = mlir::failed(all) ? all : picker.pick(*all);
  if (mlir::failed(weights) || !loss.ignored)
    return weights;
  Value ignored = splat(node, static_cast<double>(*loss.ignored), loss.target);
  Value isIgnored =
      arith::CmpIOp::create(builder, node.location, arith::CmpIPredicate::eq, loss.target, ignored);
  Value zero = splat(node, 0, isIgnored, elementOf(*weights));
  return Value(arith::SelectOp::create(builder, node.location, isIgnored, zero, *weights));
}

/// The loss of log-probabilities [N, C, d…].
static FailureOr<Value> createLoss(NodeImporter &node, Value input, const LossNode &loss) {
  OpBuilder &builder = node.builder;
  ClassPicker picker(node, input);
  if (mlir::failed(picker.create(loss.target)))
    return failure();
  FailureOr<Value> weights = sampleWeights(node, loss, picker, input), picked = picker.pick(input);
  if (mlir::failed(weights) || mlir::failed(picked))
    return failure();
  Value negated = arith::NegFOp::create(builder, node.location, *picked);
  Value losses = arith::MulFOp::create(builder, node.location, negated, *weights);
  if (loss.reduction == "none")
    return losses;
  Shape dims = to_vector(seq<int64_t>(0, shapeOf(losses).size()));
  FailureOr<Value> sum = sumOver(node, losses, dims, /*keep=*/false);
  if (loss.reduction == "sum")
    return sum;
  FailureOr<Value> total = sumOver(node, *weights, dims, /*keep=*/false);
  if (mlir::failed(sum) || mlir::failed(total))
    return failure();
  return Value(arith::DivFOp::create(builder, node.location, *sum, *total));
}

LogicalResult importNegativeLogLikelihood(NodeImporter &node) {
  FailureOr<Value> input = node.operand(0);
  FailureOr<LossNode> loss = mlir::failed(input) ? FailureOr<LossNode>(failure()) : readLoss(node, *input);
  FailureOr<Value> value = mlir::failed(loss) ? FailureOr<Value>(failure()) : createLoss(node, *input, *loss);
  return mlir::failed(value) ? failure() : node.setOutput(0, *value, false);
}

LogicalResult importSoftmaxCrossEntropy(NodeImporter &node) {
  FailureOr<Value> scores = node.operand(0);
  FailureOr<LossNode> loss = mlir::failed(scores) ? FailureOr<LossNode>(failure()) : readLoss(node, *scores);
  if (mlir::failed(loss))
    return failure();
  Value logarithms = mlir::phantom::LogSoftmaxOp::create(node.builder, node.location, scores->getType(),
                                                         *scores, node.builder.getI64IntegerAttr(1));
  FailureOr<Value> value = createLoss(node, logarithms, *loss);
  if (mlir::failed(value) || mlir::failed(node.setOutput(1, logarithms, false)))
    return failure();
  return node.setOutput(0, *value, false);
}

} // namespace phantom::onnx
