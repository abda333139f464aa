//===- NodeImporter.h - Imports one node ------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_NODEIMPORTER_H
#define PHANTOM_LIB_TARGET_ONNX_NODEIMPORTER_H

#include "KnownTensor.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace phantom::onnx {

using mlir::FailureOr;
using mlir::LogicalResult;
using mlir::Value;

/// The tensors of a graph while its nodes are imported: activations and parameters by their value in the IR,
/// constants by their bytes, and what was computed from constants and shapes by its elements.
struct ValueTable {
  llvm::StringMap<Value> values;
  llvm::StringMap<std::shared_ptr<Tensor>> constants;
  llvm::StringMap<KnownTensor> known;
  /// Of known tensors that are the shape of a value, the value.
  llvm::StringMap<Value> shapeSources;
  /// Integers in the IR are signless: these values are unsigned.
  llvm::DenseSet<Value> unsignedValues;
  /// ONNX's types of inputs and parameters.
  llvm::StringMap<int32_t> declaredTypes;
  /// Whether tensors of doubles are computed in f64: where no parameter is one.
  bool doubles = false;
};

/// The type of the elements in the IR; null for types that are not computed with.
mlir::Type elementType(int32_t onnxType, bool doubles, mlir::Builder &builder);

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
  size_t numInputs() const { return node.inputs.size(); }
  size_t numOutputs() const { return node.outputs.size(); }
  bool hasOutput(unsigned index) const { return index < node.outputs.size() && !node.outputs[index].empty(); }
  /// An error if the node has more inputs than its operator has in the model's opset.
  LogicalResult checkInputs(unsigned least, unsigned most);
  /// A floating-point tensor; constants become `arith.constant`.
  FailureOr<Value> operand(unsigned index);
  /// A tensor of any type that is computed with.
  FailureOr<Value> anyOperand(unsigned index);
  /// ONNX's type of an input that is one of the model, or a parameter or constant; else 0.
  int32_t declaredType(unsigned index) const {
    int32_t declared = hasInput(index) ? table.declaredTypes.lookup(node.inputs[index]) : 0;
    return declared ? declared : inputType(index);
  }
  /// Whether the input's bytes are in the model, and are not a parameter.
  bool isConstant(unsigned index) const {
    return hasInput(index) && table.constants.contains(node.inputs[index]);
  }
  /// Of a constant.
  int64_t numElements(unsigned index) const { return table.constants.lookup(node.inputs[index])->elements(); }
  size_t numDimensions(unsigned index) const {
    return table.constants.lookup(node.inputs[index])->dims.size();
  }
  /// ONNX's type of the elements of a constant input; else 0.
  int32_t inputType(unsigned index) const;
  /// A constant of one floating-point element.
  FailureOr<double> scalar(unsigned index);
  /// A constant vector of integers (a shape), or a single one.
  FailureOr<llvm::SmallVector<int64_t>> integers(unsigned index);
  /// The same, where elements may depend on the batch.
  FailureOr<llvm::SmallVector<Extent>> extents(unsigned index);
  /// A constant as a value in the IR.
  FailureOr<Value> materialize(const Tensor &tensor);
  /// The shape of an input, whatever its elements are.
  FailureOr<llvm::SmallVector<Extent>> shapeOfInput(unsigned index);
  /// Notes that the node's output is the shape of its first input.
  void noteShapeSource() { table.shapeSources[node.outputs[0]] = table.values.lookup(node.inputs[0]); }
  /// The value whose shape the input is; null where it is none, or computed from one.
  Value shapeSource(unsigned index) const {
    return hasInput(index) ? table.shapeSources.lookup(node.inputs[index]) : Value();
  }
  /// Notes that `indices` select from `extent` elements: if they are an input of the model, it is checked.
  void limitIndices(Value indices, int64_t extent);
  /// The integers or booleans of an input, if they are known.
  std::optional<KnownTensor> known(unsigned index) const;
  /// Checks that the input is a constant of one boolean.
  LogicalResult checkBoolean(unsigned index);

  FailureOr<int64_t> intAttribute(llvm::StringRef name, int64_t otherwise);
  FailureOr<double> floatAttribute(llvm::StringRef name, double otherwise);
  FailureOr<const Tensor *> tensorAttribute(llvm::StringRef name);
  bool hasAttribute(llvm::StringRef name) const { return node.attribute(name); }
  FailureOr<std::string> stringAttribute(llvm::StringRef name, llvm::StringRef otherwise);
  FailureOr<std::optional<std::vector<int64_t>>> intsAttribute(llvm::StringRef name);
  /// Accepts an attribute whatever it says: it has no effect on the result.
  void ignoreAttribute(llvm::StringRef name) { readAttributes.insert(name); }

  /// A tensor of the shape (of f32, where no type is given), if it is one that a computer could hold.
  FailureOr<mlir::RankedTensorType> tensorType(llvm::ArrayRef<int64_t> shape, mlir::Type element = {}) const;
  /// The type of ONNX's elements of that type in the IR; an error if they are not computed with.
  FailureOr<mlir::Type> elementTypeOf(int64_t onnxType) const;

  /// Makes `value` an output of the node, which must have it.
  LogicalResult setResult(Value value, unsigned index = 0);
  /// Makes `value` an output, if the node has it. Integers are unsigned as told, or else as an input of their
  /// type is.
  LogicalResult setOutput(unsigned index, Value value, std::optional<bool> isUnsigned = std::nullopt);
  /// Makes known elements the node's first output.
  LogicalResult setKnown(KnownTensor known);
  bool isUnsigned(Value value) const { return table.unsignedValues.contains(value); }
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

/// Of operators that take any number of inputs.
constexpr unsigned kMany = 1u << 20;

