//===- NodeImporter.cpp - Imports one node ----------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NodeImporter.h"

#include "Normalize.h"
#include "Parameters.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace llvm;
using namespace mlir;

namespace phantom::onnx {

InFlightDiagnostic NodeImporter::error() const {
  InFlightDiagnostic diagnostic = emitError(location);
  if (reported)
    diagnostic.abandon();
  reported = true;
  diagnostic << "node " << node.label() << " ";
  return diagnostic;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

Type elementType(int32_t onnxType, bool doubles, Builder &builder) {
  switch (static_cast<DataType>(onnxType)) {
  case DataType::Float:
  case DataType::Float16:
  case DataType::BFloat16:
    return builder.getF32Type();
  case DataType::Double:
    return doubles ? Type(builder.getF64Type()) : Type(builder.getF32Type());
  case DataType::Bool:
    return builder.getI1Type();
  case DataType::Int8:
  case DataType::Uint8:
    return builder.getIntegerType(8);
  case DataType::Int16:
  case DataType::Uint16:
    return builder.getIntegerType(16);
  case DataType::Int32:
  case DataType::Uint32:
    return builder.getI32Type();
  case DataType::Int64:
  case DataType::Uint64:
    return builder.getI64Type();
  }
  return {};
}

FailureOr<Type> NodeImporter::elementTypeOf(int64_t onnxType) const {
  auto type = static_cast<int32_t>(onnxType);
  if (Type element = elementType(type, table.doubles, builder); element && type == onnxType)
    return element;
  return error() << "has elements of type " << (type == onnxType ? dataTypeName(type) : "unknown")
                 << ", which is not supported";
}

LogicalResult NodeImporter::checkInputs(unsigned least, unsigned most) {
  bool bound = node.inputs.size() >= least && node.inputs.size() <= most;
  return bound ? success()
               : error() << "has " << node.inputs.size() << " inputs; in opset " << opset() << " it takes "
                         << least << (least == most ? "" : " to " + std::to_string(most));
}

FailureOr<Value> NodeImporter::materialize(const Tensor &tensor) {
  FailureOr<Type> element = elementTypeOf(tensor.type);
  FailureOr<RankedTensorType> type =
      mlir::failed(element) ? FailureOr<RankedTensorType>(failure()) : tensorType(tensor.dims, *element);
  if (mlir::failed(type))
    return failure();
  DenseElementsAttr value;
  if (element->isF32()) {
    Expected<std::vector<float>> numbers = readFloats(tensor, model.path, dataDir);
    if (!numbers)
      return error() << "uses " << quoteName(tensor.name) << ": " << toString(numbers.takeError());
    value = DenseElementsAttr::get(*type, ArrayRef<float>(*numbers));
  } else {
    Expected<std::string> bytes = readBytes(tensor, model.path, dataDir);
    if (!bytes)
      return error() << "uses " << quoteName(tensor.name) << ": " << toString(bytes.takeError());
    if (element->isInteger(1)) {
      SmallVector<bool> booleans;
      for (char byte : *bytes)
        booleans.push_back(byte != 0);
      value = DenseElementsAttr::get(*type, ArrayRef<bool>(booleans));
    } else {
      value = DenseElementsAttr::getFromRawBuffer(*type, ArrayRef<char>(bytes->data(), bytes->size()));
    }
  }
  Value constant = arith::ConstantOp::create(builder, location, value);
  if (isUnsignedType(tensor.type))
    table.unsignedValues.insert(constant);
  return constant;
}

/// The elements as an `arith.constant`, or a broadcast of one where they are equal; null where one depends on
/// the batch.
static Value createConstant(OpBuilder &builder, Location location, const KnownTensor &known) {
  if (!known.isConstant())
    return {};
  auto type = RankedTensorType::get(known.dims, elementType(known.type, false, builder));
  SmallVector<APInt> numbers;
  for (const Extent &extent : known.elements)
    numbers.push_back(APInt(type.getElementTypeBitWidth(), extent.constant, /*isSigned=*/true,
                            /*implicitTrunc=*/true));
  if (numbers.size() < 2 || !all_equal(numbers))
    return arith::ConstantOp::create(builder, location, DenseElementsAttr::get(type, numbers));
  Value scalar = arith::ConstantOp::create(
      builder, location, DenseElementsAttr::get(type.clone(ArrayRef<int64_t>()), numbers[0]));
  return mlir::phantom::BroadcastOp::create(builder, location, type, scalar, Value());
}

FailureOr<Value> NodeImporter::anyOperand(unsigned index) {
  if (!hasInput(index))
    return error() << "has no input " << index;
  StringRef name = node.inputs[index];
  if (Value value = table.values.lookup(name))
    return value;
  if (auto found = table.known.find(name); found != table.known.end()) {
    if (mlir::failed(tensorType(found->second.dims)))
      return failure();
    if (Value value = createConstant(builder, location, found->second))
      return value;
    return error() << "computes with " << quoteName(name)
                   << ", which depends on the batch size: export the model with a fixed batch";
  }
  auto found = table.constants.find(name);
  if (found == table.constants.end())
    return error() << "uses " << quoteName(name) << ", an output that is not supported";
  return materialize(*found->second);
}

FailureOr<Value> NodeImporter::operand(unsigned index) {
  FailureOr<Value> value = anyOperand(index);
  if (mlir::failed(value))
    return failure();
  if (!isa<FloatType>(elementOf(*value)))
    return error() << "uses " << quoteName(node.inputs[index]) << " of type " << elementOf(*value)
                   << "; it takes floating-point tensors only";
  return value;
}

int32_t NodeImporter::inputType(unsigned index) const {
  if (!hasInput(index))
    return 0;
  StringRef name = node.inputs[index];
  if (auto found = table.known.find(name); found != table.known.end())
    return found->second.type;
  if (auto found = table.constants.find(name); found != table.constants.end())
    return found->second->type;
  return 0;
}

std::optional<KnownTensor> NodeImporter::known(unsigned index) const {
  if (!hasInput(index))
    return std::nullopt;
  StringRef name = node.inputs[index];
  if (auto found = table.known.find(name); found != table.known.end())
    return found->second;
  if (auto found = table.constants.find(name); found != table.constants.end())
    return toKnown(*found->second);
  return std::nullopt;
}

FailureOr<SmallVector<Extent>> NodeImporter::shapeOfInput(unsigned index) {
  if (!hasInput(index))
    return error() << "has no input " << index;
  StringRef name = node.inputs[index];
  SmallVector<Extent> shape;
  if (Value value = table.values.lookup(name)) {
    const std::optional<int64_t> rows = rowsPerBatch(value);
    if (!rows)
      return error() << "uses the shape of " << quoteName(name)
                     << ", whose first dimension is no whole multiple of the batch: export the model with a "
                        "fixed batch";
    for (int64_t extent : shapeOf(value))
      shape.push_back(ShapedType::isDynamic(extent) ? Extent{0, *rows} : Extent{extent, 0});
    return shape;
  }
  auto found = table.constants.find(name);
  if (found == table.constants.end())
    return error() << "uses " << quoteName(name) << ", an output that is not supported";
  for (int64_t extent : found->second->dims)
    shape.push_back({extent, 0});
  return shape;
}

void NodeImporter::limitIndices(Value indices, int64_t extent) {
  auto argument = dyn_cast<BlockArgument>(indices);
  if (!argument)
    return;
  auto function = cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
  unsigned index = argument.getArgNumber();
  auto known = function.getArgAttrOfType<IntegerAttr>(index, mlir::phantom::PhantomDialect::kIndexed);
  if (!known || known.getInt() > extent)
    function.setArgAttr(index, mlir::phantom::PhantomDialect::kIndexed, builder.getI64IntegerAttr(extent));
}

FailureOr<const Tensor *> NodeImporter::constant(unsigned index) {
  if (!hasInput(index))
    return error() << "has no input " << index;
  StringRef name = node.inputs[index];
  auto found = table.constants.find(name);
  if (found != table.constants.end())
    return static_cast<const Tensor *>(found->second.get());
  InFlightDiagnostic diagnostic = error();
  diagnostic << "needs a constant as input " << index << ", but " << quoteName(name);
  if (any_of(model.inputs, [&](const ValueInfo &input) { return input.name == name; }))
    diagnostic << " is an input of the model: give its value as phantom-run --constants " << name << "=F.npy";
  else
    diagnostic << " is computed or trained: export the model with constant folding";
  return diagnostic;
}

FailureOr<double> NodeImporter::scalar(unsigned index) {
  if (hasInput(index) && table.known.contains(node.inputs[index])) {
    FailureOr<SmallVector<int64_t>> number = integers(index);
    if (mlir::failed(number))
      return failure();
    if (number->size() != 1)
      return error() << "needs one number as input " << index;
    return static_cast<double>(number->front());
  }
  FailureOr<const Tensor *> tensor = constant(index);
  if (mlir::failed(tensor))
    return failure();
  if (isFloatType((*tensor)->type) && (*tensor)->elements() == 1) {
    Expected<std::vector<float>> numbers = readFloats(**tensor, model.path, dataDir);
    if (!numbers)
      return error() << toString(numbers.takeError());
    return shortestDouble(numbers->front());
  }
  // Exponents are often integers.
  if ((*tensor)->elements() == 1 && dataTypeWidth((*tensor)->type) > 1) {
    FailureOr<SmallVector<int64_t>> number = integers(index);
    if (mlir::failed(number))
      return failure();
    return static_cast<double>(number->front());
  }
  return error() << "needs one number as input " << index;
}

FailureOr<SmallVector<Extent>> NodeImporter::extents(unsigned index) {
  std::optional<KnownTensor> tensor = known(index);
  constexpr size_t mostDimensions = 64;
  if (!tensor) {
    FailureOr<const Tensor *> found = constant(index);
    if (mlir::failed(found))
      return failure();
    if ((*found)->external)
      return error() << "has external data as input " << index << "; shapes must be inside the model";
  }
  if (!tensor || tensor->type == static_cast<int32_t>(DataType::Bool) || tensor->dims.size() > 1 ||
      tensor->elements.size() > mostDimensions)
    return error() << "needs a short vector of integers as input " << index;
  return SmallVector<Extent>(tensor->elements.begin(), tensor->elements.end());
}

FailureOr<SmallVector<int64_t>> NodeImporter::integers(unsigned index) {
  FailureOr<SmallVector<Extent>> found = extents(index);
  if (mlir::failed(found))
    return failure();
  SmallVector<int64_t> numbers;
  for (const Extent &extent : *found) {
    if (!extent.isConstant())
      return error() << "needs a constant as input " << index << ", but " << quoteName(node.inputs[index])
                     << " depends on the batch size: export the model with a fixed batch";
    numbers.push_back(extent.constant);
  }
  return numbers;
}

LogicalResult NodeImporter::checkBoolean(unsigned index) {
  FailureOr<const Tensor *> tensor = constant(index);
  if (mlir::failed(tensor))
    return failure();
  if ((*tensor)->type != static_cast<int32_t>(DataType::Bool) || (*tensor)->elements() != 1)
    return error() << "needs one boolean as input " << index;
  return success();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

FailureOr<const Attribute *> NodeImporter::typedAttribute(StringRef name, Attribute::Kind kind,
                                                          StringRef kindName) {
  readAttributes.insert(name);
  const Attribute *attribute = node.attribute(name);
  if (attribute && attribute->kind != kind)
    return error() << "has the attribute " << quoteName(name) << ", which is not " << kindName;
  return attribute;
}

FailureOr<int64_t> NodeImporter::intAttribute(StringRef name, int64_t otherwise) {
  FailureOr<const Attribute *> attribute = typedAttribute(name, Attribute::Kind::Int, "an integer");
  if (mlir::failed(attribute))
    return failure();
  return *attribute ? (*attribute)->i : otherwise;
}

FailureOr<double> NodeImporter::floatAttribute(StringRef name, double otherwise) {
  FailureOr<const Attribute *> attribute = typedAttribute(name, Attribute::Kind::Float, "a number");
  if (mlir::failed(attribute))
    return failure();
  double value = *attribute ? (*attribute)->f : otherwise;
  if (!std::isfinite(value))
    return error() << "has the attribute " << quoteName(name) << ", which is not finite";
  return value;
}

FailureOr<const Tensor *> NodeImporter::tensorAttribute(StringRef name) {
  FailureOr<const Attribute *> attribute = typedAttribute(name, Attribute::Kind::Tensor, "a tensor");
  if (mlir::failed(attribute))
    return failure();
  return *attribute ? static_cast<const Tensor *>((*attribute)->tensor.get()) : nullptr;
}

FailureOr<std::string> NodeImporter::stringAttribute(StringRef name, StringRef otherwise) {
  FailureOr<const Attribute *> attribute = typedAttribute(name, Attribute::Kind::String, "a string");
  if (mlir::failed(attribute))
    return failure();
  return *attribute ? (*attribute)->s : otherwise.str();
}

FailureOr<std::optional<std::vector<int64_t>>> NodeImporter::intsAttribute(StringRef name) {
  FailureOr<const Attribute *> attribute = typedAttribute(name, Attribute::Kind::Ints, "a list of integers");
  if (mlir::failed(attribute))
    return failure();
  return *attribute ? std::optional((*attribute)->ints) : std::nullopt;
}

LogicalResult NodeImporter::checkAttributesRead() const {
  for (const Attribute &attribute : node.attributes)
    if (!readAttributes.contains(attribute.name))
      return error() << "has the attribute " << quoteName(attribute.name) << ", which is not supported";
  return success();
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

FailureOr<RankedTensorType> NodeImporter::tensorType(ArrayRef<int64_t> shape, Type element) const {
  constexpr int64_t most = int64_t(1) << 44;
  int64_t elements = 1;
  for (int64_t extent : shape) {
    if (ShapedType::isDynamic(extent))
      continue;
    if (extent < 0 || extent > most / elements)
      return error() << "has a tensor of shape " << shapeText(shape) << ", which is too large";
    elements *= std::max<int64_t>(extent, 1);
  }
  return RankedTensorType::get(shape, element ? element : builder.getF32Type());
}

LogicalResult NodeImporter::setResult(Value value, unsigned index) {
  if (!hasOutput(index))
    return error() << "has no output";
  return setOutput(index, value);
}

LogicalResult NodeImporter::setOutput(unsigned index, Value value, std::optional<bool> isUnsigned) {
  Type element = elementOf(value);
  if (!isUnsigned) {
    isUnsigned = false;
    for (unsigned i = 0; i < node.inputs.size(); ++i) {
      Value input = table.values.lookup(node.inputs[i]);
      bool same =
          input ? elementOf(input) == element : elementType(inputType(i), table.doubles, builder) == element;
      if (same)
        *isUnsigned |= input ? table.unsignedValues.contains(input) : isUnsignedType(inputType(i));
    }
  }
  if (*isUnsigned && isa<IntegerType>(element) && !element.isInteger(1))
    table.unsignedValues.insert(value);
  if (hasOutput(index))
    table.values[node.outputs[index]] = value;
  return success();
}

LogicalResult NodeImporter::setKnown(KnownTensor known) {
  if (node.outputs.empty() || node.outputs[0].empty())
    return error() << "has no output";
  table.known[node.outputs[0]] = std::move(known);
  return success();
}

} // namespace phantom::onnx
