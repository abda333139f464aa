//===- PartitionLayers.cpp - Divides linear layers over the ranks -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FeedForward.h"
#include "Partitioner.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/GlobPattern.h"

using namespace mlir;
using namespace mlir::phantom;

Partitioner::Layer Partitioner::layerOf(LinearOp op, ParameterOp weight) {
  auto type = tensorType(op.getWeight());
  return {getLayerName(weight.getSymName()).str(),
          weight,
          getParameter(op.getBias()),
          op.getIo(),
          type.getDimSize(op.getIo() ? 0 : 1),
          type.getDimSize(op.getIo() ? 1 : 0),
          true};
}

/// The layers that `select` means.
LogicalResult Partitioner::selectLayers() {
  auto pattern = llvm::GlobPattern::create(options.select);
  if (!pattern)
    return module.emitError() << "select '" << options.select
                              << "' is no glob: " << toString(pattern.takeError());
  dense.walk([&](LinearOp op) {
    ParameterOp weight = getParameter(op.getWeight());
    if (weight && pattern->match(getLayerName(weight.getSymName())))
      layers.insert({op, layerOf(op, weight)});
  });
  if (options.select == "*")
    keepFeedForwardLayers();
  if (layers.empty())
    dense.emitWarning() << "select '" << options.select
                        << "' matches no linear layer: the model stays replicated";
  return success();
}

LogicalResult Partitioner::findLayers() {
  if (failed(selectLayers()))
    return failure();
  splitPackedLayers();

  // Backwards: an op leads to a layer if one of its users is one, or leads to one.
  DenseSet<Operation *> leads;
  for (Operation &op : llvm::reverse(dense.getBody().front())) {
    bool followed = llvm::any_of(
        op.getUsers(), [&](Operation *user) { return layers.contains(user) || leads.contains(user); });
    if (followed)
      leads.insert(&op);
    if (auto *it = layers.find(&op); it != layers.end())
      it->second.last = !followed;
  }
  return success();
}

/// In a model with attention, only its feed-forward blocks are divided, unless layers are named.
void Partitioner::keepFeedForwardLayers() {
  if (!hasAttention(dense))
    return;
  DenseSet<Operation *> blocks = findFeedForwardLayers(dense);
  layers.remove_if([&](const auto &entry) {
    if (blocks.contains(entry.first))
      return false;
    entry.first->emitRemark()
        << "layer '" << entry.second.name
        << "' stays replicated: it is in no feed-forward block; name it in select to divide it";
    return true;
  });
}

LogicalResult Partitioner::checkDivisible(const Layer &layer, StringRef what, int64_t width, Location loc) {
  if (width % ranks == 0)
    return success();
  return emitError(loc) << "layer '" << layer.name << "': " << what << " width " << width
                        << " is not divisible by " << ranks
                        << " ranks; use another number of ranks, or exclude the layer with select";
}

Value Partitioner::addBias(Location loc, Value value, Value bias) {
  Value wide = BroadcastOp::create(b, loc, value.getType(), bias, Value());
  return arith::AddFOp::create(b, loc, value, wide);
}

/// The layer's bias, divided along `shardDim` or replicated; null where it has none.
FailureOr<Value> Partitioner::biasOf(LinearOp op, const Layer &layer, std::optional<int64_t> shardDim,
                                     int64_t fanIn) {
  if (layer.bias)
    return shardDim ? shardOf(layer.bias, *shardDim, fanIn) : replicatedParameter(layer.bias, fanIn);
  return op.getBias() ? operandAs(op.getBias(), shardDim, op.getLoc()) : FailureOr<Value>(Value());
}

/// Each rank computes its own output columns: x per_rank, W shard(out) → shard(last).
FailureOr<Value> Partitioner::columnParallel(LinearOp op, const Layer &layer, Value input) {
  Location loc = op.getLoc();
  if (failed(checkDivisible(layer, "output", layer.out, loc)))
    return failure();
  FailureOr<Value> weight = shardOf(layer.weight, layer.io ? 1 : 0, layer.in);
  FailureOr<Value> bias = biasOf(op, layer, 0, layer.in);
  if (failed(weight) || failed(bias))
    return failure();
  op.emitRemark() << "layer '" << layer.name << "' is column parallel: " << layer.in * layer.out / ranks
                  << " weights per rank, of " << layer.in * layer.out;
  Value shared = toPerRank(input, loc);
  auto whole = tensorType(op.getOutput());
  Value output =
      LinearOp::create(b, loc, sharded(whole, whole.getRank() - 1), shared, *weight, *bias, layer.io);
  return output;
}

/// Partial products of the input shard, and one all-reduce: x shard(last), W shard(in) → partial →
/// replicated.
FailureOr<Value> Partitioner::rowParallel(LinearOp op, const Layer &layer, Value input) {
  Location loc = op.getLoc();
  if (failed(checkDivisible(layer, "input", layer.in, loc)))
    return failure();
  FailureOr<Value> weight = shardOf(layer.weight, layer.io ? 0 : 1, layer.in);
  FailureOr<Value> bias = biasOf(op, layer, std::nullopt, layer.in);
  if (failed(weight) || failed(bias))
    return failure();
  op.emitRemark() << "layer '" << layer.name << "' is row parallel: " << layer.in * layer.out / ranks
                  << " weights per rank, of " << layer.in * layer.out << ", and one all-reduce";
  Value shard = toShard(input, tensorType(input).getRank() - 1, loc);
  auto whole = tensorType(op.getOutput());
  Value partial = LinearOp::create(b, loc, withState(whole, state(StateKind::Partial)), shard, *weight,
                                   Value(), layer.io);
  Value sum = AllReduceOp::create(b, loc, whole, partial, kMesh, kAxis);
  return *bias ? addBias(loc, sum, *bias) : sum;
}

