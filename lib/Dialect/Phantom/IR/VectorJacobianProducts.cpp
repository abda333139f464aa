//===- VectorJacobianProducts.cpp - Adjoints of every differentiable op -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Each product is a few ops of the same dialect. Adjoints of exchanges follow
// from the states of their types (docs/Architecture.md).
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::phantom;

using Cotangents = FailureOr<SmallVector<Value>>;

namespace {

/// [0, …, rank − 2]: the batch dimensions of an activation.
SmallVector<int64_t> batchDims(Type type) {
  return llvm::to_vector(llvm::seq<int64_t>(0, cast<RankedTensorType>(type).getRank() - 1));
}

Value splat(OpBuilder &b, Location loc, Type type, double value) {
  auto tensor = cast<RankedTensorType>(type);
  auto element = FloatAttr::get(tensor.getElementType(), value);
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(tensor, element.getValue()));
}

/// The type of the sum over `dims`: partial where that sums over the ranks' blocks.
RankedTensorType sumType(RankedTensorType type, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> shape;
  StateAttr state = getState(type);
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (!llvm::is_contained(dims, d))
      shape.push_back(type.getDimSize(d));
    if (getShardDim(type) != d)
      continue;
    bool summed = llvm::is_contained(dims, d);
    state = StateAttr::get(type.getContext(), state.getAxis(), summed ? StateKind::Partial : StateKind::Shard,
                           summed ? 0 : shape.size() - 1);
  }
  return RankedTensorType::get(shape, type.getElementType(), state);
}

} // namespace

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

Cotangents LinearOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  SmallVector<Value> result(getNumOperands());
  Value delta = cotangents[0];
  Type xType = getCotangentType(getInput().getType()), wType = getCotangentType(getWeight().getType());
  // The input's cotangent comes first: where it is exchanged, the parameter gradients hide that.
  if (needed[0])
    result[0] = LinearOp::create(b, getLoc(), xType, delta, getWeight(), Value(), !getIo());
  if (needed[1])
    result[1] = WeightGradientOp::create(b, getLoc(), wType, delta, getInput(), getIo());
  if (getBias() && needed[2])
    result[2] = ReduceSumOp::create(b, getLoc(), getCotangentType(getBias().getType()), delta,
                                    batchDims(delta.getType()));
  return result;
}

Cotangents MatmulOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  SmallVector<Value> result(2);
  Location loc = getLoc();
  auto transposed = [&](Value value) -> Value {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
    std::swap(permutation[type.getRank() - 1], permutation[type.getRank() - 2]);
    SmallVector<int64_t> shape(type.getShape());
    std::swap(shape[type.getRank() - 1], shape[type.getRank() - 2]);
    return TransposeOp::create(b, loc, type.clone(shape), value, permutation);
  };
  if (needed[0]) {
    Value rhs = transposed(getRhs());
    result[0] = MatmulOp::create(b, loc, getLhs().getType(), cotangents[0], rhs);
  }
  if (needed[1]) {
    Value lhs = transposed(getLhs());
    result[1] = MatmulOp::create(b, loc, getRhs().getType(), lhs, cotangents[0]);
  }
  return result;
}

Cotangents CompressOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  SmallVector<Value> result(2);
  Value gamma = cotangents[0];
  if (needed[0])
    result[0] =
        DecompressOp::create(b, getLoc(), getCotangentType(getInput().getType()), gamma, getWeight(), Value(),
                             /*zero_own=*/false, FlatSymbolRefAttr(), StringAttr());
  if (needed[1])
    result[1] = GhostWeightGradientOp::create(b, getLoc(), getCotangentType(getWeight().getType()), gamma,
                                              getInput());
  return result;
}

Cotangents DecompressOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  SmallVector<Value> result(getNumOperands());
  Value delta = cotangents[0];
  // First what is exchanged, then what hides the exchange.
  if (needed[0])
    result[0] = CompressOp::create(b, getLoc(), getCotangentType(getGhosts().getType()), delta, getWeight());
  if (needed[1]) {
    Type type = getCotangentType(getWeight().getType());
    Value gradient = GhostWeightGradientOp::create(b, getLoc(), type, getGhosts(), delta);
    if (getZeroOwn())
      gradient = MaskOwnBlockOp::create(b, getLoc(), type, gradient, getMeshAttr(), getAxisAttr());
    result[1] = gradient;
  }
  if (getAcc() && needed[2])
    result[2] = delta;
  return result;
}

