//===- DataOps.cpp - Parts of tensors, and element types ------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
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

RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

LogicalResult verifyElementTypes(Operation *op, RankedTensorType in, RankedTensorType out) {
  if (in.getElementType() != out.getElementType())
    return op->emitOpError("turns ") << in.getElementType() << " into " << out.getElementType();
  return success();
}

LogicalResult verifyDimension(Operation *op, int64_t dim, RankedTensorType type) {
  if (dim < 0 || dim >= type.getRank())
    return op->emitOpError("has dimension ") << dim << ", but the operand has rank " << type.getRank();
  return success();
}

/// Of `part`, which offsets and strides cut out of `whole`.
LogicalResult verifySlice(Operation *op, RankedTensorType part, RankedTensorType whole,
                          ArrayRef<int64_t> offsets, ArrayRef<int64_t> strides) {
  if (part.getRank() != whole.getRank() || static_cast<int64_t>(offsets.size()) != whole.getRank() ||
      static_cast<int64_t>(strides.size()) != whole.getRank())
    return op->emitOpError("needs one offset and one stride for each of ")
           << whole.getRank() << " dimensions";
  for (int64_t d = 0; d < whole.getRank(); ++d) {
    int64_t extent = part.getDimSize(d), all = whole.getDimSize(d);
    bool isWhole = extent == all && offsets[d] == 0 && strides[d] == 1;
    if (isWhole)
      continue;
    if (ShapedType::isDynamic(extent) || ShapedType::isDynamic(all) || getShardDim(whole) == d)
      return op->emitOpError("takes a part of dimension ") << d << ", which is dynamic or sharded";
    // What has no elements has no last one.
    if (extent == 0 && strides[d] != 0 && offsets[d] >= 0 && offsets[d] <= all)
      continue;
    int64_t last = 0;
    bool overflow = __builtin_mul_overflow(extent - 1, strides[d], &last) ||
                    __builtin_add_overflow(last, offsets[d], &last);
    if (overflow || strides[d] == 0 || extent < 1 || std::min(offsets[d], last) < 0 ||
        std::max(offsets[d], last) >= all)
      return op->emitOpError("takes ") << extent << " elements from " << offsets[d] << " by " << strides[d]
                                       << " of dimension " << d << ", which has " << all;
  }
  if (getState(part) != getState(whole))
    return op->emitOpError("must keep the operand's state");
  return verifyElementTypes(op, whole, part);
}

/// Of `taken`, the slices of `whole` at the indices.
LogicalResult verifyGather(Operation *op, RankedTensorType taken, RankedTensorType whole,
                           RankedTensorType indices, int64_t dim) {
  if (failed(verifyDimension(op, dim, whole)))
    return failure();
  if (whole.isDynamicDim(dim) || getShardDim(whole) == dim)
    return op->emitOpError("along dimension ") << dim << ", which is dynamic or sharded";
  if (getState(indices))
    return op->emitOpError("needs replicated indices");
  SmallVector<int64_t> shape(whole.getShape().take_front(dim));
  llvm::append_range(shape, indices.getShape());
  llvm::append_range(shape, whole.getShape().drop_front(dim + 1));
  if (taken.getShape() != ArrayRef<int64_t>(shape))
    return op->emitOpError("gives ") << RankedTensorType::get(shape, whole.getElementType()) << ", not "
                                     << taken;
  auto from = getShardDim(whole), to = getShardDim(taken);
  if (from && to != (*from < dim ? *from : *from + indices.getRank() - 1))
    return op->emitOpError("must keep the sharded dimension sharded");
  return verifyElementTypes(op, whole, taken);
}

} // namespace

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

LogicalResult CastOp::verify() {
  RankedTensorType in = tensorType(getInput()), out = tensorType(getOutput());
  if (getRounded() && !isa<FloatType>(out.getElementType()))
    return emitOpError("rounds to a stored float type, but gives ") << out.getElementType();
  if (getState(in) != getState(out))
    return emitOpError("must keep the operand's state");
  return success();
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  bool same = getInput().getType() == getOutput().getType() && getUnsignedInput() == getUnsignedOutput();
  return same && !getRounded() ? getInput() : Value();
}

Cotangents CastOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool>) {
  bool floats = isa<FloatType>(tensorType(getInput()).getElementType()) &&
                isa<FloatType>(tensorType(getOutput()).getElementType());
  if (!floats)
    return SmallVector<Value>{Value()};
  RankedTensorType type = getCotangentType(getInput().getType());
  if (type == cotangents[0].getType())
    return SmallVector<Value>{cotangents[0]};
  Value gradient = CastOp::create(b, getLoc(), type, cotangents[0], NarrowFloatAttr(), false, false);
  return SmallVector<Value>{gradient};
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

LogicalResult SliceOp::verify() {
  return verifySlice(*this, tensorType(getOutput()), tensorType(getInput()), getOffsets(), getStrides());
}

LogicalResult SliceGradientOp::verify() {
  return verifySlice(*this, tensorType(getCotangent()), tensorType(getGradient()), getOffsets(),
                     getStrides());
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  // Of the same type, it is whole: a part has fewer elements, or is reversed.
  bool reversed = llvm::any_of(getStrides(), [](int64_t stride) { return stride < 0; });
  return getInput().getType() == getOutput().getType() && !reversed ? getInput() : Value();
}

Cotangents SliceOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool>) {
  Value gradient = SliceGradientOp::create(b, getLoc(), getCotangentType(getInput().getType()), cotangents[0],
                                           getOffsets(), getStrides());
  return SmallVector<Value>{gradient};
}

