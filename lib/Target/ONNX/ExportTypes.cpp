//===- ExportTypes.cpp - Element types of exported tensors ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExportGraph.h"

#include "llvm/ADT/EquivalenceClasses.h"

using namespace llvm;
using mlir::Operation;
using mlir::Value;

namespace phantom::onnx {

/// On an input or output of signless integers: they are unsigned.
static constexpr StringLiteral kUnsigned = "phantom.unsigned";

int32_t exportedType(mlir::Type element, bool isUnsigned) {
  // TensorProto.DataType.
  enum : int32_t {
    Float = 1,
    Uint8,
    Int8,
    Uint16,
    Int16,
    Int32,
    Int64,
    Bool = 9,
    Double = 11,
    Uint32,
    Uint64
  };
  if (element.isF32())
    return Float;
  if (element.isF64())
    return Double;
  auto integer = dyn_cast<mlir::IntegerType>(element);
  if (!integer || !integer.isSignless())
    return 0;
  switch (integer.getWidth()) {
  case 1:
    return Bool;
  case 8:
    return isUnsigned ? Uint8 : Int8;
  case 16:
    return isUnsigned ? Uint16 : Int16;
  case 32:
    return isUnsigned ? Uint32 : Int32;
  case 64:
    return isUnsigned ? Uint64 : Int64;
  default:
    return 0;
  }
}

static mlir::Type elementOf(Value value) {
  auto tensor = dyn_cast<mlir::RankedTensorType>(value.getType());
  return tensor ? tensor.getElementType() : mlir::Type();
}

/// Whether the op reads the operand as values of the kind of its result, or of its other operands.
static bool isValueOperand(Operation *op, unsigned index) {
  StringRef name = op->getName().getStringRef();
  return name != "phantom.cast" && (name != "phantom.gather" || index == 0);
}

/// Whether the op computes with unsigned integers.
static bool isUnsignedOp(Operation *op) {
  StringRef name = op->getName().getStringRef();
  if (name == "arith.cmpi") {
    auto predicate = op->getAttrOfType<mlir::IntegerAttr>("predicate");
    return predicate && predicate.getInt() >= 6; // ult is the first of the unsigned ones
  }
  return name == "arith.divui" || name == "arith.maxui" || name == "arith.minui" || name == "arith.remui";
}

llvm::DenseSet<Value> findUnsigned(mlir::func::FuncOp function) {
  // Integers that an op takes or gives together are of one kind.
  EquivalenceClasses<Value> kinds;
  SmallVector<Value> unsignedValues;
  for (mlir::BlockArgument argument : function.getArguments())
    if (function.getArgAttr(argument.getArgNumber(), kUnsigned))
      unsignedValues.push_back(argument);
  for (Operation &op : function.front()) {
    SmallVector<Value> values;
    for (auto [i, operand] : enumerate(op.getOperands()))
      if (isValueOperand(&op, i))
        values.push_back(operand);
    if (op.getName().getStringRef() != "phantom.cast")
      append_range(values, op.getResults());
    else if (op.getAttr("unsigned_output"))
      unsignedValues.push_back(op.getResult(0));
    DenseMap<mlir::Type, Value> leaders;
    for (Value value : values)
      if (mlir::Type element = elementOf(value); element && element.isInteger()) {
        auto [leader, inserted] = leaders.try_emplace(element, value);
        kinds.unionSets(leader->second, value);
        if (isUnsignedOp(&op) && !element.isInteger(1))
          unsignedValues.push_back(value);
      }
    if (op.getName().getStringRef() == "phantom.cast" && op.getAttr("unsigned_input"))
      unsignedValues.push_back(op.getOperand(0));
  }
  for (auto [i, value] : enumerate(function.front().getTerminator()->getOperands()))
    if (function.getResultAttr(i, kUnsigned))
      unsignedValues.push_back(value);
  DenseSet<Value> all;
  for (Value value : unsignedValues) {
    all.insert(value);
    for (auto member = kinds.findLeader(value); member != kinds.member_end(); ++member)
      all.insert(*member);
  }
  return all;
}

} // namespace phantom::onnx
