//===- Partition.cpp - Divides the layers of a model over the ranks -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The forward function is rebuilt op by op. Each value of the dense function maps to what one rank holds,
// whose type carries the state; each op asks for its operands in the states it can use.
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/Transforms/ForwardFunction.h"
#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/GlobPattern.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMPARTITION
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

constexpr StringLiteral kMesh = "mesh";
constexpr StringLiteral kAxis = "phantom";

class PartitionPass : public phantom::impl::PhantomPartitionBase<PartitionPass> {
public:
  using PhantomPartitionBase::PhantomPartitionBase;
  void runOnOperation() override;
};

/// A linear layer of the dense function that is divided over the ranks.
struct Layer {
  std::string name; ///< the weight's name without its last part
  ParameterOp weight, bias;
  bool io = false;
  int64_t in = 0, out = 0;
  bool last = false; ///< no other divided layer follows
};

RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// "fc1" of "fc1.weight".
StringRef layerName(StringRef weight) {
  size_t dot = weight.rfind('.');
  return dot == StringRef::npos ? weight : weight.take_front(dot);
}

class Partitioner {
public:
  Partitioner(ModuleOp module, func::FuncOp dense, const PhantomPartitionOptions &options)
      : module(module), dense(dense), options(options), ranks(options.ranks), b(module.getContext()),
        meshRef(FlatSymbolRefAttr::get(module.getContext(), kMesh)), axis(b.getStringAttr(kAxis)) {}

  LogicalResult run();

private:
  // Layers.
  LogicalResult findLayers();
  LogicalResult checkDivisible(const Layer &layer, StringRef what, int64_t width, Location loc);
  FailureOr<Value> partitionLayer(LinearOp op, const Layer &layer);
  FailureOr<Value> columnParallel(LinearOp op, const Layer &layer, Value input);
  FailureOr<Value> rowParallel(LinearOp op, const Layer &layer, Value input);
  FailureOr<Value> phantomLayer(LinearOp op, const Layer &layer, Value input);
  Value addBias(Location loc, Value value, Value bias);

  // Parameters of the partitioned function, declared and passed on demand.
  FailureOr<Value> parameter(ParameterOp dense, StringRef name, RankedTensorType type, LayoutAttr layout,
                             InitAttr init);
  FailureOr<Value> shardOf(ParameterOp dense, int64_t dim, int64_t fanIn);
  FailureOr<Value> replicatedParameter(ParameterOp dense, int64_t fanIn);
  InitAttr startOf(ParameterOp dense, InitKind fromDense, const Layer &layer, int64_t fanIn,
                   bool zeroOwn = false);

  // Everything else.
  LogicalResult partitionOp(Operation &op);
  FailureOr<Value> partitionBroadcast(BroadcastOp op, std::optional<int64_t> shardDim);
  FailureOr<Value> operandAs(Value old, std::optional<int64_t> shardDim, Location loc);
  LogicalResult cloneElementwise(Operation &op);
  LogicalResult cloneSharded(Operation &op, std::optional<int64_t> resultDim);
  LogicalResult cloneReplicated(Operation &op);
  std::optional<int64_t> keptShard(Operation &op);

  // States.
  StateAttr state(StateKind kind, int64_t dim = 0) {
    return StateAttr::get(module.getContext(), kAxis, kind, dim);
  }
  RankedTensorType sharded(RankedTensorType whole, int64_t dim);
  Value toReplicated(Value value, Location loc);
  Value toShard(Value value, int64_t dim, Location loc);
  Value toPerRank(Value value, Location loc);

  ModuleOp module;
  func::FuncOp dense;
  const PhantomPartitionOptions &options;
  int64_t ranks;
  OpBuilder b;
  FlatSymbolRefAttr meshRef;
  StringAttr axis;

  llvm::MapVector<Operation *, Layer> layers;
  func::FuncOp result;
  Block *body = nullptr;
  IRMapping map;
  llvm::StringMap<Value> parameters; ///< by name, in the partitioned function
  SmallVector<ParameterOp> declared;
  DenseMap<Value, Value> replicatedOf, perRankOf;
};

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

