//===- NormalizeOps.cpp - Verifiers and adjoints of normalisations -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Verification.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SmallBitVector.h"

#include <cmath>

using namespace mlir;
using namespace mlir::phantom;

using Cotangents = FailureOr<SmallVector<Value>>;

namespace {

/// Values per sample that a rank sends; 0 where it sends a sum.
int64_t gatheredValues(StatisticsKind kind) {
  switch (kind) {
  case StatisticsKind::Layer:
    return 3;
  case StatisticsKind::Rms:
    return 0;
  case StatisticsKind::Softmax:
    return 2;
  }
  llvm_unreachable("unknown statistics");
}

/// `[leading…, samples…]`, where a sample is `dims` of `shape`.
SmallVector<int64_t> perSample(ArrayRef<int64_t> leading, ArrayRef<int64_t> shape, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> result(leading);
  for (auto [d, extent] : llvm::enumerate(shape))
    if (!llvm::is_contained(dims, static_cast<int64_t>(d)))
      result.push_back(extent);
  return result;
}

/// The statistics of whole samples, as users take them.
SmallVector<int64_t> statisticsShape(StatisticsKind kind, ArrayRef<int64_t> shape, ArrayRef<int64_t> dims) {
  int64_t values = gatheredValues(kind);
  return perSample(values ? ArrayRef<int64_t>(values) : ArrayRef<int64_t>(), shape, dims);
}

StatisticsKind statisticsOf(NormalizeKind kind) {
  return kind == NormalizeKind::Layer ? StatisticsKind::Layer : StatisticsKind::Rms;
}

SmallVector<int64_t> trailing(int64_t rank, int64_t over) {
  return llvm::to_vector(llvm::seq<int64_t>(rank - over, rank));
}

LogicalResult verifyStatistics(Operation *op, StatisticsKind kind, Value statistics, RankedTensorType x,
                               ArrayRef<int64_t> dims) {
  SmallVector<int64_t> expected = statisticsShape(kind, x.getShape(), dims);
  if (sameShape(tensorType(statistics).getShape(), expected))
    return success();
  return op->emitOpError("statistics ") << statistics.getType() << " must be of shape "
                                        << RankedTensorType::get(expected, x.getElementType());
}

/// The table of `normalize`. `parameters` are its scale and shift.
LogicalResult verifyNormalizeStates(Operation *op, RankedTensorType x, int64_t over, ValueRange parameters,
                                    Value statistics) {
  std::optional<int64_t> dim = getShardDim(x);
  int64_t inSample = dim ? *dim - (x.getRank() - over) : -1;
  bool divided = inSample >= 0;
  auto fits = [&](Value parameter) {
    Type type = parameter.getType();
    if (divided)
      return getShardDim(type) == inSample;
    return dim ? hasStateKind(type, StateKind::PerRank) : isReplicated(type);
  };
  bool known = dim || isReplicated(x);
  bool told = divided ? statistics && hasStateKind(statistics.getType(), StateKind::PerRank) : !statistics;
  if (!known || !told || !llvm::all_of(parameters, fits))
    return op->emitOpError("has states that no normalisation has: see the table of phantom.normalize");
  return success();
}

/// What `normalize` and the ops of its gradient have in common.
template <typename Op>
LogicalResult verifyNormalized(Op op, ValueRange parameters, Value statistics, bool counted) {
  RankedTensorType x = tensorType(op.getInput());
  int64_t over = op.getOver();
  if (over < 1 || over > x.getRank())
    return op.emitOpError("over ") << over << " dimensions of an operand of rank " << x.getRank();
  double epsilon = op.getEpsilon().convertToDouble();
  if (!(epsilon >= 0) || std::isinf(epsilon))
    return op.emitOpError("epsilon ") << epsilon << " must be finite and not negative";
  for (Value parameter : parameters)
    if (!sameShape(tensorType(parameter).getShape(), x.getShape().take_back(over)))
      return op.emitOpError("scale and shift must be of a sample's shape, not ") << parameter.getType();
  if (static_cast<bool>(statistics) != counted)
    return op.emitOpError("needs the elements of a sample ('of') with statistics, and only then");
  if (counted && op.getSampleElements() < 1)
    return op.emitOpError("samples need at least one element");
  if (statistics &&
      failed(verifyStatistics(op, statisticsOf(op.getKind()), statistics, x, trailing(x.getRank(), over))))
    return failure();
  if (failed(verifySameElementType(op)))
    return failure();
  return hasAnyState(op) ? verifyNormalizeStates(op, x, over, parameters, statistics) : success();
}

int64_t sampleElements(Value input, int64_t over, std::optional<int64_t> count) {
  if (count)
    return *count;
  return ShapedType::getNumElements(tensorType(input).getShape().take_back(over));
}

SmallVector<Value> present(std::initializer_list<Value> values) {
  SmallVector<Value> result;
  llvm::copy_if(values, std::back_inserter(result), [](Value value) { return static_cast<bool>(value); });
  return result;
}

} // namespace

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

