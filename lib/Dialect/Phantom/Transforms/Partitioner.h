//===- Partitioner.h - Divides a forward function over the ranks -*- C++ -*-===//
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

#ifndef PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_PARTITIONER_H
#define PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_PARTITIONER_H

#include "phantom/Dialect/Phantom/Transforms/ForwardFunction.h"
#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::phantom {

inline RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

class Partitioner {
public:
  Partitioner(ModuleOp module, func::FuncOp dense, const PhantomPartitionOptions &options)
      : module(module), dense(dense), options(options), ranks(options.ranks), b(module.getContext()),
        meshRef(FlatSymbolRefAttr::get(module.getContext(), kMesh)), axis(b.getStringAttr(kAxis)) {}

  LogicalResult run();

  /// On one rank the model stays dense; only `init=random` changes it.
  LogicalResult startOneRank();

private:
  static constexpr StringLiteral kMesh = "mesh";
  static constexpr StringLiteral kAxis = "phantom";

  /// A linear layer of the dense function that is divided over the ranks.
  struct Layer {
    std::string name; ///< the weight's name without its last part
    ParameterOp weight, bias;
    bool io = false;
    int64_t in = 0, out = 0;
    bool last = false; ///< no other divided layer follows
  };

  // Layers.
  LogicalResult selectLayers();
  LogicalResult findLayers();
  LogicalResult readGhostWidths();
  LogicalResult checkGhostWidths();
  int64_t ghostWidthOf(const Layer &layer) const;
  Layer layerOf(LinearOp op, ParameterOp weight);
  void keepFeedForwardLayers();
  void splitPackedLayers();
  Value partOf(ParameterOp whole, int64_t number, StringRef role, int64_t dim, int64_t from, int64_t count);
  LogicalResult checkDivisible(const Layer &layer, StringRef what, int64_t width, Location loc);
  LogicalResult keepUnused(ArrayRef<ParameterOp> unused);
  FailureOr<Value> partitionLayer(LinearOp op, const Layer &layer);
  FailureOr<Value> columnParallel(LinearOp op, const Layer &layer, Value input);
  FailureOr<Value> rowParallel(LinearOp op, const Layer &layer, Value input);
  FailureOr<Value> phantomLayer(LinearOp op, const Layer &layer, Value input);
  FailureOr<Value> biasOf(LinearOp op, const Layer &layer, std::optional<int64_t> shardDim, int64_t fanIn);
  Value addBias(Location loc, Value value, Value bias);

  // Parameters of the partitioned function, declared and passed on demand.
  Value parameter(ParameterOp dense, StringRef name, RankedTensorType type, LayoutAttr layout, InitAttr init);
  FailureOr<Value> shardOf(ParameterOp dense, int64_t dim, int64_t fanIn);
  FailureOr<Value> replicatedParameter(ParameterOp dense, int64_t fanIn);
  InitAttr startOf(ParameterOp dense, InitKind fromDense, const Layer &layer, int64_t fanIn,
                   bool zeroOwn = false);
  /// What a dense parameter becomes: itself, or the parameters of a phantom layer that multiplies by it or by
  /// its transpose.
  enum class Use { Dense, Phantom, PhantomTransposed };
  LogicalResult claim(ParameterOp dense, Use use);

  // Everything else.
  LogicalResult partitionOp(Operation &op);
  FailureOr<Value> partitionBroadcast(BroadcastOp op, std::optional<int64_t> shardDim);
  FailureOr<Value> operandAs(Value old, std::optional<int64_t> shardDim, Location loc);
  LogicalResult cloneElementwise(Operation &op);
  LogicalResult cloneSharded(Operation &op, std::optional<int64_t> resultDim);
  LogicalResult cloneReplicated(Operation &op);
  LogicalResult partitionNormalize(NormalizeOp op);
  LogicalResult partitionSoftmax(SoftmaxOp op);
  LogicalResult partitionConcat(ConcatOp op);
  LogicalResult partitionGather(GatherOp op);
  LogicalResult partitionSum(ReduceSumOp op, int64_t dim);
  Value exchangeStatistics(StatisticsKind kind, Value value, ArrayRef<int64_t> dims, Location loc);
  std::optional<int64_t> keptShard(Operation &op);
  std::optional<int64_t> shardDimOf(Value old);
  FailureOr<Value> sampleParameter(Value old, std::optional<int64_t> dim, Location loc);

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
  llvm::StringMap<int64_t> ghostWidths;        ///< of single layers, by name
  llvm::StringMap<ParameterOp> phantomWeights; ///< the dense weights of phantom layers, by layer name
  /// A parameter of the partitioned function, and the name of the dense one that it is of.
  struct Known {
    StringAttr dense;
    Value argument;
  };

  func::FuncOp result;
  Block *body = nullptr;
  IRMapping map;
  llvm::StringMap<Known> parameters; ///< by name, in the partitioned function
  bool hasCollision = false;         ///< two have one name, which an error has told
  DenseMap<Operation *, Use> claims; ///< of dense parameters
  SmallVector<ParameterOp> declared;
  DenseMap<Value, Value> replicatedOf, perRankOf;
  DenseMap<std::pair<Value, int>, Value> statisticsOf;
};

} // namespace mlir::phantom

#endif // PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_PARTITIONER_H
