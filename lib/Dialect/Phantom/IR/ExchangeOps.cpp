//===- ExchangeOps.cpp - Verifiers, costs and effects of exchanges -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::phantom;

namespace {

RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The mesh must exist, and have the axis.
template <typename Op> LogicalResult verifyMesh(Op op, SymbolTableCollection &symbols) {
  auto mesh = symbols.lookupNearestSymbolFrom<MeshOp>(op, op.getMeshAttr());
  if (!mesh)
    return op.emitOpError("refers to ") << op.getMeshAttr() << ", which is no phantom.mesh";
  if (!mesh.getAxisSize(op.getAxis()))
    return op.emitOpError("refers to axis '")
           << op.getAxis() << "', which " << op.getMeshAttr() << " does not have";
  return success();
}

/// `whole` must be `ranks` times `part` along `dim`, and equal elsewhere.
template <typename Op>
LogicalResult verifyBlocks(Op op, RankedTensorType part, RankedTensorType whole, int64_t ranks) {
  int64_t dim = op.getDim();
  if (dim < 0 || dim >= part.getRank() || part.getRank() != whole.getRank())
    return op.emitOpError("has dimension ") << dim << " for operands of rank " << part.getRank();
  for (int64_t d = 0; d < part.getRank(); ++d) {
    int64_t expected = part.getDimSize(d) * (d == dim ? ranks : 1);
    if (whole.getDimSize(d) != expected)
      return op.emitOpError("dimension ") << d << " of the whole must be " << expected << " on " << ranks
                                          << " ranks, is " << whole.getDimSize(d);
  }
  return success();
}

/// Whether the encodings, where present, say what is expected.
template <typename Op> bool stateless(Op op) {
  return !getState(op.getInput().getType()) && !getState(op.getOutput().getType());
}

template <typename Op> LogicalResult verifyAxisOfStates(Op op) {
  for (Value value : {op.getInput(), op.getOutput()})
    if (StateAttr state = getState(value.getType()); state && state.getAxis() != op.getAxis())
      return op.emitOpError("is on axis '")
             << op.getAxis() << "', but a value has a state on '" << state.getAxis() << "'";
  return success();
}

double elements(Value value) { return static_cast<double>(tensorType(value).getNumElements()); }

} // namespace

LogicalResult AllGatherOp::verify() {
  Type in = getInput().getType(), out = getOutput().getType();
  if (!stateless(*this) &&
      (getShardDim(in) != getDim() || !(isReplicated(out) || hasStateKind(out, StateKind::PerRank))))
    return emitOpError("takes shard(") << getDim() << ") and gives per_rank or replicated";
  return verifyAxisOfStates(*this);
}
LogicalResult AllGatherOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyMesh(*this, symbols)))
    return failure();
  return verifyBlocks(*this, tensorType(getInput()), tensorType(getOutput()), getRanks());
}

LogicalResult ReduceScatterOp::verify() {
  Type in = getInput().getType(), out = getOutput().getType();
  if (!stateless(*this) && (!hasStateKind(in, StateKind::Partial) || getShardDim(out) != getDim()))
    return emitOpError("takes a partial value and gives shard(") << getDim() << ")";
  return verifyAxisOfStates(*this);
}
LogicalResult ReduceScatterOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyMesh(*this, symbols)))
    return failure();
  return verifyBlocks(*this, tensorType(getOutput()), tensorType(getInput()), getRanks());
}

LogicalResult AllReduceOp::verify() {
  RankedTensorType in = tensorType(getInput()), out = tensorType(getOutput());
  if (in.getShape() != out.getShape())
    return emitOpError("operand and result must have the same shape");
  if (!stateless(*this) && (!hasStateKind(in, StateKind::Partial) || !isReplicated(out)))
    return emitOpError("takes a partial value and gives a replicated one");
  return verifyAxisOfStates(*this);
}
LogicalResult AllReduceOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyMesh(*this, symbols);
}

LogicalResult AllToAllOp::verify() {
  return getState(getInput().getType()) ? emitOpError("is of a value without a state") : success();
}
LogicalResult AllToAllOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyMesh(*this, symbols)))
    return failure();
  RankedTensorType type = tensorType(getInput());
  if (type.getRank() == 0 || type.getDimSize(0) != getRanks())
    return emitOpError("needs a dimension 0 with a block for each of the ") << getRanks() << " ranks";
  return success();
}

