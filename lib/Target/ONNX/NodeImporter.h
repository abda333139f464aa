//===- NodeImporter.h - Imports one node ------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_NODEIMPORTER_H
#define PHANTOM_LIB_TARGET_ONNX_NODEIMPORTER_H

#include "Model.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace phantom::onnx {

using mlir::FailureOr;
using mlir::LogicalResult;
using mlir::Value;

/// The tensors of a graph while its nodes are imported: activations and parameters by their value in the IR,
/// constants by their bytes.
struct ValueTable {
  llvm::StringMap<Value> values;
  llvm::StringMap<std::shared_ptr<Tensor>> constants;
};

/// One node with what its importer needs: operands, attributes, messages. Everything from the file is checked
/// on access; an access that fails has emitted an error.
class NodeImporter {
public:
  NodeImporter(const Model &model, const Node &node, ValueTable &table, mlir::OpBuilder &builder,
               mlir::Location location, llvm::StringRef dataDir)
      : builder(builder), location(location), model(model), node(node), table(table), dataDir(dataDir) {}

  mlir::OpBuilder &builder;
  mlir::Location location;

  /// An error at the node, which starts with its name. Only the first is emitted: importers read all operands
  /// and attributes before they look at what failed.
  mlir::InFlightDiagnostic error() const;
  int64_t opset() const { return node.opset; }
  llvm::StringRef opType() const { return node.opType; }

  bool hasInput(unsigned index) const { return index < node.inputs.size() && !node.inputs[index].empty(); }
  /// A floating-point tensor; constants become `arith.constant`.
  FailureOr<Value> operand(unsigned index);
  /// A constant of one floating-point element.
  FailureOr<double> scalar(unsigned index);
  /// A constant vector of integers (a shape), or a single one.
  FailureOr<llvm::SmallVector<int64_t>> integers(unsigned index);
  /// Checks that the input is a constant of one boolean.
  LogicalResult checkBoolean(unsigned index);

  FailureOr<int64_t> intAttribute(llvm::StringRef name, int64_t otherwise);
  FailureOr<double> floatAttribute(llvm::StringRef name, double otherwise);
  FailureOr<std::string> stringAttribute(llvm::StringRef name, llvm::StringRef otherwise);
  FailureOr<std::optional<std::vector<int64_t>>> intsAttribute(llvm::StringRef name);
  /// Accepts an attribute whatever it says: it has no effect on the result.
  void ignoreAttribute(llvm::StringRef name) { readAttributes.insert(name); }

  /// An f32 tensor of the shape, if it is one that a computer could hold.
  FailureOr<mlir::RankedTensorType> tensorType(llvm::ArrayRef<int64_t> shape) const;

  bool hasOutput(unsigned index) const { return index < node.outputs.size() && !node.outputs[index].empty(); }
  /// Makes `value` an output of the node.
  LogicalResult setResult(Value value, unsigned index = 0);
  /// An error if the node has attributes that nobody has read: this version does not know what they mean.
  LogicalResult checkAttributesRead() const;

private:
  FailureOr<const Attribute *> typedAttribute(llvm::StringRef name, Attribute::Kind kind,
                                              llvm::StringRef kindName);
  /// The constant at an input; an error if it is none.
  FailureOr<const Tensor *> constant(unsigned index);

  const Model &model;
  const Node &node;
  ValueTable &table;
  llvm::StringRef dataDir;
  llvm::StringSet<> readAttributes;
  mutable bool reported = false;
};

/// How an operator is imported, and the opset versions in which it means that.
struct Operator {
  llvm::StringLiteral name;
  int64_t firstOpset, lastOpset;
  unsigned minInputs, maxInputs;
  LogicalResult (*importNode)(NodeImporter &node); ///< null: `normalize` removes it
};

/// The operator of that domain and name; null if there is none.
const Operator *findOperator(llvm::StringRef domain, llvm::StringRef name);
/// All operators of a domain, sorted by name.
llvm::ArrayRef<Operator> standardOperators();
llvm::ArrayRef<Operator> microsoftOperators();

//===----------------------------------------------------------------------===//
// Broadcasting
//===----------------------------------------------------------------------===//

/// Brings both to their common shape as NumPy does; `phantom.broadcast` where there is something to do.
LogicalResult broadcastOperands(NodeImporter &node, Value &lhs, Value &rhs);
/// Brings `value` to the shape of `like`, which must hold it.
FailureOr<Value> broadcastTo(NodeImporter &node, Value value, Value like);
/// A constant in the shape of `like`.
Value splat(NodeImporter &node, double number, Value like);
/// Swaps the last two dimensions.
Value transposeMatrix(NodeImporter &node, Value matrix);

llvm::ArrayRef<int64_t> shapeOf(Value value);
/// "?x4" for messages.
std::string shapeText(llvm::ArrayRef<int64_t> shape);

//===----------------------------------------------------------------------===//
// Importers, by file
//===----------------------------------------------------------------------===//

LogicalResult importGemm(NodeImporter &node);
LogicalResult importMatMul(NodeImporter &node);
LogicalResult importFusedMatMul(NodeImporter &node);

LogicalResult importArithmetic(NodeImporter &node); // Add, Sub, Mul, Div
LogicalResult importActivation(NodeImporter &node); // Relu, Sigmoid, Tanh, LeakyRelu, Elu, Gelu
LogicalResult importErf(NodeImporter &node);
LogicalResult importSqrt(NodeImporter &node);
LogicalResult importPow(NodeImporter &node);
LogicalResult importDropout(NodeImporter &node);

LogicalResult importLayerNormalization(NodeImporter &node);
LogicalResult importRMSNormalization(NodeImporter &node);
LogicalResult importSkipLayerNormalization(NodeImporter &node);

LogicalResult importSoftmax(NodeImporter &node);
LogicalResult importFlatten(NodeImporter &node);
LogicalResult importReshape(NodeImporter &node);
LogicalResult importTranspose(NodeImporter &node);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_NODEIMPORTER_H
