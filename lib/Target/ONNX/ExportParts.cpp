//===- ExportParts.cpp - Exports ops that move parts ------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpExporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include <limits>

using namespace llvm;
using mlir::phantom::ConcatOp;
using mlir::phantom::GatherOp;
using mlir::phantom::SliceOp;

namespace phantom::onnx {

LogicalResult exportConcat(OpExporter &exporter) {
  SmallVector<std::string> inputs;
  for (Value value : exporter.op->getOperands())
    inputs.push_back(exporter.tensor(value));
  return exporter.result("Concat", inputs,
                         {intAttribute("axis", static_cast<int64_t>(cast<ConcatOp>(exporter.op).getDim()))});
}

LogicalResult exportGather(OpExporter &exporter) {
  auto gather = cast<GatherOp>(exporter.op);
  return exporter.result(
      "Gather",
      {exporter.tensor(gather.getInput()), exporter.tensor(gather.getIndices(), /*isUnsigned=*/false)},
      {intAttribute("axis", static_cast<int64_t>(gather.getDim()))});
}

//===----------------------------------------------------------------------===//
// Slice and Split
//===----------------------------------------------------------------------===//

/// The only dimension that the op takes a part of, as a block; nothing for other slices.
static std::optional<size_t> blockDimension(SliceOp op) {
  std::optional<size_t> dimension;
  for (auto [d, whole] : enumerate(staticShape(op.getInput()))) {
    if (op.getStrides()[d] != 1)
      return std::nullopt;
    if (staticShape(op.getOutput())[d] == whole)
      continue;
    if (dimension)
      return std::nullopt;
    dimension = d;
  }
  return dimension;
}

/// The slices from `first` on that are the outputs of one Split; empty where there is none.
static SmallVector<SliceOp> findSplit(SliceOp first) {
  std::optional<size_t> dimension = blockDimension(first);
  if (!dimension)
    return {};
  SmallVector<SliceOp> parts;
  const int64_t whole = staticShape(first.getInput())[*dimension];
  int64_t end = 0;
  for (Operation *op = first; op && end < whole; op = op->getNextNode()) {
    auto slice = dyn_cast<SliceOp>(op);
    if (!slice || slice.getInput() != first.getInput() || slice->getLoc() != first->getLoc() ||
        blockDimension(slice) != dimension || slice.getOffsets()[*dimension] != end)
      return {};
    end += staticShape(slice.getOutput())[*dimension];
    parts.push_back(slice);
  }
  return end == whole ? parts : SmallVector<SliceOp>();
}

static LogicalResult exportSplit(OpExporter &exporter, ArrayRef<SliceOp> parts) {
  size_t dimension = *blockDimension(parts.front());
  SmallVector<int64_t> sizes;
  SmallVector<Value> outputs;
  for (SliceOp part : parts) {
    sizes.push_back(staticShape(part.getOutput())[dimension]);
    outputs.push_back(part.getOutput());
  }
  return exporter.results("Split", {exporter.operand(0), exporter.integers(sizes)}, outputs,
                          {intAttribute("axis", static_cast<int64_t>(dimension))});
}

LogicalResult exportSlice(OpExporter &exporter) {
  auto slice = cast<SliceOp>(exporter.op);
  if (exporter.graph.isBound(slice.getOutput())) // by the Split that it belongs to
    return mlir::success();
  if (SmallVector<SliceOp> parts = findSplit(slice); !parts.empty())
    return exportSplit(exporter, parts);
  SmallVector<int64_t> starts, ends, axes, steps;
  for (auto [d, offset, stride] : enumerate(slice.getOffsets(), slice.getStrides())) {
    int64_t extent = staticShape(slice.getOutput())[d];
    if (offset == 0 && stride == 1 && extent == staticShape(slice.getInput())[d])
      continue;
    int64_t last = offset + stride * (extent - 1);
    starts.push_back(offset);
    // An end of -1 would count from behind.
    ends.push_back(stride > 0 ? last + 1 : last > 0 ? last - 1 : std::numeric_limits<int64_t>::min());
    axes.push_back(static_cast<int64_t>(d));
    steps.push_back(stride);
  }
  if (axes.empty())
    return exporter.result("Identity", {exporter.operand(0)});
  return exporter.result("Slice", {exporter.operand(0), exporter.integers(starts), exporter.integers(ends),
                                   exporter.integers(axes), exporter.integers(steps)});
}

} // namespace phantom::onnx