/// Whether a model can be trained through an operator.
struct Gradient {
  enum Kind {
    Yes,
    Zero, ///< its result is constant almost everywhere
    No
  };
  Kind kind;
  llvm::StringLiteral remark; ///< when it has one, or why it has none; may be empty
};

/// How an operator is imported, and the opset versions in which it means that.
struct Operator {
  llvm::StringLiteral name;
  int64_t firstOpset, lastOpset;
  unsigned minInputs, maxInputs;
  Gradient gradient;
  LogicalResult (*importNode)(NodeImporter &node); ///< null: `normalize` removes it
};

/// The operator of that domain and name; null if there is none.
const Operator *findOperator(llvm::StringRef domain, llvm::StringRef name);
/// All operators of a domain, sorted by name.
llvm::ArrayRef<Operator> standardOperators();
llvm::ArrayRef<Operator> microsoftOperators();
llvm::ArrayRef<Operator> trainingOperators();

//===----------------------------------------------------------------------===//
// Broadcasting
//===----------------------------------------------------------------------===//

/// Brings both to their common shape as NumPy does; `phantom.broadcast` where there is something to do.
LogicalResult broadcastOperands(NodeImporter &node, Value &lhs, Value &rhs);
/// Before opset 7, operands had one shape, unless `broadcast` was set: then the second one's dimensions
/// aligned with the first one's from `axis` on, or at the end. Gives `b` the rank of `a`.
LogicalResult alignAtAxis(NodeImporter &node, Value a, Value &b);
/// Brings `value` to the shape of `like`, which must hold it.
FailureOr<Value> broadcastTo(NodeImporter &node, Value value, Value like);
/// The same for any number of values.
LogicalResult broadcastTogether(NodeImporter &node, llvm::MutableArrayRef<Value> values);
Value scalarConstant(NodeImporter &node, double number, mlir::Type element);
/// A constant in the shape of `like`, of its element type or another.
Value splat(NodeImporter &node, double number, Value like, mlir::Type element = {});
/// The same elements in another shape, which has as many.
FailureOr<Value> reshapeTo(NodeImporter &node, Value value, llvm::ArrayRef<int64_t> shape);
/// Sum over dimensions; `keep` leaves them as ones.
FailureOr<Value> sumOver(NodeImporter &node, Value value, llvm::ArrayRef<int64_t> dims, bool keep);
/// `axis` counted from the start; it may be `rank` itself where `inclusive`. An error if it does not exist.
FailureOr<int64_t> checkedAxis(NodeImporter &node, int64_t axis, int64_t rank, bool inclusive = false);
/// The axes, counted from the start and sorted; an error where one does not exist or is there twice.
FailureOr<llvm::SmallVector<int64_t>> checkedAxes(NodeImporter &node, llvm::ArrayRef<int64_t> axes,
                                                  int64_t rank);
mlir::Type elementOf(Value value);
/// What the dynamic extent of the value's shape is per row of the model's batch: 1, unless a reshape merged
/// the batch with other dimensions. Nothing where that is no whole number.
std::optional<int64_t> rowsPerBatch(Value value);
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
LogicalResult importUnary(NodeImporter &node);      // Abs, Erf, Exp, Log, Neg, Reciprocal, Sqrt
LogicalResult importGate(NodeImporter &node);       // Swish, HardSigmoid, HardSwish
LogicalResult importPow(NodeImporter &node);
LogicalResult importDropout(NodeImporter &node);

LogicalResult importLayerNormalization(NodeImporter &node);
LogicalResult importRMSNormalization(NodeImporter &node);
LogicalResult importSkipLayerNormalization(NodeImporter &node);

LogicalResult importComparison(NodeImporter &node); // Equal, Greater, GreaterOrEqual, Less, LessOrEqual
LogicalResult importLogic(NodeImporter &node);      // And, Or, Xor, Not
LogicalResult importWhere(NodeImporter &node);
LogicalResult importClip(NodeImporter &node);
LogicalResult importVariadic(NodeImporter &node); // Max, Mean, Min, Sum
LogicalResult importCast(NodeImporter &node);     // Cast, CastLike
/// Accepts the attributes of Cast that are about 8-bit floats, which are refused by their type.
void ignoreCastModes(NodeImporter &node);

LogicalResult importReduce(NodeImporter &node);  // ReduceMean, ReduceSum
LogicalResult importSoftmax(NodeImporter &node); // Softmax, LogSoftmax
LogicalResult importNegativeLogLikelihood(NodeImporter &node);
LogicalResult importSoftmaxCrossEntropy(NodeImporter &node);

LogicalResult importConcat(NodeImporter &node);
LogicalResult importGather(NodeImporter &node);
LogicalResult importSlice(NodeImporter &node);
LogicalResult importSplit(NodeImporter &node);
LogicalResult importTrilu(NodeImporter &node);

LogicalResult importConstantOfShape(NodeImporter &node);
LogicalResult importExpand(NodeImporter &node);
LogicalResult importFlatten(NodeImporter &node);
LogicalResult importKnown(NodeImporter &node); // Shape, Size: results must be known
LogicalResult importRange(NodeImporter &node);
LogicalResult importReshape(NodeImporter &node);
LogicalResult importSqueeze(NodeImporter &node);
LogicalResult importTranspose(NodeImporter &node);
LogicalResult importUnsqueeze(NodeImporter &node);

//===----------------------------------------------------------------------===//
// Folding
//===----------------------------------------------------------------------===//

/// Computes the node's result now where it is a small tensor of integers that follows from constants and
/// shapes, as in the chains of nodes that exporters write for shapes. Returns whether it did.
FailureOr<bool> foldKnown(NodeImporter &node);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_NODEIMPORTER_H
