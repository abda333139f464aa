//===- OpExporter.h - Exports one op ----------------------------- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_OPEXPORTER_H
#define PHANTOM_LIB_TARGET_ONNX_OPEXPORTER_H

#include "ExportGraph.h"
#include "ExportWeights.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

namespace phantom::onnx {

using mlir::LogicalResult;
using mlir::Operation;
using mlir::Value;

Attribute intAttribute(llvm::StringRef name, int64_t value);
Attribute floatAttribute(llvm::StringRef name, double value);
Attribute stringAttribute(llvm::StringRef name, llvm::StringRef value);
Attribute intsAttribute(llvm::StringRef name, llvm::ArrayRef<int64_t> values);

/// One op with what its exporter needs. Its nodes have the names that they had in the model, as far as the
/// op's location knows them.
class OpExporter {
public:
  OpExporter(ExportGraph &graph, WeightPlan &weights, Operation *op)
      : graph(graph), weights(weights), op(op), names(originalNames(op->getLoc())) {}

  ExportGraph &graph;
  WeightPlan &weights;
  Operation *const op;

  /// The tensor of a value that the op uses. Constants and broadcasts get nodes here, where they are needed.
  std::string tensor(Value value) { return tensor(value, graph.readsAsUnsigned(op, value)); }
  std::string tensor(Value value, bool isUnsigned);
  std::string operand(unsigned index) { return tensor(op->getOperand(index)); }
  /// The tensor of an operand that ONNX broadcasts by itself.
  std::string bare(Value operand);
  /// The tensors of all operands, without the broadcasts that ONNX does by itself.
  llvm::SmallVector<std::string> broadcastOperands();

  /// Adds a node whose output is for another node of this op only, and returns that output. `name`: what it
  /// was called in the model; empty for nodes that are new.
  std::string node(llvm::StringRef opType, llvm::ArrayRef<std::string> inputs,
                   std::vector<Attribute> attributes = {}, llvm::StringRef name = "");
  /// Adds the node that computes the op's results.
  LogicalResult result(llvm::StringRef opType, llvm::ArrayRef<std::string> inputs,
                       std::vector<Attribute> attributes = {});
  /// Likewise, for the values that the node's outputs are.
  LogicalResult results(llvm::StringRef opType, llvm::ArrayRef<std::string> inputs, mlir::ValueRange values,
                        std::vector<Attribute> attributes = {});
  /// A node with several outputs.
  std::vector<std::string> split(llvm::StringRef opType, llvm::ArrayRef<std::string> inputs, size_t outputs,
                                 std::vector<Attribute> attributes);

  /// Constants; numbers in the float type of the op.
  std::string scalar(double number);
  std::string filled(llvm::ArrayRef<int64_t> dims, double number);
  std::string constant(mlir::DenseElementsAttr elements, bool isUnsigned);
  std::string integer(int64_t number);
  std::string integers(llvm::ArrayRef<int64_t> numbers);

  /// The names of the model's nodes that became this op.
  llvm::ArrayRef<std::string> originals() const { return names; }

private:
  std::vector<std::string> names;
};

/// `operands` of one shape without the broadcasts that an ONNX operator does by itself. Others stay: those
/// without which the result would have another shape, and those that an import would make otherwise. The last
/// `kept` dimensions are not broadcast.
llvm::SmallVector<Value> withoutBroadcasts(llvm::ArrayRef<Value> operands, size_t kept = 0);
Value stripBroadcasts(Value value);

/// Whether `value` is this scalar constant, in the shape of the op's other operand `like`: what an operator
/// that needs no such operand is imported as.
bool isNumber(Value value, double number, Value like);

llvm::ArrayRef<int64_t> staticShape(Value value);

/// How the ops of one name are exported.
struct OpExport {
  llvm::StringLiteral op;
  LogicalResult (*run)(OpExporter &exporter);
  /// Ops whose results `run` has no need for: the operator computes them, too.
  llvm::SmallVector<Operation *> (*parts)(Operation *op) = nullptr;
};

/// Null where ops of that name cannot be exported.
const OpExport *findExport(llvm::StringRef opName);

//===----------------------------------------------------------------------===//
// Exporters, by file
//===----------------------------------------------------------------------===//

LogicalResult exportLinear(OpExporter &exporter);
LogicalResult exportMatmul(OpExporter &exporter);

LogicalResult exportElementwise(OpExporter &exporter); // arith and math ops that are one node
LogicalResult exportSubtract(OpExporter &exporter);
LogicalResult exportLogic(OpExporter &exporter);
LogicalResult exportCast(OpExporter &exporter);
LogicalResult exportBooleanToInteger(OpExporter &exporter);
LogicalResult exportCompareFloats(OpExporter &exporter);
LogicalResult exportCompareIntegers(OpExporter &exporter);
LogicalResult exportRsqrt(OpExporter &exporter);
LogicalResult exportActivation(OpExporter &exporter);
LogicalResult exportDropout(OpExporter &exporter);

LogicalResult exportNormalize(OpExporter &exporter);

LogicalResult
checkConstant(OpExporter &exporter); // constants and broadcasts are exported where they are used
LogicalResult checkBroadcast(OpExporter &exporter);

LogicalResult exportReshape(OpExporter &exporter);
LogicalResult exportTranspose(OpExporter &exporter);
LogicalResult exportReduceSum(OpExporter &exporter);
LogicalResult exportSoftmax(OpExporter &exporter); // of its logarithm, too

LogicalResult exportConcat(OpExporter &exporter);
LogicalResult exportGather(OpExporter &exporter);
LogicalResult exportSlice(OpExporter &exporter);

// Operators that are imported as several ops.
LogicalResult exportSelect(OpExporter &exporter); // Where, Trilu, Div of integers
llvm::SmallVector<Operation *> partsOfSelect(Operation *op);
LogicalResult exportMinimum(OpExporter &exporter); // Min, Clip
llvm::SmallVector<Operation *> partsOfMinimum(Operation *op);
LogicalResult exportQuotient(OpExporter &exporter); // Div, Reciprocal, ReduceMean
llvm::SmallVector<Operation *> partsOfQuotient(Operation *op);
/// The sum that `reshape` gives its dimensions back, as ones; null for others.
Operation *keptSum(Operation *reshape);
llvm::SmallVector<Operation *> partsOfReshape(Operation *op);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_OPEXPORTER_H