//===----------------------------------------------------------------------===//
// Elementwise ops and shapes
//===----------------------------------------------------------------------===//

Cotangents ActivationOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  bool fromResult = slopeFollowsFromResult(getKind(), getAlpha().convertToDouble());
  Value saved = fromResult ? getOutput() : getInput();
  Value gradient = ActivationGradientOp::create(b, getLoc(), getKindAttr(), saved, cotangents[0],
                                                fromResult ? b.getUnitAttr() : UnitAttr(), getAlphaAttr());
  return SmallVector<Value>{gradient};
}

Cotangents DropoutOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  if (!isActive())
    return SmallVector<Value>{cotangents[0]};
  Value gradient = DropoutOp::create(b, getLoc(), cotangents[0].getType(), cotangents[0], getRatioAttr(),
                                     getCounter(), getSiteAttr(), getWholeAttr());
  return SmallVector<Value>{gradient};
}

Cotangents BroadcastOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  SmallVector<Value> result(getNumOperands());
  if (!needed[0])
    return result;
  auto in = cast<RankedTensorType>(getInput().getType()), out = cast<RankedTensorType>(getOutput().getType());
  auto gradientType = cast<RankedTensorType>(getCotangentType(in));
  int64_t shift = out.getRank() - in.getRank();
  SmallVector<int64_t> dims;
  for (int64_t d = 0; d < out.getRank(); ++d)
    if (d < shift || (in.getDimSize(d - shift) == 1 && out.getDimSize(d) != 1))
      dims.push_back(d);
  RankedTensorType summed = sumType(cast<RankedTensorType>(cotangents[0].getType()), dims);
  Value sum = ReduceSumOp::create(b, getLoc(), summed, cotangents[0], dims);
  result[0] = summed == gradientType ? sum : Value(ReshapeOp::create(b, getLoc(), gradientType, sum));
  return result;
}

Cotangents ReshapeOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  Value gradient = ReshapeOp::create(b, getLoc(), getCotangentType(getInput().getType()), cotangents[0]);
  return SmallVector<Value>{gradient};
}

Cotangents TransposeOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  SmallVector<int64_t> inverse(getPermutation().size());
  for (auto [i, source] : llvm::enumerate(getPermutation()))
    inverse[source] = i;
  Value gradient =
      TransposeOp::create(b, getLoc(), getCotangentType(getInput().getType()), cotangents[0], inverse);
  return SmallVector<Value>{gradient};
}

Cotangents ReduceSumOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  auto type = cast<RankedTensorType>(getCotangentType(getInput().getType()));
  SmallVector<int64_t> shape(type.getShape());
  for (int64_t dim : getDims())
    shape[dim] = 1;
  // Of a sum over the sharded dimension the cotangent is per-rank; otherwise it is sharded as the operand is.
  StateAttr state = getState(type);
  if (state && llvm::is_contained(getDims(), getShardDim(type).value_or(-1)))
    state = getState(cotangents[0].getType());
  auto unitType = RankedTensorType::get(shape, type.getElementType(), state);
  Value unit = ReshapeOp::create(b, getLoc(), unitType, cotangents[0]);
  Value gradient = BroadcastOp::create(b, getLoc(), type, unit, Value());
  return SmallVector<Value>{gradient};
}

//===----------------------------------------------------------------------===//
// Exchanges
//===----------------------------------------------------------------------===//

Cotangents AllGatherOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  Type type = getCotangentType(getInput().getType());
  Value gradient;
  if (isReplicated(getOutput().getType()))
    gradient = LocalSliceOp::create(b, getLoc(), type, cotangents[0], getDim(), getMesh(), getAxis());
  else
    gradient = ReduceScatterOp::create(b, getLoc(), type, cotangents[0], getDim(), getMesh(), getAxis());
  return SmallVector<Value>{gradient};
}

Cotangents ReduceScatterOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  Type type = getCotangentType(getInput().getType());
  Value gradient = AllGatherOp::create(b, getLoc(), type, cotangents[0], getDim(), getMesh(), getAxis());
  return SmallVector<Value>{gradient};
}

Cotangents AllReduceOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  Type type = getCotangentType(getInput().getType());
  Value gradient = ReplicateOp::create(b, getLoc(), type, cotangents[0], getMesh(), getAxis());
  return SmallVector<Value>{gradient};
}

