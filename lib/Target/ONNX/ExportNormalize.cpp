//===- ExportNormalize.cpp - Exports normalisations -------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpExporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

using namespace llvm;
using mlir::phantom::NormalizeKind;
using mlir::phantom::NormalizeOp;

namespace phantom::onnx {

/// The scale, or ones where there is none: ONNX needs it.
static std::string scaleOf(OpExporter &exporter, NormalizeOp op) {
  if (op.getScale())
    return exporter.bare(op.getScale());
  return exporter.filled(staticShape(op.getInput()).take_back(op.getOver()), 1);
}

static LogicalResult exportLayerNormalization(OpExporter &exporter, NormalizeOp op) {
  SmallVector<std::string> inputs = {exporter.operand(0), scaleOf(exporter, op)};
  if (op.getShift())
    inputs.push_back(exporter.bare(op.getShift()));
  return exporter.result("LayerNormalization", inputs,
                         {intAttribute("axis", -static_cast<int64_t>(op.getOver())),
                          floatAttribute("epsilon", op.getEpsilon().convertToDouble())});
}

/// x / √(mean x² + ε), which became an operator in opset 23.
static std::string exportRms(OpExporter &exporter, NormalizeOp op) {
  std::string x = exporter.operand(0);
  std::string square = exporter.node("Mul", {x, x});
  SmallVector<int64_t> axes;
  for (int64_t axis = -static_cast<int64_t>(op.getOver()); axis < 0; ++axis)
    axes.push_back(axis);
  // The axes became an input in opset 18.
  std::string mean =
      exporter.graph.opset() >= 18
          ? exporter.node("ReduceMean", {square, exporter.integers(axes)}, {intAttribute("keepdims", 1)})
          : exporter.node("ReduceMean", {square}, {intsAttribute("axes", axes), intAttribute("keepdims", 1)});
  std::string sum = exporter.node("Add", {mean, exporter.scalar(op.getEpsilon().convertToDouble())});
  return exporter.node("Div", {x, exporter.node("Sqrt", {sum})});
}

static LogicalResult exportRmsNormalization(OpExporter &exporter, NormalizeOp op) {
  if (exporter.graph.opset() >= 23) {
    SmallVector<std::string> inputs = {exporter.operand(0), scaleOf(exporter, op)};
    std::vector<Attribute> attributes = {intAttribute("axis", -static_cast<int64_t>(op.getOver())),
                                         floatAttribute("epsilon", op.getEpsilon().convertToDouble())};
    if (!op.getShift())
      return exporter.result("RMSNormalization", inputs, std::move(attributes));
    std::string normalized = exporter.node("RMSNormalization", inputs, std::move(attributes));
    return exporter.result("Add", {normalized, exporter.bare(op.getShift())});
  }
  std::string y = exportRms(exporter, op);
  if (!op.getShift())
    return exporter.result("Mul", {y, scaleOf(exporter, op)});
  if (op.getScale())
    y = exporter.node("Mul", {y, scaleOf(exporter, op)});
  return exporter.result("Add", {y, exporter.bare(op.getShift())});
}

LogicalResult exportNormalize(OpExporter &exporter) {
  auto op = cast<NormalizeOp>(exporter.op);
  return op.getKind() == NormalizeKind::Layer ? exportLayerNormalization(exporter, op)
                                              : exportRmsNormalization(exporter, op);
}

} // namespace phantom::onnx