LogicalResult ReplicateOp::verify() {
  RankedTensorType in = tensorType(getInput()), out = tensorType(getOutput());
  if (in.getShape() != out.getShape())
    return emitOpError("operand and result must have the same shape");
  if (!stateless(*this) && (!isReplicated(in) || !hasStateKind(out, StateKind::PerRank)))
    return emitOpError("takes a replicated value and gives per_rank");
  return verifyAxisOfStates(*this);
}
LogicalResult ReplicateOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyMesh(*this, symbols);
}

LogicalResult LocalSliceOp::verify() {
  if (!stateless(*this) &&
      (!isReplicated(getInput().getType()) || getShardDim(getOutput().getType()) != getDim()))
    return emitOpError("takes a replicated value and gives shard(") << getDim() << ")";
  return verifyAxisOfStates(*this);
}
LogicalResult LocalSliceOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyMesh(*this, symbols)))
    return failure();
  return verifyBlocks(*this, tensorType(getOutput()), tensorType(getInput()),
                      getAxisSize(*this, getMeshAttr(), getAxis()));
}

LogicalResult MaskOwnBlockOp::verify() {
  return tensorType(getInput()).getRank() < 1 ? emitOpError("needs a dimension 0") : success();
}
LogicalResult MaskOwnBlockOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyMesh(*this, symbols)))
    return failure();
  int64_t rows = tensorType(getInput()).getDimSize(0), ranks = getAxisSize(*this, getMeshAttr(), getAxis());
  if (rows % ranks != 0)
    return emitOpError("dimension 0 of extent ") << rows << " does not divide into " << ranks << " blocks";
  return success();
}

LogicalResult CollectiveOp::verify() {
  bool gathers = getKind() == ExchangeKind::AllGather;
  if (gathers == static_cast<bool>(getDestination()))
    return emitOpError(gathers ? "of an all_gather has no destination" : "needs a destination");
  Type element = cast<MemRefType>(getWindow().getType()).getElementType();
  bool sums = getKind() == ExchangeKind::ReduceScatter || getKind() == ExchangeKind::AllReduce;
  if (sums && !element.isF32() && !element.isF64())
    return emitOpError("sums ") << element << "; f32 or f64 is needed";
  for (Value buffer : getOperands()) {
    auto type = cast<MemRefType>(buffer.getType());
    if (type.getElementType() != element)
      return emitOpError("has a destination of ") << type.getElementType() << " for " << element;
    if (!type.hasStaticShape() || !type.getLayout().isIdentity())
      return emitOpError("needs contiguous memory of static shape: run phantom-pack-exchanges");
  }
  return success();
}
LogicalResult CollectiveOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyMesh(*this, symbols)))
    return failure();
  int64_t window = cast<MemRefType>(getWindow().getType()).getNumElements(), ranks = getRanks();
  if (getKind() != ExchangeKind::AllReduce && window % ranks != 0)
    return emitOpError("has a window of ")
           << window << " elements, which are no " << ranks << " equal blocks";
  if (!getDestination())
    return success();
  int64_t expected = getKind() == ExchangeKind::ReduceScatter ? window / ranks : window;
  if (int64_t elements = cast<MemRefType>(getDestination().getType()).getNumElements(); elements != expected)
    return emitOpError("needs a destination of ") << expected << " elements, has " << elements;
  return success();
}

LogicalResult EventWaitOp::verify() {
  auto record = getEvent().getDefiningOp<EventRecordOp>();
  if (!record)
    return emitOpError("needs the event of an event_record");
  if (record.getStream() == getStream())
    return emitOpError("is on the stream that records its event");
  return success();
}

//===----------------------------------------------------------------------===//
// Costs (math.md, ring model)
//===----------------------------------------------------------------------===//

ExchangeKind AllGatherOp::getExchangeKind() { return ExchangeKind::AllGather; }
int64_t AllGatherOp::getRanks() { return getAxisSize(*this, getMeshAttr(), getAxis()); }
double AllGatherOp::getRingElements() { return (getRanks() - 1) * elements(getInput()); }

ExchangeKind ReduceScatterOp::getExchangeKind() { return ExchangeKind::ReduceScatter; }
int64_t ReduceScatterOp::getRanks() { return getAxisSize(*this, getMeshAttr(), getAxis()); }
double ReduceScatterOp::getRingElements() { return (getRanks() - 1) * elements(getOutput()); }

ExchangeKind AllReduceOp::getExchangeKind() { return ExchangeKind::AllReduce; }
int64_t AllReduceOp::getRanks() { return getAxisSize(*this, getMeshAttr(), getAxis()); }
double AllReduceOp::getRingElements() { return 2.0 * (getRanks() - 1) / getRanks() * elements(getOutput()); }

