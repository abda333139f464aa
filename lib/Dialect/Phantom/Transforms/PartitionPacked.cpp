//===- PartitionPacked.cpp - Takes packed layers apart ----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// A packed layer computes several projections of its input side by side: gate and up of a SwiGLU, for one. A
// rank must own the same neurons of each, which are no block of the whole. So each projection becomes a layer
// of its own, with a part of the packed parameters.
//
//===----------------------------------------------------------------------===//

#include "Partitioner.h"

using namespace mlir;
using namespace mlir::phantom;

/// The slices that take the layer's outputs apart, in order; none where it is used otherwise, or they
/// overlap, leave a gap or have no elements.
static SmallVector<SliceOp> findParts(LinearOp op) {
  auto whole = tensorType(op.getOutput());
  int64_t last = whole.getRank() - 1;
  SmallVector<SliceOp> parts;
  for (Operation *user : op->getUsers()) {
    auto slice = dyn_cast<SliceOp>(user);
    if (!slice || llvm::any_of(slice.getStrides(), [](int64_t stride) { return stride != 1; }) ||
        tensorType(slice.getOutput()).getShape().drop_back() != whole.getShape().drop_back() ||
        tensorType(slice.getOutput()).getDimSize(last) == 0)
      return {};
    parts.push_back(slice);
  }
  llvm::stable_sort(parts, [&](SliceOp a, SliceOp b) { return a.getOffsets()[last] < b.getOffsets()[last]; });
  int64_t end = 0;
  for (SliceOp part : parts) {
    if (part.getOffsets()[last] != end)
      return {};
    end += tensorType(part.getOutput()).getDimSize(last);
  }
  return end == whole.getDimSize(last) && parts.size() > 1 ? parts : SmallVector<SliceOp>();
}

/// Declares a part of a parameter, and passes it to the dense function.
Value Partitioner::partOf(ParameterOp whole, int64_t number, StringRef role, int64_t dim, int64_t from,
                          int64_t count) {
  MLIRContext *context = module.getContext();
  auto type = cast<RankedTensorType>(whole.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = count;
  InitAttr init = whole.getInit();
  if (SourceAttr source = init.getSource())
    init = InitAttr::get(context, init.getKind(),
                         SourceAttr::get(context, source.getFile(), source.getTensor(), source.getOffset(),
                                         source.getLength(), source.getType(), {dim, from, count}),
                         init.getTransposed(), init.getGhostWidth(), init.getFanIn(), init.getZeroOwn());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(whole);
  auto part = ParameterOp::create(b, whole.getLoc(), getPartName(whole.getSymName(), number, role),
                                  RankedTensorType::get(shape, type.getElementType()), whole.getLayoutAttr(),
                                  init, whole.getTrainable(), whole.getStateOfAttr());
  unsigned index = dense.getNumArguments();
  auto reference = b.getNamedAttr(PhantomDialect::kParameter, FlatSymbolRefAttr::get(part.getSymNameAttr()));
  (void)dense.insertArgument(index, part.getType(), b.getDictionaryAttr(reference), whole.getLoc());
  return dense.getArgument(index);
}

/// Whether nothing else uses the parameter, and its source is the tensor that is taken apart.
static bool canSplit(Value parameter) {
  ParameterOp declaration = getParameter(parameter);
  if (!declaration || !parameter.hasOneUse())
    return false;
  SourceAttr source = declaration.getInit().getSource();
  return !source ||
         (source.getPart().empty() && source.getType().getShape() == tensorType(parameter).getShape());
}

void Partitioner::splitPackedLayers() {
  for (auto &[key, packed] : layers.takeVector()) {
    auto op = cast<LinearOp>(key);
    SmallVector<SliceOp> parts = findParts(op);
    bool possible = canSplit(op.getWeight()) && (!op.getBias() || canSplit(op.getBias()));
    if (parts.empty() || !possible) {
      if (!parts.empty())
        op.emitRemark() << "layer '" << packed.name
                        << "' packs several projections, but stays one: something else uses its parameters";
      layers.insert({key, packed});
      continue;
    }
    op.emitRemark() << "layer '" << packed.name << "' packs " << parts.size()
                    << " projections: each becomes a layer of its own";
    int64_t from = 0;
    for (auto [number, slice] : llvm::enumerate(parts)) {
      int64_t count = tensorType(slice.getOutput()).getShape().back();
      Value weight = partOf(packed.weight, number, "weight", packed.io ? 1 : 0, from, count);
      Value bias = packed.bias ? partOf(packed.bias, number, "bias", 0, from, count) : Value();
      b.setInsertionPoint(op);
      auto layer = LinearOp::create(b, op.getLoc(), slice.getOutput().getType(), op.getInput(), weight, bias,
                                    packed.io);
      layers.insert({layer, layerOf(layer, getParameter(weight))});
      slice.getOutput().replaceAllUsesWith(layer.getOutput());
      slice.erase();
      from += count;
    }
    op.erase();
  }
}
