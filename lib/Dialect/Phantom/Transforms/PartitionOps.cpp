//===- PartitionOps.cpp - Divides everything but linear layers -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Partitioner.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::phantom;

/// A broadcast is built in the state its user asks for: of a parameter, the parameter itself is sharded.
FailureOr<Value> Partitioner::partitionBroadcast(BroadcastOp op, std::optional<int64_t> shardDim) {
  Location loc = op.getLoc();
  auto in = tensorType(op.getInput()), out = tensorType(op.getOutput());
  if (!shardDim) {
    FailureOr<Value> whole = operandAs(op.getInput(), std::nullopt, loc);
    if (failed(whole))
      return failure();
    Value replicated = BroadcastOp::create(b, loc, out, *whole, Value());
    return replicated;
  }
  int64_t aligned = *shardDim - (out.getRank() - in.getRank());
  Value part;
  if (aligned < 0 || in.getDimSize(aligned) == 1) {
    FailureOr<Value> whole = operandAs(op.getInput(), std::nullopt, loc);
    if (failed(whole))
      return failure();
    part = toPerRank(*whole, loc);
  } else {
    FailureOr<Value> shard = operandAs(op.getInput(), aligned, loc);
    if (failed(shard))
      return failure();
    part = *shard;
  }
  Value wide = BroadcastOp::create(b, loc, sharded(out, *shardDim), part, Value());
  return wide;
}

/// The partitioned value of `old`, sharded along `shardDim` or (nullopt) replicated.
FailureOr<Value> Partitioner::operandAs(Value old, std::optional<int64_t> shardDim, Location loc) {
  if (ParameterOp declaration = getParameter(old)) {
    if (shardDim)
      return shardOf(declaration, *shardDim, /*fanIn=*/0);
    return replicatedParameter(declaration, /*fanIn=*/0);
  }
  if (auto broadcast = old.getDefiningOp<BroadcastOp>())
    return partitionBroadcast(broadcast, shardDim);
  DenseElementsAttr splat;
  if (auto constant = old.getDefiningOp<arith::ConstantOp>())
    splat = dyn_cast<DenseElementsAttr>(constant.getValue());
  if (shardDim && splat && splat.isSplat()) {
    Value local = arith::ConstantOp::create(b, loc, splat.resizeSplat(sharded(tensorType(old), *shardDim)));
    return local;
  }
  Value value = map.lookup(old);
  return shardDim ? toShard(value, *shardDim, loc) : toReplicated(value, loc);
}

LogicalResult Partitioner::cloneSharded(Operation &op, std::optional<int64_t> resultDim) {
  Operation *clone = b.clone(op, map);
  for (auto [oldResult, newResult] : llvm::zip(op.getResults(), clone->getResults())) {
    if (resultDim)
      newResult.setType(sharded(tensorType(oldResult), *resultDim));
    map.map(oldResult, newResult);
  }
  return success();
}

/// Elementwise ops act shard by shard, along the dimension in which the first sharded operand is.
LogicalResult Partitioner::cloneElementwise(Operation &op) {
  std::optional<int64_t> dim;
  for (Value operand : op.getOperands())
    if (!dim)
      dim = shardDimOf(operand);
  IRMapping operands;
  for (Value operand : op.getOperands()) {
    FailureOr<Value> value = operandAs(operand, dim, op.getLoc());
    if (failed(value))
      return failure();
    operands.map(operand, *value);
  }
  Operation *clone = b.clone(op, operands);
  for (auto [oldResult, newResult] : llvm::zip(op.getResults(), clone->getResults())) {
    newResult.setType(dim ? sharded(tensorType(oldResult), *dim) : tensorType(oldResult));
    map.map(oldResult, newResult);
  }
  return success();
}