int64_t Partitioner::ghostWidthOf(const Layer &layer) const {
  auto found = ghostWidths.find(layer.name);
  return found == ghostWidths.end() ? options.ghostWidth : found->second;
}

/// z = L y + Σ D g + b: the diagonal block, and what the gathered ghosts add.
FailureOr<Value> Partitioner::phantomLayer(LinearOp op, const Layer &layer, Value input) {
  Location loc = op.getLoc();
  int64_t k = ghostWidthOf(layer), mIn = layer.in / ranks, mOut = layer.out / ranks;
  if (failed(checkDivisible(layer, "input", layer.in, loc)) ||
      failed(checkDivisible(layer, "output", layer.out, loc)))
    return failure();
  if (k > std::min(mIn, mOut))
    return emitError(loc) << "layer '" << layer.name << "': ghost-width " << k
                          << " exceeds the width of a shard, " << std::min(mIn, mOut) << " (of "
                          << std::min(layer.in, layer.out) << " on " << ranks << " ranks); use a smaller one";

  // Its parameters are named after the layer.
  ParameterOp weight = layer.weight, known = phantomWeights.try_emplace(layer.name, weight).first->second;
  if (known != weight)
    return emitError(loc) << "the weights '" << known.getSymName() << "' and '" << weight.getSymName()
                          << "' are both of a layer '" << layer.name
                          << "'; give them names that differ before the last dot, or exclude one with select";

  op.emitRemark() << "layer '" << layer.name << "' is a phantom layer of " << k
                  << " ghosts per rank: " << mIn * mOut + k * (mIn + (ranks - 1) * mOut)
                  << " weights per rank, of " << layer.in * layer.out;
  MLIRContext *context = module.getContext();
  Type element = tensorType(op.getOutput()).getElementType();
  StateAttr block = state(StateKind::Block);
  auto stacked = LayoutAttr::get(context, LayoutKind::Stacked, 0, {});
  auto output = sharded(tensorType(op.getOutput()), tensorType(op.getOutput()).getRank() - 1);
  Value shard = toShard(input, tensorType(input).getRank() - 1, loc);

  if (failed(claim(layer.weight, layer.io ? Use::PhantomTransposed : Use::Phantom)))
    return failure();
  Value local =
      parameter(layer.weight, layer.name + ".local", RankedTensorType::get({mOut, mIn}, element, block),
                stacked, startOf(layer.weight, InitKind::DiagonalBlock, layer, mIn));
  FailureOr<Value> bias = biasOf(op, layer, 0, mIn);
  if (failed(bias))
    return failure();
  if (k == 0) {
    Value z = LinearOp::create(b, loc, output, shard, local, *bias, /*io=*/false);
    return z;
  }

  Value compressor =
      parameter(layer.weight, layer.name + ".compressor", RankedTensorType::get({k, mIn}, element, block),
                stacked, startOf(layer.weight, InitKind::LowRankCompressor, layer, mIn));
  Value decompressor = parameter(
      layer.weight, layer.name + ".decompressor",
      RankedTensorType::get({ranks * k, mOut}, element, state(StateKind::Shard, 1)),
      LayoutAttr::get(context, LayoutKind::Stacked, 0, {ranks, k, mOut}),
      startOf(layer.weight, InitKind::LowRankDecompressor, layer, (ranks - 1) * k, /*zeroOwn=*/true));
  int64_t rows = tensorType(op.getOutput()).getNumElements() / layer.out;
  Value ghosts = CompressOp::create(
      b, loc, RankedTensorType::get({k, rows}, element, state(StateKind::Shard, 0)), shard, compressor);
  Value gathered = AllGatherOp::create(
      b, loc, RankedTensorType::get({ranks * k, rows}, element, state(StateKind::PerRank)), ghosts,
      /*dim=*/0, kMesh, kAxis);
  // The local product does not depend on the exchange: it hides it.
  Value product = LinearOp::create(b, loc, output, shard, local, Value(), /*io=*/false);
  Value z =
      DecompressOp::create(b, loc, output, gathered, decompressor, product, b.getUnitAttr(), meshRef, axis);
  return *bias ? addBias(loc, z, *bias) : z;
}

FailureOr<Value> Partitioner::partitionLayer(LinearOp op, const Layer &layer) {
  FailureOr<Value> mapped = map.contains(op.getInput()) ? FailureOr<Value>(map.lookup(op.getInput()))
                                                        : operandAs(op.getInput(), std::nullopt, op.getLoc());
  if (failed(mapped))
    return failure();
  Value input = *mapped;
  bool isSharded = getShardDim(input.getType()).has_value();
  bool reduce = layer.last && options.lastLayer == LastLayer::Reduce;
  switch (options.strategy) {
  case Strategy::Phantom:
    if (reduce)
      return rowParallel(op, layer, input);
    if (!isSharded && options.firstLayer == FirstLayer::Dense)
      return columnParallel(op, layer, input);
    return phantomLayer(op, layer, input);
  case Strategy::Tensor:
    return reduce ? rowParallel(op, layer, input) : columnParallel(op, layer, input);
  case Strategy::Megatron:
    return isSharded || layer.last ? rowParallel(op, layer, input) : columnParallel(op, layer, input);
  }
  llvm_unreachable("unknown strategy");
}
