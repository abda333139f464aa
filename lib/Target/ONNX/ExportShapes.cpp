//===- ExportShapes.cpp - Exports ops that look at shapes --- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpExporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

using namespace llvm;
using mlir::ShapedType;
using mlir::phantom::ReduceSumOp;

namespace phantom::onnx {

Operation *keptSum(Operation *reshape) {
  auto sum = reshape->getOperand(0).getDefiningOp<ReduceSumOp>();
  if (!sum || sum.getDims().empty() || sum->getLoc() != reshape->getLoc())
    return nullptr;
  SmallVector<int64_t> unit(staticShape(sum.getInput()));
  for (int64_t dim : sum.getDims())
    unit[dim] = 1;
  return staticShape(reshape->getResult(0)) == ArrayRef<int64_t>(unit) ? sum : nullptr;
}

SmallVector<Operation *> partsOfReshape(Operation *op) {
  Operation *sum = keptSum(op);
  return sum ? SmallVector<Operation *>{sum} : SmallVector<Operation *>();
}

LogicalResult exportReshape(OpExporter &exporter) {
  if (auto sum = dyn_cast_or_null<ReduceSumOp>(keptSum(exporter.op)))
    return exporter.result("ReduceSum", {exporter.tensor(sum.getInput()), exporter.integers(sum.getDims())},
                           {intAttribute("keepdims", 1)});
  ArrayRef<int64_t> from = staticShape(exporter.op->getOperand(0));
  SmallVector<int64_t> to(staticShape(exporter.op->getResult(0)));
  // Needs no constant, and keeps any batch.
  if (to.size() == 2 && from.size() > 2 && from[0] == to[0] &&
      !ShapedType::isDynamicShape(from.drop_front()) &&
      ShapedType::getNumElements(from.drop_front()) == to[1])
    return exporter.result("Flatten", {exporter.operand(0)}, {intAttribute("axis", 1)});
  for (int64_t &extent : to)
    if (ShapedType::isDynamic(extent))
      extent = -1;
  return exporter.result("Reshape", {exporter.operand(0), exporter.integers(to)});
}

LogicalResult exportTranspose(OpExporter &exporter) {
  auto transpose = cast<mlir::phantom::TransposeOp>(exporter.op);
  return exporter.result("Transpose", {exporter.operand(0)},
                         {intsAttribute("perm", transpose.getPermutation())});
}

LogicalResult exportReduceSum(OpExporter &exporter) {
  auto sum = cast<ReduceSumOp>(exporter.op);
  // No axes would mean all of them.
  if (sum.getDims().empty())
    return exporter.result("Identity", {exporter.operand(0)});
  return exporter.result("ReduceSum", {exporter.operand(0), exporter.integers(sum.getDims())},
                         {intAttribute("keepdims", 0)});
}

LogicalResult exportSoftmax(OpExporter &exporter) {
  auto logarithm = dyn_cast<mlir::phantom::LogSoftmaxOp>(exporter.op);
  uint64_t dim = logarithm ? logarithm.getDim() : cast<mlir::phantom::SoftmaxOp>(exporter.op).getDim();
  return exporter.result(logarithm ? "LogSoftmax" : "Softmax", {exporter.operand(0)},
                         {intAttribute("axis", static_cast<int64_t>(dim))});
}

} // namespace phantom::onnx
