//===- ExportOperands.cpp - Exports constants and broadcasts ----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Both get nodes only where another op uses them: most broadcasts an ONNX operator does by itself, and a
// constant of signless integers has the kind that its use needs.

#include "OpExporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace llvm;
using mlir::ShapedType;
using mlir::phantom::BroadcastOp;

namespace phantom::onnx {

ArrayRef<int64_t> staticShape(Value value) {
  return cast<mlir::RankedTensorType>(value.getType()).getShape();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

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

std::string OpExporter::constant(mlir::DenseElementsAttr elements, bool isUnsigned) {
  return graph.constant(exportedType(elements.getElementType(), isUnsigned), elements.getType().getShape(),
                        rawElements(elements));
}

LogicalResult checkConstant(OpExporter &exporter) {
  if (isa<mlir::DenseElementsAttr>(cast<mlir::arith::ConstantOp>(exporter.op).getValue()))
    return mlir::success();
  return exporter.op->emitError() << "this constant cannot be exported to ONNX: it is no dense tensor";
}

bool isNumber(Value value, double number, Value like) {
  if (auto broadcast = value.getDefiningOp<BroadcastOp>()) {
    if (broadcast.getLike() && broadcast.getLike() != like)
      return false;
    value = broadcast.getInput();
  }
  mlir::DenseElementsAttr elements;
  if (!staticShape(value).empty() || !matchPattern(value, mlir::m_Constant(&elements)))
    return false;
  if (isa<mlir::FloatType>(elements.getElementType()))
    return elements.getSplatValue<APFloat>().convertToDouble() == number;
  return elements.getSplatValue<APInt>() == APInt(elements.getElementType().getIntOrFloatBitWidth(),
                                                  static_cast<int64_t>(number),
                                                  /*isSigned=*/true, /*implicitTrunc=*/true);
}

//===----------------------------------------------------------------------===//
// Broadcasts
//===----------------------------------------------------------------------===//

Value stripBroadcasts(Value value) {
  while (auto broadcast = value.getDefiningOp<BroadcastOp>())
    value = broadcast.getInput();
  return value;
}

/// What NumPy makes of the shapes, without their last `kept` dimensions; nothing where they do not fit.
static std::optional<SmallVector<int64_t>> commonShape(ArrayRef<Value> values, size_t kept) {
  SmallVector<int64_t> common;
  for (Value value : values) {
    ArrayRef<int64_t> shape = staticShape(value).drop_back(kept);
    if (shape.size() > common.size())
      common.insert(common.begin(), shape.size() - common.size(), 1);
    for (auto [extent, whole] : zip(reverse(shape), reverse(common))) {
      if (whole == 1)
        whole = extent;
      else if (extent != 1 && extent != whole)
        return std::nullopt;
    }
  }
  return common;
}

/// Whether an operator broadcasts the input as the op does, if the other operands give it the shape.
static bool isAlignable(BroadcastOp broadcast, size_t kept) {
  ArrayRef<int64_t> from = staticShape(broadcast.getInput()), to = staticShape(broadcast.getOutput());
  if (from.size() < kept || from.take_back(kept) != to.take_back(kept))
    return false;
  // An import gives it leading ones first.
  return from.size() == to.size() || !ShapedType::isDynamicShape(from);
}

/// The first operand that has the whole shape, which an import takes the batch from.
static Value findLike(ArrayRef<Value> values, ArrayRef<int64_t> shape) {
  auto found = find_if(values, [&](Value value) { return staticShape(value) == shape; });
  return found == values.end() ? Value() : *found;
}

SmallVector<Value> withoutBroadcasts(ArrayRef<Value> operands, size_t kept) {
  ArrayRef<int64_t> shape = staticShape(operands.front()).drop_back(kept);
  SmallVector<Value> values(operands);
  for (Value &value : values)
    if (auto broadcast = value.getDefiningOp<BroadcastOp>(); broadcast && isAlignable(broadcast, kept))
      value = broadcast.getInput();
  // Each round puts a broadcast back that is needed.
  for (bool changed = true; changed;) {
    changed = false;
    auto common = commonShape(values, kept);
    bool fits = common && ArrayRef<int64_t>(*common) == shape;
    bool dynamic = ShapedType::isDynamicShape(shape);
    Value like = findLike(values, staticShape(operands.front()));
    for (auto [value, whole] : zip(values, operands)) {
      if (value == whole || changed)
        continue;
      if (fits && (!dynamic || whole.getDefiningOp<BroadcastOp>().getLike() == like))
        continue;
      value = whole;
      changed = true;
    }
  }
  return values;
}

std::string OpExporter::bare(Value operand) {
  auto broadcast = operand.getDefiningOp<BroadcastOp>();
  return tensor(broadcast ? broadcast.getInput() : operand);
}

SmallVector<std::string> OpExporter::broadcastOperands() {
  SmallVector<Value> operands(op->getOperands());
  // MatMul broadcasts all but the last two dimensions.
  size_t kept = isa<mlir::phantom::MatmulOp>(op) ? 2 : 0;
  return map_to_vector(withoutBroadcasts(operands, kept), [&](Value value) { return tensor(value); });
}

LogicalResult checkBroadcast(OpExporter &) { return mlir::success(); }

/// Expand, to a shape that is constant or that of another tensor.
static std::string exportBroadcast(OpExporter &exporter, bool isUnsigned) {
  auto broadcast = cast<BroadcastOp>(exporter.op);
  Value output = broadcast.getOutput();
  std::string input = exporter.tensor(broadcast.getInput(), isUnsigned);
  std::string shape = ShapedType::isDynamicShape(staticShape(output))
                          ? exporter.node("Shape", {exporter.tensor(broadcast.getLike(), false)})
                          : exporter.integers(staticShape(output));
  if (!exporter.graph.isBound(output)) {
    (void)exporter.result("Expand", {input, shape});
    return exporter.graph.tensorOf(output);
  }
  return exporter.node("Expand", {input, shape});
}

std::string OpExporter::tensor(Value value, bool isUnsigned) {
  if (auto literal = value.getDefiningOp<mlir::arith::ConstantOp>())
    return constant(cast<mlir::DenseElementsAttr>(literal.getValue()), isUnsigned);
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return graph.tensorOf(value);
  if (std::string known = graph.broadcast(value, isUnsigned); !known.empty())
    return known;
  OpExporter expander(graph, weights, broadcast);
  return graph.broadcast(value, isUnsigned) = exportBroadcast(expander, isUnsigned);
}

} // namespace phantom::onnx
