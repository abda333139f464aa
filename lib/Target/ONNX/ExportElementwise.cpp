//===- ExportElementwise.cpp - Exports elementwise ops ------ -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpExporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;
using mlir::phantom::ActivationKind;

namespace phantom::onnx {

LogicalResult exportElementwise(OpExporter &exporter) {
  StringRef type = StringSwitch<StringRef>(exporter.op->getName().getStringRef())
                       .Cases({"arith.addf", "arith.addi"}, "Add")
                       .Case("arith.subf", "Sub")
                       .Cases({"arith.mulf", "arith.muli"}, "Mul")
                       .Cases({"arith.divsi", "arith.divui"}, "Div")
                       .Case("arith.negf", "Neg")
                       .Cases({"arith.maximumf", "arith.maxsi", "arith.maxui"}, "Max")
                       .Case("math.absf", "Abs")
                       .Case("math.ceil", "Ceil")
                       .Case("math.cos", "Cos")
                       .Case("math.erf", "Erf")
                       .Case("math.exp", "Exp")
                       .Case("math.floor", "Floor")
                       .Case("math.log", "Log")
                       .Case("math.powf", "Pow")
                       .Case("math.sin", "Sin")
                       .Case("math.sqrt", "Sqrt")
                       .Case("math.tanh", "Tanh");
  return exporter.result(type, exporter.broadcastOperands());
}

/// Of signed integers, 0 - x is Neg.
LogicalResult exportSubtract(OpExporter &exporter) {
  Value x = exporter.op->getOperand(1);
  if (!exporter.graph.isUnsigned(x) && isNumber(exporter.op->getOperand(0), 0, x))
    return exporter.result("Neg", {exporter.tensor(x)});
  return exporter.result("Sub", exporter.broadcastOperands());
}

LogicalResult exportRsqrt(OpExporter &exporter) {
  std::string root = exporter.node("Sqrt", {exporter.operand(0)});
  return exporter.result("Reciprocal", {root});
}

LogicalResult exportLogic(OpExporter &exporter) {
  StringRef type = StringSwitch<StringRef>(exporter.op->getName().getStringRef())
                       .Case("arith.andi", "And")
                       .Case("arith.ori", "Or")
                       .Case("arith.xori", "Xor");
  auto element = cast<mlir::RankedTensorType>(exporter.op->getResult(0).getType()).getElementType();
  if (!element.isInteger(1))
    return exporter.op->emitError() << "'" << exporter.op->getName()
                                    << "' of integers cannot be exported to ONNX";
  if (type == "Xor" && isNumber(exporter.op->getOperand(1), 1, exporter.op->getOperand(0)))
    return exporter.result("Not", {exporter.operand(0)});
  return exporter.result(type, exporter.broadcastOperands());
}

/// A comparison, or the opposite of one.
static LogicalResult exportComparison(OpExporter &exporter, StringRef type) {
  bool negated = type.consume_front("Not");
  if (type.empty())
    return exporter.op->emitError() << "this comparison cannot be exported to ONNX";
  SmallVector<std::string> operands = exporter.broadcastOperands();
  if (!negated)
    return exporter.result(type, operands);
  return exporter.result("Not", {exporter.node(type, operands)});
}

LogicalResult exportCompareFloats(OpExporter &exporter) {
  auto predicate = cast<mlir::arith::CmpFOp>(exporter.op).getPredicate();
  return exportComparison(exporter, StringSwitch<StringRef>(stringifyCmpFPredicate(predicate))
                                        .Case("oeq", "Equal")
                                        .Case("une", "NotEqual")
                                        .Case("ogt", "Greater")
                                        .Case("oge", "GreaterOrEqual")
                                        .Case("olt", "Less")
                                        .Case("ole", "LessOrEqual")
                                        .Default(""));
}

LogicalResult exportCompareIntegers(OpExporter &exporter) {
  auto predicate = cast<mlir::arith::CmpIOp>(exporter.op).getPredicate();
  return exportComparison(exporter, StringSwitch<StringRef>(stringifyCmpIPredicate(predicate))
                                        .Case("eq", "Equal")
                                        .Case("ne", "NotEqual")
                                        .Cases({"sgt", "ugt"}, "Greater")
                                        .Cases({"sge", "uge"}, "GreaterOrEqual")
                                        .Cases({"slt", "ult"}, "Less")
                                        .Cases({"sle", "ule"}, "LessOrEqual"));
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

namespace {

/// A node that casts.
struct CastNode {
  StringRef opType;
  SmallVector<std::string> inputs;
  std::vector<Attribute> attributes;
};

} // namespace

/// Opset 28 changed Cast. CastLike takes the type from a constant.
static CastNode castNode(OpExporter &exporter, const std::string &x, int32_t type) {
  if (exporter.graph.opset() < 28)
    return {"Cast", {x}, {intAttribute("to", type)}};
  std::string zero(dataTypeWidth(type), 0);
  return {"CastLike", {x, exporter.graph.constant(type, {}, zero)}, {}};
}

static mlir::Type elementOf(Value value) {
  return cast<mlir::RankedTensorType>(value.getType()).getElementType();
}

/// Rounded, the elements have the stored type in between.
LogicalResult exportCast(OpExporter &exporter) {
  auto op = cast<mlir::phantom::CastOp>(exporter.op);
  std::string x = exporter.tensor(op.getInput());
  if (auto rounded = op.getRounded()) {
    bool half = *rounded == mlir::phantom::NarrowFloat::F16;
    CastNode narrow =
        castNode(exporter, x, static_cast<int32_t>(half ? DataType::Float16 : DataType::BFloat16));
    std::string name = exporter.originals().empty() ? std::string() : exporter.originals().back();
    x = exporter.node(narrow.opType, narrow.inputs, std::move(narrow.attributes), name);
  }
  CastNode cast = castNode(exporter, x, exportedType(elementOf(op.getOutput()), op.getUnsignedOutput()));
  return exporter.result(cast.opType, cast.inputs, std::move(cast.attributes));
}

/// What canonicalization makes of a choice between ones and zeros.
LogicalResult exportBooleanToInteger(OpExporter &exporter) {
  Value input = exporter.op->getOperand(0), output = exporter.op->getResult(0);
  if (!elementOf(input).isInteger(1))
    return exporter.op->emitError() << "'" << exporter.op->getName() << "' of " << elementOf(input)
                                    << " cannot be exported to ONNX";
  auto filled = [&](uint64_t number) {
    APInt element(elementOf(output).getIntOrFloatBitWidth(), number);
    auto type = cast<mlir::RankedTensorType>(output.getType());
    return exporter.constant(mlir::DenseElementsAttr::get(type, element), exporter.graph.isUnsigned(output));
  };
  std::string one = filled(1), zero = filled(0);
  return exporter.result("Where", {exporter.tensor(input), one, zero});
}

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

/// x (1 + erf(x / √2)) / 2
static LogicalResult exportGeluErf(OpExporter &exporter, const std::string &x) {
  std::string scaled = exporter.node("Div", {x, exporter.scalar(1.4142135623730951)});
  std::string erf = exporter.node("Erf", {scaled});
  std::string gate = exporter.node("Add", {erf, exporter.scalar(1)});
  std::string product = exporter.node("Mul", {x, gate});
  return exporter.result("Mul", {product, exporter.scalar(0.5)});
}

/// x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2
static LogicalResult exportGeluTanh(OpExporter &exporter, const std::string &x) {
  std::string square = exporter.node("Mul", {x, x});
  std::string cube = exporter.node("Mul", {square, x});
  std::string small = exporter.node("Mul", {cube, exporter.scalar(0.044715)});
  std::string sum = exporter.node("Add", {x, small});
  std::string argument = exporter.node("Mul", {sum, exporter.scalar(0.79788456080286536)});
  std::string tanh = exporter.node("Tanh", {argument});
  std::string gate = exporter.node("Add", {tanh, exporter.scalar(1)});
  std::string product = exporter.node("Mul", {x, gate});
  return exporter.result("Mul", {product, exporter.scalar(0.5)});
}

LogicalResult exportActivation(OpExporter &exporter) {
  auto activation = cast<mlir::phantom::ActivationOp>(exporter.op);
  double alpha = activation.getAlpha().convertToDouble();
  std::string x = exporter.operand(0);
  bool hasGelu = exporter.graph.opset() >= 20;
  switch (activation.getKind()) {
  case ActivationKind::Relu:
    return exporter.result("Relu", {x});
  case ActivationKind::LeakyRelu:
    return exporter.result("LeakyRelu", {x}, {floatAttribute("alpha", alpha)});
  case ActivationKind::Elu:
    return exporter.result("Elu", {x}, {floatAttribute("alpha", alpha)});
  case ActivationKind::Sigmoid:
    return exporter.result("Sigmoid", {x});
  case ActivationKind::Tanh:
    return exporter.result("Tanh", {x});
  case ActivationKind::GeluErf:
    return hasGelu ? exporter.result("Gelu", {x}, {stringAttribute("approximate", "none")})
                   : exportGeluErf(exporter, x);
  case ActivationKind::GeluTanh:
    return hasGelu ? exporter.result("Gelu", {x}, {stringAttribute("approximate", "tanh")})
                   : exportGeluTanh(exporter, x);
  case ActivationKind::Silu:
    if (exporter.graph.opset() >= 24 && exporter.originals().size() == 1)
      return exporter.result("Swish", {x});
    return exporter.result("Mul", {x, exporter.node("Sigmoid", {x})});
  case ActivationKind::Softplus:
    return exporter.result("Softplus", {x});
  default:
    return exporter.op->emitError() << "the activation '" << stringifyActivationKind(activation.getKind())
                                    << "' cannot be exported to ONNX";
  }
}

/// Without a training mode: the identity, as here outside training.
LogicalResult exportDropout(OpExporter &exporter) {
  auto dropout = cast<mlir::phantom::DropoutOp>(exporter.op);
  return exporter.result("Dropout",
                         {exporter.operand(0), exporter.scalar(dropout.getRatio().convertToDouble())});
}

} // namespace phantom::onnx