Cotangents ReplicateOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  Type type = getCotangentType(getInput().getType());
  Value gradient = AllReduceOp::create(b, getLoc(), type, cotangents[0], getMesh(), getAxis());
  return SmallVector<Value>{gradient};
}

Cotangents LocalSliceOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  Type type = getCotangentType(getInput().getType());
  Value gradient = AllGatherOp::create(b, getLoc(), type, cotangents[0], getDim(), getMesh(), getAxis());
  return SmallVector<Value>{gradient};
}

//===----------------------------------------------------------------------===//
// Upstream elementwise ops
//===----------------------------------------------------------------------===//

namespace {

using Rule = Value (*)(OpBuilder &, Location, Operation *, Value cotangent, unsigned operand);

/// The interface by a rule that gives the cotangent of one operand.
template <typename Op, Rule rule>
struct ElementwiseModel : DifferentiableOpInterface::ExternalModel<ElementwiseModel<Op, rule>, Op> {
  Cotangents buildVjp(Operation *op, OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) const {
    SmallVector<Value> result(op->getNumOperands());
    for (unsigned i = 0; i < result.size(); ++i)
      if (needed[i])
        result[i] = rule(b, op->getLoc(), op, cotangents[0], i);
    return result;
  }
};

Value vjpAdd(OpBuilder &, Location, Operation *, Value cotangent, unsigned) { return cotangent; }

Value vjpSub(OpBuilder &b, Location loc, Operation *, Value cotangent, unsigned operand) {
  return operand == 0 ? cotangent : Value(arith::NegFOp::create(b, loc, cotangent));
}

Value vjpNeg(OpBuilder &b, Location loc, Operation *, Value cotangent, unsigned) {
  return arith::NegFOp::create(b, loc, cotangent);
}

Value vjpMul(OpBuilder &b, Location loc, Operation *op, Value cotangent, unsigned operand) {
  return arith::MulFOp::create(b, loc, cotangent, op->getOperand(1 - operand));
}

/// q = x/y: ∂x = ∂q/y, ∂y = −∂q·q/y
Value vjpDiv(OpBuilder &b, Location loc, Operation *op, Value cotangent, unsigned operand) {
  Value quotient = arith::DivFOp::create(b, loc, cotangent, op->getOperand(1));
  if (operand == 0)
    return quotient;
  Value product = arith::MulFOp::create(b, loc, quotient, op->getResult(0));
  return arith::NegFOp::create(b, loc, product);
}

/// erf' = 2/√π·e^(−x²)
Value vjpErf(OpBuilder &b, Location loc, Operation *op, Value cotangent, unsigned) {
  Value x = op->getOperand(0);
  Value square = arith::MulFOp::create(b, loc, x, x);
  Value negated = arith::NegFOp::create(b, loc, square);
  Value bell = math::ExpOp::create(b, loc, negated);
  Value scale = splat(b, loc, x.getType(), 1.1283791670955126);
  Value slope = arith::MulFOp::create(b, loc, bell, scale);
  return arith::MulFOp::create(b, loc, cotangent, slope);
}

Value vjpExp(OpBuilder &b, Location loc, Operation *op, Value cotangent, unsigned) {
  return arith::MulFOp::create(b, loc, cotangent, op->getResult(0));
}

Value vjpTanh(OpBuilder &b, Location loc, Operation *op, Value cotangent, unsigned) {
  Value y = op->getResult(0);
  Value square = arith::MulFOp::create(b, loc, y, y);
  Value one = splat(b, loc, y.getType(), 1.0);
  Value slope = arith::SubFOp::create(b, loc, one, square);
  return arith::MulFOp::create(b, loc, cotangent, slope);
}

Value vjpSqrt(OpBuilder &b, Location loc, Operation *op, Value cotangent, unsigned) {
  Value half = splat(b, loc, cotangent.getType(), 0.5);
  Value scaled = arith::MulFOp::create(b, loc, cotangent, half);
  return arith::DivFOp::create(b, loc, scaled, op->getResult(0));
}

Value vjpLog(OpBuilder &b, Location loc, Operation *op, Value cotangent, unsigned) {
  return arith::DivFOp::create(b, loc, cotangent, op->getOperand(0));
}

/// ∂x = ∂y where x > 0, −∂y where x < 0, else 0
Value vjpAbs(OpBuilder &b, Location loc, Operation *op, Value cotangent, unsigned) {
  Value x = op->getOperand(0), zero = splat(b, loc, cotangent.getType(), 0);
  Value negated = arith::NegFOp::create(b, loc, cotangent);
  Value positive = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, zero);
  Value negative = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, zero);
  Value other = arith::SelectOp::create(b, loc, negative, negated, zero);
  return arith::SelectOp::create(b, loc, positive, cotangent, other);
}

