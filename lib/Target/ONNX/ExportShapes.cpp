//===- ExportShapes.cpp - Exports ops that look at shapes --- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpExporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace llvm;
using mlir::ShapedType;

namespace phantom::onnx {

/// The elements as ONNX stores them: row-major, little-endian, booleans as bytes.
static std::string rawElements(mlir::DenseElementsAttr elements) {
  std::string bytes;
  auto append = [&](const APInt &bits) {
    uint64_t word = bits.getZExtValue();
    bytes.append(reinterpret_cast<const char *>(&word), (bits.getBitWidth() + 7) / 8);
  };
  if (isa<mlir::FloatType>(elements.getElementType()))
    for (const APFloat &number : elements.getValues<APFloat>())
      append(number.bitcastToAPInt());
  else
    for (const APInt &number : elements.getValues<APInt>())
      append(number);
  return bytes;
}

LogicalResult exportConstant(OpExporter &exporter) {
  auto elements = dyn_cast<mlir::DenseElementsAttr>(cast<mlir::arith::ConstantOp>(exporter.op).getValue());
  if (!elements)
    return exporter.op->emitError() << "this constant cannot be exported to ONNX: it is no dense tensor";
  Value value = exporter.op->getResult(0);
  exporter.graph.bind(value, exporter.graph.constant(exporter.graph.typeOf(value),
                                                     elements.getType().getShape(), rawElements(elements)));
  return mlir::success();
}

/// A node is needed only where a user cannot broadcast by itself.
LogicalResult exportBroadcast(OpExporter &exporter) {
  auto broadcast = cast<mlir::phantom::BroadcastOp>(exporter.op);
  bool needed = any_of(broadcast->getUses(), [](mlir::OpOperand &use) {
    return withoutBroadcasts(use.getOwner())[use.getOperandNumber()] == use.get();
  });
  if (!needed)
    return mlir::success();
  ArrayRef<int64_t> shape = staticShape(broadcast.getOutput());
  std::string wanted;
  if (!ShapedType::isDynamicShape(shape))
    wanted = exporter.integers(shape);
  else
    wanted = exporter.node("Shape", {exporter.graph.tensorOf(broadcast.getLike())});
  return exporter.result("Expand", {exporter.operand(0), wanted});
}

LogicalResult exportReshape(OpExporter &exporter) {
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
  auto sum = cast<mlir::phantom::ReduceSumOp>(exporter.op);
  // No axes would mean all of them.
  if (sum.getDims().empty())
    return exporter.result("Identity", {exporter.operand(0)});
  return exporter.result("ReduceSum", {exporter.operand(0), exporter.integers(sum.getDims())},
                         {intAttribute("keepdims", 0)});
}

LogicalResult exportSoftmax(OpExporter &exporter) {
  auto softmax = cast<mlir::phantom::SoftmaxOp>(exporter.op);
  return exporter.result("Softmax", {exporter.operand(0)},
                         {intAttribute("axis", static_cast<int64_t>(softmax.getDim()))});
}

} // namespace phantom::onnx
