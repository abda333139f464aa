//===- PartitionValues.cpp - States and parameters of a partitioned function -*- C++ -*-===//
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

/// The parameter in the state of its first use.
Value Partitioner::parameter(ParameterOp dense, StringRef name, RankedTensorType type, LayoutAttr layout,
                             InitAttr init) {
  auto [known, isNew] = parameters.try_emplace(name, Known{dense.getSymNameAttr(), Value()});
  if (!isNew) {
    if (known->second.dense != dense.getSymNameAttr() && !hasCollision) {
      hasCollision = true;
      dense.emitOpError() << "gets the name '" << name
                          << "' in the divided model, which another parameter has: rename one of them";
    }
    return known->second.argument;
  }
  auto plain = withState(type, StateAttr());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(dense);
  declared.push_back(ParameterOp::create(b, dense.getLoc(), name, plain, layout, init, dense.getTrainable(),
                                         /*state_of=*/FlatSymbolRefAttr()));
  return known->second.argument = body->addArgument(type, dense.getLoc());
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
  return InitAttr::get(context, fromDense, init.getSource(), layer.io, lowRank ? ghostWidthOf(layer) : 0, 0,
                       false);
}

/// A phantom layer has other parameters than the dense weight: what shared the weight would part from it.
LogicalResult Partitioner::claim(ParameterOp dense, Use use) {
  auto [known, inserted] = claims.try_emplace(dense, use);
  if (inserted || known->second == use)
    return success();
  return dense.emitError()
         << "parameter '" << dense.getSymName()
         << "' is the weight of a phantom layer and is used otherwise, too: the two would part in "
            "training; exclude the layer with select";
}

/// Uses of a parameter in several states agree on the first one; exchanges make the others, and add up the
/// gradients.
FailureOr<Value> Partitioner::shardOf(ParameterOp dense, int64_t dim, int64_t fanIn) {
  if (failed(claim(dense, Use::Dense)))
    return failure();
  auto layout = LayoutAttr::get(module.getContext(), LayoutKind::Shard, dim, {});
  Value value = parameter(dense, dense.getSymName(), sharded(cast<RankedTensorType>(dense.getType()), dim),
                          layout, startOf(dense, InitKind::Load, {}, fanIn));
  return toShard(value, dim, dense.getLoc());
}

FailureOr<Value> Partitioner::replicatedParameter(ParameterOp dense, int64_t fanIn) {
  if (failed(claim(dense, Use::Dense)))
    return failure();
  Value value = parameter(dense, dense.getSymName(), cast<RankedTensorType>(dense.getType()), LayoutAttr(),
                          startOf(dense, InitKind::Load, {}, fanIn));
  return toReplicated(value, dense.getLoc());
}