/// The type of one rank's block of `whole` along `dim`.
RankedTensorType Partitioner::sharded(RankedTensorType whole, int64_t dim) {
  SmallVector<int64_t> shape(whole.getShape());
  shape[dim] /= ranks;
  return RankedTensorType::get(shape, whole.getElementType(), state(StateKind::Shard, dim));
}

static RankedTensorType scaled(RankedTensorType type, int64_t dim, int64_t factor, Attribute encoding) {
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] *= factor;
  return RankedTensorType::get(shape, type.getElementType(), encoding);
}

Value Partitioner::toReplicated(Value value, Location loc) {
  auto dim = getShardDim(value.getType());
  if (!dim)
    return value;
  Value &gathered = replicatedOf[value];
  if (!gathered)
    gathered =
        AllGatherOp::create(b, loc, scaled(tensorType(value), *dim, ranks, {}), value, *dim, kMesh, kAxis);
  return gathered;
}

Value Partitioner::toShard(Value value, int64_t dim, Location loc) {
  if (getShardDim(value.getType()) == dim)
    return value;
  Value whole = toReplicated(value, loc);
  return LocalSliceOp::create(b, loc, sharded(tensorType(whole), dim), whole, dim, kMesh, kAxis);
}

Value Partitioner::toPerRank(Value value, Location loc) {
  Value &shared = perRankOf[value];
  if (shared)
    return shared;
  StateAttr perRank = state(StateKind::PerRank);
  if (auto dim = getShardDim(value.getType()))
    shared = AllGatherOp::create(b, loc, scaled(tensorType(value), *dim, ranks, perRank), value, *dim, kMesh,
                                 kAxis);
  else
    shared = ReplicateOp::create(b, loc, withState(tensorType(value), perRank), value, kMesh, kAxis);
  return shared;
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

FailureOr<Value> Partitioner::parameter(ParameterOp dense, StringRef name, RankedTensorType type,
                                        LayoutAttr layout, InitAttr init) {
  if (Value known = parameters.lookup(name)) {
    if (known.getType() == type)
      return known;
    return dense.emitError()
           << "parameter '" << dense.getSymName()
           << "' is shared by layers that would be divided differently; exclude one with select";
  }
  auto plain = withState(type, StateAttr());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(dense);
  declared.push_back(ParameterOp::create(b, dense.getLoc(), name, plain, layout, init, dense.getTrainable(),
                                         /*state_of=*/FlatSymbolRefAttr()));
  Value argument = body->addArgument(type, dense.getLoc());
  return parameters[name] = argument;
}

/// Random starts draw the same numbers whatever the rank count; a fan-in of 0 marks a parameter that only
/// loads.
InitAttr Partitioner::startOf(ParameterOp dense, InitKind fromDense, const Layer &layer, int64_t fanIn,
                              bool zeroOwn) {
  MLIRContext *context = module.getContext();
  InitAttr init = dense.getInit();
  // A dense weight without a source has no blocks to start from.
  bool sourceless = fromDense != InitKind::Load && !init.getSource();
  if ((options.init == InitStart::Random && fanIn > 0) || sourceless)
    return InitAttr::get(context, InitKind::Uniform, {}, false, 0, fanIn, zeroOwn);
  if (fromDense == InitKind::Load)
    return init;
  bool lowRank = fromDense != InitKind::DiagonalBlock;
  return InitAttr::get(context, fromDense, init.getSource(), layer.io, lowRank ? options.ghostWidth : 0, 0,
                       false);
}

FailureOr<Value> Partitioner::shardOf(ParameterOp dense, int64_t dim, int64_t fanIn) {
  auto layout = LayoutAttr::get(module.getContext(), LayoutKind::Shard, dim, {});
  return parameter(dense, dense.getSymName(), sharded(cast<RankedTensorType>(dense.getType()), dim), layout,
                   startOf(dense, InitKind::Load, {}, fanIn));
}

FailureOr<Value> Partitioner::replicatedParameter(ParameterOp dense, int64_t fanIn) {
  return parameter(dense, dense.getSymName(), cast<RankedTensorType>(dense.getType()), LayoutAttr(),
                   startOf(dense, InitKind::Load, {}, fanIn));
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

LogicalResult Partitioner::findLayers() {
  auto pattern = llvm::GlobPattern::create(options.select);
  if (!pattern)
    return module.emitError() << "select '" << options.select
                              << "' is no glob: " << toString(pattern.takeError());
  dense.walk([&](LinearOp op) {
    ParameterOp weight = getParameter(op.getWeight());
    if (!weight || !pattern->match(layerName(weight.getSymName())))
      return;
    auto type = tensorType(op.getWeight());
    Layer layer{layerName(weight.getSymName()).str(),
                weight,
                getParameter(op.getBias()),
                op.getIo(),
                type.getDimSize(op.getIo() ? 0 : 1),
                type.getDimSize(op.getIo() ? 1 : 0),
                true};
    layers.insert({op, layer});
  });
  if (layers.empty())
    dense.emitWarning() << "select '" << options.select
                        << "' matches no linear layer: the model stays replicated";

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

/// Each rank computes its own output columns: x per_rank, W shard(out) → shard(last).
FailureOr<Value> Partitioner::columnParallel(LinearOp op, const Layer &layer, Value input) {
  Location loc = op.getLoc();
  if (failed(checkDivisible(layer, "output", layer.out, loc)))
    return failure();
  FailureOr<Value> weight = shardOf(layer.weight, layer.io ? 1 : 0, layer.in);
  FailureOr<Value> bias = layer.bias ? shardOf(layer.bias, 0, layer.in) : FailureOr<Value>(Value());
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
  FailureOr<Value> bias = layer.bias ? replicatedParameter(layer.bias, layer.in) : FailureOr<Value>(Value());
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

/// z = L y + Σ D g + b: the diagonal block, and what the gathered ghosts add.
FailureOr<Value> Partitioner::phantomLayer(LinearOp op, const Layer &layer, Value input) {
  Location loc = op.getLoc();
  int64_t k = options.ghostWidth, mIn = layer.in / ranks, mOut = layer.out / ranks;
  if (failed(checkDivisible(layer, "input", layer.in, loc)) ||
      failed(checkDivisible(layer, "output", layer.out, loc)))
    return failure();
  if (k > std::min(mIn, mOut))
    return emitError(loc) << "layer '" << layer.name << "': ghost-width " << k
                          << " exceeds the width of a shard, " << std::min(mIn, mOut) << " (of "
                          << std::min(layer.in, layer.out) << " on " << ranks << " ranks); use a smaller one";

  op.emitRemark() << "layer '" << layer.name << "' is a phantom layer of " << k
                  << " ghosts per rank: " << mIn * mOut + k * (mIn + (ranks - 1) * mOut)
                  << " weights per rank, of " << layer.in * layer.out;
  MLIRContext *context = module.getContext();
  Type element = tensorType(op.getOutput()).getElementType();
  StateAttr block = state(StateKind::Block);
  auto stacked = LayoutAttr::get(context, LayoutKind::Stacked, 0, {});
  auto output = sharded(tensorType(op.getOutput()), tensorType(op.getOutput()).getRank() - 1);
  Value shard = toShard(input, tensorType(input).getRank() - 1, loc);

  FailureOr<Value> local =
      parameter(layer.weight, layer.name + ".local", RankedTensorType::get({mOut, mIn}, element, block),
                stacked, startOf(layer.weight, InitKind::DiagonalBlock, layer, mIn));
  FailureOr<Value> bias = layer.bias ? shardOf(layer.bias, 0, mIn) : FailureOr<Value>(Value());
  if (failed(local) || failed(bias))
    return failure();
  if (k == 0) {
    Value z = LinearOp::create(b, loc, output, shard, *local, *bias, /*io=*/false);
    return z;
  }

  FailureOr<Value> compressor =
      parameter(layer.weight, layer.name + ".compressor", RankedTensorType::get({k, mIn}, element, block),
                stacked, startOf(layer.weight, InitKind::LowRankCompressor, layer, mIn));
  FailureOr<Value> decompressor = parameter(
      layer.weight, layer.name + ".decompressor",
      RankedTensorType::get({ranks * k, mOut}, element, state(StateKind::Shard, 1)),
      LayoutAttr::get(context, LayoutKind::Stacked, 0, {ranks, k, mOut}),
      startOf(layer.weight, InitKind::LowRankDecompressor, layer, (ranks - 1) * k, /*zeroOwn=*/true));
  if (failed(compressor) || failed(decompressor))
    return failure();

  int64_t rows = tensorType(op.getOutput()).getNumElements() / layer.out;
  Value ghosts = CompressOp::create(
      b, loc, RankedTensorType::get({k, rows}, element, state(StateKind::Shard, 0)), shard, *compressor);
  Value gathered = AllGatherOp::create(
      b, loc, RankedTensorType::get({ranks * k, rows}, element, state(StateKind::PerRank)), ghosts,
      /*dim=*/0, kMesh, kAxis);
  // The local product does not depend on the exchange: it hides it.
  Value product = LinearOp::create(b, loc, output, shard, *local, Value(), /*io=*/false);
  Value z =
      DecompressOp::create(b, loc, output, gathered, *decompressor, product, b.getUnitAttr(), meshRef, axis);
  return *bias ? addBias(loc, z, *bias) : z;
}

FailureOr<Value> Partitioner::partitionLayer(LinearOp op, const Layer &layer) {
  if (op.getBias() && !layer.bias)
    return op.emitError() << "layer '" << layer.name
                          << "' has a bias that is no parameter; exclude the layer with select";
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

//===----------------------------------------------------------------------===//
// Everything else
//===----------------------------------------------------------------------===//

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
    if (!dim && map.contains(operand))
      dim = getShardDim(map.lookup(operand).getType());
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

/// The result's sharded dimension of a one-operand op that keeps the shard; nullopt where it needs the whole.
std::optional<int64_t> Partitioner::keptShard(Operation &op) {
  Value operand = op.getOperand(0);
  auto dim = map.contains(operand) ? getShardDim(map.lookup(operand).getType()) : std::nullopt;
  if (!dim)
    return std::nullopt;
  if (auto softmax = dyn_cast<SoftmaxOp>(op))
    return static_cast<int64_t>(softmax.getDim()) == *dim ? std::nullopt : dim;
  if (auto transpose = dyn_cast<TransposeOp>(op))
    return llvm::find(transpose.getPermutation(), *dim) - transpose.getPermutation().begin();
  if (auto reshape = dyn_cast<ReshapeOp>(op)) {
    auto in = tensorType(reshape.getInput()), out = tensorType(reshape.getOutput());
    bool kept =
        *dim == in.getRank() - 1 && out.getRank() > 0 && out.getShape().back() == in.getShape().back();
    return kept ? std::optional<int64_t>(out.getRank() - 1) : std::nullopt;
  }
  if (auto sum = dyn_cast<ReduceSumOp>(op)) {
    if (llvm::is_contained(sum.getDims(), *dim))
      return std::nullopt;
    return *dim - llvm::count_if(sum.getDims(), [&](int64_t d) { return d < *dim; });
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
  if (isa<SoftmaxOp, TransposeOp, ReshapeOp, ReduceSumOp>(op))
    if (auto dim = keptShard(op))
      return cloneSharded(op, dim);
  return cloneReplicated(op);
}

LogicalResult Partitioner::run() {
  if (failed(findLayers()))
    return failure();
  b.setInsertionPointToStart(module.getBody());
  auto axisAttr = AxisAttr::get(module.getContext(), kAxis, ranks);
  MeshOp::create(b, module.getLoc(), kMesh, AxesAttr::get(module.getContext(), axisAttr));

  b.setInsertionPoint(dense);
  result = func::FuncOp::create(b, dense.getLoc(), dense.getName(),
                                FunctionType::get(module.getContext(), {}, {}));
  body = result.addEntryBlock();
  b.setInsertionPointToStart(body);
  SmallVector<DictionaryAttr> argumentAttrs;
  for (BlockArgument argument : dense.getArguments()) {
    if (getParameter(argument))
      continue;
    map.map(argument, body->addArgument(argument.getType(), argument.getLoc()));
    argumentAttrs.push_back(dense.getArgAttrDict(argument.getArgNumber()));
  }

  Operation *terminator = dense.getBody().front().getTerminator();
  for (Operation &op : dense.getBody().front().without_terminator())
    if (failed(partitionOp(op)))
      return failure();
  SmallVector<Value> outputs;
  for (Value value : terminator->getOperands()) {
    FailureOr<Value> output = operandAs(value, std::nullopt, terminator->getLoc());
    if (failed(output))
      return failure();
    outputs.push_back(*output);
  }
  func::ReturnOp::create(b, terminator->getLoc(), outputs);

  for (ParameterOp op : declared)
    argumentAttrs.push_back(b.getDictionaryAttr(
        b.getNamedAttr(PhantomDialect::kParameter, FlatSymbolRefAttr::get(op.getSymNameAttr()))));
  result.setFunctionType(
      FunctionType::get(module.getContext(), body->getArgumentTypes(), ValueRange(outputs).getTypes()));
  result.setAllArgAttrs(argumentAttrs);
  SmallVector<DictionaryAttr> resultAttrs;
  dense.getAllResultAttrs(resultAttrs);
  result.setAllResultAttrs(resultAttrs);

  DenseSet<Operation *> kept(llvm::from_range, declared);
  dense.erase();
  for (auto op : llvm::make_early_inc_range(module.getOps<ParameterOp>()))
    if (!kept.contains(op))
      op.erase();
  return success();
}

/// On one rank the model stays dense; only `init=random` changes it.
void startOneRank(func::FuncOp forward, InitStart init) {
  if (init == InitStart::FromDense)
    return;
  forward.walk([&](LinearOp op) {
    auto type = tensorType(op.getWeight());
    for (Value operand : {op.getWeight(), op.getBias()})
      if (ParameterOp parameter = getParameter(operand))
        parameter.setInitAttr(InitAttr::get(op.getContext(), InitKind::Uniform, {}, false, 0,
                                            type.getDimSize(op.getIo() ? 0 : 1), false));
  });
}

void PartitionPass::runOnOperation() {
  ModuleOp module = getOperation();
  auto fail = [&](const Twine &message) {
    module.emitError(message);
    signalPassFailure();
  };
  if (ranks < 1)
    return fail("ranks is " + Twine(ranks) + "; it must be at least 1");
  if (ghostWidth < 0)
    return fail("ghost-width is " + Twine(ghostWidth) + "; it must not be negative");
  if (!module.getOps<MeshOp>().empty())
    return fail("the module has a mesh: it is partitioned already");
  FailureOr<func::FuncOp> forward = getForwardFunction(module);
  if (failed(forward))
    return signalPassFailure();
  StringRef names[] = {"phantom", "tensor", "megatron"};
  module->setAttr(PhantomDialect::kStrategy,
                  StringAttr::get(&getContext(), names[static_cast<int>(strategy.getValue())]));
  if (ranks == 1)
    return startOneRank(*forward, init);
  PhantomPartitionOptions options{strategy, ranks, ghostWidth, select, firstLayer, lastLayer, init};
  if (failed(Partitioner(module, *forward, options).run()))
    signalPassFailure();
}

} // namespace
