//===- ExportGraph.h - The ONNX graph while it is built -------- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_EXPORTGRAPH_H
#define PHANTOM_LIB_TARGET_ONNX_EXPORTGRAPH_H

#include "Model.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

namespace phantom::onnx {

/// Names that nodes had in the model, from their locations: those of the nodes that became one op, in order.
/// Empty for a node without a name.
std::vector<std::string> originalNames(mlir::Location location);

/// TensorProto.DataType of an element type; 0 if there is none.
int32_t exportedType(mlir::Type element, bool isUnsigned);

/// What is unsigned in a model, whose types are signless.
struct UnsignedIntegers {
  llvm::DenseSet<mlir::Value> values;
  /// Ops that read constants of that element type as unsigned. Equal constants are one value in the IR.
  llvm::DenseSet<std::pair<mlir::Operation *, mlir::Type>> uses;
};

UnsignedIntegers findUnsigned(mlir::func::FuncOp function);

/// Nodes and tensors with unique names, and which tensor stands for which value of the IR.
class ExportGraph {
public:
  explicit ExportGraph(Model &model) : model(model) {}

  int64_t opset() const { return model.opsets.at(""); }

  void setUnsigned(UnsignedIntegers integers) { unsignedIntegers = std::move(integers); }
  bool isUnsigned(mlir::Value value) const { return unsignedIntegers.values.contains(value); }
  /// Whether `op` reads the constant `value` as unsigned integers.
  bool readsAsUnsigned(mlir::Operation *op, mlir::Value value) const {
    return unsignedIntegers.uses.contains(
        {op, cast<mlir::RankedTensorType>(value.getType()).getElementType()});
  }

  /// `wanted`, or with a number behind it where that is taken. An empty name is none.
  std::string uniqueNode(llvm::StringRef wanted) {
    return wanted.empty() ? std::string() : nodes.make(wanted);
  }
  std::string uniqueTensor(llvm::StringRef wanted) {
    return wanted.empty() ? std::string() : tensors.make(wanted);
  }
  /// False if the name is taken.
  bool takeTensor(llvm::StringRef name) { return tensors.insert(name); }

  void bind(mlir::Value value, llvm::StringRef tensor) { bound[value] = tensor.str(); }
  /// The tensor that `value` is to become when its op is exported: an output of the model.
  void reserve(mlir::Value value, llvm::StringRef tensor) { reserved[value] = tensor.str(); }

  bool isReserved(mlir::Value value) const { return reserved.contains(value); }
  bool isBound(mlir::Value value) const { return bound.contains(value); }
  /// The tensor of a value that is bound.
  const std::string &tensorOf(mlir::Value value) const { return bound.find(value)->second; }
  /// The reserved name of a value that is not bound yet, or a new one after the node.
  std::string nameResult(mlir::Value value, llvm::StringRef nodeName, llvm::StringRef opType);
  std::string nameTensor(llvm::StringRef nodeName, llvm::StringRef opType);

  /// The tensor of a broadcast, of signed or unsigned integers; empty where it has none yet.
  std::string &broadcast(mlir::Value value, bool isUnsigned) { return broadcasts[value][isUnsigned]; }

  /// The output of a Constant node; equal constants are one.
  std::string constant(int32_t type, llvm::ArrayRef<int64_t> dims, llvm::StringRef bytes);

  Node &addNode(llvm::StringRef opType, llvm::StringRef name, llvm::ArrayRef<std::string> inputs,
                llvm::ArrayRef<std::string> outputs);
  /// Adds an initializer that the writer fills.
  Tensor &addInitializer(llvm::StringRef name, llvm::ArrayRef<int64_t> dims);

private:
  Model &model;
  UniqueNames nodes, tensors;
  llvm::DenseMap<mlir::Value, std::string> bound, reserved;
  llvm::DenseMap<mlir::Value, std::array<std::string, 2>> broadcasts;
  UnsignedIntegers unsignedIntegers;
  std::map<std::string, std::string> constants; ///< by type, shape and bytes
};

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_EXPORTGRAPH_H