int64_t NormalizeOp::getSampleElements() { return sampleElements(getInput(), getOver(), getCount()); }
int64_t NormalizeGradientOp::getSampleElements() { return sampleElements(getInput(), getOver(), getCount()); }

LogicalResult NormalizeOp::verify() {
  if (getInput().getType() != getOutput().getType())
    return emitOpError("result must be of the operand's type");
  return verifyNormalized(*this, present({getScale(), getShift()}), getStatistics(), getCount().has_value());
}

LogicalResult NormalizeGradientOp::verify() {
  if (getInput().getType() != getCotangent().getType() || getInput().getType() != getGradient().getType())
    return emitOpError("cotangent and result must be of the operand's type");
  if (static_cast<bool>(getStatistics()) != static_cast<bool>(getSums()))
    return emitOpError("needs statistics and sums, or neither");
  return verifyNormalized(*this, present({getScale()}), getStatistics(), getCount().has_value());
}

LogicalResult NormalizeSumsOp::verify() {
  RankedTensorType x = tensorType(getInput()), sums = tensorType(getSums());
  if (x != getCotangent().getType())
    return emitOpError("cotangent must be of the operand's type");
  if (failed(verifyNormalized(*this, present({getScale()}), getStatistics(), /*counted=*/true)))
    return failure();
  int64_t values = getKind() == NormalizeKind::Layer ? 2 : 1;
  if (!sameShape(sums.getShape(), perSample(values, x.getShape(), trailing(x.getRank(), getOver()))))
    return emitOpError("result must hold ") << values << " values for each sample";
  if (hasAnyState(*this) && !hasStateKind(sums, StateKind::Partial))
    return emitOpError("result must be partial");
  return success();
}

LogicalResult StatisticsOp::verify() {
  RankedTensorType x = tensorType(getInput()), result = tensorType(getOutput());
  llvm::SmallBitVector seen(x.getRank());
  for (int64_t dim : getDims()) {
    if (failed(verifyDimension(*this, dim, x)))
      return failure();
    if (seen.test(dim))
      return emitOpError("names dimension ") << dim << " twice";
    seen.set(dim);
  }
  if (getDims().empty())
    return emitOpError("needs a dimension");
  SmallVector<int64_t> expected = statisticsShape(getKind(), x.getShape(), getDims());
  bool gathered = gatheredValues(getKind()) > 0;
  if (gathered)
    expected.insert(expected.begin(), 1);
  if (!sameShape(result.getShape(), expected))
    return emitOpError("result must be of shape ") << RankedTensorType::get(expected, x.getElementType());
  if (failed(verifySameElementType(*this)))
    return failure();
  if (!hasAnyState(*this))
    return success();
  std::optional<int64_t> dim = getShardDim(x);
  bool stated = gathered ? getShardDim(result) == 0 : hasStateKind(result, StateKind::Partial);
  if (!dim || !llvm::is_contained(getDims(), *dim) || !stated)
    return emitOpError("must be over a sharded dimension and give ")
           << (gathered ? "shard(0)" : "a partial value");
  return success();
}

LogicalResult MergeStatisticsOp::verify() {
  RankedTensorType in = tensorType(getInput()), out = tensorType(getOutput());
  int64_t values = gatheredValues(getKind());
  if (values == 0)
    return emitOpError("of 'rms': its sums are added by an all_reduce");
  if (in.getRank() < 2 || in.getDimSize(1) != values ||
      !sameShape(in.getShape().drop_front(), out.getShape()))
    return emitOpError("takes [parts, ") << values << ", samples…] and gives [" << values << ", samples…]";
  if (getPartsOf() < 1)
    return emitOpError("parts need at least one element");
  if (hasAnyState(*this))
    return emitOpError("must be of replicated values");
  return verifySameElementType(*this);
}

template <typename Op> static LogicalResult verifySoftmaxLike(Op op, Value operand, Value told) {
  RankedTensorType type = tensorType(operand);
  int64_t dim = op.getDim();
  if (failed(verifyDimension(op, dim, type)))
    return failure();
  bool divided = getShardDim(type) == dim;
  if (hasStateKind(type, StateKind::Partial) || (divided && !told))
    return op.emitOpError("along a sharded dimension or of a partial value");
  if (told && hasAnyState(op) && (!divided || !hasStateKind(told.getType(), StateKind::PerRank)))
    return op.emitOpError("takes what ranks exchanged (per_rank) only along a sharded dimension");
  return verifySameElementType(op);
}

LogicalResult SoftmaxOp::verify() {
  if (failed(verifySoftmaxLike(*this, getInput(), getStatistics())))
    return failure();
  auto dim = static_cast<int64_t>(getDim());
  return getStatistics()
             ? verifyStatistics(*this, StatisticsKind::Softmax, getStatistics(), tensorType(getInput()), dim)
             : success();
}

LogicalResult SoftmaxGradientOp::verify() {
  if (failed(verifySoftmaxLike(*this, getOutput(), getSum())))
    return failure();
  auto dim = static_cast<int64_t>(getDim());
  if (getSum() &&
      !sameShape(tensorType(getSum()).getShape(), perSample({}, tensorType(getOutput()).getShape(), dim)))
    return emitOpError("sum must hold one value for each sample");
  return success();
}