/// To the first operand where it is the extreme one, or equal; else to the second.
template <arith::CmpFPredicate predicate>
Value vjpExtreme(OpBuilder &b, Location loc, Operation *op, Value cotangent, unsigned operand) {
  Value first = arith::CmpFOp::create(b, loc, predicate, op->getOperand(0), op->getOperand(1));
  Value zero = splat(b, loc, cotangent.getType(), 0);
  if (operand == 0)
    return arith::SelectOp::create(b, loc, first, cotangent, zero);
  return arith::SelectOp::create(b, loc, first, zero, cotangent);
}

/// y = aᵇ: ∂a = ∂y·b·a^(b−1), zero where b is; ∂b = ∂y·y·log a, zero where a is.
Value vjpPow(OpBuilder &b, Location loc, Operation *op, Value cotangent, unsigned operand) {
  Value base = op->getOperand(0), exponent = op->getOperand(1);
  Value zero = splat(b, loc, cotangent.getType(), 0), one = splat(b, loc, cotangent.getType(), 1);
  Value slope;
  if (operand == 0) {
    Value less = arith::SubFOp::create(b, loc, exponent, one);
    Value power = math::PowFOp::create(b, loc, base, less);
    slope = arith::MulFOp::create(b, loc, exponent, power);
  } else {
    Value log = math::LogOp::create(b, loc, base);
    slope = arith::MulFOp::create(b, loc, op->getResult(0), log);
  }
  Value vanishing =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, operand == 0 ? exponent : base, zero);
  slope = arith::SelectOp::create(b, loc, vanishing, zero, slope);
  return arith::MulFOp::create(b, loc, cotangent, slope);
}

/// The chosen operand has the cotangent; the condition has none.
Value vjpSelect(OpBuilder &b, Location loc, Operation *op, Value cotangent, unsigned operand) {
  if (operand == 0)
    return {};
  Value zero = splat(b, loc, cotangent.getType(), 0);
  return operand == 1 ? arith::SelectOp::create(b, loc, op->getOperand(0), cotangent, zero)
                      : arith::SelectOp::create(b, loc, op->getOperand(0), zero, cotangent);
}

} // namespace

void mlir::phantom::registerDifferentiableExternalModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, arith::ArithDialect *, math::MathDialect *) {
    arith::AddFOp::attachInterface<ElementwiseModel<arith::AddFOp, vjpAdd>>(*context);
    arith::SubFOp::attachInterface<ElementwiseModel<arith::SubFOp, vjpSub>>(*context);
    arith::NegFOp::attachInterface<ElementwiseModel<arith::NegFOp, vjpNeg>>(*context);
    arith::MulFOp::attachInterface<ElementwiseModel<arith::MulFOp, vjpMul>>(*context);
    arith::DivFOp::attachInterface<ElementwiseModel<arith::DivFOp, vjpDiv>>(*context);
    math::ErfOp::attachInterface<ElementwiseModel<math::ErfOp, vjpErf>>(*context);
    math::ExpOp::attachInterface<ElementwiseModel<math::ExpOp, vjpExp>>(*context);
    math::TanhOp::attachInterface<ElementwiseModel<math::TanhOp, vjpTanh>>(*context);
    arith::MaximumFOp::attachInterface<
        ElementwiseModel<arith::MaximumFOp, vjpExtreme<arith::CmpFPredicate::OGE>>>(*context);
    arith::MinimumFOp::attachInterface<
        ElementwiseModel<arith::MinimumFOp, vjpExtreme<arith::CmpFPredicate::OLE>>>(*context);
    arith::SelectOp::attachInterface<ElementwiseModel<arith::SelectOp, vjpSelect>>(*context);
    math::AbsFOp::attachInterface<ElementwiseModel<math::AbsFOp, vjpAbs>>(*context);
    math::LogOp::attachInterface<ElementwiseModel<math::LogOp, vjpLog>>(*context);
    math::PowFOp::attachInterface<ElementwiseModel<math::PowFOp, vjpPow>>(*context);
    math::SqrtOp::attachInterface<ElementwiseModel<math::SqrtOp, vjpSqrt>>(*context);
  });
}