std::optional<int64_t> Partitioner::shardDimOf(Value old) {
  Value value = map.lookupOrNull(old);
  return value ? getShardDim(value.getType()) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// Statistics of divided samples
//===----------------------------------------------------------------------===//

/// What all ranks know of the samples of `value`, which they hold in parts: statistics travel, never
/// activations.
Value Partitioner::exchangeStatistics(StatisticsKind kind, Value value, ArrayRef<int64_t> dims,
                                      Location loc) {
  Value &known = statisticsOf[{value, static_cast<int>(kind)}];
  if (known)
    return known;
  RankedTensorType type = tensorType(value);
  SmallVector<int64_t> samples;
  int64_t elements = 1;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (!llvm::is_contained(dims, d))
      samples.push_back(type.getDimSize(d));
    else
      elements *= type.getDimSize(d);
  auto ofShape = [&](ArrayRef<int64_t> leading, StateAttr state) {
    SmallVector<int64_t> shape(leading);
    llvm::append_range(shape, samples);
    return RankedTensorType::get(shape, type.getElementType(), state);
  };
  Value whole;
  if (kind == StatisticsKind::Rms) {
    Value own = StatisticsOp::create(b, loc, ofShape({}, state(StateKind::Partial)), kind, value, dims);
    whole = AllReduceOp::create(b, loc, ofShape({}, {}), own, kMesh, kAxis);
  } else {
    int64_t values = kind == StatisticsKind::Layer ? 3 : 2;
    Value own =
        StatisticsOp::create(b, loc, ofShape({1, values}, state(StateKind::Shard)), kind, value, dims);
    Value parts = AllGatherOp::create(b, loc, ofShape({ranks, values}, {}), own, /*dim=*/0, kMesh, kAxis);
    whole = MergeStatisticsOp::create(b, loc, ofShape({values}, {}), kind, parts, elements);
  }
  return known = toPerRank(whole, loc);
}

/// A scale or shift for samples that are divided along `dim` of theirs, or whole (nullopt) but different on
/// each rank.
FailureOr<Value> Partitioner::sampleParameter(Value old, std::optional<int64_t> dim, Location loc) {
  if (!old)
    return Value();
  FailureOr<Value> value = operandAs(old, dim, loc);
  if (failed(value) || dim)
    return value;
  return toPerRank(*value, loc);
}

LogicalResult Partitioner::partitionNormalize(NormalizeOp op) {
  std::optional<int64_t> dim = shardDimOf(op.getInput());
  if (!dim)
    return cloneReplicated(*op);
  Location loc = op.getLoc();
  Value x = map.lookup(op.getInput());
  RankedTensorType type = tensorType(x);
  int64_t first = type.getRank() - static_cast<int64_t>(op.getOver());
  std::optional<int64_t> inSample = *dim >= first ? std::optional(*dim - first) : std::nullopt;
  FailureOr<Value> scale = sampleParameter(op.getScale(), inSample, loc);
  FailureOr<Value> shift = sampleParameter(op.getShift(), inSample, loc);
  if (failed(scale) || failed(shift))
    return failure();
  Value statistics;
  IntegerAttr count;
  if (inSample) {
    auto kind = op.getKind() == NormalizeKind::Layer ? StatisticsKind::Layer : StatisticsKind::Rms;
    statistics = exchangeStatistics(kind, x, llvm::to_vector(llvm::seq<int64_t>(first, type.getRank())), loc);
    count = b.getI64IntegerAttr(op.getSampleElements());
  }
  Value y = NormalizeOp::create(b, loc, type, op.getKindAttr(), x, *scale, *shift, statistics, count,
                                op.getOverAttr(), op.getEpsilonAttr());
  map.map(op.getOutput(), y);
  return success();
}

LogicalResult Partitioner::partitionSoftmax(SoftmaxOp op) {
  auto along = static_cast<int64_t>(op.getDim());
  if (shardDimOf(op.getInput()) != along)
    return shardDimOf(op.getInput()) ? cloneSharded(*op, shardDimOf(op.getInput())) : cloneReplicated(*op);
  Value x = map.lookup(op.getInput());
  Value statistics = exchangeStatistics(StatisticsKind::Softmax, x, along, op.getLoc());
  Value y = SoftmaxOp::create(b, op.getLoc(), x.getType(), x, op.getDimAttr(), statistics);
  map.map(op.getOutput(), y);
  return success();
}

/// A sum over the sharded dimension: each rank's part, and one all-reduce of the sums.
LogicalResult Partitioner::partitionSum(ReduceSumOp op, int64_t dim) {
  if (!llvm::is_contained(op.getDims(), dim)) {
    int64_t before = llvm::count_if(op.getDims(), [&](int64_t d) { return d < dim; });
    return cloneSharded(*op, dim - before);
  }
  RankedTensorType whole = tensorType(op.getOutput());
  Value part = ReduceSumOp::create(b, op.getLoc(), withState(whole, state(StateKind::Partial)),
                                   map.lookup(op.getInput()), op.getDims());
  Value sum = AllReduceOp::create(b, op.getLoc(), whole, part, kMesh, kAxis);
  map.map(op.getOutput(), sum);
  return success();
}

//===----------------------------------------------------------------------===//
// Other ops
//===----------------------------------------------------------------------===//

/// The result's sharded dimension of a one-operand op that keeps the shard; nullopt where it needs the whole.
std::optional<int64_t> Partitioner::keptShard(Operation &op) {
  std::optional<int64_t> dim = shardDimOf(op.getOperand(0));
  if (!dim)
    return std::nullopt;
  if (auto softmax = dyn_cast<LogSoftmaxOp>(op))
    return static_cast<int64_t>(softmax.getDim()) == *dim ? std::nullopt : dim;
  if (auto slice = dyn_cast<SliceOp>(op)) {
    bool whole = slice.getStrides()[*dim] == 1 && tensorType(slice.getOutput()).getDimSize(*dim) ==
                                                      tensorType(slice.getInput()).getDimSize(*dim);
    return whole ? dim : std::nullopt;
  }
  if (auto transpose = dyn_cast<TransposeOp>(op))
    return llvm::find(transpose.getPermutation(), *dim) - transpose.getPermutation().begin();
  if (auto reshape = dyn_cast<ReshapeOp>(op)) {
    auto in = tensorType(reshape.getInput()), out = tensorType(reshape.getOutput());
    bool kept =
        *dim == in.getRank() - 1 && out.getRank() > 0 && out.getShape().back() == in.getShape().back();
    return kept ? std::optional<int64_t>(out.getRank() - 1) : std::nullopt;
  }
  return std::nullopt;
}

LogicalResult Partitioner::cloneReplicated(Operation &op) {
  IRMapping replicated;
  for (Value operand : op.getOperands()) {
    FailureOr<Value> value = operandAs(operand, std::nullopt, op.getLoc());
    if (failed(value))
      return failure();
    replicated.map(operand, *value);
  }
  Operation *clone = b.clone(op, replicated);
  for (auto [oldResult, newResult] : llvm::zip(op.getResults(), clone->getResults()))
    map.map(oldResult, newResult);
  return success();
}

/// Joined shard by shard, along the first dimension in which an operand is sharded, if that is not the joined
/// one.
LogicalResult Partitioner::partitionConcat(ConcatOp op) {
  std::optional<int64_t> dim;
  for (Value input : op.getInputs())
    if (!dim)
      dim = shardDimOf(input);
  if (!dim || *dim == static_cast<int64_t>(op.getDim()))
    return cloneReplicated(*op);
  SmallVector<Value> parts;
  for (Value input : op.getInputs()) {
    FailureOr<Value> part = operandAs(input, dim, op.getLoc());
    if (failed(part))
      return failure();
    parts.push_back(*part);
  }
  map.map(op.getOutput(),
          ConcatOp::create(b, op.getLoc(), sharded(tensorType(op.getOutput()), *dim), parts, op.getDim())
              .getOutput());
  return success();
}

/// From a shard of another dimension than the indexed one, shard by shard.
LogicalResult Partitioner::partitionGather(GatherOp op) {
  std::optional<int64_t> dim = shardDimOf(op.getInput());
  int64_t indexed = op.getDim();
  if (!dim || *dim == indexed)
    return cloneReplicated(*op);
  FailureOr<Value> indices = operandAs(op.getIndices(), std::nullopt, op.getLoc());
  if (failed(indices))
    return failure();
  int64_t kept = *dim < indexed ? *dim : *dim + tensorType(*indices).getRank() - 1;
  map.map(op.getOutput(), GatherOp::create(b, op.getLoc(), sharded(tensorType(op.getOutput()), kept),
                                           map.lookup(op.getInput()), *indices, indexed)
                              .getOutput());
  return success();
}

LogicalResult Partitioner::partitionOp(Operation &op) {
  if (auto *it = layers.find(&op); it != layers.end()) {
    FailureOr<Value> output = partitionLayer(cast<LinearOp>(op), it->second);
    if (failed(output))
      return failure();
    map.map(op.getResult(0), *output);
    return success();
  }
  // Broadcasts are built where they are used.
  if (isa<BroadcastOp>(op) && llvm::none_of(op.getUsers(), [](Operation *user) {
        return isa<func::ReturnOp>(user) || isa<LinearOp>(user);
      }))
    return success();
  if (isa<ActivationOp, DropoutOp>(op) || (op.hasTrait<OpTrait::Elementwise>() && op.getNumOperands() > 0))
    return cloneElementwise(op);
  if (auto normalize = dyn_cast<NormalizeOp>(op))
    return partitionNormalize(normalize);
  if (auto softmax = dyn_cast<SoftmaxOp>(op))
    return partitionSoftmax(softmax);
  if (auto sum = dyn_cast<ReduceSumOp>(op))
    if (auto dim = shardDimOf(sum.getInput()))
      return partitionSum(sum, *dim);
  if (auto concat = dyn_cast<ConcatOp>(op))
    return partitionConcat(concat);
  if (auto gather = dyn_cast<GatherOp>(op))
    return partitionGather(gather);
  if (isa<LogSoftmaxOp, SliceOp, TransposeOp, ReshapeOp>(op))
    if (auto dim = keptShard(op))
      return cloneSharded(op, dim);
  return cloneReplicated(op);
}