//===----------------------------------------------------------------------===//
// Adjoints
//===----------------------------------------------------------------------===//

/// The op that handed the statistics to each rank, if they are those of `input` over all ranks.
static ReplicateOp findStatistics(Value statistics, Value input, StatisticsKind kind) {
  auto replicate = statistics.getDefiningOp<ReplicateOp>();
  if (!replicate)
    return {};
  Operation *exchange = replicate.getInput().getDefiningOp();
  if (auto merge = dyn_cast_or_null<MergeStatisticsOp>(exchange))
    exchange = merge.getInput().getDefiningOp();
  if (!isa_and_nonnull<AllGatherOp, AllReduceOp>(exchange))
    return {};
  auto own = exchange->getOperand(0).getDefiningOp<StatisticsOp>();
  return own && own.getInput() == input && own.getKind() == kind ? replicate : ReplicateOp();
}

/// `partial`, summed over the ranks and handed to each: what the adjoints of sharded samples exchange.
static Value sumOverRanks(OpBuilder &b, Location loc, Value partial, ReplicateOp like) {
  RankedTensorType type = tensorType(partial);
  Value sum =
      AllReduceOp::create(b, loc, withState(type, StateAttr()), partial, like.getMesh(), like.getAxis());
  Type perRank = getCotangentType(type);
  return ReplicateOp::create(b, loc, perRank, sum, like.getMesh(), like.getAxis());
}

/// The statistics themselves get no cotangent: ∂x accounts for how they depend on x.
Cotangents NormalizeOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  Location loc = getLoc();
  Value dy = cotangents[0];
  RankedTensorType x = tensorType(getInput());
  SmallVector<int64_t> samples = llvm::to_vector(llvm::seq<int64_t>(0, x.getRank() - getOver()));
  SmallVector<Value> result(getNumOperands());
  ReplicateOp exchanged;
  if (getStatistics()) {
    exchanged = findStatistics(getStatistics(), getInput(), statisticsOf(getKind()));
    if (!exchanged)
      return emitOpError("takes statistics that are not those of its operand over all ranks: it cannot be "
                         "differentiated");
  }
  if (needed[0]) {
    Value sums;
    if (getStatistics()) {
      int64_t values = getKind() == NormalizeKind::Layer ? 2 : 1;
      auto partial = StateAttr::get(getContext(), exchanged.getAxis(), StateKind::Partial, 0);
      auto type = RankedTensorType::get(perSample(values, x.getShape(), trailing(x.getRank(), getOver())),
                                        x.getElementType(), partial);
      sums = NormalizeSumsOp::create(b, loc, type, getKindAttr(), getInput(), dy, getScale(), getStatistics(),
                                     getCountAttr(), getOverAttr(), getEpsilonAttr());
      sums = sumOverRanks(b, loc, sums, exchanged);
    }
    result[0] =
        NormalizeGradientOp::create(b, loc, x, getKindAttr(), getInput(), dy, getScale(), getStatistics(),
                                    sums, getCountAttr(), getOverAttr(), getEpsilonAttr());
  }
  unsigned next = 1;
  if (getScale() && needed[next++]) {
    Value normalized = NormalizeOp::create(b, loc, x, getKindAttr(), getInput(), Value(), Value(),
                                           getStatistics(), getCountAttr(), getOverAttr(), getEpsilonAttr());
    Value product = arith::MulFOp::create(b, loc, dy, normalized);
    result[next - 1] = ReduceSumOp::create(b, loc, getCotangentType(getScale().getType()), product, samples);
  }
  if (getShift() && needed[next])
    result[next] = ReduceSumOp::create(b, loc, getCotangentType(getShift().getType()), dy, samples);
  return result;
}

Cotangents SoftmaxOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool>) {
  SmallVector<Value> result(getNumOperands());
  Value sum;
  if (getStatistics()) {
    ReplicateOp exchanged = findStatistics(getStatistics(), getInput(), StatisticsKind::Softmax);
    if (!exchanged)
      return emitOpError("takes statistics that are not those of its operand over all ranks: it cannot be "
                         "differentiated");
    auto dim = static_cast<int64_t>(getDim());
    RankedTensorType type = tensorType(getOutput());
    auto partial = StateAttr::get(getContext(), exchanged.getAxis(), StateKind::Partial, 0);
    Value product = arith::MulFOp::create(b, getLoc(), getOutput(), cotangents[0]);
    auto sumType = RankedTensorType::get(perSample({}, type.getShape(), dim), type.getElementType(), partial);
    sum = sumOverRanks(b, getLoc(), ReduceSumOp::create(b, getLoc(), sumType, product, dim), exchanged);
  }
  result[0] = SoftmaxGradientOp::create(b, getLoc(), getOutput().getType(), getOutput(), cotangents[0],
                                        getDim(), sum);
  return result;
}