LogicalResult ConcatOp::verify() {
  RankedTensorType out = tensorType(getOutput());
  if (getInputs().empty())
    return emitOpError("joins nothing");
  if (failed(verifyDimension(*this, getDim(), out)))
    return failure();
  int64_t dim = getDim(), total = 0;
  for (Value input : getInputs()) {
    RankedTensorType in = tensorType(input);
    if (in.getRank() != out.getRank() || getState(in) != getState(out) || in.isDynamicDim(dim))
      return emitOpError("cannot join ") << in << " to " << out;
    for (int64_t d = 0; d < out.getRank(); ++d)
      if (d != dim && in.getDimSize(d) != out.getDimSize(d))
        return emitOpError("joins ") << in << " to " << out << ", which differ in dimension " << d;
    total += in.getDimSize(dim);
    if (failed(verifyElementTypes(*this, in, out)))
      return failure();
  }
  if (out.getDimSize(dim) != total || getShardDim(out) == dim)
    return emitOpError("must give ") << total << " along dimension " << dim << ", which may not be sharded";
  return success();
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getInputs().size() == 1 && getInputs()[0].getType() == getOutput().getType() ? getInputs()[0]
                                                                                      : Value();
}

Cotangents ConcatOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  SmallVector<Value> result(getNumOperands());
  SmallVector<int64_t> offsets(tensorType(getOutput()).getRank(), 0), strides(offsets.size(), 1);
  for (auto [i, input] : llvm::enumerate(getInputs())) {
    if (needed[i])
      result[i] =
          SliceOp::create(b, getLoc(), getCotangentType(input.getType()), cotangents[0], offsets, strides);
    offsets[getDim()] += tensorType(input).getDimSize(getDim());
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

LogicalResult GatherOp::verify() {
  return verifyGather(*this, tensorType(getOutput()), tensorType(getInput()), tensorType(getIndices()),
                      getDim());
}

LogicalResult GatherGradientOp::verify() {
  return verifyGather(*this, tensorType(getCotangent()), tensorType(getGradient()), tensorType(getIndices()),
                      getDim());
}

Cotangents GatherOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool> needed) {
  SmallVector<Value> result(2);
  if (needed[0])
    result[0] = GatherGradientOp::create(b, getLoc(), getCotangentType(getInput().getType()), cotangents[0],
                                         getIndices(), getDim());
  return result;
}

//===----------------------------------------------------------------------===//
// Log-softmax
//===----------------------------------------------------------------------===//

LogicalResult LogSoftmaxOp::verify() {
  RankedTensorType type = tensorType(getInput());
  if (failed(verifyDimension(*this, getDim(), type)))
    return failure();
  if (getShardDim(type) == static_cast<int64_t>(getDim()) || hasStateKind(type, StateKind::Partial))
    return emitOpError("along a sharded dimension or of a partial value");
  return success();
}

/// ∂x = ∂y − e^y Σ ∂y
Cotangents LogSoftmaxOp::buildVjp(OpBuilder &b, ValueRange cotangents, ArrayRef<bool>) {
  Location loc = getLoc();
  auto type = cast<RankedTensorType>(cotangents[0].getType());
  int64_t dim = getDim();
  SmallVector<int64_t> unit(type.getShape()), kept(type.getShape());
  unit[dim] = 1;
  kept.erase(kept.begin() + dim);
  StateAttr state = getState(type);
  StateAttr keptState = state;
  if (auto shard = getShardDim(type); shard && *shard > dim)
    keptState = StateAttr::get(b.getContext(), state.getAxis(), StateKind::Shard, *shard - 1);
  Value sum = ReduceSumOp::create(b, loc, RankedTensorType::get(kept, type.getElementType(), keptState),
                                  cotangents[0], ArrayRef<int64_t>{dim});
  Value wide = ReshapeOp::create(b, loc, RankedTensorType::get(unit, type.getElementType(), state), sum);
  wide = BroadcastOp::create(b, loc, type, wide, Value());
  Value softmax = math::ExpOp::create(b, loc, getOutput());
  Value product = arith::MulFOp::create(b, loc, softmax, wide);
  Value gradient = arith::SubFOp::create(b, loc, cotangents[0], product);
  return SmallVector<Value>{gradient};
}