ExchangeKind AllToAllOp::getExchangeKind() { return ExchangeKind::AllToAll; }
int64_t AllToAllOp::getRanks() { return getAxisSize(*this, getMeshAttr(), getAxis()); }
double AllToAllOp::getRingElements() {
  return (getRanks() - 1) * elements(getInput()) / static_cast<double>(getRanks());
}

/// By the window: the gathered tensor, or one full tensor per rank.
static double ringElements(ExchangeKind kind, Value window, int64_t ranks) {
  double whole = static_cast<double>(cast<MemRefType>(window.getType()).getNumElements());
  double p = static_cast<double>(ranks);
  switch (kind) {
  case ExchangeKind::AllGather:
    return (p - 1) * (whole / p);
  case ExchangeKind::ReduceScatter:
  case ExchangeKind::AllToAll:
    return (p - 1) * (whole / p / p);
  case ExchangeKind::AllReduce:
    return 2 * (p - 1) / p * (whole / p);
  }
  llvm_unreachable("unknown exchange");
}

ExchangeKind ExchangeBufferOp::getExchangeKind() { return getKind(); }
int64_t ExchangeBufferOp::getRanks() { return getAxisSize(*this, getMeshAttr(), getAxis()); }
double ExchangeBufferOp::getRingElements() { return ringElements(getKind(), getWindow(), getRanks()); }

ExchangeKind CollectiveOp::getExchangeKind() { return getKind(); }
int64_t CollectiveOp::getRanks() { return getAxisSize(*this, getMeshAttr(), getAxis()); }
double CollectiveOp::getRingElements() {
  // Other windows have this rank's part only.
  double parts = getKind() == ExchangeKind::AllGather ? 1 : static_cast<double>(getRanks());
  return parts * ringElements(getKind(), getWindow(), getRanks());
}

ExchangeKind ExchangeStartOp::getExchangeKind() { return getKind(); }
int64_t ExchangeStartOp::getRanks() { return getAxisSize(*this, getMeshAttr(), getAxis()); }
double ExchangeStartOp::getRingElements() { return ringElements(getKind(), getWindow(), getRanks()); }

//===----------------------------------------------------------------------===//
// Effects of buffer ops
//===----------------------------------------------------------------------===//

using Effects = SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>;

void GemmOp::getEffects(Effects &effects) {
  if (!isa<MemRefType>(getC().getType()))
    return;
  effects.emplace_back(MemoryEffects::Read::get(), &getAMutable());
  effects.emplace_back(MemoryEffects::Read::get(), &getBMutable());
  for (MutableOperandRange read : {getBiasMutable(), getSavedMutable()})
    for (OpOperand &operand : read)
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  if (getAccumulate())
    effects.emplace_back(MemoryEffects::Read::get(), &getCMutable());
  for (OpOperand &written : getDpsInitsMutable())
    effects.emplace_back(MemoryEffects::Write::get(), &written);
}

void LaunchOp::getEffects(Effects &effects) {
  for (OpOperand &input : getInputsMutable())
    effects.emplace_back(MemoryEffects::Read::get(), &input);
  for (OpOperand &output : getOutputsMutable()) {
    effects.emplace_back(MemoryEffects::Read::get(), &output);
    effects.emplace_back(MemoryEffects::Write::get(), &output);
  }
}

void ExchangeBufferOp::getEffects(Effects &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), CommunicationResource::get());
  effects.emplace_back(MemoryEffects::Read::get(), &getWindowMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &getWindowMutable());
  for (OpOperand &destination : getDestinationMutable())
    effects.emplace_back(MemoryEffects::Write::get(), &destination);
}

void ExchangeStartOp::getEffects(Effects &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), CommunicationResource::get());
  effects.emplace_back(MemoryEffects::Read::get(), &getWindowMutable());
}

void ExchangeWaitOp::getEffects(Effects &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), CommunicationResource::get());
  effects.emplace_back(MemoryEffects::Read::get(), &getWindowMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &getWindowMutable());
  for (OpOperand &destination : getDestinationMutable())
    effects.emplace_back(MemoryEffects::Write::get(), &destination);
}

void CollectiveOp::getEffects(Effects &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), CommunicationResource::get());
  effects.emplace_back(MemoryEffects::Read::get(), &getWindowMutable());
  if (!getDestination())
    effects.emplace_back(MemoryEffects::Write::get(), &getWindowMutable());
  for (OpOperand &destination : getDestinationMutable())
    effects.emplace_back(MemoryEffects::Write::get(), &destination);
}

void EventRecordOp::getEffects(Effects &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), CommunicationResource::get());
}

void EventWaitOp::getEffects(Effects &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), CommunicationResource::get());
}
