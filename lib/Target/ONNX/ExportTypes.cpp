//===- ExportTypes.cpp - Element types of exported tensors ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpExporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/EquivalenceClasses.h"

using namespace llvm;
using mlir::Operation;
using mlir::Value;
using mlir::phantom::BroadcastOp;
using mlir::phantom::CastOp;
using mlir::phantom::GatherOp;

namespace phantom::onnx {

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
  return !isa<CastOp>(op) && (!isa<GatherOp, BroadcastOp>(op) || index == 0);
}

/// A constant, its broadcast or a choice of such: each use may read it otherwise.
static bool isLiteral(Value value, unsigned depth = 0) {
  constexpr unsigned mostChoices = 4; // a division by a constant has two
  value = stripBroadcasts(value);
  if (auto select = value.getDefiningOp<mlir::arith::SelectOp>(); select && depth < mostChoices)
    return isLiteral(select.getTrueValue(), depth + 1) && isLiteral(select.getFalseValue(), depth + 1);
  return value.getDefiningOp<mlir::arith::ConstantOp>() != nullptr;
}

/// Whether the op computes with unsigned integers.
static bool isUnsignedOp(Operation *op) {
  using mlir::arith::CmpIPredicate;
  if (auto compare = dyn_cast<mlir::arith::CmpIOp>(op))
    return is_contained({CmpIPredicate::ult, CmpIPredicate::ule, CmpIPredicate::ugt, CmpIPredicate::uge},
                        compare.getPredicate());
  return isa<mlir::arith::DivUIOp, mlir::arith::MaxUIOp, mlir::arith::MinUIOp, mlir::arith::RemUIOp>(op);
}

namespace {

/// Integers that an op takes or gives together are of one kind, signed or unsigned.
class KindFinder {
public:
  explicit KindFinder(mlir::func::FuncOp function) : function(function) {}

  UnsignedIntegers run();

private:
  /// What an op computes with in integers of one type.
  struct Group {
    Operation *op;
    mlir::Type element;
    Value leader; ///< null where all are literals
  };

  void addOp(Operation &op);

  mlir::func::FuncOp function;
  EquivalenceClasses<Value> kinds;
  SmallVector<Value> seeds;
  SmallVector<Group> groups;
  UnsignedIntegers found;
};

} // namespace

void KindFinder::addOp(Operation &op) {
  SmallVector<Value> values(op.getResults());
  for (auto [i, operand] : enumerate(op.getOperands()))
    if (isValueOperand(&op, i))
      values.push_back(operand);
  if (auto cast = dyn_cast<CastOp>(op)) {
    values.clear();
    if (cast.getUnsignedOutput())
      seeds.push_back(cast.getOutput());
    if (cast.getUnsignedInput() && isLiteral(cast.getInput()))
      found.uses.insert({&op, elementOf(cast.getInput())});
    else if (cast.getUnsignedInput())
      seeds.push_back(cast.getInput());
  }
  DenseMap<mlir::Type, size_t> indices;
  for (Value value : values) {
    mlir::Type element = elementOf(value);
    if (!element || !element.isInteger() || element.isInteger(1))
      continue;
    auto [index, inserted] = indices.try_emplace(element, groups.size());
    if (inserted)
      groups.push_back({&op, element, Value()});
    if (isUnsignedOp(&op))
      found.uses.insert({&op, element});
    if (isLiteral(value))
      continue;
    Value &leader = groups[index->second].leader;
    leader = leader ? leader : value;
    kinds.unionSets(leader, value);
    if (isUnsignedOp(&op))
      seeds.push_back(value);
  }
}

UnsignedIntegers KindFinder::run() {
  using mlir::phantom::PhantomDialect;
  for (mlir::BlockArgument argument : function.getArguments())
    if (function.getArgAttr(argument.getArgNumber(), PhantomDialect::kUnsigned))
      seeds.push_back(argument);
  for (Operation &op : function.front().without_terminator())
    addOp(op);
  for (auto [i, value] : enumerate(function.front().getTerminator()->getOperands()))
    if (function.getResultAttr(i, PhantomDialect::kUnsigned) && !isLiteral(value))
      seeds.push_back(value);
  for (Value value : seeds) {
    found.values.insert(value);
    for (auto member = kinds.findLeader(value); member != kinds.member_end(); ++member)
      found.values.insert(*member);
  }
  for (const Group &group : groups)
    if (group.leader && found.values.contains(group.leader))
      found.uses.insert({group.op, group.element});
  return std::move(found);
}

UnsignedIntegers findUnsigned(mlir::func::FuncOp function) { return KindFinder(function).run(); }

} // namespace phantom::onnx
